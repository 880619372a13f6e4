// The strict operators of evaluator.h.

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "policy/evaluator.h"
#include "policy/names.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

std::unexpected<EvalError> EvalFail(Span span, std::string message) {
  return std::unexpected(EvalError{.span = span, .message = std::move(message)});
}

std::unexpected<EvalError> TypeError(Span span, std::string_view expected, ValueKind found) {
  return EvalFail(span, "type error: expected " + std::string(expected) + ", found " +
                            std::string(KindName(found)));
}

std::unexpected<EvalError> TypeError(Span span, std::string_view expected, const Value& found) {
  return TypeError(span, expected, found.kind());
}

bool IsOrdered(ValueKind kind) {
  return kind == ValueKind::kLong || kind == ValueKind::kDatetime || kind == ValueKind::kDuration;
}

EvalResult Compare(BinaryOp op, const Value& left, const Value& right, Span span) {
  if (!IsOrdered(left.kind())) {
    return TypeError(span, "long, datetime or duration", left);
  }
  if (right.kind() != left.kind()) {
    return TypeError(span, KindName(left.kind()), right);
  }
  switch (op) {
    case BinaryOp::kLess:
      return Value::Bool((left <=> right) < 0);
    case BinaryOp::kLessEqual:
      return Value::Bool((left <=> right) <= 0);
    case BinaryOp::kGreater:
      return Value::Bool((left <=> right) > 0);
    default:
      return Value::Bool((left <=> right) >= 0);
  }
}

EvalResult Compute(BinaryOp op, const Value& left, const Value& right, Span span) {
  const int64_t* a = left.AsLong();
  const int64_t* b = right.AsLong();
  if (a == nullptr || b == nullptr) {
    return TypeError(span, "long", a == nullptr ? left : right);
  }
  int64_t result = 0;
  const bool overflow = op == BinaryOp::kAdd        ? __builtin_add_overflow(*a, *b, &result)
                        : op == BinaryOp::kSubtract ? __builtin_sub_overflow(*a, *b, &result)
                                                    : __builtin_mul_overflow(*a, *b, &result);
  if (overflow) {
    return EvalFail(span, "integer overflow: " + std::to_string(*a) + ' ' +
                              std::string(NameOf(op)) + ' ' + std::to_string(*b));
  }
  return Value::Long(result);
}

EvalResult In(const Value& left, const Operand& right, const EntityLookup& lookup, Span span) {
  const EntityUid* uid = left.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "entity", left);
  }
  const Entity* entity = lookup.Find(*uid);
  const auto is_in = [&](const EntityUid& ancestor) {
    return *uid == ancestor || (entity != nullptr && entity->ancestors.contains(ancestor));
  };
  const Value* built = right.value();
  if (const EntityUid* ancestor = built == nullptr ? nullptr : built->AsEntity()) {
    return Value::Bool(is_in(*ancestor));
  }
  if (!right.is_set()) {
    return TypeError(span, "entity or set of entities", right.kind());
  }
  bool found = false;
  for (const Value& element : right.elements()) {
    const EntityUid* ancestor = element.AsEntity();
    if (ancestor == nullptr) {
      return TypeError(span, "set of entities, an element of it", element);
    }
    found = found || is_in(*ancestor);
  }
  return Value::Bool(found);
}

EvalResult SetOperation(BinaryOp op, const Operand& left, const Operand& right, Span span) {
  if (!left.is_set()) {
    return TypeError(span, "set", left.kind());
  }
  if (op == BinaryOp::kContains) {
    return Value::Bool(left.Contains(*right.value()));
  }
  if (!right.is_set()) {
    return TypeError(span, "set", right.kind());
  }
  const auto is_in_left = [&](const Value& element) { return left.Contains(element); };
  return Value::Bool(op == BinaryOp::kContainsAll
                         ? std::ranges::all_of(right.elements(), is_in_left)
                         : std::ranges::any_of(right.elements(), is_in_left));
}

EvalResult TagOperation(BinaryOp op, const Value& left, const Value& right,
                        const EntityLookup& lookup, Span span) {
  const EntityUid* uid = left.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "entity", left);
  }
  const std::string* key = right.AsString();
  if (key == nullptr) {
    return TypeError(span, "string", right);
  }
  const Entity* entity = lookup.Find(*uid);
  const Value* tag = entity == nullptr ? nullptr : entity->tags.Find(*key);
  if (op == BinaryOp::kHasTag) {
    return Value::Bool(tag != nullptr);
  }
  if (entity == nullptr) {
    return EvalFail(span, "entity " + ToCedar(*uid) + " does not exist");
  }
  if (tag == nullptr) {
    return EvalFail(span, "entity " + ToCedar(*uid) + " has no tag " + QuoteString(*key));
  }
  return *tag;
}

