// Cedar's extension type decimal: a number with four digits behind the point.

#ifndef PALYRA_POLICY_DECIMAL_H_
#define PALYRA_POLICY_DECIMAL_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace palyra::policy {

class Decimal {
 public:
  // `ten_thousandths` / 10000.
  explicit constexpr Decimal(int64_t ten_thousandths) : ten_thousandths_(ten_thousandths) {}

  // Cedar's grammar: an optional `-`, digits, a point, one to four digits. Nothing where the text
  // is not that, or the number of ten-thousandths is not a 64-bit signed integer.
  static std::optional<Decimal> Parse(std::string_view text);

  [[nodiscard]] int64_t ten_thousandths() const { return ten_thousandths_; }

  // At least one digit behind the point, and no zeros after it at the end: "-0.5", "3.0". Parse
  // gives the same value back.
  [[nodiscard]] std::string ToString() const;

  auto operator<=>(const Decimal&) const = default;

 private:
  int64_t ten_thousandths_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_DECIMAL_H_
