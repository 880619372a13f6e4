#include "policy/policy_set.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "policy/parser.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

constexpr std::string_view kIdPrefix = "policy";

}  // namespace

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
    for (Policy& policy : *parsed) {
      set.policies_.push_back({.id = std::string(kIdPrefix) + std::to_string(set.policies_.size()),
                               .source = source,
                               .policy = std::move(policy)});
    }
  }
  if (!diagnostics.empty()) {
    return std::unexpected(std::move(diagnostics));
  }
  return set;
}

const PlacedPolicy* PolicySet::Find(std::string_view id) const {
  if (!id.starts_with(kIdPrefix)) {
    return nullptr;
  }
  const std::string_view number = id.substr(kIdPrefix.size());
  size_t index = 0;
  const auto parsed = std::from_chars(number.data(), number.data() + number.size(), index);
  const bool found = parsed.ec == std::errc() && index < policies_.size();
  return found && policies_[index].id == id ? &policies_[index] : nullptr;
}

}  // namespace palyra::policy
