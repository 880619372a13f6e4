#include "policy/decimal.h"

#include <algorithm>
#include <cstddef>

namespace palyra::policy {
namespace {

constexpr int64_t kUnit = 10'000;
constexpr size_t kFractionDigits = 4;

}  // namespace

std::optional<Decimal> Decimal::Parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  const size_t point = text.find('.');
  if (point == std::string_view::npos || point == 0) {
    return std::nullopt;
  }
  std::string digits(text.substr(0, point));
  const std::string_view fraction = text.substr(point + 1);
  if (fraction.empty() || fraction.size() > kFractionDigits) {
    return std::nullopt;
  }
  digits += fraction;
  digits.append(kFractionDigits - fraction.size(), '0');
  // The sign goes into each step, for the smallest number has no positive counterpart.
  int64_t value = 0;
  for (const char c : digits) {
    const int64_t digit = c - '0';
    if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
      return std::nullopt;
    }
  }
  return Decimal(value);
}

std::string Decimal::ToString() const {
  const bool negative = ten_thousandths_ < 0;
  const int64_t whole = ten_thousandths_ / kUnit;
  const int64_t rest = ten_thousandths_ % kUnit;
  std::string fraction = std::to_string(kUnit + (negative ? -rest : rest)).substr(1);
  while (fraction.size() > 1 && fraction.ends_with('0')) {
    fraction.pop_back();
  }
  return (negative && whole == 0 ? "-" : "") + std::to_string(whole) + '.' + fraction;
}

}  // namespace palyra::policy
