#include "policy/compile/time_window.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <variant>

#include "policy/datetime.h"
#include "policy/duration.h"

namespace palyra::policy {
namespace {

constexpr int64_t kLastDayMs = 86'399'999;

// All values that an expression takes while the time goes from one moment to another: of a Long,
// datetime or duration from `first` to `last`; of a Bool false is 0 and true is 1.
struct Range {
  ValueKind kind;
  int64_t first;
  int64_t last;
  [[nodiscard]] bool is_one_value() const { return first == last; }
};

// Nothing where the values are not known, or may be errors.
using Values = std::optional<Range>;

Range BoolRange(bool can_be_false, bool can_be_true) {
  return {.kind = ValueKind::kBool, .first = can_be_false ? 0 : 1, .last = can_be_true ? 1 : 0};
}

Values RangeOf(const Value& value) {
  const auto one = [&](int64_t number) {
    return Range{.kind = value.kind(), .first = number, .last = number};
  };
  if (const bool* held = value.AsBool()) {
    return one(*held ? 1 : 0);
  }
  if (const int64_t* number = value.AsLong()) {
    return one(*number);
  }
  if (const Datetime* datetime = value.AsDatetime()) {
    return one(datetime->milliseconds());
  }
  if (const Duration* duration = value.AsDuration()) {
    return one(duration->ToMilliseconds());
  }
  return std::nullopt;
}

bool IsContext(const Expr& expr) {
  const auto* variable = std::get_if<VariableRef>(&expr.node);
  return variable != nullptr && variable->variable == Variable::kContext;
}

bool IsNow(const Expr& expr) {
  const auto* get = std::get_if<GetAttr>(&expr.node);
  return get != nullptr && IsContext(*get->object) && get->attr == kNowAttr;
}

// Nothing where it overflows.
std::optional<int64_t> Calculate(BinaryOp op, int64_t a, int64_t b) {
  int64_t result = 0;
  const bool overflows = op == BinaryOp::kAdd        ? __builtin_add_overflow(a, b, &result)
                         : op == BinaryOp::kSubtract ? __builtin_sub_overflow(a, b, &result)
                                                     : __builtin_mul_overflow(a, b, &result);
  return overflows ? std::nullopt : std::optional(result);
}

// The operators here take their extremes at the ends of their operands.
Values AtCorners(BinaryOp op, const Range& a, const Range& b, ValueKind kind) {
  Range range{.kind = kind,
              .first = std::numeric_limits<int64_t>::max(),
              .last = std::numeric_limits<int64_t>::min()};
  for (const int64_t left : {a.first, a.last}) {
    for (const int64_t right : {b.first, b.last}) {
      const std::optional<int64_t> corner = Calculate(op, left, right);
      if (!corner) {
        return std::nullopt;
      }
      range.first = std::min(range.first, *corner);
      range.last = std::max(range.last, *corner);
    }
  }
  return range;
}

Range Compare(BinaryOp op, const Range& a, const Range& b) {
  switch (op) {
    case BinaryOp::kLess:
      return BoolRange(a.last >= b.first, a.first < b.last);
    case BinaryOp::kLessEqual:
      return BoolRange(a.last > b.first, a.first <= b.last);
    case BinaryOp::kGreater:
      return Compare(BinaryOp::kLess, b, a);
    case BinaryOp::kGreaterEqual:
      return Compare(BinaryOp::kLessEqual, b, a);
    default:
      break;
  }
  const bool can_be_equal = a.first <= b.last && b.first <= a.last;
  const bool can_differ = !a.is_one_value() || !b.is_one_value() || a.first != b.first;
  return op == BinaryOp::kEqual ? BoolRange(can_differ, can_be_equal)
                                : BoolRange(can_be_equal, can_differ);
}

// Expressions over the time from `first` to `last`.
class RangeEvaluator {
 public:
  RangeEvaluator(int64_t first, int64_t last)
      : now_{.kind = ValueKind::kDatetime, .first = first, .last = last} {}

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): most overloads of Of are not.
  [[nodiscard]] Values ValuesOf(const Expr& expr) const {
    if (const Value* value = ConstantOf(expr)) {
      return RangeOf(*value);
    }
    return IsNow(expr) ? now_ : std::visit([&](const auto& node) { return Of(node); }, expr.node);
  }

 private:
  Range now_;

  template <typename Node>
  static Values Of(const Node& /*node*/) {
    return std::nullopt;
  }

