#include "policy/compile/action_scope.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "policy/compile/endpoint.h"
#include "policy/compile/named_resource.h"
#include "policy/execution.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

// Palyra's actions that are decided before a run or by the broker, and its action groups.
constexpr std::array<std::string_view, 18> kElsewhere = {
    "tool.execute",  "file.modify",   "file.any",   "http.request", "vault.get",
    "vault.use",     "vault.put",     "vault.list", "vault.delete", "vault.rotate",
    "device.pair",   "device.revoke", "run.kill",   "run.read",     "approval.decide",
    "policy.update", "audit.read",    "agent.act"};

constexpr std::string_view kNetworkHint =
    "this version enforces the actions net.*, unix.connect and tool.execute";

template <size_t kCount>
bool Names(const std::array<std::string_view, kCount>& actions, const EntityUid& uid) {
  return uid.type() == kActionType && std::ranges::find(actions, uid.id()) != actions.end();
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
  std::vector<std::string_view> names(kElsewhere.begin(), kElsewhere.end());
  for (int i = 0; i < kNetActionCount; ++i) {
    names.push_back(ActionName(static_cast<NetAction>(i)));
  }
  for (int i = 0; i < kNameActionCount; ++i) {
    names.push_back(ActionName(static_cast<NameAction>(i)));
  }
  const auto nearest = std::ranges::min_element(
      names, {}, [&](std::string_view name) { return EditDistance(name, uid.id()); });
  return {std::string(kActionType), std::string(*nearest)};
}

class ScopeReader {
 public:
  ScopeReader(const Policy& policy, const EntityStore& entities, Coverage coverage)
      : policy_(policy), entities_(entities), coverage_(coverage) {}

