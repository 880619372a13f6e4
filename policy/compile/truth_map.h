// What a Cedar condition is over the parts of an endpoint: step functions to truth values.
//
// There are two dimensions. An *address point* is an IPv6 address as a number; IPv4 addresses stand
// at ::ffff:0:0/96, where no event in canonical form is IPv6, so both families are one dimension. A
// *flow point* is a protocol and a port.

#ifndef PALYRA_POLICY_COMPILE_TRUTH_MAP_H_
#define PALYRA_POLICY_COMPILE_TRUTH_MAP_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "policy/compile/step_map.h"
#include "policy/ip.h"
#include "policy/rule_set.h"

namespace palyra::policy {

inline constexpr Point kFirstIpv4Point = Point{0xFFFF} << 32U;
inline constexpr Point kLastIpv4Point = kFirstIpv4Point + 0xFFFFFFFFU;
inline constexpr Point kLastAddressPoint = ~Point{0};

constexpr bool IsIpv4Point(Point point) {
  return point >= kFirstIpv4Point && point <= kLastIpv4Point;
}

// An address of the given family. IPv4-mapped IPv6 gives the point of the IPv4 address.
Point AddressPoint(bool is_ipv6, const IpAddress::Bytes& bytes);
// The address at a point, with the whole address as prefix.
IpAddress AddressAt(Point point);

inline constexpr Point kPortCount = 65536;
inline constexpr Point kFlowPointCount = kPortCount * kProtocolCount;

constexpr Point FlowPoint(Protocol protocol, uint16_t port) {
  return static_cast<Point>(protocol) * kPortCount + port;
}

// kError: evaluation fails there, or gives something that is not a Bool.
enum class Truth : uint8_t { kFalse, kTrue, kError };

using TruthMap = StepMap<Truth>;

// A TruthMap over flow points, shared.
class FlowTruth {
 public:
  explicit FlowTruth(Truth value);
  explicit FlowTruth(TruthMap map) : map_(std::make_shared<const TruthMap>(std::move(map))) {}

  [[nodiscard]] const TruthMap& map() const { return *map_; }
  // The same value for every flow.
  [[nodiscard]] bool is(Truth value) const {
    return map_->is_constant() && map_->pieces()[0].value == value;
  }

  bool operator==(const FlowTruth& other) const {
    return map_ == other.map_ || *map_ == *other.map_;
  }

 private:
  std::shared_ptr<const TruthMap> map_;
};

// Over address points: for each address a TruthMap over flow points. Any condition on endpoints.
using EndpointTruth = StepMap<FlowTruth>;

EndpointTruth OfAddresses(const TruthMap& addresses);
EndpointTruth OfFlows(TruthMap flows);

// Cedar's connectives with short circuit, point by point: an operand that is not reached cannot
// fail. Conjunction and Disjunction take their operands in order; without any they are true and
// false.
EndpointTruth Negation(const EndpointTruth& operand);
EndpointTruth Conjunction(std::vector<EndpointTruth> operands);
EndpointTruth Disjunction(std::vector<EndpointTruth> operands);
EndpointTruth Choice(const EndpointTruth& condition, const EndpointTruth& then_branch,
                     const EndpointTruth& else_branch);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_TRUTH_MAP_H_
