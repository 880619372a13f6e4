#include "policy/policy_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "policy/parser.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

Result<void> FillSlot(std::string_view name, const std::optional<EntityUid>& value, Scope& scope) {
  if (scope.slot != value.has_value()) {
    return Fail(ErrorCode::kInvalidArgument,
                scope.slot ? "there is no value for the slot " + std::string(name)
                           : "there is a value for " + std::string(name) +
                                 ", but the template has no such slot");
  }
  if (value) {
    scope.slot = false;
    scope.entities = {*value};
  }
  return {};
}

}  // namespace

Result<Policy> FillSlots(const Policy& policy_template, const SlotValues& values) {
  Policy policy = policy_template;
  if (Result<void> filled = FillSlot("?principal", values.principal, policy.principal); !filled) {
    return std::unexpected(std::move(filled).error());
  }
  if (Result<void> filled = FillSlot("?resource", values.resource, policy.resource); !filled) {
    return std::unexpected(std::move(filled).error());
  }
  return policy;
}

std::string PlacedPolicy::Label() const {
  const std::string* name = policy.FindAnnotation("id");
  return id + " (" + (name == nullptr ? "" : QuoteString(*name) + ", ") + source->name() + ':' +
         std::to_string(source->Locate(policy.span.offset).line) + ')';
}

std::expected<PolicySet, std::vector<Diagnostic>> PolicySet::Parse(
    const std::vector<SourcePtr>& sources) {
  PolicySet set;
  std::vector<Diagnostic> diagnostics;
  for (const SourcePtr& source : sources) {
    auto parsed = ParsePolicies(source);
    if (!parsed) {
      std::ranges::move(parsed.error(), std::back_inserter(diagnostics));
      continue;
    }
    set.policies_.reserve(set.policies_.size() + parsed->size());
    set.places_.reserve(set.places_.size() + parsed->size());
    for (Policy& policy : *parsed) {
      // These ids cannot collide.
      (void)set.Add("policy" + std::to_string(set.places_.size()), source, std::move(policy));
    }
  }
  if (!diagnostics.empty()) {
    return std::unexpected(std::move(diagnostics));
  }
  return set;
}

Result<void> PolicySet::Add(std::string id, SourcePtr source, Policy policy) {
  const bool is_template = policy.is_template();
  std::vector<PlacedPolicy>& placed = is_template ? templates_ : policies_;
  if (Result<void> reserved = Reserve(id, is_template, placed.size()); !reserved) {
    return reserved;
  }
  placed.push_back({.id = std::move(id), .source = std::move(source), .policy = std::move(policy)});
  return {};
}

Result<void> PolicySet::AddLink(std::string id, Link link) {
  const PlacedPolicy* from = FindTemplate(link.template_id);
  if (from == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "cannot link " + QuoteString(id) +
                                                 ": there is no template " +
                                                 QuoteString(link.template_id));
  }
  Result<Policy> policy = FillSlots(from->policy, link.values);
  if (!policy) {
    policy.error().message.insert(0, "cannot link " + QuoteString(id) + " to template " +
                                         QuoteString(link.template_id) + ": ");
    return std::unexpected(std::move(policy).error());
  }
  if (Result<void> reserved = Reserve(id, /*is_template=*/false, policies_.size()); !reserved) {
    return reserved;
  }
  policies_.push_back({.id = std::move(id),
                       .source = from->source,
                       .policy = *std::move(policy),
                       .link = std::move(link)});
  return {};
}

const PlacedPolicy* PolicySet::Find(std::string_view id) const {
  return Find(id, /*is_template=*/false);
}

const PlacedPolicy* PolicySet::FindTemplate(std::string_view id) const {
  return Find(id, /*is_template=*/true);
}

Result<void> PolicySet::Reserve(const std::string& id, bool is_template, size_t index) {
  if (!places_.emplace(id, Place{.is_template = is_template, .index = index}).second) {
    return Fail(ErrorCode::kInvalidArgument,
                "the policy set already has a policy or template " + QuoteString(id));
  }
  return {};
}

const PlacedPolicy* PolicySet::Find(std::string_view id, bool is_template) const {
  const auto found = places_.find(std::string(id));
  if (found == places_.end() || found->second.is_template != is_template) {
    return nullptr;
  }
  return &(is_template ? templates_ : policies_)[found->second.index];
}

}  // namespace palyra::policy
