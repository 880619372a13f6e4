// Schemas back to either syntax.

#ifndef PALYRA_POLICY_SCHEMA_PRINTER_H_
#define PALYRA_POLICY_SCHEMA_PRINTER_H_

#include <string>

#include "base/result.h"
#include "policy/schema/fragment.h"

namespace palyra::policy {

// Cedar text that means the same: names sorted, two spaces a level. Refused are schemas that have
// no such text: an entity type whose shape is not a record in place, and an entity type and a
// common type of one name in one named namespace.
Result<std::string> ToSchemaText(const SchemaFragment& fragment);

// The JSON form, on one line; every schema has one. Parts that say nothing are left out.
std::string ToSchemaJson(const SchemaFragment& fragment);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_PRINTER_H_
