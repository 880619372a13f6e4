#include "base/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace palyra::base {
namespace {

constexpr std::string_view kUnits = "KMGT";
constexpr uint64_t kMostBytes = uint64_t{1} << 60;

std::string Quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

// All of `text`, without a sign.
std::optional<uint64_t> WholeNumber(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Result<uint64_t> ParseSize(std::string_view text) {
  std::string_view digits = text;
  unsigned shift = 0;
  if (const size_t unit = text.empty() ? std::string_view::npos : kUnits.find(text.back());
      unit != std::string_view::npos) {
    digits.remove_suffix(1);
    shift = 10 * (static_cast<unsigned>(unit) + 1);
  }
  const std::optional<uint64_t> number = WholeNumber(digits);
  if (!number || *number > kMostBytes >> shift) {
    return Fail(ErrorCode::kInvalidArgument,
                Quoted(text) +
                    " is not a size; write bytes, or a whole number with K, M, G or T, as in 64M");
  }
  return *number << shift;
}

Result<uint64_t> ParseCount(std::string_view text, uint64_t most) {
  const std::optional<uint64_t> number = WholeNumber(text);
  if (number && *number >= 1 && *number <= most) return *number;
  return Fail(ErrorCode::kInvalidArgument,
              Quoted(text) + " is not a whole number from 1 to " + std::to_string(most));
}

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  double count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  double seconds = 0;
  if (unit.empty() || unit == "s") seconds = 1;
  if (unit == "m") seconds = 60;
  if (unit == "h") seconds = 3600;
  constexpr double kYear = 366.0 * 24 * 3600;
  const double total = count * seconds;
  if (error != std::errc() || !(total >= 0.001) || total > kYear) {
    return Fail(ErrorCode::kInvalidArgument,
                Quoted(text) + " is not a time; write seconds, or a number with s, m or h");
  }
  return std::chrono::milliseconds(static_cast<int64_t>(std::llround(total * 1000)));
}

std::string SizeText(uint64_t bytes) {
  constexpr std::array kNames = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kNames.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + ' ' + kNames.at(unit);
}

}  // namespace palyra::base
