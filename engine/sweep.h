// Ending runs whose supervisor is dead.

#ifndef PALYRA_ENGINE_SWEEP_H_
#define PALYRA_ENGINE_SWEEP_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"

namespace palyra::engine {

struct SweepResult {
  std::vector<std::string> ended;  // Run ids.
  std::vector<std::string>
      failures;  // Messages; what could not be removed stays for the next sweep.
};

// Kills and removes every run, of any generation, whose supervisor's lock is free: processes,
// cgroup, table entries. Runs with a live supervisor are not touched. Profiles that a killed writer
// left incomplete go too. Costs a few microseconds where there is nothing to do. Old generations
// without runs are detached.
Result<SweepResult> SweepAbandonedRuns(const Host& host, const KernelObjects& objects);

// Detaches and unpins every generation that has no live run, this build's too. Returns how many
// still have one.
Result<int> Uninstall(const Host& host);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_SWEEP_H_
