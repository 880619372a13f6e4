#include "policy/validate/findings.h"

#include <algorithm>
#include <array>
#include <utility>

namespace palyra::policy {
namespace {

constexpr std::array<std::string_view, 20> kCodes = {
    "validate-unknown-entity-type", "validate-unknown-action",
    "validate-unlisted-entity",     "validate-never-applies",
    "validate-unexpected-type",     "validate-incompatible-types",
    "validate-unknown-attribute",   "validate-unsafe-attribute",
    "validate-unsafe-tag",          "validate-no-tags",
    "validate-argument-count",      "validate-bad-argument",
    "validate-computed-argument",   "validate-empty-set",
    "validate-level-exceeded",      "validate-literal-dereference",
    "validate-impossible-policy",   "validate-bidirectional-text",
    "validate-mixed-scripts",       "validate-confusable-identifier"};

}  // namespace

std::string_view CodeOf(FindingKind kind) { return kCodes.at(static_cast<size_t>(kind)); }

bool IsWarning(FindingKind kind) { return kind >= FindingKind::kImpossiblePolicy; }

void Findings::Add(FindingKind kind, Span span, std::string message,
                   std::optional<std::string> hint) {
  const std::string_view code = CodeOf(kind);
  const bool is_known = std::ranges::any_of(diagnostics_, [&](const Diagnostic& known) {
    return known.span == span && known.code == code && known.message == message;
  });
  if (is_known) {
    return;
  }
  has_errors_ = has_errors_ || !IsWarning(kind);
  diagnostics_.push_back({.severity = IsWarning(kind) ? Severity::kWarning : Severity::kError,
                          .code = std::string(code),
                          .message = std::move(message),
                          .source = policy_.source,
                          .span = span,
                          .policy_id = policy_.id,
                          .hint = std::move(hint)});
}

}  // namespace palyra::policy
