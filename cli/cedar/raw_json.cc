#include "cli/cedar/raw_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/json_tree.h"
#include "policy/source.h"

namespace palyra::cli {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  // Whether the next character behind white space is `wanted`; then it is taken.
  bool Take(char wanted) {
    SkipSpace();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

  // Up to the end of the value that begins here; empty where none does.
  std::string_view TakeValue() {
    SkipSpace();
    const size_t start = at_;
    size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (depth == 0 && (c == ',' || c == ']' || c == '}' || kSpace.contains(c))) break;
      if (c == '"') {
        SkipString();
      } else {
        ++at_;
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
      }
      if (depth == 0 && (c == '"' || c == '}' || c == ']')) break;
    }
    return text_.substr(start, at_ - start);
  }

  [[nodiscard]] std::unexpected<Error> Fail(std::string_view wanted) const {
    return base::Fail(ErrorCode::kInvalidArgument,
                      fmt::format("not JSON: expected {} at byte {}", wanted, at_));
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && kSpace.contains(text_[at_])) ++at_;
  }

  void SkipString() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

Result<std::string> ReadJsonString(std::string_view text) {
  Result<policy::JsonNode> node =
      policy::ParseJson(policy::SourceFile("string", std::string(text)));
  if (!node) return std::unexpected(node.error());
  if (node->AsString() != nullptr) return *node->AsString();
  return Fail(ErrorCode::kInvalidArgument, "not a string");
}

Result<std::vector<RawMember>> SplitObject(std::string_view text) {
  Splitter splitter(text);
  std::vector<RawMember> members;
  if (!splitter.Take('{')) return splitter.Fail("\"{\"");
  if (!splitter.Take('}')) {
    do {
      Result<std::string> key = ReadJsonString(splitter.TakeValue());
      if (!key) return splitter.Fail("a key in quotes");
      if (!splitter.Take(':')) return splitter.Fail("\":\"");
      const std::string_view value = splitter.TakeValue();
      if (value.empty()) return splitter.Fail("a value");
      if (FindMember(members, *key) != nullptr) {
        return Fail(ErrorCode::kInvalidArgument, fmt::format("the key \"{}\" stands twice", *key));
      }
      members.push_back({*std::move(key), value});
    } while (splitter.Take(','));
    if (!splitter.Take('}')) return splitter.Fail(R"("," or "}")");
  }
  if (!splitter.AtEnd()) return splitter.Fail("nothing more");
  return members;
}

Result<std::vector<std::string_view>> SplitArray(std::string_view text) {
  Splitter splitter(text);
  std::vector<std::string_view> items;
  if (!splitter.Take('[')) return splitter.Fail("\"[\"");
  if (!splitter.Take(']')) {
    do {
      items.push_back(splitter.TakeValue());
      if (items.back().empty()) return splitter.Fail("a value");
    } while (splitter.Take(','));
    if (!splitter.Take(']')) return splitter.Fail(R"("," or "]")");
  }
  if (!splitter.AtEnd()) return splitter.Fail("nothing more");
  return items;
}

const RawMember* FindMember(const std::vector<RawMember>& members, std::string_view key) {
  const auto found = std::ranges::find(members, key, &RawMember::key);
  return found == members.end() ? nullptr : &*found;
}

}  // namespace palyra::cli
