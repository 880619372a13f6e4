#include "policy/outcomes.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <variant>

#include "policy/extension.h"
#include "policy/possible.h"
#include "policy/schema/types.h"

namespace palyra::policy {
namespace {

// What is known of an attribute that an expression asks for.
struct Attribute {
  bool known = false;  // Whether it is said if it can be there.
  bool may_be_there = true;
  bool surely_there = false;
  Possible value = {};
};

class OutcomeFinder {
 public:
  explicit OutcomeFinder(const PartialRequest& request) : request_(request) {}

  // NOLINTNEXTLINE(readability-convert-member-functions-to-static): most overloads of On are not.
  Possible Of(const Expr& expr) {
    if (const Value* value = ConstantOf(expr)) {
      return OfValue(*value);
    }
    Possible possible = std::visit([&](const auto& node) { return On(node, expr); }, expr.node);
    possible.may_be_true = possible.may_be_true && possible.value;
    possible.may_be_false = possible.may_be_false && possible.value;
    return possible;
  }

 private:
  const PartialRequest& request_;
  CapabilitySet there_;  // What is surely there where the expression at hand is reached.

  static Possible On(const Literal& n, const Expr& /*expr*/) { return OfValue(n.value); }

  static Possible On(const VariableRef& n, const Expr& /*expr*/) {
    return OfKind(n.variable == Variable::kContext ? ValueKind::kRecord : ValueKind::kEntity);
  }

  static Possible On(const ErrorNode& /*n*/, const Expr& /*expr*/) {
    return {.error = true, .value = false};
  }

  Possible On(const Unary& n, const Expr& /*expr*/) {
    Possible operand = Of(*n.operand);
    if (n.op == UnaryOp::kNegate) {
      Possible out = OfKind(ValueKind::kLong);
      Need(out, operand, {ValueKind::kLong});
      out.error = out.error || operand.least == INT64_MIN;
      out.least = operand.most == INT64_MIN ? INT64_MIN : -operand.most;
      out.most = operand.least == INT64_MIN ? INT64_MAX : -operand.least;
      return out;
    }
    Possible out = OfKind(ValueKind::kBool);
    if (n.op == UnaryOp::kIsEmpty) {
      Need(out, operand, {ValueKind::kSet});
      return out;
    }
    Need(out, operand, {ValueKind::kBool});
    out.may_be_true = operand.may_be_false;
    out.may_be_false = operand.may_be_true;
    out.if_true = std::move(operand.if_false);
    out.if_false = std::move(operand.if_true);
    return out;
  }

  Possible On(const Binary& n, const Expr& /*expr*/) {
    const Possible left = Of(*n.left);
    const Possible right = Of(*n.right);
    switch (n.op) {
      case BinaryOp::kEqual:
      case BinaryOp::kNotEqual:
        return Equality(left, right, n.op == BinaryOp::kEqual);
      case BinaryOp::kLess:
      case BinaryOp::kLessEqual:
      case BinaryOp::kGreater:
      case BinaryOp::kGreaterEqual:
        return Comparison(n.op, left, right);
      case BinaryOp::kAdd:
      case BinaryOp::kSubtract:
      case BinaryOp::kMultiply:
        return Arithmetic(n.op, left, right);
      case BinaryOp::kIn:
        return Membership(left, right);
      case BinaryOp::kContains:
      case BinaryOp::kContainsAll:
      case BinaryOp::kContainsAny: {
        Possible out = OfKind(ValueKind::kBool);
        Need(out, left, {ValueKind::kSet});
        n.op == BinaryOp::kContains ? Need(out, right) : Need(out, right, {ValueKind::kSet});
        return out;
      }
      case BinaryOp::kGetTag:
      case BinaryOp::kHasTag:
        return Tag(n, left, right);
    }
    std::unreachable();
  }

  Possible Tag(const Binary& n, const Possible& left, const Possible& right) {
    Possible out;
    Need(out, left, {ValueKind::kEntity});
    Need(out, right, {ValueKind::kString});
    Capability tag(AccessPath::Of(*n.left), n.right.get());
    const bool there = there_.Contains(tag);
    if (n.op == BinaryOp::kGetTag) {
      out.error = out.error || !there;
      return out;
    }
    out.kind = ValueKind::kBool;
    out.may_be_false = !there;
    out.if_true.Add(std::move(tag));
    return out;
  }

