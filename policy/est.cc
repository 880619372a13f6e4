// PolicyFromEst and PolicySetFromEst of est.h.

#include "policy/est.h"

#include <optional>
#include <utility>

#include "policy/est_reader.h"
#include "policy/json_tree.h"
#include "policy/names.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

// JSON takes up to three levels for one of an expression, and two for each link of a chain.
constexpr size_t kMaxJsonNesting = 4096;

class PolicyReader {
 public:
  std::optional<Policy> Read(const JsonNode& node, const EstPath& path);
  bool ReadSet(const JsonNode& node, const EstPath& path, const SourcePtr& source, PolicySet& set);
  [[nodiscard]] const Error& error() const { return reader_.error(); }

 private:
  bool ReadEffect(const JsonNode& node, const EstPath& path, Effect& effect);
  bool ReadScope(const JsonNode& policy, const EstPath& policy_path, Variable variable,
                 Scope& scope);
  bool ReadActions(const JsonNode& node, const EstPath& path, Scope& scope);
  bool ReadIs(const JsonNode& node, const EstPath& path, Variable variable, Scope& scope);
  bool ReadEntityOrSlot(const JsonNode& node, const EstPath& path, Variable variable, Scope& scope);
  bool ReadEntity(const JsonNode& node, const EstPath& path, Variable variable, Scope& scope);
  bool ReadConditions(const JsonNode& node, const EstPath& path, Policy& policy);
  bool ReadAnnotations(const JsonNode& node, const EstPath& path, Policy& policy);
  bool ReadMembers(const JsonNode& node, const EstPath& path, bool templates,
                   const SourcePtr& source, PolicySet& set);
  bool ReadLinks(const JsonNode& node, const EstPath& path, PolicySet& set);
  bool ReadLink(const JsonNode& node, const EstPath& path, PolicySet& set);
  std::optional<SlotValues> ReadSlotValues(const JsonNode& node, const EstPath& path);

  // `read` of the member `name`.
  template <typename Read>
  bool WithMember(const JsonNode& node, const EstPath& path, std::string_view name,
                  const Read& read) {
    const JsonNode* member = reader_.Member(node, path, name);
    return member != nullptr && read(*member, EstPath(path, name));
  }

  bool Report(const EstPath& path, const std::string& why) {
    reader_.Report(path, why);
    return false;
  }

  EstReader reader_;
};

std::optional<Policy> PolicyReader::Read(const JsonNode& node, const EstPath& path) {
  Policy policy{};
  const bool good =
      reader_.Only(node, path,
                   {"effect", "principal", "action", "resource", "conditions", "annotations"}) &&
      ReadEffect(node, path, policy.effect) &&
      ReadScope(node, path, Variable::kPrincipal, policy.principal) &&
      ReadScope(node, path, Variable::kAction, policy.action) &&
      ReadScope(node, path, Variable::kResource, policy.resource) &&
      WithMember(node, path, "conditions",
                 [&](const JsonNode& n, const EstPath& p) { return ReadConditions(n, p, policy); });
  const JsonNode* annotations = node.Find("annotations");
  if (!good || (annotations != nullptr &&
                !ReadAnnotations(*annotations, EstPath(path, "annotations"), policy))) {
    return std::nullopt;
  }
  policy.condition = Join(policy.span, policy.conditions);
  return policy;
}

bool PolicyReader::ReadEffect(const JsonNode& node, const EstPath& path, Effect& effect) {
  const std::string* word = reader_.WordMember(node, path, "effect");
  if (word == nullptr) {
    return false;
  }
  effect = *word == "permit" ? Effect::kPermit : Effect::kForbid;
  return *word == "permit" || *word == "forbid" ||
         Report(EstPath(path, "effect"), R"(expected "permit" or "forbid")");
}

bool PolicyReader::ReadScope(const JsonNode& policy, const EstPath& policy_path, Variable variable,
                             Scope& scope) {
  const std::string_view name = NameOf(variable);
  const EstPath path(policy_path, name);
  const JsonNode* node = reader_.Member(policy, policy_path, name);
  const std::string* op = node == nullptr ? nullptr : reader_.StringMember(*node, path, "op");
  if (op == nullptr) {
    return false;
  }
  if (*op == "All" || *op == "all") {
    scope.kind = Scope::Kind::kAny;
    return true;
  }
  if (*op == "==" || *op == "in") {
    scope.kind = *op == "in" ? Scope::Kind::kIn : Scope::Kind::kEqual;
    return variable == Variable::kAction && *op == "in" && node->Find("entity") == nullptr
               ? ReadActions(*node, path, scope)
               : ReadEntityOrSlot(*node, path, variable, scope);
  }
  if (*op == "is" && variable != Variable::kAction) {
    return ReadIs(*node, path, variable, scope);
  }
  return Report(EstPath(path, "op"), "there is no such constraint on " + std::string(name));
}

