#include "policy/compile/domain_footprint.h"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>
#include <variant>

#include "base/domain_name.h"
#include "policy/ast_map.h"
#include "policy/compile/endpoint.h"
#include "policy/extension.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

// `resource in constant`; null for anything else.
const Value* AncestorsAsked(const Expr& expr) {
  const auto* binary = std::get_if<Binary>(&expr.node);
  return binary != nullptr && binary->op == BinaryOp::kIn && IsResource(*binary->left)
             ? ConstantOf(*binary->right)
             : nullptr;
}

bool HoldsEndpoint(const Value& value) {
  if (const SetValue* set = value.AsSet()) {
    return std::ranges::any_of(set->elements(), HoldsEndpoint);
  }
  return value.AsEntity() != nullptr && value.AsEntity()->type() == kEndpointType;
}

// Endpoints have no names of their own, so that to lie in one is refused elsewhere.
bool AsksDomainItself(const Expr& expr) {
  if (const Value* ancestors = AncestorsAsked(expr)) {
    return !HoldsEndpoint(*ancestors);
  }
  if (const auto* get = std::get_if<GetAttr>(&expr.node)) {
    return IsResource(*get->object) && get->attr == kDomainAttr;
  }
  const auto* has = std::get_if<HasAttr>(&expr.node);
  return has != nullptr && IsResource(*has->object) && has->path.front() == kDomainAttr;
}

bool IsConnective(const Expr& expr) {
  const auto* unary = std::get_if<Unary>(&expr.node);
  return std::holds_alternative<And>(expr.node) || std::holds_alternative<Or>(expr.node) ||
         std::holds_alternative<If>(expr.node) || (unary != nullptr && unary->op == UnaryOp::kNot);
}

// One atom: a sub-expression that is no connective.
class AtomCollector {
 public:
  AtomCollector(const EntityStore& entities, DomainFootprint& footprint)
      : entities_(entities), footprint_(footprint) {}

  void Collect(const Expr& atom) {
    Walk(atom);
    if (asks_other_) {
      Refuse("LOW-REL", atom, Quoted(atom) + " relates the endpoint's domain to another part of it",
             "write conditions on one of them each, joined by && and ||");
    }
    for (std::string& text : texts_) {
      footprint_.conditions.push_back({Pattern{.pieces = {std::move(text)}}});
    }
    std::ranges::move(conditions_, std::back_inserter(footprint_.conditions));
  }

 private:
  const EntityStore& entities_;
  DomainFootprint& footprint_;
  bool asks_other_ = false;
  std::vector<std::string> texts_;
  std::vector<NameCondition> conditions_;

  void Refuse(std::string code, const Expr& expr, std::string message, std::string_view hint) {
    if (!footprint_.obstacle) {
      footprint_.obstacle = Finding{.code = std::move(code),
                                    .span = expr.span,
                                    .message = std::move(message),
                                    .hint = std::string(hint)};
    }
  }

  void WarnOfName(const std::string& name, Span span) {
    if (base::CanonicalDomain(name) != name) {
      WarnOf("no domain is ever " + QuoteString(name), span);
    }
  }

  void WarnOf(std::string message, Span span) {
    footprint_.oddities.push_back(
        {.code = "LOW-CASE",
         .span = span,
         .message = std::move(message),
         .hint = "write letters in lower case, without a trailing dot, and other alphabets as the "
                 "DNS does (\"xn--…\")"});
  }

  void Walk(const Expr& expr) {
    if (const Value* value = ConstantOf(expr)) {
      NoteTexts(*value, expr.span);
      return;
    }
    if (const Value* ancestors = AncestorsAsked(expr); ancestors && AsksDomainItself(expr)) {
      NoteAncestors(*ancestors, expr.span);
      return;
    }
    if (AsksDomainItself(expr)) {
      return;
    }
    std::visit([&](const auto& node) { Note(expr, node); }, expr.node);
    for (const ExprPtr& child : ChildrenOf(expr)) {
      Walk(*child);
    }
  }

  template <typename Node>
  static void Note(const Expr& /*expr*/, const Node& /*node*/) {}

  void Note(const Expr& /*expr*/, const GetAttr& node) { asks_other_ |= IsResource(*node.object); }

  void Note(const Expr& expr, const Like& node) {
    conditions_.push_back({node.pattern});
    const bool can_match = std::ranges::all_of(node.pattern.pieces, [](const std::string& piece) {
      return piece.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
             std::string::npos;
    });
    if (!can_match) {
      WarnOf("no domain ever matches this pattern", expr.span);
    }
  }

