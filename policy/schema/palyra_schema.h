// The schema that every policy of the engine is held to, with what a user adds to it.

#ifndef PALYRA_POLICY_SCHEMA_PALYRA_SCHEMA_H_
#define PALYRA_POLICY_SCHEMA_PALYRA_SCHEMA_H_

#include <cstdint>
#include <expected>
#include <vector>

#include "policy/schema/schema.h"
#include "policy/source.h"

namespace palyra::policy {

inline constexpr const char* kPalyraNamespace = "Palyra";

// policy/schema/palyra.cedarschema as it was at build time.
extern const char* const kPalyraSchemaText;

// Of the attributes that the engine itself gives to entities which a file may name (Tool).
enum class EngineAttributes : uint8_t {
  kThere,    // As policies see them.
  kMayLack,  // As a file of entities has them.
};

// The built-in schema and the user's fragments as one. A fragment may declare an entity type of the
// built-in schema again: its attributes and parents are added, and its tags where the built-in type
// has none. Refused, besides what Schema::Resolve refuses: an attribute that the built-in type has
// already, tags for a type that has them, a required attribute for a type whose entities the engine
// makes itself, and actions of the namespace Palyra.
std::expected<Schema, std::vector<Diagnostic>> PalyraSchema(
    const std::vector<SchemaFragment>& extensions,
    EngineAttributes attributes = EngineAttributes::kThere);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_PALYRA_SCHEMA_H_
