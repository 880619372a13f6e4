// How long what a residual says of the time stays as it is.

#ifndef PALYRA_POLICY_COMPILE_TIME_WINDOW_H_
#define PALYRA_POLICY_COMPILE_TIME_WINDOW_H_

#include <cstdint>
#include <expected>
#include <optional>

#include "policy/ast.h"
#include "policy/compile/residual_walk.h"

namespace palyra::policy {

inline constexpr const char* kNowAttr = "now";  // Of the context: datetime.

// Whether the condition, or a part of it, reads the context.
bool ReadsContext(const Expr& expr);

// `residual` has only `resource` and `context.now` left to ask. Every part of it that depends on
// the time alone has, from `now_ms` until before the result, the one value that it has at `now_ms`;
// nothing where it has that for ever. The result may come before the value really changes, so that
// who asks again then is still right. Milliseconds since the epoch. Refused with LOW-NOW: a part
// that changes with the next millisecond, relates the time to the event, or fails.
std::expected<std::optional<int64_t>, Finding> UnchangedUntil(const Expr& residual, int64_t now_ms);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_TIME_WINDOW_H_
