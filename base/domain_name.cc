#include "base/domain_name.h"

#include <algorithm>

namespace palyra::base {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsOfLabel(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_'; }

bool IsHexDigit(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelLength && std::ranges::all_of(label, IsOfLabel);
}

bool IsNumber(std::string_view label) {
  return std::ranges::all_of(label, IsDigit) ||
         (label.starts_with("0x") && std::ranges::all_of(label.substr(2), IsHexDigit));
}

}  // namespace

std::optional<std::string> CanonicalDomain(std::string_view name) {
  if (name.ends_with('.')) {
    name.remove_suffix(1);
  }
  if (name.empty() || name.size() > kMaxDomainLength) {
    return std::nullopt;
  }
  std::string canonical(name);
  for (char& c : canonical) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  std::string_view rest = canonical;
  for (size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
    if (!IsLabel(rest.substr(0, dot))) {
      return std::nullopt;
    }
    rest.remove_prefix(dot + 1);
  }
  return IsLabel(rest) && !IsNumber(rest) ? std::optional(std::move(canonical)) : std::nullopt;
}

}  // namespace palyra::base
