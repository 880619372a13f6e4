// Entities, contexts and requests under a schema: what is read with its help, and what conforms.
// https://docs.cedarpolicy.com/auth/entities-syntax.html
// Normative text: cedar-spec, Cedar/Validation/RequestEntityValidator.lean.

#ifndef PALYRA_POLICY_SCHEMA_DATA_H_
#define PALYRA_POLICY_SCHEMA_DATA_H_

#include <optional>
#include <string>

#include "base/result.h"
#include "policy/evaluator.h"
#include "policy/json_tree.h"
#include "policy/schema/schema.h"

namespace palyra::policy {

// A value where `type` is expected: an entity may be written without __entity, an extension value
// without __extn or as the text of its constructor alone; records have the attributes of their
// type. What comes out need not be of that type yet; Mismatch tells. `place` begins every message.
Result<Value> TypedValueFromJson(const JsonNode& node, const Type& type, const std::string& place);

// Why `value` is not of `type`, nothing where it is: another kind, an attribute that is missing or
// not in the type, an entity of another type, an id that its enumerated type does not list, an
// action that is not declared.
std::optional<std::string> Mismatch(const Value& value, const Type& type, const Schema& schema);

// As EntityStore::FromJson, under a schema. Refused further: types and attributes that are not
// declared, required attributes that are missing, values and tags of other types, ancestors of
// types that the hierarchy does not allow, ids that an enumerated type does not list, and actions
// that differ from their declaration. The actions of the schema are added.
Result<EntityStore> EntitiesFromJson(const SourceFile& source, const Schema& schema);

// As ContextFromJson without a schema, for requests of `action`, which must be declared.
Result<Value> ContextFromJson(const SourceFile& source, const Schema& schema,
                              const EntityUid& action);

// Refused is a request whose action is not declared or does not apply to the types of its principal
// and resource, whose context is not of the action's type, or with an id that its enumerated type
// does not list. Messages begin with the part of the request: `principal: …`.
Result<void> ValidateRequest(const Request& request, const Schema& schema);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_DATA_H_
