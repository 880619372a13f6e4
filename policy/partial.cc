#include "policy/partial.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "policy/extension.h"

namespace palyra::policy {
namespace {

ExprPtr ErrorAt(Span span, std::string message) {
  return MakeExpr(span, ErrorNode{.message = std::move(message)});
}

ExprPtr BoolAt(Span span, bool value) { return MakeLiteral(span, Value::Bool(value)); }

ExprPtr FromResult(Span span, EvalResult result) {
  return result ? MakeLiteral(span, *std::move(result))
                : ErrorAt(result.error().span, std::move(result.error().message));
}

bool IsError(const ExprPtr& expr) { return std::holds_alternative<ErrorNode>(expr->node); }

// Null where the value is not known or not a Bool.
const bool* KnownBool(const Expr& expr) {
  const Value* value = ConstantOf(expr);
  return value == nullptr ? nullptr : value->AsBool();
}

// Whether a value of this expression, where there is one, is always a Bool.
bool YieldsBool(const Expr& expr) {
  if (const auto* unary = std::get_if<Unary>(&expr.node)) {
    return unary->op != UnaryOp::kNegate;
  }
  if (const auto* binary = std::get_if<Binary>(&expr.node)) {
    return binary->op != BinaryOp::kAdd && binary->op != BinaryOp::kSubtract &&
           binary->op != BinaryOp::kMultiply && binary->op != BinaryOp::kGetTag;
  }
  if (const auto* call = std::get_if<Call>(&expr.node)) {
    return SignatureOf(call->function).result == ValueKind::kBool;
  }
  return std::holds_alternative<And>(expr.node) || std::holds_alternative<Or>(expr.node) ||
         std::holds_alternative<HasAttr>(expr.node) || std::holds_alternative<Like>(expr.node) ||
         std::holds_alternative<Is>(expr.node) || KnownBool(expr) != nullptr;
}

// Whether `value` is, or is a set that holds, an entity of the open one's type or its ancestors'.
bool MayHold(const PartialEntity& open, const Value& value) {
  if (const EntityUid* uid = value.AsEntity()) {
    return uid->type() == *open.type ||
           std::ranges::find(open.shape->ancestor_types, uid->type()) !=
               open.shape->ancestor_types.end();
  }
  const SetValue* set = value.AsSet();
  return set != nullptr && std::ranges::any_of(set->elements(), [&](const Value& element) {
           return MayHold(open, element);
         });
}

const OpenAttr* FindOpen(const std::vector<OpenAttr>& attrs, const std::string& name) {
  const auto found = std::ranges::find(attrs, name, &OpenAttr::name);
  return found == attrs.end() ? nullptr : &*found;
}

// A name that is never asked about stands for what is to come.
EntityUid UidOr(const PartialEntity& entity) {
  return entity.uid.value_or(EntityUid(entity.type.value_or(""), ""));
}

}  // namespace

PartialEvaluator::PartialEvaluator(const PartialRequest& request, const EntityStore& entities)
    : request_(request),
      known_{.principal = UidOr(request.principal),
             .action = UidOr(request.action),
             .resource = UidOr(request.resource),
             .context = Value::Record(request.context.fields())},
      lookup_(known_, entities) {}

// Null where this is not a variable that stands for an entity to come.
const PartialEntity* PartialEvaluator::OpenEntity(const Expr& expr) const {
  const auto* reference = std::get_if<VariableRef>(&expr.node);
  if (reference == nullptr || reference->variable == Variable::kContext) {
    return nullptr;
  }
  const PartialEntity& entity = reference->variable == Variable::kPrincipal ? request_.principal
                                : reference->variable == Variable::kAction  ? request_.action
                                                                            : request_.resource;
  return entity.uid ? nullptr : &entity;
}

bool PartialEvaluator::IsOpenContext(const Expr& expr) const {
  const auto* reference = std::get_if<VariableRef>(&expr.node);
  return reference != nullptr && reference->variable == Variable::kContext &&
         (request_.context_unknown || !request_.open_context.empty());
}

// Whether this is a constant entity whose data an entity to come may replace.
bool PartialEvaluator::IsWithheld(const Expr& expr) const {
  const Value* value = ConstantOf(expr);
  const EntityUid* uid = value == nullptr ? nullptr : value->AsEntity();
  const auto replaces = [&](const PartialEntity& entity) {
    return entity.shape && *entity.type == uid->type();
  };
  return uid != nullptr &&
         (replaces(request_.principal) || replaces(request_.action) || replaces(request_.resource));
}

PartialEvaluator::AttrState PartialEvaluator::StateOf(const Expr& object,
                                                      const std::string& attr) const {
  const auto of_open = [](const OpenAttr* open) {
    return AttrState{open == nullptr  ? Presence::kAbsent
                     : open->required ? Presence::kThere
                                      : Presence::kOpen};
  };
  if (const PartialEntity* open = OpenEntity(object)) {
    return open->shape ? of_open(FindOpen(open->shape->attributes, attr)) : AttrState{};
  }
  const bool is_context = IsOpenContext(object);
  const Value* value = is_context ? &known_.context : ConstantOf(object);
  if (value == nullptr || IsWithheld(object)) {
    return {};
  }
  const EntityUid* uid = value->AsEntity();
  if (uid != nullptr &&
      std::ranges::find(request_.open_attrs, std::pair(*uid, attr)) != request_.open_attrs.end()) {
    return {};
  }
  if (const Value* found = FindAttr(*value, attr, lookup_)) {
    return {.presence = Presence::kKnown, .value = found};
  }
  if (!is_context) {
    return {.presence = Presence::kAbsent};
  }
  return request_.context_unknown ? AttrState{} : of_open(FindOpen(request_.open_context, attr));
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): most overloads of Reduce are not.
ExprPtr PartialEvaluator::Residual(const ExprPtr& expr) {
  if (ConstantOf(*expr) != nullptr) {
    return expr;
  }
  return std::visit([&](const auto& node) { return Reduce(expr, node); }, expr->node);
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Literal& /*node*/) { return expr; }

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const ErrorNode& /*node*/) { return expr; }

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const VariableRef& node) {
  if (OpenEntity(*expr) != nullptr || IsOpenContext(*expr)) {
    return expr;
  }
  switch (node.variable) {
    case Variable::kPrincipal:
      return MakeLiteral(expr->span, Value::Entity(known_.principal));
    case Variable::kAction:
      return MakeLiteral(expr->span, Value::Entity(known_.action));
    case Variable::kResource:
      return MakeLiteral(expr->span, Value::Entity(known_.resource));
    case Variable::kContext:
      return MakeLiteral(expr->span, known_.context);
  }
  std::unreachable();
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Unary& node) {
  ExprPtr operand = Residual(node.operand);
  if (IsError(operand)) {
    return operand;
  }
  if (const Value* value = ConstantOf(*operand)) {
    return FromResult(expr->span, ApplyUnary(node.op, *value, expr->span));
  }
  return MakeExpr(expr->span, Unary{.op = node.op, .operand = std::move(operand)});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Binary& node) {
  return ReduceBinary(expr->span, node.op, Residual(node.left), Residual(node.right));
}

