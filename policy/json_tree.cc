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

  TreeBuilder(const SourceFile& source, size_t max_nesting, UnfitNumbers unfit)
      : source_(source), max_nesting_(max_nesting), unfit_(unfit) {}

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
                                         : AddUnfit(std::to_string(value) + kOutOfRange);
  }
  bool number_float(Json::number_float_t /*value*/, const std::string& text) {
    const bool digits_only = text.find_first_of(".eE") == std::string::npos;
    return AddUnfit(text + (digits_only ? kOutOfRange : " is not an integer; Cedar has no others"));
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

  bool AddUnfit(const std::string& why) {
    return unfit_ == UnfitNumbers::kRefuse ? Refuse(why)
                                           : Add(JsonNode{JsonNode::Unfit{WithPlace(why)}, {}});
  }

  bool Refuse(const std::string& why) {
    error_ = WithPlace(why);
    return false;
  }

  [[nodiscard]] std::string WithPlace(const std::string& why) const {
    std::string path;
    for (const Frame& frame : open_) {
      if (const auto* array = std::get_if<JsonNode::Array>(&frame.node.data)) {
        path += '[' + std::to_string(array->size()) + ']';
      } else {
        path += (path.empty() ? "" : ".") + frame.key;
      }
    }
    return source_.name() + ": " + (path.empty() ? "" : "at " + path + ": ") + why;
  }

  const SourceFile& source_;
  size_t max_nesting_;
  UnfitNumbers unfit_;
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

const JsonNode::Unfit* JsonNode::FindUnfit() const {
  if (const auto* unfit = std::get_if<Unfit>(&data)) {
    return unfit;
  }
  const Array* parts = AsArray();
  if (const Object* object = AsObject()) {
    parts = &object->members;
  }
  for (size_t i = 0; parts != nullptr && i < parts->size(); ++i) {
    if (const Unfit* unfit = (*parts)[i].FindUnfit()) {
      return unfit;
    }
  }
  return nullptr;
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

Result<JsonNode> ParseJson(const SourceFile& source, size_t max_nesting, UnfitNumbers unfit) {
  TreeBuilder builder(source, max_nesting, unfit);
  try {
    nlohmann::json::sax_parse(source.text(), &builder);
  } catch (const std::exception& error) {
    return Fail(ErrorCode::kInvalidArgument, source.name() + ": " + error.what());
  }
  return std::move(builder).Finish();
}

}  // namespace palyra::policy
