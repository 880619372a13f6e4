#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "policy/printer.h"
#include "policy/schema/declared_names.h"
#include "policy/schema/schema.h"

namespace palyra::policy {
namespace {

constexpr size_t kMaxErrors = 20;

// kNever stands for a common type that was reported as wrong already.
bool IsNoRecord(const Type* type) {
  return type != nullptr && type->kind != TypeKind::kRecord && type->kind != TypeKind::kNever;
}

}  // namespace

class SchemaResolver {
 public:
  explicit SchemaResolver(std::span<const SchemaFragment> fragments)
      : fragments_(fragments), names_(fragments) {}

  std::expected<Schema, std::vector<Diagnostic>> Resolve();

 private:
  using Place = SchemaPlace;
  using Wanted = DeclaredNames::Wanted;
  struct CommonType {
    const WrittenCommonType* written;
    Place place;
    const Type* type = nullptr;
    bool is_open = false;  // Being resolved.
  };
  struct EntityType {
    const WrittenEntityType* written;
    Place place;
    EntityTypeInfo* info;
  };
  struct Action {
    const WrittenAction* written;
    Place place;
  };
  void Collect();
  void CollectScope(const Place& place, const WrittenNamespace& scope);
  EntityTypeInfo* AddEntityType(std::string name);
  void CheckShadowing();
  void ResolveTypes();
  void ResolveEntityType(const EntityType& entity);
  void ResolveActions();
  ActionInfo ResolveAction(const EntityUid& uid, const Action& action);
  void CloseActions();
  void CloseEntityTypes();

  // Null after an error.
  const Type* TypeOf(const WrittenType& written, const Place& place);
  const Type* TypeInside(const WrittenType& written, const Place& place);
  const Type* NamedType(const WrittenType& written, Wanted wanted, const Place& place);
  const Type* RecordOf(const WrittenType& written, const Place& place);
  const Type* CommonTypeOf(CommonType& common, const std::string& name);
  // A type in a list that takes only declared entity types.
  EntityTypeInfo* DeclaredEntity(const WrittenName& name, const Place& place);
  std::vector<const EntityTypeInfo*> DeclaredEntities(const std::vector<WrittenName>& names,
                                                      const Place& place);

  void Report(Diagnostic error);
  void Report(const SchemaFragment& fragment, Span span, std::string_view code,
              const std::string& message, std::optional<std::string> hint = std::nullopt);

