// Limits that cgroup controllers hold: v2 in the run's own cgroup, v1 in one more of that name in
// each hierarchy that is needed, "<hierarchy>/palyra/<run id>", which the command's process joins.

#ifndef PALYRA_ENGINE_LIMIT_CGROUPS_H_
#define PALYRA_ENGINE_LIMIT_CGROUPS_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/host.h"
#include "engine/limit_mechanisms.h"
#include "engine/live_run.h"
#include "engine/run_limits.h"

namespace palyra::engine {

// Where the kernel counts what a controller has refused.
struct LimitEvents {
  LimitKind kind;
  std::string path;     // "…/memory.events"
  std::string counter;  // "oom_kill", of that file.
  // How a change is told: to who polls the file for POLLPRI; of v1 memory, by an eventfd that is
  // written to `control`; of other v1 controllers, to nobody.
  enum class Told { kPoll, kEventfd, kNot } told = Told::kPoll;
  std::string control = {};  // NOLINT(readability-redundant-member-init)
};

struct LimitCgroups {
  std::vector<UniqueFd> cgroup1_members;  // SpawnLimits::cgroup1_members.
  std::vector<LimitEvents> events;
};

// Puts in force what `limits` have and controllers hold. Controllers that children of Palyra's
// cgroups do not have yet are given to them, and stay. The run owns the cgroups that are made.
// kUnsupported where a kernel has a controller without what the limit needs.
Result<LimitCgroups> HoldByCgroups(const Host& host, LiveRun& run, const RunLimits& limits,
                                   const Controllers& controllers);

// Removes the cgroups in v1 hierarchies of the run with that id, whose processes are gone. Absence
// is success.
Result<void> RemoveLimitCgroups(const Host& host, const std::string& run_id);

// Removes what holds them, where there are none.
void RemoveLimitCgroupParents(const Host& host);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIMIT_CGROUPS_H_
