#include "policy/compile/boundaries.h"

#include <algorithm>

namespace palyra::policy {

std::vector<Point> Boundaries(const NetTablesView& a, const NetTablesView& b) {
  std::vector<Point> points = {0, kFirstIpv4Point, kLastIpv4Point + 1};
  for (const NetTablesView* tables : {&a, &b}) {
    for (const AddressPrefix& prefix : tables->prefixes) {
      const unsigned host_bits = (prefix.is_ipv6 ? 128U : 32U) - prefix.length;
      const Point first = AddressPoint(prefix.is_ipv6, prefix.bytes);
      const Point last = first + (host_bits == 128 ? ~Point{0} : (Point{1} << host_bits) - 1);
      points.push_back(first);
      if (last != kLastAddressPoint) {
        points.push_back(last + 1);
      }
    }
  }
  std::ranges::sort(points);
  const auto repeated = std::ranges::unique(points);
  points.erase(repeated.begin(), repeated.end());
  return points;
}

}  // namespace palyra::policy
