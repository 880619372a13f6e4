#include "base/domain_name.h"

#include <algorithm>

namespace palyra::base {
namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr bool IsHexDigit(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// The letter, digit, '-' or '_' in lower case; 0 for any other byte.
constexpr char CanonicalByte(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_' ? c : '\0';
}

}  // namespace

bool EndsInNumber(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (last.empty()) return false;
  if (std::ranges::all_of(last, IsDigit)) return true;
  return (last.starts_with("0x") || last.starts_with("0X")) &&
         std::ranges::all_of(last.substr(2), IsHexDigit);
}

std::optional<std::string> CanonicalDomain(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kMaxNameSize) return std::nullopt;
  std::string name(text);
  size_t label_size = 0;
  for (char& c : name) {
    if (c == '.') {
      if (label_size == 0) return std::nullopt;
      label_size = 0;
      continue;
    }
    c = CanonicalByte(c);
    if (c == '\0' || ++label_size > kMaxLabelSize) return std::nullopt;
  }
  if (label_size == 0 || EndsInNumber(name)) return std::nullopt;
  return name;
}

bool IsLocalhost(std::string_view name) {
  constexpr std::string_view kName = "localhost";
  return name == kName || (name.ends_with(kName) && name[name.size() - kName.size() - 1] == '.');
}

}  // namespace palyra::base