  [[nodiscard]] Values Of(const Unary& node) const {
    const Values operand = ValuesOf(*node.operand);
    if (operand && node.op == UnaryOp::kNot && operand->kind == ValueKind::kBool) {
      return BoolRange(operand->last == 1, operand->first == 0);
    }
    if (operand && node.op == UnaryOp::kNegate && operand->kind == ValueKind::kLong) {
      const Range zero{.kind = ValueKind::kLong, .first = 0, .last = 0};
      return AtCorners(BinaryOp::kSubtract, zero, *operand, ValueKind::kLong);
    }
    return std::nullopt;
  }

  [[nodiscard]] Values Of(const Binary& node) const {
    const Values left = ValuesOf(*node.left);
    const Values right = ValuesOf(*node.right);
    if (!left || !right || left->kind != right->kind) {
      return std::nullopt;
    }
    switch (node.op) {
      case BinaryOp::kEqual:
      case BinaryOp::kNotEqual:
        return Compare(node.op, *left, *right);
      case BinaryOp::kLess:
      case BinaryOp::kLessEqual:
      case BinaryOp::kGreater:
      case BinaryOp::kGreaterEqual:
        return left->kind == ValueKind::kBool ? Values() : Compare(node.op, *left, *right);
      case BinaryOp::kAdd:
      case BinaryOp::kSubtract:
      case BinaryOp::kMultiply:
        return left->kind == ValueKind::kLong ? AtCorners(node.op, *left, *right, ValueKind::kLong)
                                              : Values();
      default:
        return std::nullopt;
    }
  }

  [[nodiscard]] Values Of(const And& node) const { return OfChain(node.operands, false); }
  [[nodiscard]] Values Of(const Or& node) const { return OfChain(node.operands, true); }

  // `decider` ends the chain.
  [[nodiscard]] Values OfChain(const std::vector<ExprPtr>& operands, bool decider) const {
    bool can_decide = false;
    for (const ExprPtr& operand : operands) {
      const Values values = ValuesOf(*operand);
      if (!values || values->kind != ValueKind::kBool) {
        return std::nullopt;
      }
      const bool can = decider ? values->last == 1 : values->first == 0;
      can_decide = can_decide || can;
      if (can && values->is_one_value()) {
        return decider ? BoolRange(false, true) : BoolRange(true, false);
      }
    }
    return decider ? BoolRange(true, can_decide) : BoolRange(can_decide, true);
  }

  [[nodiscard]] Values Of(const If& node) const {
    const Values condition = ValuesOf(*node.condition);
    if (!condition || condition->kind != ValueKind::kBool || !condition->is_one_value()) {
      return std::nullopt;
    }
    return ValuesOf(condition->first == 1 ? *node.then_branch : *node.else_branch);
  }

  [[nodiscard]] Values Of(const Call& node) const {
    if (node.args.empty() || node.args.size() > 2) {
      return std::nullopt;
    }
    const Values receiver = ValuesOf(*node.args[0]);
    if (!receiver) {
      return std::nullopt;
    }
    if (node.args.size() == 1) {
      return OfMethod(node.function, *receiver);
    }
    const Values other = ValuesOf(*node.args[1]);
    if (other && node.function == Function::kOffset) {
      return AtCorners(BinaryOp::kAdd, *receiver, *other, ValueKind::kDatetime);
    }
    if (other && node.function == Function::kDurationSince) {
      return AtCorners(BinaryOp::kSubtract, *receiver, *other, ValueKind::kDuration);
    }
    return std::nullopt;
  }

  static Values OfMethod(Function function, const Range& receiver) {
    switch (function) {
      case Function::kToTime:
        return ToTime(receiver);
      case Function::kToDate:
        return AtEnds(receiver, ValueKind::kDatetime, [](int64_t ms) {
          const std::optional<Datetime> day = Datetime(ms).ToDate();
          return day ? std::optional(day->milliseconds()) : std::nullopt;
        });
      case Function::kToMilliseconds:
        return Units(receiver, [](Duration d) { return d.ToMilliseconds(); });
      case Function::kToSeconds:
        return Units(receiver, [](Duration d) { return d.ToSeconds(); });
      case Function::kToMinutes:
        return Units(receiver, [](Duration d) { return d.ToMinutes(); });
      case Function::kToHours:
        return Units(receiver, [](Duration d) { return d.ToHours(); });
      case Function::kToDays:
        return Units(receiver, [](Duration d) { return d.ToDays(); });
      default:
        return std::nullopt;
    }
  }

