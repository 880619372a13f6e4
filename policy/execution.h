// Whether a run may begin: tool.execute, which the evaluator decides before anything runs.
//
// Each layer decides apart, and the strictest holds. A layer decides like Cedar once one of its
// policies names tool.execute, or, in a head without an action, a Palyra::Tool or ToolGroup: what
// it does not permit it denies. One that speaks of neither denies only by a forbid that holds: one
// that is about everything.

#ifndef PALYRA_POLICY_EXECUTION_H_
#define PALYRA_POLICY_EXECUTION_H_

#include <span>
#include <string>
#include <vector>

#include "policy/authorizer.h"
#include "policy/compile/compiler.h"
#include "policy/value.h"

namespace palyra::policy {

// False: no policy could deny a run to begin, whatever its request is.
bool MayDenyExecution(std::span<const LayerInput> layers);

struct ExecutionRequest {
  EntityUid principal;  // A Palyra::Agent.
  EntityUid tool;
  Value context;  // A record: ExecuteContext of the schema.
};

// The answer of one layer; kAllow without reasons where it leaves it to the others.
Judgement JudgeExecution(const LayerInput& layer, const ExecutionRequest& request);

struct ExecutionVerdict {
  Verdict verdict = Verdict::kAllow;  // Or the strictest of all layers: kDeny, kAsk.
  // The rest is of the outermost layer that says so, and empty for kAllow.
  Layer layer = Layer::kMandatory;
  std::vector<size_t> reasons;      // Of kAsk its permits, of kDeny its forbids, if any.
  std::vector<std::string> errors;  // Why policies of it failed.
};

ExecutionVerdict DecideExecution(std::span<const LayerInput> layers,
                                 const ExecutionRequest& request);

// Palyra::Action::"tool.execute"
EntityUid ExecuteAction();

inline constexpr std::string_view kToolType = "Palyra::Tool";
inline constexpr std::string_view kToolGroupType = "Palyra::ToolGroup";

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EXECUTION_H_