// Takes residuals.
ExprPtr PartialEvaluator::ReduceBinary(Span span, BinaryOp op, ExprPtr left, ExprPtr right) {
  // Both sides are always evaluated, so the whole fails wherever one of them surely does.
  if (IsError(left)) {
    return left;
  }
  if (IsError(right)) {
    return right;
  }
  const bool asks_entity =
      op == BinaryOp::kIn || op == BinaryOp::kGetTag || op == BinaryOp::kHasTag;
  const Value* left_value = ConstantOf(*left);
  const Value* right_value = ConstantOf(*right);
  if (left_value != nullptr && right_value != nullptr && !(asks_entity && IsWithheld(*left))) {
    return FromResult(span, ApplyBinary(op, *left_value, *right_value, lookup_, span));
  }
  const ExprPtr known =
      op == BinaryOp::kIn ? ReduceIn(span, *left, *right) : ReduceEqual(span, op, *left, *right);
  return known != nullptr
             ? known
             : MakeExpr(span, Binary{.op = op, .left = std::move(left), .right = std::move(right)});
}

// An entity to come differs from everything that is no entity, or one of another type.
ExprPtr PartialEvaluator::ReduceEqual(Span span, BinaryOp op, const Expr& left,
                                      const Expr& right) const {
  if (op != BinaryOp::kEqual && op != BinaryOp::kNotEqual) {
    return nullptr;
  }
  const PartialEntity* open = OpenEntity(left);
  const Value* other = ConstantOf(open != nullptr ? right : left);
  open = open != nullptr ? open : OpenEntity(right);
  if (open == nullptr || other == nullptr) {
    return nullptr;
  }
  const EntityUid* uid = other->AsEntity();
  const bool differs = uid == nullptr || (open->type && *open->type != uid->type());
  return differs ? BoolAt(span, op == BinaryOp::kNotEqual) : nullptr;
}

