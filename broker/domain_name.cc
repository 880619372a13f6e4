#include "broker/domain_name.h"

#include <algorithm>

namespace palyra::broker {
namespace {

constexpr size_t kLongestName = 253;
constexpr size_t kLongestLabel = 63;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsNameByte(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_'; }

bool IsNumber(std::string_view label) {
  if (label.starts_with("0x")) return std::ranges::all_of(label.substr(2), IsHexDigit);
  return std::ranges::all_of(label, IsDigit);
}

}  // namespace

std::optional<std::string> CanonicalDomain(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  std::string canonical(name);
  std::ranges::transform(canonical, canonical.begin(), Lower);
  std::string_view rest = canonical;
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > kLongestLabel) return std::nullopt;
    if (!std::ranges::all_of(label, IsNameByte)) return std::nullopt;
    if (dot == std::string_view::npos) {
      if (IsNumber(label)) return std::nullopt;
      return canonical;
    }
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace palyra::broker
