// Schemas in Cedar's JSON syntax.
// https://docs.cedarpolicy.com/schema/json-schema.html

#ifndef PALYRA_POLICY_SCHEMA_JSON_READER_H_
#define PALYRA_POLICY_SCHEMA_JSON_READER_H_

#include <expected>
#include <vector>

#include "policy/schema/fragment.h"
#include "policy/source.h"

namespace palyra::policy {

// A whole file, or the first error. Its message begins with the file's name and says where:
// `s.json: namespace "A": entity type "User": …`. Keys that mean nothing are errors.
std::expected<SchemaFragment, std::vector<Diagnostic>> ParseSchemaJson(const SourcePtr& source);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_JSON_READER_H_