  std::span<const SchemaFragment> fragments_;
  DeclaredNames names_;
  Schema schema_;
  std::map<std::string, CommonType> common_types_;
  std::map<std::string, EntityType> entity_types_;
  std::map<std::string, EntityTypeInfo*> action_types_;
  std::map<EntityUid, Action> actions_;
  std::map<EntityTypeInfo*, std::set<EntityTypeInfo*>> parents_;
  std::vector<Diagnostic> diagnostics_;
  int nesting_ = 0;
};

void SchemaResolver::Report(Diagnostic error) {
  if (diagnostics_.size() < kMaxErrors) {
    diagnostics_.push_back(std::move(error));
  }
}

void SchemaResolver::Report(const SchemaFragment& fragment, Span span, std::string_view code,
                            const std::string& message, std::optional<std::string> hint) {
  Report(SchemaError(fragment, span, code, message, std::move(hint)));
}

EntityTypeInfo* SchemaResolver::AddEntityType(std::string name) {
  EntityTypeInfo& info = schema_.entity_types_.emplace_back();
  info.name = std::move(name);
  info.id = static_cast<uint32_t>(schema_.entity_types_.size() - 1);
  info.type = schema_.types_.AddEntity({&info});
  schema_.entity_types_by_name_.emplace(info.name, &info);
  return &info;
}

void SchemaResolver::Collect() {
  for (const SchemaFragment& fragment : fragments_) {
    for (const auto& [name, scope] : fragment.namespaces) {
      CollectScope({.fragment = &fragment, .scope = &name}, scope);
    }
  }
}

void SchemaResolver::CollectScope(const Place& place, const WrittenNamespace& scope) {
  const auto twice = [&](Span span, const std::string& name) {
    Report(*place.fragment, span, "schema-duplicate", "`" + name + "` is declared twice");
  };
  for (const auto& [id, written] : scope.common_types) {
    const std::string name = QualifyName(*place.scope, id);
    if (!common_types_.try_emplace(name, CommonType{.written = &written, .place = place}).second) {
      twice(written.span, name);
    }
  }
  for (const auto& [id, written] : scope.entity_types) {
    const std::string name = QualifyName(*place.scope, id);
    if (entity_types_.contains(name)) {
      twice(written.span, name);
      continue;
    }
    EntityTypeInfo* info = AddEntityType(name);
    info->enum_ids = written.enum_ids;
    std::ranges::sort(info->enum_ids);
    entity_types_.emplace(name, EntityType{.written = &written, .place = place, .info = info});
  }
  const std::string action_type = QualifyName(*place.scope, "Action");
  if (!scope.actions.empty() && !action_types_.contains(action_type)) {
    EntityTypeInfo* info = AddEntityType(action_type);
    info->is_action = true;
    info->shape = &kEmptyRecordType;
    action_types_.emplace(action_type, info);
  }
  for (const auto& [id, written] : scope.actions) {
    const EntityUid uid(action_type, id);
    if (!actions_.try_emplace(uid, Action{.written = &written, .place = place}).second) {
      twice(written.span, ToCedar(uid));
    }
  }
}

void SchemaResolver::CheckShadowing() {
  const auto check = [&](const std::string& full_name, const std::string& hidden, Span span,
                         const Place& place) {
    Report(*place.fragment, span, "schema-shadowing",
           "`" + full_name + "` hides `" + hidden + "` of the empty namespace",
           "rename one of the two, or move it to another namespace");
  };
  const auto check_type = [&](const std::string& name, Span span, const Place& place) {
    if (const size_t colons = name.rfind("::"); colons != std::string::npos) {
      const std::string base = name.substr(colons + 2);
      if (common_types_.contains(base) || entity_types_.contains(base)) {
        check(name, base, span, place);
      }
    }
  };
  for (const auto& [name, common] : common_types_) {
    check_type(name, common.written->span, common.place);
  }
  for (const auto& [name, entity] : entity_types_) {
    check_type(name, entity.written->span, entity.place);
  }
  for (const auto& [uid, action] : actions_) {
    const EntityUid unqualified("Action", uid.id());
    if (uid != unqualified && actions_.contains(unqualified)) {
      check(ToCedar(uid), ToCedar(unqualified), action.written->span, action.place);
    }
  }
}

const Type* SchemaResolver::TypeOf(const WrittenType& written, const Place& place) {
  if (nesting_ >= kMaxNesting) {
    Report(*place.fragment, written.span, "schema-nesting",
           "types are nested deeper than " + std::to_string(kMaxNesting) + " levels");
    return nullptr;
  }
  ++nesting_;
  const Type* type = TypeInside(written, place);
  --nesting_;
  if (type != nullptr && (type->height > kMaxNesting || type->size > kMaxTypeSize)) {
    Report(*place.fragment, written.span, "schema-nesting",
           "this type is nested deeper than " + std::to_string(kMaxNesting) +
               " levels, or has more than " + std::to_string(kMaxTypeSize) + " parts");
    return nullptr;
  }
  return type;
}

const Type* SchemaResolver::TypeInside(const WrittenType& written, const Place& place) {
  switch (written.kind) {
    case WrittenType::Kind::kString:
      return &kStringType;
    case WrittenType::Kind::kLong:
      return &kLongType;
    case WrittenType::Kind::kBool:
      return &kBoolType;
    case WrittenType::Kind::kSet: {
      const Type* element = TypeOf(*written.element, place);
      return element == nullptr ? nullptr : schema_.types_.AddSet(element);
    }
    case WrittenType::Kind::kRecord:
      return RecordOf(written, place);
    case WrittenType::Kind::kEntity:
      return NamedType(written, Wanted::kEntity, place);
    case WrittenType::Kind::kCommon:
      return NamedType(written, Wanted::kCommon, place);
    case WrittenType::Kind::kEntityOrCommon:
      return NamedType(written, Wanted::kEither, place);
    case WrittenType::Kind::kExtension: {
      const std::optional<ExtensionType> extension = FindExtensionType(written.name);
      if (!extension) {
        Report(*place.fragment, written.span, "schema-unknown-type",
               "there is no extension type `" + written.name + "`",
               "the extension types are ipaddr, decimal, datetime and duration");
        return nullptr;
      }
      return &ExtensionTypeOf(*extension);
    }
  }
  std::unreachable();
}

const Type* SchemaResolver::NamedType(const WrittenType& written, Wanted wanted,
                                      const Place& place) {
  const auto found = names_.Find({.name = written.name, .span = written.span}, wanted, place);
  if (!found) {
    Report(found.error());
    return nullptr;
  }
  switch (found->kind) {
    case DeclaredNames::Kind::kCommon:
      return CommonTypeOf(common_types_.at(found->name), written.name);
    case DeclaredNames::Kind::kBuiltIn:
      return found->built_in;
    case DeclaredNames::Kind::kEntity:
      return entity_types_.at(found->name).info->type;
    case DeclaredNames::Kind::kAction:
      return action_types_.at(found->name)->type;
  }
  std::unreachable();
}

const Type* SchemaResolver::CommonTypeOf(CommonType& common, const std::string& name) {
  if (common.type != nullptr) {
    return common.type;
  }
  if (common.is_open) {
    Report(*common.place.fragment, common.written->span, "schema-cycle",
           "the common type `" + name + "` contains itself");
    return nullptr;
  }
  common.is_open = true;
  common.type = TypeOf(*common.written->type, common.place);
  common.is_open = false;
  if (common.type == nullptr) {
    // It was reported where it is wrong; what refers to it need not fail as well.
    common.type = &kNeverType;
  }
  return common.type;
}

const Type* SchemaResolver::RecordOf(const WrittenType& written, const Place& place) {
  std::vector<AttributeType> attributes;
  attributes.reserve(written.attributes.size());
  bool good = true;
  for (const auto& [name, attribute] : written.attributes) {
    const Type* type = TypeOf(*attribute.type, place);
    good = good && type != nullptr;
    attributes.push_back({.name = name, .type = type, .required = attribute.required});
  }
  return good ? schema_.types_.AddRecord(std::move(attributes)) : nullptr;
}

EntityTypeInfo* SchemaResolver::DeclaredEntity(const WrittenName& name, const Place& place) {
  const auto found = names_.Find(name, Wanted::kEntity, place);
  if (!found || found->kind == DeclaredNames::Kind::kAction) {
    Report(DeclaredNames::Undeclared(name, Wanted::kEntity, place));
    return nullptr;
  }
  return entity_types_.at(found->name).info;
}

std::vector<const EntityTypeInfo*> SchemaResolver::DeclaredEntities(
    const std::vector<WrittenName>& names, const Place& place) {
  std::vector<const EntityTypeInfo*> found;
  for (const WrittenName& name : names) {
    if (const EntityTypeInfo* entity = DeclaredEntity(name, place)) {
      found.push_back(entity);
    }
  }
  std::ranges::sort(found, {}, &EntityTypeInfo::id);
  const auto twice = std::ranges::unique(found);
  found.erase(twice.begin(), twice.end());
  return found;
}

void SchemaResolver::ResolveTypes() {
  for (auto& [name, common] : common_types_) {
    CommonTypeOf(common, name);
  }
  for (const auto& [name, entity] : entity_types_) {
    ResolveEntityType(entity);
  }
}

void SchemaResolver::ResolveEntityType(const EntityType& entity) {
  const WrittenEntityType& written = *entity.written;
  for (const WrittenName& name : written.member_of) {
    if (EntityTypeInfo* parent = DeclaredEntity(name, entity.place)) {
      parents_[entity.info].insert(parent);
    }
  }
  entity.info->shape = TypeOf(*written.shape, entity.place);
  if (IsNoRecord(entity.info->shape)) {
    Report(*entity.place.fragment, written.span, "schema-not-a-record",
           "the shape of the entity type `" + entity.info->name + "` is not a record");
  }
  if (written.tags != nullptr) {
    entity.info->tags = TypeOf(*written.tags, entity.place);
  }
}

void SchemaResolver::ResolveActions() {
  for (const auto& [uid, action] : actions_) {
    const ActionInfo& info = schema_.actions_.emplace_back(ResolveAction(uid, action));
    schema_.actions_by_uid_.emplace(uid, &info);
  }
}

ActionInfo SchemaResolver::ResolveAction(const EntityUid& uid, const Action& action) {
  const WrittenAction& written = *action.written;
  ActionInfo info{.uid = uid,
                  .type = action_types_.at(uid.type()),
                  .principals = {},
                  .resources = {},
                  .context = &kEmptyRecordType,
                  .ancestors = {}};
  if (written.applies_to) {
    info.principals = DeclaredEntities(written.applies_to->principals, action.place);
    info.resources = DeclaredEntities(written.applies_to->resources, action.place);
    info.context = TypeOf(*written.applies_to->context, action.place);
    if (IsNoRecord(info.context)) {
      Report(*action.place.fragment, written.span, "schema-not-a-record",
             "the context of " + ToCedar(uid) + " is not a record");
    }
  }
  if (written.member_of) {
    for (const WrittenActionRef& ref : *written.member_of) {
      if (auto parent = names_.FindAction(ref, action.place)) {
        info.ancestors.insert(*std::move(parent));
      } else {
        Report(std::move(parent.error()));
      }
    }
  }
  return info;
}

void SchemaResolver::CloseActions() {
  std::vector<Entity> entities;
  entities.reserve(schema_.actions_.size());
  for (const ActionInfo& action : schema_.actions_) {
    entities.push_back({.uid = action.uid, .attrs = {}, .tags = {}, .ancestors = action.ancestors});
  }
  Result<EntityStore> closed = EntityStore::Create(std::move(entities));
  if (!closed) {
    Report(fragments_.front(), {}, "schema-cycle", "action groups: " + closed.error().message);
    return;
  }
  schema_.action_entities_ = *std::move(closed);
  for (ActionInfo& action : schema_.actions_) {
    action.ancestors = schema_.action_entities_.Find(action.uid)->ancestors;
    for (const EntityUid& ancestor : action.ancestors) {
      EntityTypeInfo* own = action_types_.at(action.uid.type());
      parents_[own].insert(action_types_.at(ancestor.type()));
    }
  }
}

// Cycles are allowed among entity types.
void SchemaResolver::CloseEntityTypes() {
  for (EntityTypeInfo& info : schema_.entity_types_) {
    std::set<EntityTypeInfo*> ancestors;
    std::vector<EntityTypeInfo*> open{&info};
    while (!open.empty()) {
      const auto parents = parents_.find(open.back());
      open.pop_back();
      if (parents == parents_.end()) {
        continue;
      }
      for (EntityTypeInfo* parent : parents->second) {
        if (ancestors.insert(parent).second) {
          open.push_back(parent);
        }
      }
    }
    info.ancestors.assign(ancestors.begin(), ancestors.end());
    std::ranges::sort(info.ancestors, {}, &EntityTypeInfo::id);
  }
}

std::expected<Schema, std::vector<Diagnostic>> SchemaResolver::Resolve() {
  const std::array<void (SchemaResolver::*)(), 6> steps = {
      &SchemaResolver::Collect,      &SchemaResolver::CheckShadowing,
      &SchemaResolver::ResolveTypes, &SchemaResolver::ResolveActions,
      &SchemaResolver::CloseActions, &SchemaResolver::CloseEntityTypes};
  for (const auto step : steps) {
    // Types and actions are resolved both before giving up: their errors do not follow from each
    // other.
    if (!diagnostics_.empty() && step != &SchemaResolver::ResolveActions) {
      break;
    }
    (this->*step)();
  }
  if (!diagnostics_.empty()) {
    return std::unexpected(std::move(diagnostics_));
  }
  return std::move(schema_);
}

std::expected<Schema, std::vector<Diagnostic>> Schema::Resolve(
    std::span<const SchemaFragment> fragments) {
  return SchemaResolver(fragments).Resolve();
}

}  // namespace palyra::policy