  // `function` grows with its argument.
  template <typename Grow>
  static Values AtEnds(const Range& range, ValueKind kind, Grow function) {
    const std::optional<int64_t> first = function(range.first);
    const std::optional<int64_t> last = function(range.last);
    return first && last ? Values(Range{.kind = kind, .first = *first, .last = *last}) : Values();
  }

  template <typename Count>
  static Values Units(const Range& range, Count count) {
    return AtEnds(range, ValueKind::kLong,
                  [&](int64_t ms) { return std::optional(count(Duration(ms))); });
  }

  static Values ToTime(const Range& range) {
    const std::optional<Datetime> first_day = Datetime(range.first).ToDate();
    if (!first_day || first_day != Datetime(range.last).ToDate()) {
      return Range{.kind = ValueKind::kDuration, .first = 0, .last = kLastDayMs};
    }
    return AtEnds(range, ValueKind::kDuration,
                  [](int64_t ms) { return std::optional(Datetime(ms).ToTime().ToMilliseconds()); });
  }
};

bool HasResource(const Expr& expr) {
  return IsResource(expr) || std::ranges::any_of(ChildrenOf(expr), [](const ExprPtr& child) {
           return HasResource(*child);
         });
}

// Whether the value changes, or is not known, at each of the next moments: not at a boundary by
// chance, but always.
bool NeverRests(const Expr& expr, int64_t now) {
  constexpr int64_t kMoments = 4;
  const auto rests_at = [&](int64_t moment) {
    const Values values = RangeEvaluator(moment, moment + 1).ValuesOf(expr);
    return values && values->is_one_value();
  };
  for (int64_t moment = now; moment < now + kMoments; ++moment) {
    if (rests_at(moment)) {
      return false;
    }
  }
  return true;
}

// The last moment up to which the expression surely has one value; nothing where it has none now.
std::optional<int64_t> OneValueThrough(const Expr& expr, int64_t now) {
  const auto is_one = [&](int64_t last) {
    const Values values = RangeEvaluator(now, last).ValuesOf(expr);
    return values && values->is_one_value();
  };
  if (!is_one(now)) {
    return std::nullopt;
  }
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  int64_t one = now;
  int64_t step = 1;
  while (one < kEnd && step <= kEnd - one && is_one(one + step)) {
    one += step;
    step = step > kEnd / 2 ? kEnd : step * 2;
  }
  for (step = std::min(step, kEnd - one); step > 0; step /= 2) {
    while (step <= kEnd - one && is_one(one + step)) {
      one += step;
    }
  }
  return one;
}

class Windows {
 public:
  explicit Windows(int64_t now) : now_(now) {}

  // False where a part is refused.
  bool Look(const Expr& expr) {
    if (!ReadsContext(expr)) {
      return true;
    }
    if (HasResource(expr)) {
      return std::ranges::all_of(ChildrenOf(expr),
                                 [&](const ExprPtr& child) { return Look(*child); });
    }
    const std::optional<int64_t> last = OneValueThrough(expr, now_);
    if (!last || NeverRests(expr, now_)) {
      refusal_ = Finding{.code = "LOW-NOW",
                         .span = expr.span,
                         .message = Quoted(expr) + (last ? " changes with every millisecond"
                                                         : " has no value that is known"),
                         .hint = "compare context.now, or what is made of it, with constants"};
      return false;
    }
    if (*last < std::numeric_limits<int64_t>::max()) {
      until_ = std::min(until_.value_or(*last + 1), *last + 1);
    }
    return true;
  }

  std::expected<std::optional<int64_t>, Finding> Take() {
    if (refusal_) {
      return std::unexpected(*std::move(refusal_));
    }
    return until_;
  }

 private:
  int64_t now_;
  std::optional<int64_t> until_;
  std::optional<Finding> refusal_;
};

}  // namespace

bool ReadsContext(const Expr& expr) {
  return IsContext(expr) ||
         std::ranges::any_of(ChildrenOf(expr), [](const ExprPtr& c) { return ReadsContext(*c); });
}

std::expected<std::optional<int64_t>, Finding> UnchangedUntil(const Expr& residual,
                                                              int64_t now_ms) {
  Windows windows(now_ms);
  windows.Look(residual);
  return windows.Take();
}

}  // namespace palyra::policy