bool PolicyReader::ReadActions(const JsonNode& node, const EstPath& path, Scope& scope) {
  scope.kind = Scope::Kind::kInSet;
  return WithMember(node, path, "entities", [&](const JsonNode& list, const EstPath& list_path) {
    const JsonNode::Array* items = reader_.Array(list, list_path);
    if (items == nullptr) {
      return false;
    }
    for (const JsonNode& item : *items) {
      if (!ReadEntity(item, EstPath(list_path, scope.entities.size()), Variable::kAction, scope)) {
        return false;
      }
    }
    return true;
  });
}

bool PolicyReader::ReadIs(const JsonNode& node, const EstPath& path, Variable variable,
                          Scope& scope) {
  scope.kind = Scope::Kind::kIs;
  const JsonNode* type_node = reader_.Only(node, path, {"op", "entity_type", "in"})
                                  ? reader_.Member(node, path, "entity_type")
                                  : nullptr;
  const std::string* type =
      type_node == nullptr ? nullptr : reader_.TypeName(*type_node, EstPath(path, "entity_type"));
  if (type == nullptr) {
    return false;
  }
  scope.type = *type;
  const JsonNode* in = node.Find("in");
  if (in == nullptr || in->is_null()) {
    return true;
  }
  scope.kind = Scope::Kind::kIsIn;
  return ReadEntityOrSlot(*in, EstPath(path, "in"), variable, scope);
}

bool PolicyReader::ReadEntityOrSlot(const JsonNode& node, const EstPath& path, Variable variable,
                                    Scope& scope) {
  if (const JsonNode* entity = node.Find("entity")) {
    return ReadEntity(*entity, EstPath(path, "entity"), variable, scope);
  }
  if (variable == Variable::kAction || node.Find("slot") == nullptr) {
    return Report(path, variable == Variable::kAction
                            ? "expected an object with a member \"entity\""
                            : R"(expected an object with a member "entity" or "slot")");
  }
  const std::string wanted = '?' + std::string(NameOf(variable));
  const std::string* slot = reader_.WordMember(node, path, "slot");
  if (slot == nullptr || *slot != wanted) {
    return Report(EstPath(path, "slot"), "expected the slot " + QuoteString(wanted));
  }
  scope.slot = true;
  return true;
}

bool PolicyReader::ReadEntity(const JsonNode& node, const EstPath& path, Variable variable,
                              Scope& scope) {
  std::optional<EntityUid> uid = reader_.Uid(node, path);
  if (!uid) {
    return false;
  }
  if (variable == Variable::kAction && !IsActionType(uid->type())) {
    return Report(path, "expected an action, found an entity of type " + uid->type());
  }
  scope.entities.push_back(*std::move(uid));
  return true;
}

bool PolicyReader::ReadConditions(const JsonNode& node, const EstPath& path, Policy& policy) {
  const JsonNode::Array* items = reader_.Array(node, path);
  if (items == nullptr) {
    return false;
  }
  for (const JsonNode& item : *items) {
    const EstPath item_path(path, policy.conditions.size());
    const std::string* kind = reader_.Only(item, item_path, {"kind", "body"})
                                  ? reader_.WordMember(item, item_path, "kind")
                                  : nullptr;
    if (kind == nullptr) {
      return false;
    }
    if (*kind != "when" && *kind != "unless") {
      return Report(EstPath(item_path, "kind"), R"(expected "when" or "unless")");
    }
    const JsonNode* body_node = reader_.Member(item, item_path, "body");
    ExprPtr body =
        body_node == nullptr ? nullptr : reader_.ReadExpr(*body_node, EstPath(item_path, "body"));
    if (body == nullptr) {
      return false;
    }
    policy.conditions.push_back(
        {.kind = *kind == "when" ? Condition::Kind::kWhen : Condition::Kind::kUnless,
         .body = std::move(body),
         .span = {}});
  }
  return true;
}

