#include "policy/names.h"

#include <algorithm>
#include <array>
#include <utility>

namespace palyra::policy {
namespace {

constexpr std::array<std::string_view, 10> kReserved = {"true", "false", "if",   "then", "else",
                                                        "in",   "is",    "like", "has",  "__cedar"};

// In the order of their enumerations.
constexpr std::array<std::string_view, 4> kVariables = {"principal", "action", "resource",
                                                        "context"};
constexpr std::array<std::string_view, 15> kBinaryOperators = {
    "==", "!=", "<",        "<=",          ">",           ">=",     "in",    "+",
    "-",  "*",  "contains", "containsAll", "containsAny", "getTag", "hasTag"};

template <typename Enumeration, size_t kSize>
std::optional<Enumeration> Find(const std::array<std::string_view, kSize>& names,
                                std::string_view name) {
  const auto* found = std::ranges::find(names, name);
  return found == names.end() ? std::nullopt
                              : std::optional(static_cast<Enumeration>(found - names.begin()));
}

}  // namespace

bool IsIdentifier(std::string_view text) {
  const auto is_letter = [](char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !text.empty() && is_letter(text[0]) &&
         std::ranges::all_of(text, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool IsReserved(std::string_view identifier) {
  return std::ranges::find(kReserved, identifier) != kReserved.end();
}

bool IsBareName(std::string_view name) { return IsIdentifier(name) && !IsReserved(name); }

bool IsActionType(std::string_view type) { return type == "Action" || type.ends_with("::Action"); }

std::string_view NameOf(Variable variable) { return kVariables.at(static_cast<size_t>(variable)); }
std::string_view NameOf(BinaryOp op) { return kBinaryOperators.at(static_cast<size_t>(op)); }

std::optional<Variable> FindVariable(std::string_view name) {
  return Find<Variable>(kVariables, name);
}

std::optional<BinaryOp> FindMethodOperator(std::string_view name) {
  const std::optional<BinaryOp> op = Find<BinaryOp>(kBinaryOperators, name);
  return op && *op >= BinaryOp::kContains ? op : std::nullopt;
}

}  // namespace palyra::policy