  Possible On(const And& n, const Expr& /*expr*/) { return Chain(n.operands, true); }
  Possible On(const Or& n, const Expr& /*expr*/) { return Chain(n.operands, false); }

  Possible Chain(const std::vector<ExprPtr>& operands, bool is_and) {
    Possible out = OfKind(ValueKind::kBool);
    bool& decided = is_and ? out.may_be_false : out.may_be_true;
    bool& passed = is_and ? out.may_be_true : out.may_be_false;
    CapabilitySet& if_passed = is_and ? out.if_true : out.if_false;
    decided = false;
    const size_t before = there_.size();
    for (const ExprPtr& expr : operands) {
      const Possible operand = Of(*expr);
      Possible need;
      Need(need, operand, {ValueKind::kBool});
      out.error = out.error || need.error;
      decided = decided || (need.value && (is_and ? operand.may_be_false : operand.may_be_true));
      passed = need.value && (is_and ? operand.may_be_true : operand.may_be_false);
      if (!passed) {
        break;  // What follows is never reached.
      }
      const CapabilitySet& more = is_and ? operand.if_true : operand.if_false;
      there_.AddAll(more);
      if_passed.AddAll(more);
    }
    there_.Truncate(before);
    out.value = decided || passed;
    return out;
  }

  Possible On(const If& n, const Expr& /*expr*/) {
    const Possible condition = Of(*n.condition);
    Possible need;
    Need(need, condition, {ValueKind::kBool});
    const bool takes_then = need.value && condition.may_be_true;
    const bool takes_else = need.value && condition.may_be_false;
    const auto branch = [&](const Expr& expr, const CapabilitySet& known) {
      const size_t before = there_.size();
      there_.AddAll(known);
      Possible possible = Of(expr);
      there_.Truncate(before);
      return possible;
    };
    Possible out;
    if (takes_then && takes_else) {
      out = Either(branch(*n.then_branch, condition.if_true),
                   branch(*n.else_branch, condition.if_false));
    } else if (takes_then || takes_else) {
      out = takes_then ? branch(*n.then_branch, condition.if_true)
                       : branch(*n.else_branch, condition.if_false);
    } else {
      out.value = false;
    }
    out.error = out.error || need.error;
    return out;
  }

  // Null where this is not the context, or an entity that comes with its data.
  [[nodiscard]] const std::vector<OpenAttr>* OpenAttrsOf(const Expr& object) const {
    const auto* reference = std::get_if<VariableRef>(&object.node);
    if (reference == nullptr) {
      return nullptr;
    }
    const auto of = [](const PartialEntity& entity) {
      return entity.shape ? &entity.shape->attributes : nullptr;
    };
    switch (reference->variable) {
      case Variable::kPrincipal:
        return of(request_.principal);
      case Variable::kAction:
        return of(request_.action);
      case Variable::kResource:
        return of(request_.resource);
      case Variable::kContext:
        return request_.context_unknown ? nullptr : &request_.open_context;
    }
    std::unreachable();
  }

  // `object` is what `expr` comes to, which is null where it is not written out.
  Attribute Find(const Expr* expr, const Possible& object, const std::string& attr) {
    const auto* record = expr == nullptr ? nullptr : std::get_if<RecordLiteral>(&expr->node);
    if (record != nullptr) {
      for (const auto& [key, field] : record->fields) {
        if (key == attr) {
          return {.known = true, .surely_there = true, .value = Of(*field)};
        }
      }
      return {.known = true, .may_be_there = false};
    }
    const std::vector<OpenAttr>* attrs = expr == nullptr ? nullptr : OpenAttrsOf(*expr);
    if (attrs != nullptr) {
      const auto open = std::ranges::find(*attrs, attr, &OpenAttr::name);
      if (open == attrs->end()) {
        return {.known = true, .may_be_there = false};
      }
      Attribute found{.known = true, .surely_there = open->required, .value = OfType(open->type)};
      found.value.least = open->least;
      found.value.most = open->most;
      return found;
    }
    if (object.type == nullptr || object.type->kind != TypeKind::kRecord) {
      return {};
    }
    const AttributeType* declared = object.type->FindAttribute(attr);
    if (declared == nullptr) {
      return {.known = !object.type->open, .may_be_there = object.type->open};
    }
    return {.known = true, .surely_there = declared->required, .value = OfType(declared->type)};
  }