bool PolicyReader::ReadAnnotations(const JsonNode& node, const EstPath& path, Policy& policy) {
  const JsonNode::Object* object = reader_.Object(node, path);
  if (object == nullptr) {
    return false;
  }
  for (const JsonNode& member : object->members) {
    const EstPath member_path(path, member.key);
    if (!IsIdentifier(member.key)) {
      return Report(member_path, "the name of an annotation must be an identifier");
    }
    const bool has_value = !member.is_null();
    const std::string* value = has_value ? reader_.String(member, member_path) : nullptr;
    if (has_value && value == nullptr) {
      return false;
    }
    policy.annotations.push_back(
        {.key = member.key, .value = has_value ? *value : "", .has_value = has_value, .span = {}});
  }
  return true;
}

bool PolicyReader::ReadSet(const JsonNode& node, const EstPath& path, const SourcePtr& source,
                           PolicySet& set) {
  const auto members = [&](bool templates) {
    return [&, templates](const JsonNode& n, const EstPath& p) {
      return ReadMembers(n, p, templates, source, set);
    };
  };
  return reader_.Only(node, path, {"templates", "staticPolicies", "templateLinks"}) &&
         WithMember(node, path, "templates", members(true)) &&
         WithMember(node, path, "staticPolicies", members(false)) &&
         WithMember(node, path, "templateLinks",
                    [&](const JsonNode& n, const EstPath& p) { return ReadLinks(n, p, set); });
}

bool PolicyReader::ReadMembers(const JsonNode& node, const EstPath& path, bool templates,
                               const SourcePtr& source, PolicySet& set) {
  const JsonNode::Object* object = reader_.Object(node, path);
  if (object == nullptr) {
    return false;
  }
  for (const JsonNode& member : object->members) {
    const EstPath member_path(path, member.key);
    std::optional<Policy> policy = Read(member, member_path);
    if (!policy) {
      return false;
    }
    if (policy->is_template() != templates) {
      return Report(member_path,
                    templates ? "a template needs a slot" : "a static policy cannot have a slot");
    }
    if (Result<void> added = set.Add(member.key, source, *std::move(policy)); !added) {
      return Report(member_path, added.error().message);
    }
  }
  return true;
}

bool PolicyReader::ReadLinks(const JsonNode& node, const EstPath& path, PolicySet& set) {
  const JsonNode::Array* links = reader_.Array(node, path);
  if (links == nullptr) {
    return false;
  }
  for (size_t i = 0; i < links->size(); ++i) {
    if (!ReadLink((*links)[i], EstPath(path, i), set)) {
      return false;
    }
  }
  return true;
}

bool PolicyReader::ReadLink(const JsonNode& node, const EstPath& path, PolicySet& set) {
  const std::string* template_id = reader_.Only(node, path, {"templateId", "newId", "values"})
                                       ? reader_.StringMember(node, path, "templateId")
                                       : nullptr;
  const std::string* id =
      template_id == nullptr ? nullptr : reader_.StringMember(node, path, "newId");
  const JsonNode* values_node = id == nullptr ? nullptr : reader_.Member(node, path, "values");
  std::optional<SlotValues> values =
      values_node == nullptr ? std::nullopt : ReadSlotValues(*values_node, EstPath(path, "values"));
  if (!values) {
    return false;
  }
  const Result<void> linked =
      set.AddLink(*id, {.template_id = *template_id, .values = *std::move(values)});
  return linked || Report(path, linked.error().message);
}

std::optional<SlotValues> PolicyReader::ReadSlotValues(const JsonNode& node, const EstPath& path) {
  if (!reader_.Only(node, path, {"?principal", "?resource"})) {
    return std::nullopt;
  }
  SlotValues values;
  for (const JsonNode& member : node.AsObject()->members) {
    std::optional<EntityUid> uid = reader_.Uid(member, EstPath(path, member.key));
    if (!uid) {
      return std::nullopt;
    }
    (member.key == "?principal" ? values.principal : values.resource) = *std::move(uid);
  }
  return values;
}

}  // namespace

Result<Policy> PolicyFromEst(const SourceFile& source) {
  const Result<JsonNode> root = ParseJson(source, kMaxJsonNesting);
  if (!root) {
    return std::unexpected(root.error());
  }
  PolicyReader reader;
  std::optional<Policy> policy = reader.Read(*root, EstPath(source.name()));
  if (!policy) {
    return std::unexpected(reader.error());
  }
  return *std::move(policy);
}

Result<PolicySet> PolicySetFromEst(const SourcePtr& source) {
  const Result<JsonNode> root = ParseJson(*source, kMaxJsonNesting);
  if (!root) {
    return std::unexpected(root.error());
  }
  PolicyReader reader;
  PolicySet set;
  if (!reader.ReadSet(*root, EstPath(source->name()), source, set)) {
    return std::unexpected(reader.error());
  }
  return set;
}

}  // namespace palyra::policy
