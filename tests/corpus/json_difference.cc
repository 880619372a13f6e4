#include "tests/corpus/json_difference.h"

#include <fmt/format.h>

#include <string_view>

#include "policy/source.h"

namespace palyra::tests {
namespace {

using policy::JsonNode;

std::string Show(const JsonNode& node) {
  if (const bool* value = node.AsBool()) return *value ? "true" : "false";
  if (const int64_t* value = node.AsLong()) return std::to_string(*value);
  if (const std::string* value = node.AsString()) return fmt::format("\"{}\"", *value);
  if (const JsonNode::Array* items = node.AsArray()) {
    return fmt::format("an array of {}", items->size());
  }
  const JsonNode::Object* object = node.AsObject();
  if (object == nullptr) return "null";
  std::string keys = "{";
  for (const JsonNode& member : object->members) keys += fmt::format(" {}", member.key);
  return keys + " }";
}

std::string Differs(const std::string& path, const JsonNode& expected, const JsonNode& actual) {
  return fmt::format("at {}: expected {}, got {}", path, Show(expected), Show(actual));
}

std::string Compare(const std::string& path, const JsonNode& expected, const JsonNode& actual) {
  if (expected.data.index() != actual.data.index()) return Differs(path, expected, actual);
  if (const JsonNode::Array* items = expected.AsArray()) {
    const JsonNode::Array& others = *actual.AsArray();
    if (items->size() != others.size()) return Differs(path, expected, actual);
    for (size_t i = 0; i < items->size(); ++i) {
      std::string difference = Compare(fmt::format("{}[{}]", path, i), (*items)[i], others[i]);
      if (!difference.empty()) return difference;
    }
    return "";
  }
  if (const JsonNode::Object* object = expected.AsObject()) {
    if (object->members.size() != actual.AsObject()->members.size()) {
      return Differs(path, expected, actual);
    }
    for (const JsonNode& member : object->members) {
      const JsonNode* other = actual.Find(member.key);
      if (other == nullptr) return Differs(path, expected, actual);
      std::string difference = Compare(fmt::format("{}.{}", path, member.key), member, *other);
      if (!difference.empty()) return difference;
    }
    return "";
  }
  // Scalars: the same kind, so the same text means the same value.
  return Show(expected) == Show(actual) ? "" : Differs(path, expected, actual);
}

}  // namespace

std::string JsonDifference(const JsonNode& expected, const JsonNode& actual) {
  return Compare("", expected, actual);
}

std::string JsonDifference(const std::string& expected, const std::string& actual) {
  const Result<JsonNode> wanted = policy::ParseJson(policy::SourceFile("expected", expected));
  if (!wanted) return wanted.error().message;
  const Result<JsonNode> got = policy::ParseJson(policy::SourceFile("actual", actual));
  if (!got) return got.error().message;
  return JsonDifference(*wanted, *got);
}

}  // namespace palyra::tests
