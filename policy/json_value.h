// Cedar values out of JSON, without a schema.
// https://docs.cedarpolicy.com/auth/entities-syntax.html

#ifndef PALYRA_POLICY_JSON_VALUE_H_
#define PALYRA_POLICY_JSON_VALUE_H_

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/json_tree.h"
#include "policy/value.h"

namespace palyra::policy {

// {"type", "id"}, [type, id], or {"__entity": either}; other keys are ignored. `place` begins every
// message.
Result<EntityUid> UidFromJson(const JsonNode& node, const std::string& place);

// Whether this is {"type", "id"} or [type, id], both strings.
bool IsTypeAndId(const JsonNode& node);

// What a call of an extension function is written as: {"fn", "arg"} or {"fn", "args"}.
struct CallJson {
  const std::string* function;
  std::vector<const JsonNode*> args;
};

// Nothing where `node` is something else. Pointers into `node`.
std::optional<CallJson> FindCall(const JsonNode& node);

// The refusal of the old escape {"__expr": "…"} where `node` has that key with a string.
std::optional<Error> CheckNoExprEscape(const JsonNode& node, const std::string& place);

// An object whose one key is __entity or __extn, with what belongs there behind it, is an entity or
// the result of an extension function; every other object is a record. Refused: null, the old
// escape __expr, functions that there are not and calls that error.
Result<Value> ValueFromJson(const JsonNode& node, const std::string& place);

// Each member of an object as a value.
Result<RecordValue> RecordFromJson(const JsonNode& node, const std::string& place,
                                   const std::string& member_word);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_JSON_VALUE_H_