  void Note(const Expr& expr, const Call& node) {
    if (SignatureOf(node.function).first == ValueKind::kString) {
      Refuse("LOW-MAKE", expr, Quoted(expr) + " makes a value of what only the run knows",
             "compare the domain itself");
    }
  }

  void Note(const Expr& expr, const Binary& node) {
    const bool of_tags = node.op == BinaryOp::kGetTag || node.op == BinaryOp::kHasTag;
    if (of_tags && ConstantOf(*node.right) == nullptr) {  // Its value is not in sight.
      Refuse("LOW-DEREF", expr, Quoted(expr) + " asks for a tag that depends on the endpoint",
             "name the tag");
    }
  }

  void NoteTexts(const Value& value, Span span) {
    if (const std::string* text = value.AsString()) {
      texts_.push_back(*text);
      WarnOfName(*text, span);
    } else if (const SetValue* set = value.AsSet()) {
      std::ranges::for_each(set->elements(), [&](const Value& v) { NoteTexts(v, span); });
    } else if (const RecordValue* record = value.AsRecord()) {
      std::ranges::for_each(record->fields(), [&](const auto& f) { NoteTexts(f.second, span); });
    }
  }

  // `resource in ancestors`: which of them does not matter.
  void NoteAncestors(const Value& ancestors, Span span) {
    NameCondition condition;
    AddNamesIn(ancestors, span, condition);
    conditions_.push_back(std::move(condition));
  }

  void AddNamesIn(const Value& ancestors, Span span, NameCondition& condition) {
    if (const SetValue* set = ancestors.AsSet()) {
      for (const Value& element : set->elements()) {
        AddNamesIn(element, span, condition);
      }
    } else if (const EntityUid* uid = ancestors.AsEntity()) {
      for (const EntityUid& domain : DomainsBelow(*uid, entities_)) {
        std::ranges::move(NamesOf(domain), std::back_inserter(condition));
        // A group may have any name, but for one that somebody would take for a domain.
        if (entities_.Find(domain) == nullptr || base::CanonicalDomain(domain.id())) {
          WarnOfName(domain.id(), span);
        }
      }
    }
  }
};

void CollectAtoms(const Expr& expr, const EntityStore& entities, DomainFootprint& footprint) {
  if (!AsksDomain(expr)) {
    return;
  }
  if (!IsConnective(expr)) {
    AtomCollector(entities, footprint).Collect(expr);
    return;
  }
  for (const ExprPtr& child : ChildrenOf(expr)) {
    CollectAtoms(*child, entities, footprint);
  }
}

bool LiesIn(const std::unordered_set<EntityUid>& domains, const Value& ancestors) {
  if (const SetValue* set = ancestors.AsSet()) {
    return std::ranges::any_of(set->elements(), [&](const Value& v) { return LiesIn(domains, v); });
  }
  return ancestors.AsEntity() != nullptr && domains.contains(*ancestors.AsEntity());
}

}  // namespace

bool AsksDomain(const Expr& residual) {
  return AsksDomainItself(residual) ||
         std::ranges::any_of(ChildrenOf(residual),
                             [](const ExprPtr& child) { return AsksDomain(*child); });
}

DomainFootprint DomainFootprintOf(const Expr& residual, const EntityStore& entities) {
  DomainFootprint footprint;
  CollectAtoms(residual, entities, footprint);
  return footprint;
}

ExprPtr WithDomain(const ExprPtr& residual, const std::optional<std::string>& domain,
                   const EntityStore& entities) {
  const std::unordered_set<EntityUid> domains =
      domain ? DomainsAbove(*domain, entities) : std::unordered_set<EntityUid>();
  return MapExpr(residual, [&](const ExprPtr& part) -> ExprPtr {
    if (!AsksDomainItself(*part)) {
      return nullptr;
    }
    if (const Value* ancestors = AncestorsAsked(*part)) {
      return MakeLiteral(part->span, Value::Bool(LiesIn(domains, *ancestors)));
    }
    if (const auto* has = std::get_if<HasAttr>(&part->node)) {
      if (!domain || has->path.size() == 1) {
        return MakeLiteral(part->span, Value::Bool(domain.has_value()));
      }
      return MakeExpr(part->span, HasAttr{.object = MakeLiteral(part->span, Value::String(*domain)),
                                          .path = {has->path.begin() + 1, has->path.end()}});
    }
    return domain ? MakeLiteral(part->span, Value::String(*domain))
                  : MakeExpr(part->span,
                             ErrorNode{.message = "the endpoint does not have the attribute \"" +
                                                  std::string(kDomainAttr) + '"'});
  });
}

}  // namespace palyra::policy