// No entity lies in one of a type that its ancestors cannot have; a right side that is neither an
// entity nor a set of such still fails.
ExprPtr PartialEvaluator::ReduceIn(Span span, const Expr& left, const Expr& right) const {
  const PartialEntity* open = OpenEntity(left);
  const Value* value = ConstantOf(right);
  if (open == nullptr || !open->shape || value == nullptr || MayHold(*open, *value)) {
    return nullptr;
  }
  return FromResult(span,
                    ApplyBinary(BinaryOp::kIn, Value::Entity(UidOr(*open)), *value, lookup_, span));
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const And& node) {
  return ReduceChain(expr->span, node.operands, /*is_and=*/true);
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Or& node) {
  return ReduceChain(expr->span, node.operands, /*is_and=*/false);
}

ExprPtr PartialEvaluator::ReduceChain(Span span, const std::vector<ExprPtr>& operands,
                                      bool is_and) {
  std::vector<ExprPtr> kept;
  for (const ExprPtr& operand : operands) {
    ExprPtr residual = Residual(operand);
    const bool* known = KnownBool(*residual);
    if (known != nullptr && *known == is_and) {
      continue;  // Decides nothing.
    }
    const bool ends = known != nullptr || IsError(residual) || ConstantOf(*residual) != nullptr;
    if (ends && known == nullptr && !IsError(residual)) {
      residual = ErrorAt(operand->span, "expected bool");
    }
    kept.push_back(std::move(residual));
    if (ends) {
      break;  // What follows is never reached.
    }
  }
  if (kept.empty()) {
    return BoolAt(span, is_and);
  }
  if (kept.size() == 1) {
    if (IsError(kept[0]) || YieldsBool(*kept[0])) {
      return kept[0];
    }
    kept.insert(kept.begin(), BoolAt(span, is_and));  // Keeps the demand for a Bool.
  }
  return is_and ? MakeExpr(span, And{.operands = std::move(kept)})
                : MakeExpr(span, Or{.operands = std::move(kept)});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const If& node) {
  ExprPtr condition = Residual(node.condition);
  if (IsError(condition)) {
    return condition;
  }
  if (const bool* known = KnownBool(*condition)) {
    return Residual(*known ? node.then_branch : node.else_branch);
  }
  if (ConstantOf(*condition) != nullptr) {
    return ErrorAt(condition->span, "expected bool");
  }
  return MakeExpr(expr->span, If{.condition = std::move(condition),
                                 .then_branch = Residual(node.then_branch),
                                 .else_branch = Residual(node.else_branch)});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const GetAttr& node) {
  ExprPtr object = Residual(node.object);
  if (IsError(object)) {
    return object;
  }
  const AttrState state = StateOf(*object, node.attr);
  if (state.presence == Presence::kKnown) {
    return MakeLiteral(expr->span, *state.value);
  }
  const bool is_context = IsOpenContext(*object);
  const Value* value = is_context ? &known_.context : ConstantOf(*object);
  if (state.presence == Presence::kAbsent && value != nullptr) {
    EvalError error = MissingAttr(*value, node.attr, lookup_, expr->span);
    return ErrorAt(error.span, std::move(error.message));
  }
  return MakeExpr(expr->span, GetAttr{.object = std::move(object), .attr = node.attr});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const HasAttr& node) {
  return ReduceHas(expr->span, Residual(node.object), node.path);
}

