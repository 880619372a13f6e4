#include "policy/net_scope.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "policy/endpoint.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

// Palyra's actions and action groups besides those that are enforced.
constexpr std::array<std::string_view, 30> kOtherActions = {
    "tool.execute",  "net.bind",     "net.listen",      "unix.connect",   "file.read",
    "file.write",    "file.create",  "file.remove",     "file.link",      "file.rename",
    "file.modify",   "file.any",     "process.exec",    "process.signal", "process.trace",
    "http.request",  "vault.get",    "vault.use",       "vault.put",      "vault.list",
    "vault.delete",  "vault.rotate", "approval.decide", "device.pair",    "device.revoke",
    "policy.update", "run.kill",     "audit.read",      "agent.act",      "run.read"};

constexpr std::string_view kEnforced = "this version enforces net.connect, net.send and net.accept";

bool IsOtherAction(const EntityUid& uid) {
  return uid.type() == kActionType &&
         std::ranges::find(kOtherActions, uid.id()) != kOtherActions.end();
}

// The number of single-character changes between the two.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, replaced}));
    }
  }
  return row.back();
}

EntityUid NearestAction(const EntityUid& uid) {
  std::vector<std::string_view> names(kOtherActions.begin(), kOtherActions.end());
  for (int i = 0; i < kNetActionCount; ++i) {
    names.push_back(ActionName(static_cast<NetAction>(i)));
  }
  const auto nearest = std::ranges::min_element(
      names, {}, [&](std::string_view name) { return EditDistance(name, uid.id()); });
  return {std::string(kActionType), std::string(*nearest)};
}

class ScopeReader {
 public:
  ScopeReader(const Policy& policy, const EntityStore& entities)
      : policy_(policy), entities_(entities) {}

  std::expected<NetScope, Finding> Read() {
    NetScope scope;
    if (policy_.action.kind == Scope::Kind::kAny) {
      scope.actions = (1U << kNetActionCount) - 1;
    }
    for (const EntityUid& uid : policy_.action.entities) {
      const uint8_t named = NamedBy(uid);
      scope.actions = static_cast<uint8_t>(scope.actions | named);
      if (named != 0) {
        continue;
      }
      if (!IsKnown(uid)) {
        return std::unexpected(Finding{.code = "LOW-ACTION",
                                       .span = policy_.action.span,
                                       .message = "there is no action " + ToCedar(uid),
                                       .hint = "did you mean " + ToCedar(NearestAction(uid))});
      }
      scope.oddities.push_back(NotEnforced(uid));
    }
    if (scope.actions == 0 && !scope.oddities.empty()) {
      return std::unexpected(std::move(scope.oddities.front()));
    }
    if (std::optional<Finding> finding = ResourceNeverMatches()) {
      if (policy_.action.kind == Scope::Kind::kAny) {
        return std::unexpected(*std::move(finding));
      }
      scope.oddities.push_back(*std::move(finding));
    }
    return scope;
  }

 private:
  const Policy& policy_;
  const EntityStore& entities_;

  // The enforced actions that `== uid` or `in uid` holds for.
  [[nodiscard]] uint8_t NamedBy(const EntityUid& uid) const {
    uint8_t actions = 0;
    for (int i = 0; i < kNetActionCount; ++i) {
      const EntityUid action = ActionUid(static_cast<NetAction>(i));
      const Entity* entity = entities_.Find(action);
      const bool is_in = policy_.action.kind != Scope::Kind::kEqual && entity != nullptr &&
                         entity->ancestors.contains(uid);
      if (action == uid || is_in) {
        actions = static_cast<uint8_t>(actions | 1U << i);
      }
    }
    return actions;
  }

  [[nodiscard]] bool IsKnown(const EntityUid& uid) const {
    return IsOtherAction(uid) || entities_.Find(uid) != nullptr ||
           std::ranges::any_of(entities_.entities(), [&](const auto& entry) {
             return entry.second.ancestors.contains(uid);
           });
  }

  [[nodiscard]] Finding NotEnforced(const EntityUid& uid) const {
    return {.code = "LOW-ACTION",
            .span = policy_.action.span,
            .message = "action " + ToCedar(uid) + " is not enforced by this version",
            .hint = std::string(kEnforced)};
  }

  [[nodiscard]] std::optional<Finding> ResourceNeverMatches() const {
    const Scope& resource = policy_.resource;
    std::string_view type = resource.type;
    if (resource.kind == Scope::Kind::kAny) {
      return std::nullopt;
    }
    if (resource.kind == Scope::Kind::kEqual || resource.kind == Scope::Kind::kIn) {
      type = resource.entities[0].type();
    }
    if (type == kEndpointType || (resource.kind == Scope::Kind::kIn && type == kDomainType)) {
      return std::nullopt;
    }
    return Finding{.code = "LOW-ACTION",
                   .span = resource.span,
                   .message = "no network event has a resource of type " + std::string(type) +
                              ", and nothing else is enforced by this version",
                   .hint = std::string(kEnforced) + ", whose resource is a Palyra::Endpoint"};
  }
};

}  // namespace

std::expected<NetScope, Finding> NetScopeOf(const Policy& policy, const EntityStore& entities) {
  return ScopeReader(policy, entities).Read();
}

}  // namespace palyra::policy
