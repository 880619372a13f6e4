// Schemas in Cedar's own syntax.
// https://docs.cedarpolicy.com/schema/human-readable-schema-grammar.html

#ifndef PALYRA_POLICY_SCHEMA_TEXT_PARSER_H_
#define PALYRA_POLICY_SCHEMA_TEXT_PARSER_H_

#include <expected>
#include <vector>

#include "policy/schema/fragment.h"
#include "policy/source.h"

namespace palyra::policy {

// A whole file; or every error found, at least one. After an error the parser goes on behind the
// next `;`, and gives up after 20 errors. Of an attribute that stands twice in a record the last
// counts, as in Cedar. Types are nested at most kMaxNesting deep.
std::expected<SchemaFragment, std::vector<Diagnostic>> ParseSchemaText(const SourcePtr& source);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_TEXT_PARSER_H_
