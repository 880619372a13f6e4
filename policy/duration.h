// Cedar's extension type duration: a signed span of time in milliseconds.

#ifndef PALYRA_POLICY_DURATION_H_
#define PALYRA_POLICY_DURATION_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace palyra::policy {

class Duration {
 public:
  explicit constexpr Duration(int64_t milliseconds) : milliseconds_(milliseconds) {}

  // Cedar's grammar: an optional `-`, then numbers with the units d, h, m, s, ms, each at most once
  // and in this order, at least one: "1d2h", "-90s500ms". Numbers may be larger than the unit
  // above. Nothing where the text is not that, or the sum is not a 64-bit signed integer.
  static std::optional<Duration> Parse(std::string_view text);

  // Whole units, the rest dropped: towards zero.
  [[nodiscard]] int64_t ToMilliseconds() const { return milliseconds_; }
  [[nodiscard]] int64_t ToSeconds() const { return milliseconds_ / 1000; }
  [[nodiscard]] int64_t ToMinutes() const { return milliseconds_ / 60'000; }
  [[nodiscard]] int64_t ToHours() const { return milliseconds_ / 3'600'000; }
  [[nodiscard]] int64_t ToDays() const { return milliseconds_ / 86'400'000; }

  // "1d2h3m4s5ms" without the units that are zero; "0ms". Parse gives the same value back.
  [[nodiscard]] std::string ToString() const;

  auto operator<=>(const Duration&) const = default;

 private:
  int64_t milliseconds_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_DURATION_H_
