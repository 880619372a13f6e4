// JSON cut into the texts of its parts, for parts that have readers of their own.

#ifndef PALYRA_CLI_CEDAR_RAW_JSON_H_
#define PALYRA_CLI_CEDAR_RAW_JSON_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace palyra::cli {

struct RawMember {
  std::string key;
  std::string_view value;  // Without white space around it.
};

// The members of an object, in order, or the items of an array. Refused: text that is no object (no
// array), and a key that stands twice. The inside of nested objects and arrays is only counted
// through to its end: whoever reads a part sees whether it is JSON. Views point into `text`.
Result<std::vector<RawMember>> SplitObject(std::string_view text);
Result<std::vector<std::string_view>> SplitArray(std::string_view text);

// What a JSON string says.
Result<std::string> ReadJsonString(std::string_view text);

// Null where there is none.
const RawMember* FindMember(const std::vector<RawMember>& members, std::string_view key);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_RAW_JSON_H_
