// JSON as Cedar reads it.

#ifndef PALYRA_POLICY_JSON_TREE_H_
#define PALYRA_POLICY_JSON_TREE_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "policy/ast.h"
#include "policy/source.h"

namespace palyra::policy {

// One JSON value. Keys of an object are unique and in the order of the text.
struct JsonNode {
  using Array = std::vector<JsonNode>;
  struct Object {
    std::vector<JsonNode> members;
  };
  // A number that is no 64-bit signed integer, and so no Cedar value.
  struct Unfit {
    std::string why;  // With its place, as an error says it.
  };
  // monostate: null
  std::variant<std::monostate, bool, int64_t, std::string, Array, Object, Unfit> data;
  std::string key;  // Of a member of an object.

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  [[nodiscard]] const bool* AsBool() const { return std::get_if<bool>(&data); }
  [[nodiscard]] const int64_t* AsLong() const { return std::get_if<int64_t>(&data); }
  [[nodiscard]] const std::string* AsString() const { return std::get_if<std::string>(&data); }
  [[nodiscard]] const Array* AsArray() const { return std::get_if<Array>(&data); }
  [[nodiscard]] const Object* AsObject() const { return std::get_if<Object>(&data); }

  // The member of an object; null where there is none, or this is no object.
  [[nodiscard]] const JsonNode* Find(std::string_view name) const;

  // The first unfit number here or below; null where there is none.
  [[nodiscard]] const Unfit* FindUnfit() const;
};

// Cedar's own reader takes an array in place of some objects: the values of `keys` in order, the
// last ones left out or not. The object that such an array stands for; nothing where `node` is
// something else.
std::optional<JsonNode> ObjectFromArray(const JsonNode& node,
                                        std::initializer_list<std::string_view> keys);

enum class UnfitNumbers : uint8_t { kRefuse, kKeep };

// The whole text as one value. Refused: numbers that are not 64-bit signed integers, unless they
// are to be kept because they may stand in members that nobody reads; duplicate keys, nesting
// beyond `max_nesting`, and what is not JSON (RFC 8259) in UTF-8. The message says where:
// "entities.json:3:7: …" or "entities.json: at [2].attrs.port: …".
Result<JsonNode> ParseJson(const SourceFile& source, size_t max_nesting = kMaxNesting,
                           UnfitNumbers unfit = UnfitNumbers::kRefuse);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_JSON_TREE_H_