// The record that `object` is, or that holds the attributes of the entity it is; null where that
// entity does not exist.
std::expected<const RecordValue*, EvalError> AttributesOf(const Value& object,
                                                          const EntityLookup& lookup, Span span) {
  if (const RecordValue* record = object.AsRecord()) {
    return record;
  }
  const EntityUid* uid = object.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "record or entity", object);
  }
  const Entity* entity = lookup.Find(*uid);
  return entity == nullptr ? nullptr : &entity->attrs;
}

}  // namespace

const Entity* EntityLookup::FindAnywhere(const EntityUid& uid) const {
  const Entity* event = request_.event_entity.get();
  return event != nullptr && event->uid == uid ? event : entities_.Find(uid);
}

std::span<const Value> Operand::elements() const {
  return value_ == nullptr ? elements_ : value_->AsSet()->elements();
}

bool Operand::Contains(const Value& element) const {
  return value_ == nullptr ? std::ranges::find(elements_, element) != elements_.end()
                           : value_->AsSet()->Contains(element);
}

EvalResult ApplyUnary(UnaryOp op, const Operand& operand, Span span) {
  if (op == UnaryOp::kIsEmpty) {
    return operand.is_set() ? EvalResult(Value::Bool(operand.elements().empty()))
                            : TypeError(span, "set", operand.kind());
  }
  if (op == UnaryOp::kNot) {
    const bool* value = operand.value()->AsBool();
    return value != nullptr ? EvalResult(Value::Bool(!*value))
                            : TypeError(span, "bool", operand.kind());
  }
  const int64_t* value = operand.value()->AsLong();
  if (value == nullptr) {
    return TypeError(span, "long", operand.kind());
  }
  int64_t result = 0;
  if (__builtin_sub_overflow(int64_t{0}, *value, &result)) {
    return EvalFail(span, "integer overflow: -(" + std::to_string(*value) + ')');
  }
  return Value::Long(result);
}

EvalResult ApplyBinary(BinaryOp op, const Operand& left, const Operand& right,
                       const EntityLookup& lookup, Span span) {
  switch (op) {
    case BinaryOp::kEqual:
      return Value::Bool(*left.value() == *right.value());
    case BinaryOp::kNotEqual:
      return Value::Bool(*left.value() != *right.value());
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
    case BinaryOp::kGreater:
    case BinaryOp::kGreaterEqual:
      return Compare(op, *left.value(), *right.value(), span);
    case BinaryOp::kIn:
      return In(*left.value(), right, lookup, span);
    case BinaryOp::kAdd:
    case BinaryOp::kSubtract:
    case BinaryOp::kMultiply:
      return Compute(op, *left.value(), *right.value(), span);
    case BinaryOp::kContains:
    case BinaryOp::kContainsAll:
    case BinaryOp::kContainsAny:
      return SetOperation(op, left, right, span);
    case BinaryOp::kGetTag:
    case BinaryOp::kHasTag:
      return TagOperation(op, *left.value(), *right.value(), lookup, span);
  }
  std::unreachable();
}

EvalResult ApplyLike(const Value& text, const Pattern& pattern, Span span) {
  const std::string* string = text.AsString();
  if (string == nullptr) {
    return TypeError(span, "string", text);
  }
  return Value::Bool(Matches(pattern, *string));
}

EvalResult ApplyIsType(const Value& object, const std::string& type, Span span) {
  const EntityUid* uid = object.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "entity", object);
  }
  return Value::Bool(uid->type() == type);
}

const Value* FindAttr(const Value& object, const std::string& attr, const EntityLookup& lookup) {
  if (const RecordValue* record = object.AsRecord()) {
    return record->Find(attr);
  }
  const EntityUid* uid = object.AsEntity();
  const Entity* entity = uid == nullptr ? nullptr : lookup.Find(*uid);
  return entity == nullptr ? nullptr : entity->attrs.Find(attr);
}

EvalError MissingAttr(const Value& object, const std::string& attr, const EntityLookup& lookup,
                      Span span) {
  const auto attrs = AttributesOf(object, lookup, span);
  if (!attrs) {
    return attrs.error();
  }
  const EntityUid* uid = object.AsEntity();
  return {.span = span,
          .message = *attrs == nullptr ? "entity " + ToCedar(*uid) + " does not exist"
                                       : (uid == nullptr ? "record" : "entity " + ToCedar(*uid)) +
                                             " has no attribute " + QuoteString(attr)};
}

EvalResult ApplyHasAttr(const Value& object, std::span<const std::string> path,
                        const EntityLookup& lookup, Span span) {
  const Value* at = &object;
  for (const std::string& attr : path) {
    const auto attrs = AttributesOf(*at, lookup, span);
    if (!attrs) {
      return std::unexpected(attrs.error());
    }
    at = *attrs == nullptr ? nullptr : (*attrs)->Find(attr);
    if (at == nullptr) {
      return Value::Bool(false);
    }
  }
  return Value::Bool(true);
}

}  // namespace palyra::policy
