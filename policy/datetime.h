// Cedar's extension type datetime: an instant in milliseconds since 1970-01-01T00:00:00Z, in days
// of 86,400 seconds.

#ifndef PALYRA_POLICY_DATETIME_H_
#define PALYRA_POLICY_DATETIME_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/duration.h"

namespace palyra::policy {

class Datetime {
 public:
  explicit constexpr Datetime(int64_t milliseconds) : milliseconds_(milliseconds) {}

  // Cedar's grammar: "YYYY-MM-DD", or that and "THH:MM:SS", optionally ".mmm", and "Z" or "+hhmm"
  // or
  // "-hhmm". The day exists in the Gregorian calendar of years 0000 to 9999; hours are below 24,
  // minutes and seconds below 60, in the offset too. Nothing where the text is not that.
  static std::optional<Datetime> Parse(std::string_view text);

  [[nodiscard]] int64_t milliseconds() const { return milliseconds_; }

  // Nothing where the result is not a 64-bit signed number of milliseconds.
  [[nodiscard]] std::optional<Datetime> Offset(Duration duration) const;
  [[nodiscard]] std::optional<Duration> DurationSince(Datetime earlier) const;
  [[nodiscard]] std::optional<Datetime> ToDate() const;  // The day's beginning.

  // The time since the day's beginning, 0 to 86,399,999 ms.
  [[nodiscard]] Duration ToTime() const;

  // "2024-10-15T11:38:02.101Z", which Parse reads back; nothing outside of years 0000 to 9999, for
  // which there is no text.
  [[nodiscard]] std::optional<std::string> ToString() const;

  auto operator<=>(const Datetime&) const = default;

 private:
  int64_t milliseconds_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_DATETIME_H_
