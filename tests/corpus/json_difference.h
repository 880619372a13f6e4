// Whether two JSON values mean the same.

#ifndef PALYRA_TESTS_CORPUS_JSON_DIFFERENCE_H_
#define PALYRA_TESTS_CORPUS_JSON_DIFFERENCE_H_

#include <string>

#include "policy/json_tree.h"

namespace palyra::tests {

// Where `actual` differs from `expected` first, as "at .a[2]: expected …, got …"; empty where they
// are the same but for the order of members.
std::string JsonDifference(const policy::JsonNode& expected, const policy::JsonNode& actual);

// The same for texts; text that is no JSON is a difference.
std::string JsonDifference(const std::string& expected, const std::string& actual);

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_CORPUS_JSON_DIFFERENCE_H_
