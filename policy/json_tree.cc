#include "policy/json_tree.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "policy/printer.h"

namespace palyra::policy {
namespace {

// Takes the parser's events and builds the tree. The member functions are nlohmann's SAX interface;
// false stops the parse.
class TreeBuilder {
 public:
  using Json = nlohmann::json;

  TreeBuilder(const SourceFile& source, size_t max_nesting)
      : source_(source), max_nesting_(max_nesting) {}

  Result<JsonNode> Finish() && {
    if (error_) {
      return Fail(ErrorCode::kInvalidArgument, *std::move(error_));
    }
    return std::move(root_);
  }

  bool null() { return Add(JsonNode{}); }
  bool boolean(bool value) { return Add(JsonNode{value, {}}); }
  bool number_integer(Json::number_integer_t value) { return Add(JsonNode{int64_t{value}, {}}); }
  bool number_unsigned(Json::number_unsigned_t value) {
    return std::in_range<int64_t>(value) ? Add(JsonNode{static_cast<int64_t>(value), {}})
                                         : Refuse(std::to_string(value) + kOutOfRange);
  }
  bool number_float(Json::number_float_t /*value*/, const std::string& text) {
    const bool digits_only = text.find_first_of(".eE") == std::string::npos;
    return Refuse(text + (digits_only ? kOutOfRange : " is not an integer; Cedar has no others"));
  }
  bool string(std::string& value) { return Add(JsonNode{std::move(value), {}}); }
  bool binary(Json::binary_t& /*value*/) { return Refuse("binary data is not JSON"); }

  bool start_object(size_t /*size*/) { return Open(JsonNode{JsonNode::Object(), {}}); }
  bool key(std::string& key) {
    open_.back().key = std::move(key);
    return true;
  }
  bool end_object() {
    std::vector<std::string_view> keys;
    for (const JsonNode& member : std::get<JsonNode::Object>(open_.back().node.data).members) {
      keys.push_back(member.key);
    }
    std::ranges::sort(keys);
    const auto twice = std::ranges::adjacent_find(keys);
    if (twice != keys.end()) {
      open_.back().key = *twice;
      return Refuse("this key stands twice in its object");
    }
    return Close();
  }
  bool start_array(size_t /*size*/) { return Open(JsonNode{JsonNode::Array(), {}}); }
  bool end_array() { return Close(); }

  bool parse_error(size_t position, const std::string& /*token*/, const Json::exception& error) {
    const LineColumn place =
        source_.Locate(static_cast<uint32_t>(position == 0 ? 0 : position - 1));
    // What the library says begins with its own name, number and place.
    std::string what = error.what();
    if (const size_t at = what.find("syntax error"); at != std::string::npos) {
      what.erase(0, at);
    }
    error_ = source_.name() + ':' + std::to_string(place.line) + ':' +
             std::to_string(place.column) + ": " + what;
    return false;
  }

 private:
  static constexpr const char* kOutOfRange = " is outside the range of 64-bit signed integers";

  struct Frame {
    JsonNode node;
    std::string key;  // Of the member at hand, in an object.
  };

  bool Open(JsonNode container) {
    open_.push_back({.node = std::move(container), .key = ""});
    return open_.size() <= max_nesting_ ||
           Refuse("this is nested deeper than " + std::to_string(max_nesting_) + " levels");
  }

  bool Close() {
    JsonNode done = std::move(open_.back().node);
    open_.pop_back();
    return Add(std::move(done));
  }

  bool Add(JsonNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (auto* array = std::get_if<JsonNode::Array>(&open_.back().node.data)) {
      array->push_back(std::move(node));
    } else {
      node.key = open_.back().key;
      std::get<JsonNode::Object>(open_.back().node.data).members.push_back(std::move(node));
    }
    return true;
  }

  bool Refuse(const std::string& why) {
    std::string path;
    for (const Frame& frame : open_) {
      if (const auto* array = std::get_if<JsonNode::Array>(&frame.node.data)) {
        path += '[' + std::to_string(array->size()) + ']';
      } else {
        path += (path.empty() ? "" : ".") + frame.key;
      }
    }
    error_ = source_.name() + ": " + (path.empty() ? "" : "at " + path + ": ") + why;
    return false;
  }

  const SourceFile& source_;
  size_t max_nesting_;
  std::vector<Frame> open_;  // From the outermost container to the innermost.
  JsonNode root_;
  std::optional<std::string> error_;
};

}  // namespace

const JsonNode* JsonNode::Find(std::string_view name) const {
  const Object* object = AsObject();
  if (object == nullptr) {
    return nullptr;
  }
  const auto found = std::ranges::find(object->members, name, &JsonNode::key);
  return found == object->members.end() ? nullptr : &*found;
}

std::optional<JsonNode> ObjectFromArray(const JsonNode& node,
                                        std::initializer_list<std::string_view> keys) {
  const JsonNode::Array* array = node.AsArray();
  if (array == nullptr || array->size() > keys.size()) {
    return std::nullopt;
  }
  JsonNode::Object object{*array};
  const auto* key = keys.begin();
  for (JsonNode& member : object.members) {
    member.key = *key++;
  }
  return JsonNode{.data = std::move(object), .key = node.key};
}

Result<JsonNode> ParseJson(const SourceFile& source, size_t max_nesting) {
  TreeBuilder builder(source, max_nesting);
  try {
    nlohmann::json::sax_parse(source.text(), &builder);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, source.name() + ": " + error.what());
  }
  return std::move(builder).Finish();
}

}  // namespace palyra::policy
