#include "policy/ast.h"

#include <algorithm>
#include <iterator>
#include <type_traits>
#include <utility>

#include "policy/extension.h"

namespace palyra::policy {
namespace {

int HeightOf(const std::vector<ExprPtr>& children) {
  int height = 0;
  for (const ExprPtr& child : children) {
    height = std::max(height, child->height);
  }
  return height;
}

// Of what is below a node: 0 for a leaf.
int HeightBelow(const Literal& n) { return n.value.height() - 1; }
int HeightBelow(const VariableRef& /*n*/) { return 0; }
int HeightBelow(const Unary& n) { return n.operand->height; }
int HeightBelow(const Binary& n) { return std::max(n.left->height, n.right->height); }
int HeightBelow(const And& n) { return HeightOf(n.operands); }
int HeightBelow(const Or& n) { return HeightOf(n.operands); }
int HeightBelow(const If& n) {
  return std::max({n.condition->height, n.then_branch->height, n.else_branch->height});
}
int HeightBelow(const GetAttr& n) { return n.object->height; }
int HeightBelow(const HasAttr& n) { return n.object->height; }
int HeightBelow(const Like& n) { return n.text->height; }
int HeightBelow(const Is& n) {
  return std::max(n.object->height, n.ancestor == nullptr ? 0 : n.ancestor->height);
}
int HeightBelow(const SetLiteral& n) { return HeightOf(n.elements); }
int HeightBelow(const RecordLiteral& n) {
  int height = 0;
  for (const auto& [key, value] : n.fields) {
    height = std::max(height, value->height);
  }
  return height;
}
int HeightBelow(const Call& n) { return HeightOf(n.args); }
int HeightBelow(const ErrorNode& /*n*/) { return 0; }

std::optional<Value> Fold(const SetLiteral& set) {
  std::vector<Value> values;
  values.reserve(set.elements.size());
  for (const ExprPtr& element : set.elements) {
    const Value* value = ConstantOf(*element);
    if (value == nullptr) {
      return std::nullopt;
    }
    values.push_back(*value);
  }
  return Value::Set(std::move(values));
}

std::optional<Value> Fold(const RecordLiteral& record) {
  std::vector<RecordValue::Field> fields;
  fields.reserve(record.fields.size());
  for (const auto& [key, element] : record.fields) {
    const Value* value = ConstantOf(*element);
    if (value == nullptr) {
      return std::nullopt;
    }
    fields.emplace_back(key, *value);
  }
  return Value::Record(std::move(fields));
}

std::optional<Value> Fold(const Call& call) {
  if (call.args.size() != 1) {
    return std::nullopt;
  }
  const Value* argument = ConstantOf(*call.args[0]);
  const std::string* text = argument == nullptr ? nullptr : argument->AsString();
  return text == nullptr ? std::nullopt : Construct(call.function, *text);
}

bool Same(const ExprPtr& a, const ExprPtr& b) {
  return a == b || (a != nullptr && b != nullptr && SameExpr(*a, *b));
}

bool Same(const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
  return std::ranges::equal(a, b, [](const ExprPtr& x, const ExprPtr& y) { return Same(x, y); });
}

bool SameNode(const Literal& a, const Literal& b) { return a.value == b.value; }
bool SameNode(const VariableRef& a, const VariableRef& b) { return a.variable == b.variable; }
bool SameNode(const Unary& a, const Unary& b) { return a.op == b.op && Same(a.operand, b.operand); }
bool SameNode(const Binary& a, const Binary& b) {
  return a.op == b.op && Same(a.left, b.left) && Same(a.right, b.right);
}
bool SameNode(const And& a, const And& b) { return Same(a.operands, b.operands); }
bool SameNode(const Or& a, const Or& b) { return Same(a.operands, b.operands); }
bool SameNode(const If& a, const If& b) {
  return Same(a.condition, b.condition) && Same(a.then_branch, b.then_branch) &&
         Same(a.else_branch, b.else_branch);
}
bool SameNode(const GetAttr& a, const GetAttr& b) {
  return a.attr == b.attr && Same(a.object, b.object);
}
bool SameNode(const HasAttr& a, const HasAttr& b) {
  return a.path == b.path && Same(a.object, b.object);
}
bool SameNode(const Like& a, const Like& b) {
  return a.pattern == b.pattern && Same(a.text, b.text);
}
bool SameNode(const Is& a, const Is& b) {
  return a.type == b.type && Same(a.object, b.object) && Same(a.ancestor, b.ancestor);
}
bool SameNode(const SetLiteral& a, const SetLiteral& b) { return Same(a.elements, b.elements); }
bool SameNode(const RecordLiteral& a, const RecordLiteral& b) {
  return std::ranges::equal(a.fields, b.fields, [](const auto& x, const auto& y) {
    return x.first == y.first && Same(x.second, y.second);
  });
}
bool SameNode(const Call& a, const Call& b) {
  return a.function == b.function && Same(a.args, b.args);
}
bool SameNode(const ErrorNode& a, const ErrorNode& b) { return a.message == b.message; }

bool SameScope(const Scope& a, const Scope& b) {
  return a.kind == b.kind && a.slot == b.slot && a.type == b.type && a.entities == b.entities;
}

// Null for a scope that says nothing.
ExprPtr ScopeCondition(Variable variable, const Scope& scope) {
  if (scope.kind == Scope::Kind::kAny) {
    return nullptr;
  }
  const Span span = scope.span;
  ExprPtr subject = MakeExpr(span, VariableRef{variable});
  const auto entity = [&] { return MakeLiteral(span, Value::Entity(scope.entities.at(0))); };
  switch (scope.kind) {
    case Scope::Kind::kEqual:
      return MakeExpr(span, Binary{BinaryOp::kEqual, std::move(subject), entity()});
    case Scope::Kind::kIn:
      return MakeExpr(span, Binary{BinaryOp::kIn, std::move(subject), entity()});
    case Scope::Kind::kInSet: {
      std::vector<ExprPtr> elements;
      elements.reserve(scope.entities.size());
      for (const EntityUid& uid : scope.entities) {
        elements.push_back(MakeLiteral(span, Value::Entity(uid)));
      }
      return MakeExpr(span, Binary{BinaryOp::kIn, std::move(subject),
                                   MakeExpr(span, SetLiteral{.elements = std::move(elements)})});
    }
    case Scope::Kind::kIs:
      return MakeExpr(span, Is{std::move(subject), scope.type, nullptr});
    case Scope::Kind::kIsIn:
      return MakeExpr(span, Is{std::move(subject), scope.type, entity()});
    case Scope::Kind::kAny:
      break;
  }
  std::unreachable();
}

ExprPtr ExprOf(const Condition& condition) {
  return condition.kind == Condition::Kind::kWhen
             ? condition.body
             : MakeExpr(condition.span, Unary{UnaryOp::kNot, condition.body});
}

}  // namespace

bool Matches(const Pattern& pattern, std::string_view text) {
  const std::vector<std::string>& pieces = pattern.pieces;
  if (pieces.size() == 1) {
    return text == pieces[0];
  }
  if (text.size() < pieces.front().size() + pieces.back().size() ||
      !text.starts_with(pieces.front()) || !text.ends_with(pieces.back())) {
    return false;
  }
  text.remove_prefix(pieces.front().size());
  text.remove_suffix(pieces.back().size());
  // The earliest place of each inner piece leaves the most room for the rest. Bytes do as well as
  // characters, because one character's UTF-8 never begins inside another's.
  for (size_t i = 1; i + 1 < pieces.size(); ++i) {
    const size_t at = text.find(pieces[i]);
    if (at == std::string_view::npos) {
      return false;
    }
    text.remove_prefix(at + pieces[i].size());
  }
  return true;
}

template <typename OneNode>
ExprPtr MakeExpr(Span span, OneNode node) {
  const int height = HeightBelow(node) + 1;
  if constexpr (requires { node.constant; }) {
    node.constant = Fold(node);
  }
  return std::make_shared<const Expr>(span, height, std::move(node));
}

template ExprPtr MakeExpr(Span, Literal);
template ExprPtr MakeExpr(Span, VariableRef);
template ExprPtr MakeExpr(Span, Unary);
template ExprPtr MakeExpr(Span, Binary);
template ExprPtr MakeExpr(Span, And);
template ExprPtr MakeExpr(Span, Or);
template ExprPtr MakeExpr(Span, If);
template ExprPtr MakeExpr(Span, GetAttr);
template ExprPtr MakeExpr(Span, HasAttr);
template ExprPtr MakeExpr(Span, Like);
template ExprPtr MakeExpr(Span, Is);
template ExprPtr MakeExpr(Span, SetLiteral);
template ExprPtr MakeExpr(Span, RecordLiteral);
template ExprPtr MakeExpr(Span, Call);
template ExprPtr MakeExpr(Span, ErrorNode);

ExprPtr MakeExpr(Span span, Expr::Node node) {
  return std::visit([&](auto& n) { return MakeExpr(span, std::move(n)); }, node);
}

ExprPtr MakeLiteral(Span span, Value value) { return MakeExpr(span, Literal{std::move(value)}); }

const Value* ConstantOf(const Expr& expr) {
  const auto held = [](const std::optional<Value>& v) { return v ? &*v : nullptr; };
  if (const auto* literal = std::get_if<Literal>(&expr.node)) {
    return &literal->value;
  }
  if (const auto* set = std::get_if<SetLiteral>(&expr.node)) {
    return held(set->constant);
  }
  if (const auto* record = std::get_if<RecordLiteral>(&expr.node)) {
    return held(record->constant);
  }
  if (const auto* call = std::get_if<Call>(&expr.node)) {
    return held(call->constant);
  }
  return nullptr;
}

bool SameExpr(const Expr& a, const Expr& b) {
  return a.node.index() == b.node.index() && std::visit(
                                                 [&](const auto& node) {
                                                   using Node = std::decay_t<decltype(node)>;
                                                   return SameNode(node, std::get<Node>(b.node));
                                                 },
                                                 a.node);
}

const std::string* Policy::FindAnnotation(std::string_view key) const {
  const auto found = std::ranges::find(annotations, key, &Annotation::key);
  return found == annotations.end() ? nullptr : &found->value;
}

bool Policy::asks() const { return effect == Effect::kPermit && FindAnnotation("ask") != nullptr; }

bool Policy::verifies() const {
  return effect == Effect::kPermit && FindAnnotation("verify") != nullptr;
}

ExprPtr Join(Span span, const std::vector<Condition>& conditions) {
  if (conditions.size() < 2) {
    return conditions.empty() ? nullptr : ExprOf(conditions[0]);
  }
  std::vector<ExprPtr> parts;
  parts.reserve(conditions.size());
  std::ranges::transform(conditions, std::back_inserter(parts), ExprOf);
  return MakeExpr(span, And{std::move(parts)});
}

ExprPtr WholeCondition(const Policy& policy) {
  std::vector<ExprPtr> parts;
  parts.reserve(3 + policy.conditions.size());
  for (const auto& [variable, scope] : {std::pair(Variable::kPrincipal, &policy.principal),
                                        std::pair(Variable::kAction, &policy.action),
                                        std::pair(Variable::kResource, &policy.resource)}) {
    if (ExprPtr part = ScopeCondition(variable, *scope)) {
      parts.push_back(std::move(part));
    }
  }
  std::ranges::transform(policy.conditions, std::back_inserter(parts), ExprOf);
  // A lone `when` still has to be Bool, which && checks.
  while (parts.size() < 2) {
    parts.insert(parts.begin(), MakeLiteral(policy.span, Value::Bool(true)));
  }
  return MakeExpr(policy.span, And{std::move(parts)});
}

bool SamePolicy(const Policy& a, const Policy& b) {
  return a.effect == b.effect && SameScope(a.principal, b.principal) &&
         SameScope(a.action, b.action) && SameScope(a.resource, b.resource) &&
         std::ranges::equal(a.annotations, b.annotations,
                            [](const Annotation& x, const Annotation& y) {
                              return x.key == y.key && x.has_value == y.has_value &&
                                     x.value == y.value;
                            }) &&
         std::ranges::equal(a.conditions, b.conditions, [](const Condition& x, const Condition& y) {
           return x.kind == y.kind && SameExpr(*x.body, *y.body);
         });
}

}  // namespace palyra::policy
