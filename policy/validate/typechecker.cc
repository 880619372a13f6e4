#include "policy/validate/typechecker.h"

#include <algorithm>
#include <utility>

#include "policy/printer.h"

namespace palyra::policy {
namespace {

using Answer = Typechecker::Answer;

Answer Good(const Type& type) { return {.type = &type, .good = true, .capabilities = {}}; }
Answer Bad(const Type* type = nullptr) { return {.type = type, .good = false, .capabilities = {}}; }
Answer Plain(const Type& type, bool good) { return good ? Good(type) : Bad(&type); }

bool HasKind(const Type* type, TypeKind kind) { return type != nullptr && type->kind == kind; }

Answer Negated(const Answer& answer) {
  return Plain(HasKind(answer.type, TypeKind::kTrue)    ? kFalseType
               : HasKind(answer.type, TypeKind::kFalse) ? kTrueType
                                                        : kBoolType,
               answer.good);
}

bool IsSetOfEntities(const Type& type) {
  return type.kind == TypeKind::kSet &&
         (type.element->kind == TypeKind::kEntity || type.element->kind == TypeKind::kNever);
}

}  // namespace

// As Cedar joins them: the first && (the second && (the third …)).
Answer Typechecker::CheckConditions(const std::vector<Condition>& conditions) {
  std::vector<Answer> answers;
  Known known;
  for (const Condition& condition : conditions) {
    Answer answer = Expect(*condition.body, known, Wanted::kBool);
    if (condition.kind == Condition::Kind::kUnless) {
      answer = Negated(answer);
    }
    known.AddAll(answer.capabilities);
    answers.push_back(std::move(answer));
    if (HasKind(answers.back().type, TypeKind::kFalse)) {
      break;
    }
  }
  if (answers.empty()) {
    return Good(kTrueType);
  }
  Answer all = std::move(answers.back());
  for (size_t i = answers.size() - 1; i-- > 0;) {
    JoinAnd(answers[i], std::move(all));
    all = std::move(answers[i]);
  }
  return all;
}

Answer Typechecker::Check(const Expr& expr, const Known& known) {
  Answer answer =
      std::visit([&](const auto& node) { return CheckNode(expr, node, known); }, expr.node);
  if (!answer.good) {
    answer.capabilities = {};
  }
  if (types_ != nullptr && answer.type != nullptr) {
    types_->insert_or_assign(&expr, answer.type);
  }
  return answer;
}

void Typechecker::ReportUnexpected(const Expr& expr, std::string_view wanted, const Type& found) {
  findings_.Add(FindingKind::kUnexpectedType, expr.span,
                "expected " + std::string(wanted) + ", found " + ToText(found));
}

Answer Typechecker::Expect(const Expr& expr, const Known& known, Wanted wanted) {
  Answer answer = Check(expr, known);
  if (answer.type == nullptr) {
    return Bad();
  }
  const Type& type = *answer.type;
  const auto require = [&](bool fits, std::string_view words) {
    if (!fits && type.kind != TypeKind::kNever) {
      ReportUnexpected(expr, words, type);
      answer = Bad();
    }
    return std::move(answer);
  };
  switch (wanted) {
    case Wanted::kBool:
      return require(type.is_bool(), "Bool");
    case Wanted::kLong:
      return require(type.kind == TypeKind::kLong, "Long");
    case Wanted::kString:
      return require(type.kind == TypeKind::kString, "String");
    case Wanted::kEntity:
      return require(type.kind == TypeKind::kEntity, "an entity");
    case Wanted::kSet:
      return require(type.kind == TypeKind::kSet, "a set");
    case Wanted::kEntityOrRecord:
      return require(type.kind == TypeKind::kEntity || type.kind == TypeKind::kRecord,
                     "an entity or a record");
    case Wanted::kEntities:
      return require(type.kind == TypeKind::kEntity || IsSetOfEntities(type),
                     "an entity or a set of entities");
  }
  std::unreachable();
}

void Typechecker::JoinAnd(Answer& left, Answer right) {
  left.good = left.good && right.good;
  if (left.type == nullptr || right.type == nullptr) {
    left = Bad(&kBoolType);
  } else if (right.type->kind == TypeKind::kFalse) {
    left = Plain(kFalseType, left.good);
  } else if (right.type->kind == TypeKind::kTrue) {
    left.capabilities.AddAll(right.capabilities);
  } else if (left.type->kind == TypeKind::kTrue) {
    // Cedar forgets here what the left side gave.
    left.type = right.type;
    left.capabilities = std::move(right.capabilities);
  } else {
    left.type = &kBoolType;
    left.capabilities.AddAll(right.capabilities);
  }
  if (!left.good) {
    left.capabilities = {};
  }
}

void Typechecker::JoinOr(Answer& left, Answer right) {
  left.good = left.good && right.good;
  if (left.type == nullptr || right.type == nullptr) {
    left = Bad(&kBoolType);
  } else if (right.type->kind == TypeKind::kTrue || left.type->kind == TypeKind::kFalse) {
    left.type = right.type;
    left.capabilities = std::move(right.capabilities);
  } else if (right.type->kind != TypeKind::kFalse) {
    left.type = &kBoolType;
    left.capabilities.KeepCommon(right.capabilities);
  }
  if (!left.good) {
    left.capabilities = {};
  }
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const And& node, const Known& known) {
  Answer all = Expect(*node.operands.front(), known, Wanted::kBool);
  Known inner = known;
  size_t given = 0;  // How many of the chain's capabilities are in `inner`.
  for (size_t i = 1; i < node.operands.size() && !HasKind(all.type, TypeKind::kFalse); ++i) {
    inner.AddAll(all.capabilities, given);
    given = all.capabilities.size();
    const bool forgets = HasKind(all.type, TypeKind::kTrue);
    JoinAnd(all, Expect(*node.operands[i], inner, Wanted::kBool));
    if (forgets || all.capabilities.size() < given) {
      inner.Truncate(known.size());
      given = 0;
    }
  }
  return all;
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const Or& node, const Known& known) {
  Answer any = Expect(*node.operands.front(), known, Wanted::kBool);
  for (size_t i = 1; i < node.operands.size() && !HasKind(any.type, TypeKind::kTrue); ++i) {
    JoinOr(any, Expect(*node.operands[i], known, Wanted::kBool));
  }
  return any;
}

Answer Typechecker::CheckNode(const Expr& expr, const If& node, const Known& known) {
  const Answer test = Expect(*node.condition, known, Wanted::kBool);
  if (HasKind(test.type, TypeKind::kFalse)) {
    Answer answer = Check(*node.else_branch, known);
    answer.good = answer.good && test.good;
    return answer;
  }
  Known inner = known;
  inner.AddAll(test.capabilities);
  Answer then_answer = Check(*node.then_branch, inner);
  then_answer.good = then_answer.good && test.good;
  then_answer.capabilities.AddAll(test.capabilities);
  if (HasKind(test.type, TypeKind::kTrue)) {
    return then_answer;
  }
  const Answer else_answer = Check(*node.else_branch, known);
  then_answer.good = then_answer.good && else_answer.good;
  then_answer.capabilities.KeepCommon(else_answer.capabilities);
  if (then_answer.type == nullptr || else_answer.type == nullptr) {
    return Bad();
  }
  const LubResult lub = LeastUpperBound(*then_answer.type, *else_answer.type, mode_, arena_);
  if (lub.type == nullptr) {
    findings_.Add(FindingKind::kIncompatibleTypes, expr.span,
                  "the branches of `if` have the types " + ToText(*then_answer.type) + " and " +
                      ToText(*else_answer.type),
                  std::string(HintOf(lub.failure)));
    return Bad();
  }
  then_answer.type = lub.type;
  return then_answer;
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const Literal& node,
                              const Known& /*known*/) const {
  const Value& value = node.value;
  if (const bool* truth = value.AsBool()) {
    return Good(*truth ? kTrueType : kFalseType);
  }
  if (value.AsLong() != nullptr) {
    return Good(kLongType);
  }
  if (value.AsString() != nullptr) {
    return Good(kStringType);
  }
  if (const EntityUid* uid = value.AsEntity()) {
    // Names that the schema does not have are reported by the validator, wherever they stand.
    const EntityTypeInfo* info = schema_.FindEntityType(uid->type());
    const bool is_known =
        info != nullptr && (!info->is_action || schema_.FindAction(*uid) != nullptr);
    return is_known ? Good(*info->type) : Bad();
  }
  return Bad();
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const VariableRef& node,
                              const Known& /*known*/) const {
  switch (node.variable) {
    case Variable::kPrincipal:
      return Good(*env_.principal->type);
    case Variable::kAction:
      return Good(*env_.action->type->type);
    case Variable::kResource:
      return Good(*env_.resource->type);
    case Variable::kContext:
      return Good(*env_.action->context);
  }
  std::unreachable();
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const ErrorNode& /*node*/,
                              const Known& /*known*/) {
  return Bad();
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const Unary& node, const Known& known) {
  switch (node.op) {
    case UnaryOp::kNot:
      return Negated(Expect(*node.operand, known, Wanted::kBool));
    case UnaryOp::kNegate:
      return Plain(kLongType, Expect(*node.operand, known, Wanted::kLong).good);
    case UnaryOp::kIsEmpty:
      return Plain(kBoolType, Expect(*node.operand, known, Wanted::kSet).good);
  }
  std::unreachable();
}

const AttributeType* Typechecker::FindAttribute(const Type& type, std::string_view attr,
                                                AttributeType& lub) {
  if (type.kind != TypeKind::kEntity) {
    return type.FindAttribute(attr);
  }
  const AttributeType* found = type.entities.front()->shape->FindAttribute(attr);
  for (size_t i = 1; i < type.entities.size() && found != nullptr; ++i) {
    const AttributeType* next = type.entities[i]->shape->FindAttribute(attr);
    const LubResult both =
        next == nullptr ? LubResult() : LeastUpperBound(*found->type, *next->type, mode_, arena_);
    if (both.type == nullptr) {
      return nullptr;
    }
    lub = {.name = found->name, .type = both.type, .required = found->required && next->required};
    found = &lub;
  }
  return found;
}

bool Typechecker::MayHaveAttribute(const Type& type, std::string_view attr) {
  if (type.kind != TypeKind::kEntity) {
    return type.open || type.FindAttribute(attr) != nullptr;
  }
  return std::ranges::any_of(type.entities, [&](const EntityTypeInfo* entity) {
    return entity->shape->FindAttribute(attr) != nullptr;
  });
}

Answer Typechecker::CheckNode(const Expr& expr, const GetAttr& node, const Known& known) {
  const Answer object = Expect(*node.object, known, Wanted::kEntityOrRecord);
  if (object.type == nullptr) {
    return Bad();
  }
  AttributeType lub;
  const AttributeType* attribute = FindAttribute(*object.type, node.attr, lub);
  const std::string words = "attribute " + QuoteString(node.attr) + " of " + ToText(*object.type);
  if (attribute == nullptr) {
    findings_.Add(FindingKind::kUnknownAttribute, expr.span, "there is no " + words);
    return Bad();
  }
  if (!attribute->required && !known.Contains(Capability(AccessPath::Of(expr)))) {
    findings_.Add(
        FindingKind::kUnsafeAttribute, expr.span, "the optional " + words + " may be missing",
        "test it before: `" + ToCedar(*node.object) + " has " + QuoteString(node.attr) + "`");
    return Bad(attribute->type);
  }
  return Plain(*attribute->type, object.good);
}

Answer Typechecker::TypeOfHas(const Type& type, const AccessPath& path, const Known& known) {
  const std::string_view attr = path.attrs.back();
  if (!MayHaveAttribute(type, attr)) {
    return Good(kFalseType);
  }
  Capability capability(path);
  Answer answer = Good(kBoolType);
  const AttributeType* own = type.FindAttribute(attr);
  if ((own != nullptr && own->required) || known.Contains(capability)) {
    answer.type = &kTrueType;
  }
  answer.capabilities.Add(std::move(capability));
  return answer;
}

Answer Typechecker::CheckNode(const Expr& expr, const HasAttr& node, const Known& known) {
  const Answer object = Expect(*node.object, known, Wanted::kEntityOrRecord);
  if (object.type == nullptr) {
    return Bad(&kBoolType);
  }
  const Type* type = object.type;
  AccessPath path = AccessPath::Of(*node.object);
  Answer all;
  Known inner = known;
  for (size_t i = 0; i < node.path.size(); ++i) {
    path.attrs.emplace_back(node.path[i]);
    Answer step = TypeOfHas(*type, path, inner);
    AttributeType lub;
    const AttributeType* attribute = FindAttribute(*type, node.path[i], lub);
    if (attribute == nullptr) {
      // It may be there, but nothing is known of it.
      step.capabilities = {};
    }
    if (i == 0) {
      all = std::move(step);
      all.good = object.good;
    } else {
      JoinAnd(all, std::move(step));
    }
    if (i + 1 == node.path.size() || HasKind(all.type, TypeKind::kFalse)) {
      break;
    }
    if (attribute == nullptr) {
      findings_.Add(FindingKind::kUnknownAttribute, expr.span,
                    "there is no attribute " + QuoteString(node.path[i]) + " of " + ToText(*type));
      return Bad(&kBoolType);
    }
    type = attribute->type;
    if (type->kind != TypeKind::kEntity && type->kind != TypeKind::kRecord) {
      ReportUnexpected(expr, "an entity or a record", *type);
      return Bad(&kBoolType);
    }
    inner.Truncate(known.size());
    inner.AddAll(all.capabilities);
  }
  return all;
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const Like& node, const Known& known) {
  return Plain(kBoolType, Expect(*node.text, known, Wanted::kString).good);
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const Is& node, const Known& known) {
  const Answer object = Expect(*node.object, known, Wanted::kEntity);
  Answer answer = Bad(&kBoolType);
  if (HasKind(object.type, TypeKind::kEntity)) {
    const auto& entities = object.type->entities;
    const bool contains =
        std::ranges::find(entities, node.type, &EntityTypeInfo::name) != entities.end();
    answer = Plain(!contains              ? kFalseType
                   : entities.size() == 1 ? kTrueType
                                          : kBoolType,
                   object.good);
  }
  if (node.ancestor != nullptr && !HasKind(answer.type, TypeKind::kFalse)) {
    JoinAnd(answer, CheckIn(*node.object, *node.ancestor, known));
  }
  return answer;
}

Answer Typechecker::CheckNode(const Expr& expr, const SetLiteral& node, const Known& known) {
  const Type* element = &kNeverType;
  bool good = true;
  std::vector<const Type*> types;
  for (const ExprPtr& item : node.elements) {
    const Answer answer = Check(*item, known);
    good = good && answer.good;
    types.push_back(answer.type);
  }
  if (node.elements.empty() && mode_ == ValidationMode::kStrict) {
    findings_.Add(FindingKind::kEmptySet, expr.span, "a set without elements has no type",
                  "use isEmpty() to test for one");
    return Bad();
  }
  if (std::ranges::find(types, nullptr) != types.end()) {
    return Bad();
  }
  for (const Type* type : types) {
    const LubResult lub = LeastUpperBound(*element, *type, mode_, arena_);
    if (lub.type == nullptr) {
      findings_.Add(FindingKind::kIncompatibleTypes, expr.span,
                    "the elements of a set must be of one type; these have the types " +
                        ToText(*element) + " and " + ToText(*type),
                    std::string(HintOf(lub.failure)));
      return Bad();
    }
    element = lub.type;
  }
  return Plain(*arena_.AddSet(element), good);
}

Answer Typechecker::CheckNode(const Expr& /*expr*/, const RecordLiteral& node, const Known& known) {
  std::vector<AttributeType> attributes;
  bool good = true;
  bool complete = true;
  for (const auto& [name, value] : node.fields) {
    const Answer answer = Check(*value, known);
    good = good && answer.good;
    complete = complete && answer.type != nullptr;
    attributes.push_back({.name = name, .type = answer.type, .required = true});
  }
  return complete ? Plain(*arena_.AddRecord(std::move(attributes)), good) : Bad();
}

}  // namespace palyra::policy
