// The kernel side of this machine, opened for a verb about live runs.

#ifndef PALYRA_CLI_LIVE_KERNEL_H_
#define PALYRA_CLI_LIVE_KERNEL_H_

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/features.h"
#include "engine/kernel_objects.h"

namespace palyra::cli {

struct LiveKernel {
  engine::Features features;
  std::optional<engine::KernelObjects> objects;  // Set.
};

// kPermissionDenied without root.
Result<LiveKernel> OpenLiveKernel();

// The ids of the live runs, sorted.
std::vector<std::string> LiveRunIds(const engine::KernelObjects& objects);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_LIVE_KERNEL_H_
