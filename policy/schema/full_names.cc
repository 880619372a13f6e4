#include "policy/schema/full_names.h"

#include <utility>

#include "policy/schema/declared_names.h"

namespace palyra::policy {
namespace {

using Kind = WrittenType::Kind;
using Wanted = DeclaredNames::Wanted;

constexpr size_t kMaxErrors = 20;

class FullNames {
 public:
  explicit FullNames(const SchemaFragment& fragment)
      : fragment_(fragment), names_({&fragment, 1}) {}

  std::expected<SchemaFragment, std::vector<Diagnostic>> Make() {
    SchemaFragment full = fragment_;
    for (auto& [name, scope] : full.namespaces) {
      scope_ = &name;
      for (auto& [id, common] : scope.common_types) common.type = Complete(common.type);
      for (auto& [id, entity] : scope.entity_types) Complete(entity);
      for (auto& [id, action] : scope.actions) Complete(action);
    }
    if (!errors_.empty()) return std::unexpected(std::move(errors_));
    return full;
  }

 private:
  [[nodiscard]] SchemaPlace Here() const { return {.fragment = &fragment_, .scope = scope_}; }

  void Report(Diagnostic error) {
    if (errors_.size() < kMaxErrors) errors_.push_back(std::move(error));
  }

  void Complete(WrittenEntityType& entity) {
    Complete(entity.member_of);
    entity.shape = Complete(entity.shape);
    if (entity.tags != nullptr) entity.tags = Complete(entity.tags);
  }

  void Complete(WrittenAction& action) {
    if (action.applies_to) {
      Complete(action.applies_to->principals);
      Complete(action.applies_to->resources);
      action.applies_to->context = Complete(action.applies_to->context);
    }
    if (!action.member_of) return;
    for (WrittenActionRef& ref : *action.member_of) {
      auto found = names_.FindAction(ref, Here());
      if (found) {
        ref.type = found->type();
      } else {
        Report(std::move(found.error()));
      }
    }
  }

  void Complete(std::vector<WrittenName>& names) {
    for (WrittenName& name : names) {
      auto found = names_.Find(name, Wanted::kEntity, Here());
      if (found) {
        name.name = std::move(found->name);
      } else {
        Report(std::move(found.error()));
      }
    }
  }

  WrittenTypePtr Complete(const WrittenTypePtr& type) {
    switch (type->kind) {
      case Kind::kSet:
        return MakeSet(Complete(type->element), type->span);
      case Kind::kRecord: {
        auto attributes = type->attributes;
        for (auto& [name, attribute] : attributes) attribute.type = Complete(attribute.type);
        return MakeRecord(std::move(attributes), type->span);
      }
      case Kind::kEntity:
        return CompleteName(type, Wanted::kEntity);
      case Kind::kCommon:
        return CompleteName(type, Wanted::kCommon);
      case Kind::kEntityOrCommon:
        return CompleteName(type, Wanted::kEither);
      case Kind::kString:
      case Kind::kLong:
      case Kind::kBool:
      case Kind::kExtension:
        return type;
    }
    std::unreachable();
  }

  WrittenTypePtr CompleteName(const WrittenTypePtr& type, Wanted wanted) {
    auto found = names_.Find({.name = type->name, .span = type->span}, wanted, Here());
    if (!found) {
      Report(std::move(found.error()));
      return type;
    }
    const bool is_entity =
        found->kind == DeclaredNames::Kind::kEntity || found->kind == DeclaredNames::Kind::kAction;
    return MakeNamed(is_entity ? Kind::kEntity : Kind::kCommon, std::move(found->name), type->span);
  }

  const SchemaFragment& fragment_;
  DeclaredNames names_;
  const std::string* scope_ = nullptr;
  std::vector<Diagnostic> errors_;
};

}  // namespace

std::expected<SchemaFragment, std::vector<Diagnostic>> WithFullNames(
    const SchemaFragment& fragment) {
  return FullNames(fragment).Make();
}

}  // namespace palyra::policy