  Possible On(const GetAttr& n, const Expr& expr) {
    const Possible object = Of(*n.object);
    Attribute attribute = Find(n.object.get(), object, n.attr);
    Possible out = std::move(attribute.value);
    Need(out, object, {ValueKind::kEntity, ValueKind::kRecord});
    out.value = out.value && attribute.may_be_there;
    out.error = out.error ||
                !(attribute.surely_there ||
                  (attribute.may_be_there && there_.Contains(Capability(AccessPath::Of(expr)))));
    return out;
  }

  Possible On(const HasAttr& n, const Expr& /*expr*/) {
    Possible out = OfKind(ValueKind::kBool);
    out.may_be_false = false;
    AccessPath path = AccessPath::Of(*n.object);
    Possible object = Of(*n.object);
    const Expr* expr = n.object.get();
    for (const std::string& attr : n.path) {
      Need(out, object, {ValueKind::kEntity, ValueKind::kRecord});
      if (!out.value) {
        // Reached only where what came before is there.
        out.value = out.may_be_false;
        out.may_be_true = false;
        break;
      }
      path.attrs.emplace_back(attr);
      Capability capability(path);
      Attribute attribute = Find(expr, object, attr);
      out.may_be_true = out.may_be_true && attribute.may_be_there;
      out.may_be_false =
          out.may_be_false || !(attribute.surely_there || there_.Contains(capability));
      if (!attribute.may_be_there) {
        break;
      }
      out.if_true.Add(std::move(capability));
      object = std::move(attribute.value);
      expr = nullptr;
    }
    return out;
  }

  Possible On(const Like& n, const Expr& /*expr*/) {
    Possible out = OfKind(ValueKind::kBool);
    Need(out, Of(*n.text), {ValueKind::kString});
    return out;
  }

  Possible On(const Is& n, const Expr& /*expr*/) {
    Possible out = OfKind(ValueKind::kBool);
    Need(out, Of(*n.object), {ValueKind::kEntity});
    if (n.ancestor != nullptr) {
      const Possible in = Membership(OfKind(ValueKind::kEntity), Of(*n.ancestor));
      out.error = out.error || in.error;
      out.may_be_true = in.value;
    }
    return out;
  }

  Possible On(const SetLiteral& n, const Expr& /*expr*/) {
    Possible out = OfKind(ValueKind::kSet);
    out.only_entities = true;
    for (const ExprPtr& expr : n.elements) {
      const Possible element = Of(*expr);
      Need(out, element);
      out.only_entities = out.only_entities && element.kind == ValueKind::kEntity;
    }
    return out;
  }

  Possible On(const RecordLiteral& n, const Expr& /*expr*/) {
    Possible out = OfKind(ValueKind::kRecord);
    for (const auto& [key, field] : n.fields) {
      Need(out, Of(*field));
    }
    return out;
  }

  Possible On(const Call& n, const Expr& /*expr*/) {
    const Signature& signature = SignatureOf(n.function);
    Possible out = OfKind(signature.result);
    for (size_t i = 0; i < n.args.size(); ++i) {
      const Possible arg = Of(*n.args[i]);
      i < signature.arity() ? Need(out, arg, {i == 0 ? signature.first : *signature.second})
                            : Need(out, arg);
    }
    const bool calculates = n.function == Function::kOffset ||
                            n.function == Function::kDurationSince ||
                            n.function == Function::kToDate;
    out.error = out.error || calculates || !signature.is_method;
    if (n.args.size() != signature.arity()) {
      out.error = true;
      out.value = false;
    }
    return out;
  }
};

}  // namespace

Outcomes OutcomesOf(const Expr& residual, const PartialRequest& request) {
  const Possible possible = OutcomeFinder(request).Of(residual);
  const bool is_bool = !possible.kind || *possible.kind == ValueKind::kBool;
  return {.may_be_true = is_bool && possible.may_be_true,
          .may_be_false = is_bool && possible.may_be_false,
          .may_error = possible.error || possible.kind != ValueKind::kBool};
}

}  // namespace palyra::policy
