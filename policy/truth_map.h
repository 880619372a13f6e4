// What a Cedar condition is over one ordered dimension: a step function of points to truth values.
//
// Two dimensions occur. An *address point* is an IPv6 address as a number; IPv4 addresses stand at
// ::ffff:0:0/96, where no event in canonical form is IPv6, so both families are one dimension. A
// *flow point* is a protocol and a port.

#ifndef PALYRA_POLICY_TRUTH_MAP_H_
#define PALYRA_POLICY_TRUTH_MAP_H_

#include <cstdint>
#include <vector>

#include "policy/ip.h"
#include "policy/rule_set.h"

namespace palyra::policy {

__extension__ typedef unsigned __int128 Point;

inline constexpr Point kFirstIpv4Point = Point{0xFFFF} << 32U;
inline constexpr Point kLastIpv4Point = kFirstIpv4Point + 0xFFFFFFFFU;
inline constexpr Point kLastAddressPoint = ~Point{0};
inline constexpr Point kPortCount = 65536;

constexpr bool IsIpv4Point(Point point) {
  return point >= kFirstIpv4Point && point <= kLastIpv4Point;
}

// An address of the given family. IPv4-mapped IPv6 gives the point of the IPv4 address.
Point AddressPoint(bool is_ipv6, const IpAddress::Bytes& bytes);
// The address at a point, with the whole address as prefix.
IpAddress AddressAt(Point point);

constexpr Point FlowPoint(Protocol protocol, uint16_t port) {
  return static_cast<Point>(protocol) * kPortCount + port;
}

// kError: evaluation fails there, or gives something that is not a Bool.
enum class Truth : uint8_t { kFalse, kTrue, kError };

// Immutable.
class TruthMap {
 public:
  struct Piece {
    Point first;  // The piece reaches to the next one's first point, the last to the end.
    Truth value;
    bool operator==(const Piece&) const = default;
  };

  // The same everywhere.
  explicit TruthMap(Truth value) : pieces_{{.first = 0, .value = value}} {}
  // Ascending by `first`, beginning at 0; equal neighbours become one.
  explicit TruthMap(const std::vector<Piece>& pieces);

  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] bool is_constant() const { return pieces_.size() == 1; }
  [[nodiscard]] bool is(Truth value) const { return is_constant() && pieces_[0].value == value; }
  [[nodiscard]] Truth At(Point point) const;

  bool operator==(const TruthMap&) const = default;

 private:
  std::vector<Piece> pieces_;
};

// Cedar's connectives with short circuit, point by point: an operand that is not reached cannot
// fail. Conjunction and Disjunction take their operands in order; without operands they are true
// and false.
TruthMap Negation(const TruthMap& operand);
TruthMap Conjunction(std::vector<TruthMap> operands);
TruthMap Disjunction(std::vector<TruthMap> operands);
TruthMap Choice(const TruthMap& condition, const TruthMap& then_branch,
                const TruthMap& else_branch);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_TRUTH_MAP_H_