  std::expected<ActionScope, Finding> Read() {
    ActionScope scope;
    bool elsewhere = false;
    if (policy_.action.kind == Scope::Kind::kAny) {
      scope.net_actions = (1U << kNetActionCount) - 1;
      scope.name_actions = NamesCovered(coverage_);
    }
    for (const EntityUid& uid : policy_.action.entities) {
      const auto net = NamedBy<NetAction, kNetActionCount>(uid);
      const auto names = NamedBy<NameAction, kNameActionCount>(uid) & NamesCovered(coverage_);
      scope.net_actions = static_cast<uint8_t>(scope.net_actions | net);
      scope.name_actions = static_cast<uint16_t>(scope.name_actions | names);
      if (net != 0 || names != 0) {
        continue;
      }
      if (!IsKnown(uid)) {
        return std::unexpected(Finding{.code = "LOW-ACTION",
                                       .span = policy_.action.span,
                                       .message = "there is no action " + ToCedar(uid),
                                       .hint = "did you mean " + ToCedar(NearestAction(uid))});
      }
      // What else policies speak of is decided elsewhere, or by these tables.
      const bool is_elsewhere =
          coverage_ == Coverage::kAll && !IsOne<NameAction, kNameActionCount>(uid);
      if (is_elsewhere || uid == ExecuteAction()) {
        elsewhere = true;
      } else {
        scope.oddities.push_back(NotEnforced(uid));
      }
    }
    const bool is_empty = scope.net_actions == 0 && scope.name_actions == 0 && !elsewhere;
    if (is_empty && !scope.oddities.empty()) {
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
  Coverage coverage_;

  [[nodiscard]] bool covers_names() const { return coverage_ >= Coverage::kFiles; }

  // The actions of a kind that `== uid` or `in uid` holds for.
  template <typename Action, int kCount>
  [[nodiscard]] unsigned NamedBy(const EntityUid& uid) const {
    unsigned actions = 0;
    for (int i = 0; i < kCount; ++i) {
      const EntityUid action = ActionUid(static_cast<Action>(i));
      const Entity* entity = entities_.Find(action);
      const bool is_in = policy_.action.kind != Scope::Kind::kEqual && entity != nullptr &&
                         entity->ancestors.contains(uid);
      if (action == uid || is_in) {
        actions |= 1U << i;
      }
    }
    return actions;
  }

  template <typename Action, int kCount>
  static bool IsOne(const EntityUid& uid) {
    for (int i = 0; i < kCount; ++i) {
      if (ActionUid(static_cast<Action>(i)) == uid) {
        return true;
      }
    }
    return false;
  }

  [[nodiscard]] bool IsKnown(const EntityUid& uid) const {
    return Names(kElsewhere, uid) || IsOne<NameAction, kNameActionCount>(uid) ||
           entities_.Find(uid) != nullptr ||
           std::ranges::any_of(entities_.entities(), [&](const auto& entry) {
             return entry.second.ancestors.contains(uid);
           });
  }

  [[nodiscard]] Finding NotEnforced(const EntityUid& uid) const {
    return {.code = "LOW-ACTION",
            .span = policy_.action.span,
            .message = "action " + ToCedar(uid) + " is not enforced by this version",
            .hint = covers_names() ? "leave it out" : std::string(kNetworkHint)};
  }

  [[nodiscard]] std::optional<Finding> ResourceNeverMatches() const {
    const Scope& resource = policy_.resource;
    std::string_view type = resource.type;
    if (resource.kind == Scope::Kind::kAny || covers_names()) {
      return std::nullopt;
    }
    if (resource.kind == Scope::Kind::kEqual || resource.kind == Scope::Kind::kIn) {
      type = resource.entities[0].type();
    }
    if (type == kSocketType && NamesCovered(coverage_) != 0) {
      return std::nullopt;
    }
    if (type == kToolType || type == kToolGroupType || type == kEndpointType ||
        (resource.kind == Scope::Kind::kIn && type == kDomainType)) {
      return std::nullopt;
    }
    return Finding{.code = "LOW-ACTION",
                   .span = resource.span,
                   .message = "no network event has a resource of type " + std::string(type) +
                              ", and nothing else is enforced by this version",
                   .hint = std::string(kNetworkHint) + ", whose resource is a Palyra::Endpoint"};
  }
};

}  // namespace

uint16_t NamesCovered(Coverage coverage) {
  constexpr unsigned kSockets = 1U << static_cast<unsigned>(NameAction::kUnixConnect);
  constexpr unsigned kEvery = (1U << kNameActionCount) - 1;
  switch (coverage) {
    case Coverage::kNetwork:
      return 0;
    case Coverage::kNetworkAndUnix:
      return kSockets;
    case Coverage::kFiles:
    case Coverage::kAll:
      return kEvery;
  }
  return 0;
}

std::expected<ActionScope, Finding> ActionScopeOf(const Policy& policy, const EntityStore& entities,
                                                  Coverage coverage) {
  return ScopeReader(policy, entities, coverage).Read();
}

std::optional<Finding> MisuseOfVerify(const Policy& policy, const ActionScope& scope) {
  constexpr uint8_t kConnect = 1U << static_cast<unsigned>(NetAction::kConnect);
  const auto verify = std::ranges::find(policy.annotations, "verify", &Annotation::key);
  if (verify == policy.annotations.end()) {
    return std::nullopt;
  }
  const auto misuse = [&](std::string message, std::string hint) {
    return Finding{.code = "LOW-VERIFY",
                   .span = verify->span,
                   .message = std::move(message),
                   .hint = std::move(hint)};
  };
  if (policy.effect == Effect::kForbid) {
    return misuse("a forbid holds whatever is verified", "leave @verify out");
  }
  if (verify->value != "sni") {
    return misuse("nothing is known that verifies \"" + verify->value + '"',
                  "write @verify(\"sni\"): the name in the TLS handshake or the HTTP Host");
  }
  if (scope.net_actions != kConnect || scope.name_actions != 0) {
    return misuse("only connections can be verified",
                  "write action == Palyra::Action::\"net.connect\"");
  }
  if (policy.asks()) {
    return misuse("a person who was asked allows what nobody verifies",
                  "leave @ask or @verify out");
  }
  return std::nullopt;
}

}  // namespace palyra::policy
