#include "policy/duration.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace palyra::policy {
namespace {

struct Unit {
  std::string_view name;
  int64_t milliseconds;
};

constexpr std::array<Unit, 5> kUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

constexpr std::string_view kDigits = "0123456789";

// `digits` as a number with this sign, which goes into each step: the smallest number has no
// positive counterpart.
std::optional<int64_t> ReadSigned(std::string_view digits, bool negative) {
  int64_t value = 0;
  for (const char c : digits) {
    const int64_t digit = c - '0';
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, negative ? -digit : digit, &value)) {
      return std::nullopt;
    }
  }
  return value;
}

}  // namespace

std::optional<Duration> Duration::Parse(std::string_view text) {
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  if (text.empty()) {
    return std::nullopt;
  }
  int64_t sum = 0;
  const Unit* allowed = kUnits.begin();
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of(kDigits), text.size());
    std::optional<int64_t> part = ReadSigned(text.substr(0, digits), negative);
    const std::string_view rest = text.substr(digits);
    const std::string_view name = rest.substr(0, rest.find_first_of(kDigits));
    const Unit* unit =
        std::find_if(allowed, kUnits.end(), [&](const Unit& u) { return u.name == name; });
    if (digits == 0 || !part || unit == kUnits.end() ||
        __builtin_mul_overflow(*part, unit->milliseconds, &*part) ||
        __builtin_add_overflow(sum, *part, &sum)) {
      return std::nullopt;
    }
    allowed = unit + 1;
    text = rest.substr(name.size());
  }
  return Duration(sum);
}

std::string Duration::ToString() const {
  if (milliseconds_ == 0) {
    return "0ms";
  }
  std::string out = milliseconds_ < 0 ? "-" : "";
  int64_t rest = milliseconds_;
  for (const Unit& unit : kUnits) {
    const int64_t count = rest / unit.milliseconds;
    rest %= unit.milliseconds;
    if (count != 0) {
      out += std::to_string(count < 0 ? -count : count) + std::string(unit.name);
    }
  }
  return out;
}

}  // namespace palyra::policy
