// Whether policies fit a schema: no request that fits it makes them fail on a type, a name or a
// missing attribute.
// Normative text: cedar-spec, Cedar/Validation/Validator.lean; levels: Cedar RFC 76.

#ifndef PALYRA_POLICY_VALIDATE_VALIDATOR_H_
#define PALYRA_POLICY_VALIDATE_VALIDATOR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "policy/policy_set.h"
#include "policy/schema/schema.h"
#include "policy/source.h"

namespace palyra::policy {

struct ValidationOptions {
  ValidationMode mode = ValidationMode::kStrict;
  // Policies that are valid without it are held to this many steps from an entity to another: a
  // request needs no entities beyond them.
  std::optional<uint32_t> max_level = std::nullopt;
};

struct ValidationReport {
  std::vector<Diagnostic> errors;
  std::vector<Diagnostic> warnings;  // Never make the policies invalid.
  [[nodiscard]] bool valid() const { return errors.empty(); }
};

// Policies, templates and links, each for all kinds of request that the schema has. What validation
// does not find: entities that are missing from the store, and arithmetic that overflows.
ValidationReport Validate(const PolicySet& policies, const Schema& schema,
                          const ValidationOptions& options = {});

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_VALIDATOR_H_