// Takes a residual.
ExprPtr PartialEvaluator::ReduceHas(Span span, ExprPtr object,
                                    const std::vector<std::string>& path) {
  if (IsError(object)) {
    return object;
  }
  const std::string& attr = path.front();
  const AttrState state = StateOf(*object, attr);
  if (state.presence == Presence::kOpen) {
    return MakeExpr(span, HasAttr{.object = std::move(object), .path = path});
  }
  if (state.presence == Presence::kAbsent) {
    // A constant that has no attributes at all is an error.
    const Value* value = ConstantOf(*object);
    return value == nullptr
               ? BoolAt(span, false)
               : FromResult(span, ApplyHasAttr(*value, std::span(&attr, 1), lookup_, span));
  }
  if (path.size() == 1) {
    return BoolAt(span, true);
  }
  object = state.presence == Presence::kKnown
               ? MakeLiteral(span, *state.value)
               : MakeExpr(span, GetAttr{.object = std::move(object), .attr = attr});
  return ReduceHas(span, std::move(object), {path.begin() + 1, path.end()});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Like& node) {
  ExprPtr text = Residual(node.text);
  if (IsError(text)) {
    return text;
  }
  const Value* value = ConstantOf(*text);
  if (value == nullptr) {
    return MakeExpr(expr->span, Like{.text = std::move(text), .pattern = node.pattern});
  }
  return FromResult(expr->span, ApplyLike(*value, node.pattern, expr->span));
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Is& node) {
  ExprPtr object = Residual(node.object);
  if (IsError(object)) {
    return object;
  }
  const Value* value = ConstantOf(*object);
  const PartialEntity* open = OpenEntity(*object);
  if (value == nullptr && (open == nullptr || !open->type)) {
    ExprPtr is = MakeExpr(expr->span, Is{.object = object, .type = node.type, .ancestor = nullptr});
    if (node.ancestor == nullptr) {
      return is;
    }
    ExprPtr in =
        ReduceBinary(expr->span, BinaryOp::kIn, std::move(object), Residual(node.ancestor));
    return MakeExpr(expr->span, And{.operands = {std::move(is), std::move(in)}});
  }
  if (value != nullptr && value->AsEntity() == nullptr) {
    return ErrorAt(object->span, "expected entity");
  }
  const bool matches = node.type == (value == nullptr ? *open->type : value->AsEntity()->type());
  if (!matches || node.ancestor == nullptr) {
    return BoolAt(expr->span, matches);
  }
  return ReduceBinary(expr->span, BinaryOp::kIn, std::move(object), Residual(node.ancestor));
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const SetLiteral& node) {
  std::vector<ExprPtr> elements;
  elements.reserve(node.elements.size());
  for (const ExprPtr& element : node.elements) {
    elements.push_back(Residual(element));
    if (IsError(elements.back())) {
      return elements.back();
    }
  }
  return MakeExpr(expr->span, SetLiteral{.elements = std::move(elements)});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const RecordLiteral& node) {
  std::vector<std::pair<std::string, ExprPtr>> fields;
  fields.reserve(node.fields.size());
  for (const auto& [key, field] : node.fields) {
    fields.emplace_back(key, Residual(field));
    if (IsError(fields.back().second)) {
      return fields.back().second;
    }
  }
  return MakeExpr(expr->span, RecordLiteral{.fields = std::move(fields)});
}

ExprPtr PartialEvaluator::Reduce(const ExprPtr& expr, const Call& node) {
  std::vector<ExprPtr> args;
  std::vector<Value> values;
  for (const ExprPtr& arg : node.args) {
    args.push_back(Residual(arg));
    if (IsError(args.back())) {
      return args.back();
    }
    if (const Value* value = ConstantOf(*args.back())) {
      values.push_back(*value);
    }
  }
  if (values.size() == args.size()) {
    return FromResult(expr->span, ApplyCall(node.function, values, expr->span));
  }
  return MakeExpr(expr->span, Call{.function = node.function, .args = std::move(args)});
}

}  // namespace palyra::policy
