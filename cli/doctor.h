// What `palyra doctor` says: which features this kernel has, and by which mechanism each promise is
// held here.

#ifndef PALYRA_CLI_DOCTOR_H_
#define PALYRA_CLI_DOCTOR_H_

#include <string>

#include "engine/features.h"

namespace palyra::cli {

struct Diagnosis {
  bool can_hold_runs;  // No feature is missing that every run needs.
  std::string text;    // Ends with a newline.
};

// Two tables, and what to do about what is missing.
Diagnosis DoctorText(engine::Features& features);

// {"kernel": as KernelTitle() has it, "can_hold_runs", "features":
// [{"feature","present","required",
//  "by_setup","purpose" or "lack","detail"?,"remedy"?}], "promises": PromisesJson()}
Diagnosis DoctorJson(engine::Features& features);

// Of docs/kernel_support.md: "6.12"; "6.18 without BPF LSM".
std::string KernelTitle(engine::Features& features);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_DOCTOR_H_
