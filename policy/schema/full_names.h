// A schema in which no name depends on where it stands.

#ifndef PALYRA_POLICY_SCHEMA_FULL_NAMES_H_
#define PALYRA_POLICY_SCHEMA_FULL_NAMES_H_

#include <expected>
#include <vector>

#include "policy/schema/fragment.h"
#include "policy/source.h"

namespace palyra::policy {

// The same schema with every name in full, and every kEntityOrCommon decided: kEntity, or kCommon
// also for the built-in types. What is refused is a name that is not declared, with every such name
// but at most 20; that common types end, that contexts are records and whatever else
// Schema::Resolve asks is not asked. So the official `cedar-to-json-with-resolved-types` does it.
std::expected<SchemaFragment, std::vector<Diagnostic>> WithFullNames(
    const SchemaFragment& fragment);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_FULL_NAMES_H_
