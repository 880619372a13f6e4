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

std::unexpected<EvalError> TypeError(Span span, std::string_view expected, const Value& found) {
  return EvalFail(span, "type error: expected " + std::string(expected) + ", found " +
                            std::string(KindName(found.kind())));
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

EvalResult In(const Value& left, const Value& right, const Request& request,
              const EntityStore& entities, Span span) {
  const EntityUid* uid = left.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "entity", left);
  }
  const Entity* entity = FindEntity(*uid, request, entities);
  const auto is_in = [&](const EntityUid& ancestor) {
    return *uid == ancestor || (entity != nullptr && entity->ancestors.contains(ancestor));
  };
  if (const EntityUid* ancestor = right.AsEntity()) {
    return Value::Bool(is_in(*ancestor));
  }
  const SetValue* set = right.AsSet();
  if (set == nullptr) {
    return TypeError(span, "entity or set of entities", right);
  }
  bool found = false;
  for (const Value& element : set->elements()) {
    const EntityUid* ancestor = element.AsEntity();
    if (ancestor == nullptr) {
      return TypeError(span, "set of entities, an element of it", element);
    }
    found = found || is_in(*ancestor);
  }
  return Value::Bool(found);
}

EvalResult SetOperation(BinaryOp op, const Value& left, const Value& right, Span span) {
  const SetValue* a = left.AsSet();
  if (a == nullptr) {
    return TypeError(span, "set", left);
  }
  if (op == BinaryOp::kContains) {
    return Value::Bool(a->Contains(right));
  }
  const SetValue* b = right.AsSet();
  if (b == nullptr) {
    return TypeError(span, "set", right);
  }
  return Value::Bool(op == BinaryOp::kContainsAll ? a->ContainsAll(*b) : a->ContainsAny(*b));
}

EvalResult TagOperation(BinaryOp op, const Value& left, const Value& right, const Request& request,
                        const EntityStore& entities, Span span) {
  const EntityUid* uid = left.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "entity", left);
  }
  const std::string* key = right.AsString();
  if (key == nullptr) {
    return TypeError(span, "string", right);
  }
  const Entity* entity = FindEntity(*uid, request, entities);
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
                                                          const Request& request,
                                                          const EntityStore& entities, Span span) {
  if (const RecordValue* record = object.AsRecord()) {
    return record;
  }
  const EntityUid* uid = object.AsEntity();
  if (uid == nullptr) {
    return TypeError(span, "record or entity", object);
  }
  const Entity* entity = FindEntity(*uid, request, entities);
  return entity == nullptr ? nullptr : &entity->attrs;
}

}  // namespace

const Entity* FindEntity(const EntityUid& uid, const Request& request,
                         const EntityStore& entities) {
  const Entity* event = request.event_entity.get();
  return event != nullptr && event->uid == uid ? event : entities.Find(uid);
}

EvalResult ApplyUnary(UnaryOp op, const Value& operand, Span span) {
  switch (op) {
    case UnaryOp::kNot:
      if (const bool* value = operand.AsBool()) {
        return Value::Bool(!*value);
      }
      return TypeError(span, "bool", operand);
    case UnaryOp::kNegate: {
      const int64_t* value = operand.AsLong();
      if (value == nullptr) {
        return TypeError(span, "long", operand);
      }
      int64_t result = 0;
      if (__builtin_sub_overflow(int64_t{0}, *value, &result)) {
        return EvalFail(span, "integer overflow: -(" + std::to_string(*value) + ')');
      }
      return Value::Long(result);
    }
    case UnaryOp::kIsEmpty:
      if (const SetValue* set = operand.AsSet()) {
        return Value::Bool(set->elements().empty());
      }
      return TypeError(span, "set", operand);
  }
  std::unreachable();
}

EvalResult ApplyBinary(BinaryOp op, const Value& left, const Value& right, const Request& request,
                       const EntityStore& entities, Span span) {
  switch (op) {
    case BinaryOp::kEqual:
      return Value::Bool(left == right);
    case BinaryOp::kNotEqual:
      return Value::Bool(left != right);
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
    case BinaryOp::kGreater:
    case BinaryOp::kGreaterEqual:
      return Compare(op, left, right, span);
    case BinaryOp::kIn:
      return In(left, right, request, entities, span);
    case BinaryOp::kAdd:
    case BinaryOp::kSubtract:
    case BinaryOp::kMultiply:
      return Compute(op, left, right, span);
    case BinaryOp::kContains:
    case BinaryOp::kContainsAll:
    case BinaryOp::kContainsAny:
      return SetOperation(op, left, right, span);
    case BinaryOp::kGetTag:
    case BinaryOp::kHasTag:
      return TagOperation(op, left, right, request, entities, span);
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

const Value* FindAttr(const Value& object, const std::string& attr, const Request& request,
                      const EntityStore& entities) {
  const auto attrs = AttributesOf(object, request, entities, Span{});
  return attrs && *attrs != nullptr ? (*attrs)->Find(attr) : nullptr;
}

EvalResult ApplyGetAttr(const Value& object, const std::string& attr, const Request& request,
                        const EntityStore& entities, Span span) {
  const auto attrs = AttributesOf(object, request, entities, span);
  if (!attrs) {
    return std::unexpected(attrs.error());
  }
  if (*attrs == nullptr) {
    return EvalFail(span, "entity " + ToCedar(*object.AsEntity()) + " does not exist");
  }
  const Value* value = (*attrs)->Find(attr);
  if (value == nullptr) {
    const EntityUid* uid = object.AsEntity();
    return EvalFail(span, (uid == nullptr ? "record" : "entity " + ToCedar(*uid)) +
                              " has no attribute " + QuoteString(attr));
  }
  return *value;
}

EvalResult ApplyHasAttr(const Value& object, const std::vector<std::string>& path,
                        const Request& request, const EntityStore& entities, Span span) {
  const Value* at = &object;
  for (const std::string& attr : path) {
    const auto attrs = AttributesOf(*at, request, entities, span);
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
