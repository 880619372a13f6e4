#include "policy/compile/name_footprint.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <variant>

#include "policy/compile/named_resource.h"
#include "policy/extension.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

constexpr size_t kDigestLength = 64;

bool IsDigest(std::string_view text) {
  return text.size() == kDigestLength &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// One atom: a sub-expression that is no connective.
class AtomCollector {
 public:
  AtomCollector(NameAction action, const EntityStore& entities, NameFootprint& footprint)
      : type_(ResourceTypeOf(action)), entities_(entities), footprint_(footprint) {}

  void Collect(const Expr& atom) {
    Walk(atom);
    if (footprint_.obstacle) {
      return;
    }
    if (asks_name_ && asks_digest_) {
      Refuse("LOW-REL", atom, Quoted(atom) + " relates the name to the digest of the program",
             "write conditions on one of them each, joined by && and ||");
      return;
    }
    if (asks_name_) {
      for (std::string& text : texts_) {
        footprint_.conditions.push_back({Pattern{.pieces = {std::move(text)}}});
      }
      std::ranges::move(conditions_, std::back_inserter(footprint_.conditions));
    }
    if (asks_digest_ && !conditions_.empty()) {
      Refuse("LOW-DIGEST", atom, Quoted(atom) + " looks into a digest", "compare digests with ==");
    } else if (asks_digest_) {
      std::ranges::move(texts_, std::back_inserter(footprint_.digests));
    }
  }

 private:
  std::string_view type_;
  const EntityStore& entities_;
  NameFootprint& footprint_;
  bool asks_name_ = false;
  bool asks_digest_ = false;
  std::vector<std::string> texts_;  // Every string and, of the resource's type, every name in it.
  std::vector<NameCondition> conditions_;

  void Refuse(std::string code, const Expr& expr, std::string message, std::string_view hint) {
    if (!footprint_.obstacle) {
      footprint_.obstacle = Finding{.code = std::move(code),
                                    .span = expr.span,
                                    .message = std::move(message),
                                    .hint = std::string(hint)};
    }
  }

  void Warn(Span span, std::string message, std::string hint) {
    footprint_.oddities.push_back(
        {.code = "LOW-CASE", .span = span, .message = std::move(message), .hint = std::move(hint)});
  }

  void Walk(const Expr& expr) {
    if (const Value* value = ConstantOf(expr)) {
      Note(*value);
    } else if (IsResource(expr)) {
      AskWhole(expr);
    } else if (std::visit([&](const auto& node) { return Enter(expr, node); }, expr.node)) {
      for (const ExprPtr& child : ChildrenOf(expr)) {
        Walk(*child);
      }
    }
  }

  // The resource as an entity is its name, where it has one of its own.
  void AskWhole(const Expr& expr) {
    if (LiesInDirectories(type_)) {
      asks_name_ = true;
    } else {
      Refuse("LOW-UID", expr, Quoted(expr) + " asks for the name of a resource that has none",
             "compare the attributes of the resource");
    }
  }

  void Note(const Value& value) {
    if (const std::string* text = value.AsString()) {
      texts_.push_back(*text);
    } else if (const EntityUid* uid = value.AsEntity(); uid != nullptr && uid->type() == type_) {
      texts_.push_back(uid->id());
    } else if (const SetValue* set = value.AsSet()) {
      for (const Value& element : set->elements()) {
        Note(element);
      }
    } else if (const RecordValue* record = value.AsRecord()) {
      for (const auto& field : record->fields()) {
        Note(field.second);
      }
    }
  }

  // `resource in ancestors`, which holds where it lies in one of them.
  void NoteAncestors(const Value& ancestors, Span span, NameCondition& names) {
    if (const SetValue* set = ancestors.AsSet()) {
      for (const Value& element : set->elements()) {
        NoteAncestors(element, span, names);
      }
    } else if (const EntityUid* uid = ancestors.AsEntity()) {
      std::ranges::move(NamesIn(*uid, type_, entities_), std::back_inserter(names));
      if (uid->type() == kDirectoryType && entities_.Find(*uid) == nullptr) {
        WarnOfPath(uid->id(), span);
      }
    }
  }

  void WarnOfPath(const std::string& path, Span span) {
    if (!IsCanonicalPath(path)) {
      Warn(span, "no path is ever " + QuoteString(path),
           R"(write an absolute path without ".", "..", doubled and trailing slashes)");
    }
  }

  // What `resource.path` or `resource.sha256` is compared with.
  void WarnOfText(const Expr& left, const Expr& right) {
    const auto* get = std::get_if<GetAttr>(&left.node);
    const Value* value = ConstantOf(right);
    const std::string* text = value == nullptr ? nullptr : value->AsString();
    if (get == nullptr || text == nullptr || !IsResource(*get->object)) {
      return;
    }
    if (get->attr == kPathAttr && LiesInDirectories(type_)) {
      WarnOfPath(*text, right.span);
    } else if (get->attr == kDigestAttr && !IsDigest(*text)) {
      Warn(right.span, "no digest is ever " + QuoteString(*text),
           "write 64 hexadecimal digits in lower case");
    }
  }

  // Each returns whether to look at the children.
  template <typename Node>
  static bool Enter(const Expr& /*expr*/, const Node& /*node*/) {
    return true;
  }

  bool Enter(const Expr& expr, const Binary& node) {
    switch (node.op) {
      case BinaryOp::kEqual:
      case BinaryOp::kNotEqual:
        WarnOfText(*node.left, *node.right);
        WarnOfText(*node.right, *node.left);
        return true;
      case BinaryOp::kIn:
        return EnterIn(expr, node);
      case BinaryOp::kGetTag:
      case BinaryOp::kHasTag:
        if (IsResource(*node.left)) {
          Refuse("LOW-TAG", expr,
                 Quoted(expr) + " asks for a tag, and " + std::string(type_) + " has none",
                 "compare the attributes of the resource");
          return false;
        }
        if (ConstantOf(*node.right) == nullptr) {
          RefuseChoice(expr);  // Which tag: its value is a constant that is not in sight.
          return false;
        }
        return EnterData(expr, *node.left);
      default:
        return true;
    }
  }

  bool EnterIn(const Expr& expr, const Binary& node) {
    const Value* right = ConstantOf(*node.right);
    if (right == nullptr) {
      Refuse("LOW-UID", expr, Quoted(expr) + " asks what lies in a resource",
             "write the directories as constants");
      return false;
    }
    if (!IsResource(*node.left)) {
      return EnterData(expr, *node.left);
    }
    AskWhole(*node.left);
    NameCondition names;
    NoteAncestors(*right, expr.span, names);
    conditions_.push_back(std::move(names));
    return false;
  }

  bool Enter(const Expr& expr, const Like& node) {
    conditions_.push_back({node.pattern});
    const auto* get = std::get_if<GetAttr>(&node.text->node);
    const std::string& first = node.pattern.pieces.front();
    if (get != nullptr && IsResource(*get->object) && get->attr == kPathAttr &&
        LiesInDirectories(type_) && !first.empty() && !first.starts_with('/')) {
      Warn(expr.span, "no path ever matches this pattern: paths begin with \"/\"",
           R"(begin the pattern with "/" or "*")");
    }
    return true;
  }

  bool Enter(const Expr& expr, const GetAttr& node) {
    if (!IsResource(*node.object)) {
      return EnterData(expr, *node.object);
    }
    const bool has_path = type_ != kProcessType;
    if (node.attr == kPathAttr && has_path) {
      asks_name_ = true;
    } else if (node.attr == kDigestAttr && type_ == kExecutableType) {
      asks_digest_ = true;
    } else if (!(node.attr == kAbstractAttr && type_ == kSocketType) &&
               !(node.attr == kSameRunAttr && type_ == kProcessType)) {
      Refuse("LOW-ATTR", expr,
             std::string(type_) + " has no attribute " + QuoteString(node.attr) +
                 " that is known when an event is decided",
             "see the attributes of " + std::string(type_) + " in the Palyra schema");
    }
    return false;
  }

  bool Enter(const Expr& expr, const HasAttr& node) {
    return !IsResource(*node.object) && EnterData(expr, *node.object);
  }

  bool Enter(const Expr& expr, const Call& node) {
    if (SignatureOf(node.function).first == ValueKind::kString) {
      Refuse("LOW-MAKE", expr, Quoted(expr) + " makes a value of what only the kernel knows",
             "compare the text itself");
      return false;
    }
    return true;
  }

  void RefuseChoice(const Expr& expr) {
    Refuse("LOW-DEREF", expr,
           Quoted(expr) + " asks for data of an entity that depends on the event",
           "take the condition on the event out: if CONDITION then A.x == 1 else B.x == 1");
  }

  // Attributes, tags or ancestors of `object`.
  bool EnterData(const Expr& expr, const Expr& object) {
    const Value* value = ConstantOf(object);
    const EntityUid* uid = value == nullptr ? nullptr : value->AsEntity();
    if (uid != nullptr && uid->type() == type_) {
      Refuse("LOW-UID", expr, Quoted(expr) + " asks for data of what may be the event's resource",
             "compare the attributes of the resource");
      return false;
    }
    if (value == nullptr && MayYieldEntity(object)) {
      RefuseChoice(expr);
      return false;
    }
    return true;
  }
};

bool IsPathOfResource(const Expr& expr, std::string_view type) {
  const auto* get = std::get_if<GetAttr>(&expr.node);
  return get != nullptr && IsResource(*get->object) && get->attr == kPathAttr &&
         type != kProcessType;
}

// The names for which a condition holds that asks for the name alone and never fails: a union of
// `like`, `==` and `in` with constants. That the alternatives are not told apart keeps automata
// small: what has matched one for good has matched.
class UnionReader {
 public:
  UnionReader(std::string_view type, const EntityStore& entities)
      : type_(type), entities_(entities) {}

  // False where it is no such condition.
  bool Read(const Expr& expr) {
    return std::visit([this](const auto& node) { return Add(node); }, expr.node);
  }

  NameCondition Take() { return std::move(names_); }

 private:
  std::string_view type_;
  const EntityStore& entities_;
  NameCondition names_;

  template <typename Node>
  static bool Add(const Node& /*node*/) {
    return false;
  }

  bool Add(const Or& node) {
    return std::ranges::all_of(node.operands,
                               [this](const ExprPtr& operand) { return Read(*operand); });
  }

  bool Add(const Like& node) {
    if (!IsPathOfResource(*node.text, type_)) {
      return false;
    }
    names_.push_back(node.pattern);
    return true;
  }

  bool Add(const Binary& node) {
    const Value* right = ConstantOf(*node.right);
    if (right == nullptr) {
      return false;
    }
    if (node.op == BinaryOp::kIn) {
      return IsResource(*node.left) && LiesInDirectories(type_) && AddAncestors(*right);
    }
    const std::string* text = right->AsString();
    if (node.op != BinaryOp::kEqual || text == nullptr || !IsPathOfResource(*node.left, type_)) {
      return false;
    }
    names_.push_back(Pattern{.pieces = {*text}});
    return true;
  }

  bool AddAncestors(const Value& ancestors) {
    if (const SetValue* set = ancestors.AsSet()) {
      return std::ranges::all_of(set->elements(), [this](const Value& element) {
        return element.AsEntity() != nullptr && AddAncestors(element);
      });
    }
    const EntityUid* uid = ancestors.AsEntity();
    if (uid != nullptr) {
      std::ranges::move(NamesIn(*uid, type_, entities_), std::back_inserter(names_));
    }
    return uid != nullptr;
  }
};

bool IsConnective(const Expr& expr) {
  const auto* unary = std::get_if<Unary>(&expr.node);
  return std::holds_alternative<And>(expr.node) || std::holds_alternative<Or>(expr.node) ||
         std::holds_alternative<If>(expr.node) || (unary != nullptr && unary->op == UnaryOp::kNot);
}

void CollectAtoms(const Expr& expr, NameAction action, const EntityStore& entities,
                  NameFootprint& footprint) {
  UnionReader reader(ResourceTypeOf(action), entities);
  if (std::holds_alternative<Or>(expr.node) && reader.Read(expr)) {
    NameFootprint apart;
    for (const ExprPtr& child : ChildrenOf(expr)) {
      CollectAtoms(*child, action, entities, apart);
    }
    std::ranges::move(apart.oddities, std::back_inserter(footprint.oddities));
    footprint.conditions.push_back(reader.Take());
    return;
  }
  if (!IsConnective(expr)) {
    AtomCollector(action, entities, footprint).Collect(expr);
    return;
  }
  for (const ExprPtr& child : ChildrenOf(expr)) {
    CollectAtoms(*child, action, entities, footprint);
  }
}

}  // namespace

NameFootprint NameFootprintOf(const Expr& residual, NameAction action,
                              const EntityStore& entities) {
  NameFootprint footprint;
  CollectAtoms(residual, action, entities, footprint);
  return footprint;
}

}  // namespace palyra::policy
