// Cedar values out of JSON, without a schema.
// https://docs.cedarpolicy.com/auth/entities-syntax.html

#ifndef PALYRA_POLICY_JSON_VALUE_H_
#define PALYRA_POLICY_JSON_VALUE_H_

#include <string>

#include "base/result.h"
#include "policy/json_tree.h"
#include "policy/value.h"

namespace palyra::policy {

// {"type", "id"}, or {"__entity": {"type", "id"}}. `place` begins every message.
Result<EntityUid> UidFromJson(const JsonNode& node, const std::string& place);

// An object with the one key __entity or __extn is an entity or the result of an extension function
// ({"fn", "arg"} or {"fn", "args"}); with any other key beside it it is a record. Refused: null,
// the old escape __expr, functions that do not exist and calls that error.
Result<Value> ValueFromJson(const JsonNode& node, const std::string& place);

// Each member of an object as a value.
Result<RecordValue> RecordFromJson(const JsonNode& node, const std::string& place,
                                   const std::string& member_word);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_JSON_VALUE_H_
