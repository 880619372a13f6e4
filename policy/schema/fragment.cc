#include "policy/schema/fragment.h"

#include <algorithm>
#include <array>
#include <utility>

namespace palyra::policy {
namespace {

constexpr std::array<std::string_view, 8> kReservedTypeNames = {
    "Bool", "Boolean", "Entity", "Extension", "Long", "Record", "Set", "String"};

}  // namespace

WrittenTypePtr MakeNamed(WrittenType::Kind kind, std::string name, Span span) {
  WrittenType type;
  type.kind = kind;
  type.name = std::move(name);
  type.span = span;
  return std::make_shared<const WrittenType>(std::move(type));
}

WrittenTypePtr MakeSet(WrittenTypePtr element, Span span) {
  WrittenType type;
  type.kind = WrittenType::Kind::kSet;
  type.element = std::move(element);
  type.span = span;
  return std::make_shared<const WrittenType>(std::move(type));
}

WrittenTypePtr MakeRecord(std::map<std::string, WrittenAttribute> attributes, Span span) {
  WrittenType type;
  type.attributes = std::move(attributes);
  type.span = span;
  return std::make_shared<const WrittenType>(std::move(type));
}

bool IsReservedTypeName(std::string_view name) {
  return std::ranges::find(kReservedTypeNames, name) != kReservedTypeNames.end();
}

bool NamesReserved(std::string_view path) {
  while (true) {
    const size_t colons = path.find("::");
    if (path.substr(0, colons) == "__cedar") {
      return true;
    }
    if (colons == std::string_view::npos) {
      return false;
    }
    path.remove_prefix(colons + 2);
  }
}

}  // namespace palyra::policy
