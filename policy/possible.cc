#include "policy/possible.h"

#include <algorithm>
#include <utility>

namespace palyra::policy {
namespace {

ValueKind KindOf(ExtensionType type) {
  switch (type) {
    case ExtensionType::kIpaddr:
      return ValueKind::kIp;
    case ExtensionType::kDecimal:
      return ValueKind::kDecimal;
    case ExtensionType::kDatetime:
      return ValueKind::kDatetime;
    case ExtensionType::kDuration:
      return ValueKind::kDuration;
  }
  std::unreachable();
}

ValueKind KindOf(const Type& type) {
  switch (type.kind) {
    case TypeKind::kLong:
      return ValueKind::kLong;
    case TypeKind::kString:
      return ValueKind::kString;
    case TypeKind::kEntity:
      return ValueKind::kEntity;
    case TypeKind::kSet:
      return ValueKind::kSet;
    case TypeKind::kRecord:
      return ValueKind::kRecord;
    case TypeKind::kExtension:
      return KindOf(type.extension);
    case TypeKind::kNever:  // Of no attribute.
    case TypeKind::kTrue:
    case TypeKind::kFalse:
    case TypeKind::kBool:
      return ValueKind::kBool;
  }
  std::unreachable();
}

// What a corner of the bounds gives, held to 64 bits.
int64_t Compute(BinaryOp op, int64_t a, int64_t b, bool& overflows) {
  int64_t result = 0;
  bool below = false;  // Where an overflow goes.
  bool overflow = false;
  switch (op) {
    case BinaryOp::kAdd:
      overflow = __builtin_add_overflow(a, b, &result);
      below = a < 0;
      break;
    case BinaryOp::kSubtract:
      overflow = __builtin_sub_overflow(a, b, &result);
      below = a < 0;
      break;
    default:
      overflow = __builtin_mul_overflow(a, b, &result);
      below = (a < 0) != (b < 0);
  }
  overflows = overflows || overflow;
  return overflow ? (below ? INT64_MIN : INT64_MAX) : result;
}

}  // namespace

Possible OfType(const Type* type) {
  if (type == nullptr) {
    return {};
  }
  Possible possible{.kind = KindOf(*type), .type = type};
  possible.may_be_true = type->kind != TypeKind::kFalse;
  possible.may_be_false = type->kind != TypeKind::kTrue;
  possible.only_entities = type->element != nullptr && (type->element->kind == TypeKind::kEntity ||
                                                        type->element->kind == TypeKind::kNever);
  return possible;
}

Possible OfValue(const Value& value) {
  Possible possible = OfKind(value.kind());
  if (const bool* held = value.AsBool()) {
    possible.may_be_true = *held;
    possible.may_be_false = !*held;
  }
  if (const int64_t* number = value.AsLong()) {
    possible.least = possible.most = *number;
  }
  if (const SetValue* set = value.AsSet()) {
    possible.only_entities = std::ranges::all_of(
        set->elements(), [](const Value& e) { return e.AsEntity() != nullptr; });
  }
  return possible;
}

void Need(Possible& out, const Possible& operand, std::initializer_list<ValueKind> kinds) {
  out.error = out.error || operand.error || !operand.kind;
  out.value = out.value && operand.value;
  if (operand.kind && std::ranges::find(kinds, *operand.kind) == kinds.end()) {
    out.error = true;
    out.value = false;
  }
}

void Need(Possible& out, const Possible& operand) {
  out.error = out.error || operand.error;
  out.value = out.value && operand.value;
}

Possible Equality(const Possible& left, const Possible& right, bool equal) {
  Possible out = OfKind(ValueKind::kBool);
  Need(out, left);
  Need(out, right);
  const bool differ =
      left.kind && right.kind &&
      (left.kind != right.kind ||
       (left.kind == ValueKind::kLong && (left.most < right.least || right.most < left.least)));
  (equal ? out.may_be_true : out.may_be_false) = !differ;
  return out;
}

Possible Comparison(BinaryOp op, const Possible& left, const Possible& right) {
  Possible out = OfKind(ValueKind::kBool);
  Need(out, left, {ValueKind::kLong, ValueKind::kDatetime, ValueKind::kDuration});
  Need(out, right, {ValueKind::kLong, ValueKind::kDatetime, ValueKind::kDuration});
  if (!left.kind || !right.kind) {
    return out;
  }
  if (left.kind != right.kind) {
    out.error = true;
    out.value = false;
  } else if (left.kind == ValueKind::kLong) {
    const bool strict = op == BinaryOp::kLess || op == BinaryOp::kGreater;
    const bool less = op == BinaryOp::kLess || op == BinaryOp::kLessEqual;
    const Possible& small = less ? left : right;
    const Possible& large = less ? right : left;
    out.may_be_true = strict ? small.least < large.most : small.least <= large.most;
    out.may_be_false = strict ? small.most >= large.least : small.most > large.least;
  }
  return out;
}

Possible Arithmetic(BinaryOp op, const Possible& left, const Possible& right) {
  Possible out = OfKind(ValueKind::kLong);
  Need(out, left, {ValueKind::kLong});
  Need(out, right, {ValueKind::kLong});
  const auto corners = {Compute(op, left.least, right.least, out.error),
                        Compute(op, left.least, right.most, out.error),
                        Compute(op, left.most, right.least, out.error),
                        Compute(op, left.most, right.most, out.error)};
  out.least = std::min(corners);
  out.most = std::max(corners);
  return out;
}

Possible Membership(const Possible& left, const Possible& right) {
  Possible out = OfKind(ValueKind::kBool);
  Need(out, left, {ValueKind::kEntity});
  Need(out, right, {ValueKind::kEntity, ValueKind::kSet});
  out.error = out.error || (right.kind == ValueKind::kSet && !right.only_entities);
  return out;
}

Possible Either(const Possible& a, const Possible& b) {
  if (!a.value || !b.value) {
    Possible out = a.value ? a : b;
    out.error = true;
    return out;
  }
  Possible out{.error = a.error || b.error};
  out.kind = a.kind == b.kind ? a.kind : std::nullopt;
  out.type = a.type == b.type ? a.type : nullptr;
  out.may_be_true = a.may_be_true || b.may_be_true;
  out.may_be_false = a.may_be_false || b.may_be_false;
  out.least = std::min(a.least, b.least);
  out.most = std::max(a.most, b.most);
  out.only_entities = a.only_entities && b.only_entities;
  return out;
}

}  // namespace palyra::policy
