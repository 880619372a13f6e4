// What validation says of one policy, each thing once.

#ifndef PALYRA_POLICY_VALIDATE_FINDINGS_H_
#define PALYRA_POLICY_VALIDATE_FINDINGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::policy {

// Those of Cedar's own validator. Warnings, the last ones, never make a policy invalid.
enum class FindingKind : uint8_t {
  kUnknownEntityType,     // A type that the schema does not declare.
  kUnknownAction,         // An action that the schema does not declare.
  kUnlistedEntity,        // An id that its enumerated type does not list.
  kNeverApplies,          // No action of the scope applies to its principal and resource.
  kUnexpectedType,        // An operand of a type that the operator does not take.
  kIncompatibleTypes,     // Types that would have to be the same.
  kUnknownAttribute,      // An attribute that the type does not have.
  kUnsafeAttribute,       // An optional attribute that was not tested with `has` before.
  kUnsafeTag,             // A tag that was not tested with hasTag before.
  kNoTags,                // A tag of a type that has none.
  kArgumentCount,         // Too few or too many arguments of an extension function.
  kBadArgument,           // A text that the constructor refuses.
  kComputedArgument,      // A constructor's argument that is not a literal.
  kEmptySet,              // [] has no type.
  kLevelExceeded,         // More steps from entity to entity than the level allows.
  kLiteralDereference,    // A step that begins at an entity that the policy names.
  kImpossiblePolicy,      // It can hold for no request.
  kBidirectionalText,     // Characters that change the direction of what follows.
  kMixedScripts,          // A word with letters of several scripts.
  kConfusableIdentifier,  // A character that identifiers should not have.
};

// "validate-unknown-entity-type", …: stable, for tools.
std::string_view CodeOf(FindingKind kind);
bool IsWarning(FindingKind kind);

// Borrows the policy.
class Findings {
 public:
  explicit Findings(const PlacedPolicy& policy) : policy_(policy) {}

  // Nothing where the same was said of the same place already: a policy is looked at once for each
  // kind of request.
  void Add(FindingKind kind, Span span, std::string message,
           std::optional<std::string> hint = std::nullopt);

  [[nodiscard]] bool has_errors() const { return has_errors_; }
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  const PlacedPolicy& policy_;
  std::vector<Diagnostic> diagnostics_;
  bool has_errors_ = false;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_FINDINGS_H_
