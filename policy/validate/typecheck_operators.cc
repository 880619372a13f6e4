// Comparisons, arithmetic, membership, tags and the functions of extension types.

#include <algorithm>
#include <utility>

#include "policy/extension.h"
#include "policy/names.h"
#include "policy/printer.h"
#include "policy/validate/typechecker.h"

namespace palyra::policy {
namespace {

using Answer = Typechecker::Answer;

Answer Plain(const Type* type, bool good) {
  return {.type = type, .good = good, .capabilities = {}};
}

bool HasKind(const Type* type, TypeKind kind) { return type != nullptr && type->kind == kind; }

bool IsOrdered(const Type& type) {
  return type.kind == TypeKind::kLong ||
         (type.kind == TypeKind::kExtension && (type.extension == ExtensionType::kDatetime ||
                                                type.extension == ExtensionType::kDuration));
}

// Entities of different types are never equal.
bool AreDisjoint(const Type* a, const Type* b) {
  if (!HasKind(a, TypeKind::kEntity) || !HasKind(b, TypeKind::kEntity)) {
    return false;
  }
  return std::ranges::none_of(a->entities, [&](const EntityTypeInfo* entity) {
    return std::ranges::find(b->entities, entity) != b->entities.end();
  });
}

bool IsActionType(const std::string& type) {
  return type == "Action" || type.ends_with("::Action");
}

const Type& TypeOfKind(ValueKind kind) {
  switch (kind) {
    case ValueKind::kBool:
      return kBoolType;
    case ValueKind::kLong:
      return kLongType;
    case ValueKind::kString:
      return kStringType;
    default:
      return ExtensionTypeOf(*FindExtensionType(KindName(kind)));
  }
}

}  // namespace

Answer Typechecker::CheckNode(const Expr& expr, const Binary& node, const Known& known) {
  switch (node.op) {
    case BinaryOp::kEqual:
    case BinaryOp::kNotEqual:
      return CheckEquality(expr, node, known);
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
    case BinaryOp::kGreater:
    case BinaryOp::kGreaterEqual:
      return CheckOrder(expr, node, known);
    case BinaryOp::kAdd:
    case BinaryOp::kSubtract:
    case BinaryOp::kMultiply:
      return CheckArithmetic(node, known);
    case BinaryOp::kIn:
      return CheckIn(*node.left, *node.right, known);
    case BinaryOp::kContains:
    case BinaryOp::kContainsAll:
    case BinaryOp::kContainsAny:
      return CheckContains(expr, node, known);
    case BinaryOp::kHasTag:
      return CheckHasTag(node, known);
    case BinaryOp::kGetTag:
      return CheckGetTag(expr, node, known);
  }
  std::unreachable();
}

bool Typechecker::RequireCompatible(const Expr& expr, const Type* a, const Type* b,
                                    std::string_view what) {
  if (mode_ != ValidationMode::kStrict || a == nullptr || b == nullptr) {
    return true;
  }
  const LubResult lub = LeastUpperBound(*a, *b, mode_, arena_);
  if (lub.type == nullptr) {
    findings_.Add(
        FindingKind::kIncompatibleTypes, expr.span,
        std::string(what) + " of the types " + ToText(*a) + " and " + ToText(*b) + " cannot hold",
        std::string(HintOf(lub.failure)));
  }
  return lub.type != nullptr;
}

const EntityUid* Typechecker::NamedEntity(const Expr& expr) const {
  if (const auto* variable = std::get_if<VariableRef>(&expr.node)) {
    return variable->variable == Variable::kAction ? &env_.action->uid : nullptr;
  }
  const auto* literal = std::get_if<Literal>(&expr.node);
  return literal == nullptr ? nullptr : literal->value.AsEntity();
}

Answer Typechecker::CheckEquality(const Expr& expr, const Binary& node, const Known& known) {
  const Answer left = Check(*node.left, known);
  const Answer right = Check(*node.right, known);
  const bool good = left.good && right.good;
  const bool equal_means = node.op == BinaryOp::kEqual;
  const auto decided = [&](bool equal) {
    return Plain(equal == equal_means ? &kTrueType : &kFalseType, good);
  };
  if (AreDisjoint(left.type, right.type)) {
    return decided(false);
  }
  const EntityUid* left_uid = NamedEntity(*node.left);
  const EntityUid* right_uid = NamedEntity(*node.right);
  const auto* left_literal = std::get_if<Literal>(&node.left->node);
  const auto* right_literal = std::get_if<Literal>(&node.right->node);
  const bool left_named = left_uid != nullptr || left_literal != nullptr;
  const bool right_named = right_uid != nullptr || right_literal != nullptr;
  if (left_named && right_named) {
    if (left_uid != nullptr || right_uid != nullptr) {
      return decided(left_uid != nullptr && right_uid != nullptr && *left_uid == *right_uid);
    }
    return decided(left_literal->value == right_literal->value);
  }
  const bool fits = RequireCompatible(expr, left.type, right.type, "equality");
  return Plain(&kBoolType, good && fits);
}

Answer Typechecker::CheckOrder(const Expr& /*expr*/, const Binary& node, const Known& known) {
  const Answer left = Check(*node.left, known);
  const Answer right = Check(*node.right, known);
  bool good = left.good && right.good;
  if (left.type == nullptr || right.type == nullptr) {
    return Plain(&kBoolType, false);
  }
  static constexpr std::string_view kAnyOrdered = "Long, datetime or duration";
  const auto require = [&](const Expr& operand, const Type& found, const Type* wanted) {
    ReportUnexpected(operand, wanted == nullptr ? kAnyOrdered : ToText(*wanted), found);
    good = false;
  };
  const bool left_fits = IsOrdered(*left.type);
  const bool right_fits = IsOrdered(*right.type);
  const bool left_never = left.type->kind == TypeKind::kNever;
  const bool right_never = right.type->kind == TypeKind::kNever;
  if (left_never || right_never) {
    // Only where nothing can be compared at all is the operand that has a type at fault.
    if (!left_never && !left_fits) require(*node.left, *left.type, nullptr);
    if (!right_never && !right_fits) require(*node.right, *right.type, nullptr);
    return Plain(&kBoolType, good && (left_fits || right_fits));
  }
  if (left_fits && SameType(*left.type, *right.type)) {
    return Plain(&kBoolType, good);
  }
  if (left_fits &&
      (!right_fits || left.type->kind == TypeKind::kLong || right.type->kind != TypeKind::kLong)) {
    require(*node.right, *right.type, left.type);
  } else if (right_fits) {
    require(*node.left, *left.type, right.type);
  } else {
    require(*node.left, *left.type, nullptr);
    require(*node.right, *right.type, nullptr);
  }
  return Plain(&kBoolType, false);
}

Answer Typechecker::CheckArithmetic(const Binary& node, const Known& known) {
  const bool left = Expect(*node.left, known, Wanted::kLong).good;
  const bool right = Expect(*node.right, known, Wanted::kLong).good;
  return Plain(&kLongType, left && right);
}

Answer Typechecker::CheckIn(const Expr& left, const Expr& right, const Known& known) {
  const Answer descendant = Expect(left, known, Wanted::kEntity);
  const Answer ancestor = Expect(right, known, Wanted::kEntities);
  if (!descendant.good || !ancestor.good) {
    return Plain(&kBoolType, false);
  }
  const Type* type = TypeOfIn(left, right, descendant.type, ancestor.type);
  return type == nullptr ? Plain(&kBoolType, false) : Plain(type, true);
}

const Type* Typechecker::TypeOfIn(const Expr& left, const Expr& right, const Type* left_type,
                                  const Type* right_type) const {
  // Of actions the schema knows all ancestors.
  const EntityUid* action = NamedEntity(left);
  if (action != nullptr && IsActionType(action->type())) {
    std::vector<const EntityUid*> ancestors;
    if (const EntityUid* uid = NamedEntity(right)) {
      ancestors.push_back(uid);
    } else if (const auto* set = std::get_if<SetLiteral>(&right.node)) {
      for (const ExprPtr& element : set->elements) {
        ancestors.push_back(NamedEntity(*element));
      }
    }
    if (!ancestors.empty() && std::ranges::find(ancestors, nullptr) == ancestors.end()) {
      const ActionInfo& info = *schema_.FindAction(*action);
      const bool is_in = std::ranges::any_of(
          ancestors, [&](const EntityUid* ancestor) { return info.IsIn(*ancestor); });
      return is_in ? &kTrueType : &kFalseType;
    }
  }
  const Type* ancestor = right_type->kind == TypeKind::kSet ? right_type->element : right_type;
  if (left_type->kind != TypeKind::kEntity || ancestor->kind != TypeKind::kEntity) {
    return &kBoolType;
  }
  const bool can_be = std::ranges::any_of(left_type->entities, [&](const EntityTypeInfo* from) {
    return std::ranges::any_of(ancestor->entities,
                               [&](const EntityTypeInfo* to) { return from->CanBeIn(*to); });
  });
  return can_be ? &kBoolType : &kFalseType;
}

Answer Typechecker::CheckContains(const Expr& expr, const Binary& node, const Known& known) {
  const Answer set = Expect(*node.left, known, Wanted::kSet);
  const bool single = node.op == BinaryOp::kContains;
  const Answer other =
      single ? Check(*node.right, known) : Expect(*node.right, known, Wanted::kSet);
  const Type* held = single && HasKind(set.type, TypeKind::kSet) ? set.type->element : set.type;
  const bool fits = RequireCompatible(expr, held, other.type, "membership");
  return Plain(&kBoolType, set.good && other.good && fits);
}

const Type* Typechecker::TagType(const Type& entity) {
  const Type* tag = nullptr;
  for (const EntityTypeInfo* info : entity.entities) {
    if (info->tags != nullptr) {
      tag = tag == nullptr ? info->tags : LeastUpperBound(*tag, *info->tags, mode_, arena_).type;
      if (tag == nullptr) {
        return &kNeverType;
      }
    }
  }
  return tag;
}

Answer Typechecker::CheckHasTag(const Binary& node, const Known& known) {
  const Answer entity = Expect(*node.left, known, Wanted::kEntity);
  const Answer key = Expect(*node.right, known, Wanted::kString);
  if (!HasKind(entity.type, TypeKind::kEntity)) {
    return Plain(nullptr, false);
  }
  Capability capability(AccessPath::Of(*node.left), node.right.get());
  Answer answer = Plain(TagType(*entity.type) == nullptr ? &kFalseType
                        : known.Contains(capability)     ? &kTrueType
                                                         : &kBoolType,
                        entity.good && key.good);
  answer.capabilities.Add(std::move(capability));
  return answer;
}

Answer Typechecker::CheckGetTag(const Expr& expr, const Binary& node, const Known& known) {
  const Answer entity = Expect(*node.left, known, Wanted::kEntity);
  const Answer key = Expect(*node.right, known, Wanted::kString);
  if (!HasKind(entity.type, TypeKind::kEntity)) {
    return Plain(nullptr, false);
  }
  if (!known.Contains(Capability(AccessPath::Of(*node.left), node.right.get()))) {
    findings_.Add(
        FindingKind::kUnsafeTag, expr.span,
        "the tag " + ToCedar(*node.right) + " of " + ToText(*entity.type) + " may be missing",
        "test it before: `" + ToCedar(*node.left) + ".hasTag(" + ToCedar(*node.right) + ")`");
    return Plain(nullptr, false);
  }
  const Type* tag = TagType(*entity.type);
  if (tag == nullptr) {
    findings_.Add(FindingKind::kNoTags, expr.span,
                  "entities of type " + ToText(*entity.type) + " have no tags");
    return Plain(nullptr, false);
  }
  if (tag == &kNeverType) {
    findings_.Add(FindingKind::kIncompatibleTypes, expr.span,
                  "the tags of " + ToText(*entity.type) + " are of different types");
    return Plain(nullptr, false);
  }
  return Plain(tag, entity.good && key.good);
}

bool Typechecker::CheckConstructor(const Expr& expr, const Call& node) {
  bool good = true;
  const auto* literal = node.args.size() == 1 ? std::get_if<Literal>(&node.args[0]->node) : nullptr;
  const std::string* text = literal == nullptr ? nullptr : literal->value.AsString();
  const std::string name(NameOf(node.function));
  if (text != nullptr && !Construct(node.function, *text)) {
    findings_.Add(FindingKind::kBadArgument, expr.span,
                  name + "() does not take the text " + QuoteString(*text));
    good = false;
  }
  const bool all_literal = std::ranges::all_of(
      node.args, [](const ExprPtr& arg) { return std::holds_alternative<Literal>(arg->node); });
  if (mode_ == ValidationMode::kStrict && !all_literal) {
    findings_.Add(FindingKind::kComputedArgument, expr.span,
                  "the argument of " + name + "() must be a string as it stands",
                  "let the caller put the value into the context or an attribute");
    good = false;
  }
  return good;
}

Answer Typechecker::CheckNode(const Expr& expr, const Call& node, const Known& known) {
  const Signature& signature = SignatureOf(node.function);
  const Type& result = TypeOfKind(signature.result);
  bool good = true;
  if (node.args.size() != signature.arity()) {
    findings_.Add(FindingKind::kArgumentCount, expr.span,
                  std::string(signature.name) + "() takes " + std::to_string(signature.arity()) +
                      " arguments, the receiver among them, not " +
                      std::to_string(node.args.size()));
    good = false;
  }
  if (!signature.is_method) {
    good = CheckConstructor(expr, node) && good;
  }
  if (!good) {
    for (const ExprPtr& arg : node.args) {
      Check(*arg, known);
    }
    return Plain(&result, false);
  }
  for (size_t i = 0; i < node.args.size(); ++i) {
    const Answer arg = Check(*node.args[i], known);
    const Type& wanted = TypeOfKind(i == 0 ? signature.first : *signature.second);
    good = good && arg.good;
    if (arg.type == nullptr) {
      good = false;
    } else if (!IsSubtype(*arg.type, wanted, ValidationMode::kPermissive)) {
      ReportUnexpected(*node.args[i], ToText(wanted), *arg.type);
      good = false;
    }
  }
  return Plain(&result, good);
}

}  // namespace palyra::policy
