// The limits of one run, from before its command starts to its end.

#ifndef PALYRA_ENGINE_LIMIT_SUPERVISION_H_
#define PALYRA_ENGINE_LIMIT_SUPERVISION_H_

#include <optional>
#include <vector>

#include "base/result.h"
#include "engine/host.h"
#include "engine/limit_cgroups.h"
#include "engine/limit_watch.h"
#include "engine/live_run.h"
#include "engine/output_relay.h"
#include "engine/run.h"
#include "engine/run_limits.h"
#include "engine/spawn_limits.h"
#include "engine/supervisor.h"
#include "engine/tool_user.h"

namespace palyra::engine {

class LimitSupervision {
 public:
  // Cgroups are made and limited, and what is used is watched. kRefused where nothing holds one of
  // the limits. Borrows the run.
  static Result<LimitSupervision> Prepare(const Host& host, LiveRun& run, const RunLimits& limits);

  // What the child is to take, valid as long as this; afterwards every limit is in force for it.
  // Pipes are made only here: no process of ours that is forked before may hold them open. `user`
  // is the command's.
  Result<SpawnLimits> ForChild(const ToolUser& user);

  // When the child has been started.
  void Begin();

  // To be waited for meanwhile. They refer to this object, which stays where it is.
  std::vector<WaitSource> Sources();

  // The run has come to a limit, and ends.
  [[nodiscard]] bool is_over() const;

  // When all processes are gone. Passes on what is left of the output, as OutputRelay::Drain, and
  // says in `outcome` which limit it was, if one was.
  void End(int interrupt, RunOutcome& outcome);

 private:
  explicit LimitSupervision(const RunLimits& limits) : limits_(limits) {}
  Result<void> Hold(const Host& host, LiveRun& run);

  RunLimits limits_;
  LimitCgroups cgroups_;
  std::optional<LimitWatch> watch_;
  std::optional<OutputRelay> relay_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIMIT_SUPERVISION_H_
