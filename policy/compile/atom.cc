#include "policy/compile/atom.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "policy/compile/endpoint.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

void SortUnique(std::vector<Point>& points) {
  std::ranges::sort(points);
  const auto repeated = std::ranges::unique(points);
  points.erase(repeated.begin(), repeated.end());
}

// The first points of cells on which no ipaddr operation with these constants changes its answer.
class AddressCells {
 public:
  AddressCells() { starts_.push_back(0); }

  // What isIpv4(), isLoopback() and the others know without a constant.
  void AddKinds() {
    AddRange(AllOfIpv4());
    for (const std::string_view range : {"127.0.0.0/8", "224.0.0.0/4", "::1", "ff00::/8"}) {
      AddRange(*IpAddress::Parse(range));
    }
  }

  void Add(const IpAddress& constant) {
    AddRange(constant);
    if (constant.is_ipv6() && constant.prefix_length() < 96) {
      AddRange(AllOfIpv4());  // Lies among the IPv6 points, and in no IPv6 range.
    }
    AddRange(
        *IpAddress::Create(constant.is_ipv6(), constant.bytes(), constant.max_prefix_length()));
  }

  std::vector<Point> Take() {
    SortUnique(starts_);
    return std::move(starts_);
  }

 private:
  std::vector<Point> starts_;

  static IpAddress AllOfIpv4() { return *IpAddress::Create(false, {}, 0); }

  void AddRange(const IpAddress& range) {
    const Point first = AddressPoint(range.is_ipv6(), range.Masked().bytes());
    if (range.is_ipv6() && range.prefix_length() >= 96 && IsIpv4Point(first)) {
      return;  // Holds no address.
    }
    const unsigned host_bits = range.max_prefix_length() - range.prefix_length();
    const Point size_minus_one = host_bits == 128 ? ~Point{0} : (Point{1} << host_bits) - 1;
    starts_.push_back(first);
    if (first + size_minus_one != kLastAddressPoint) {
      starts_.push_back(first + size_minus_one + 1);
    }
  }
};

// The first ports of cells on which no comparison with these constants changes its answer.
std::vector<Point> PortStarts(const std::vector<int64_t>& constants) {
  std::vector<Point> starts = {0};
  for (const int64_t constant : constants) {
    for (const int64_t start : {constant, constant < INT64_MAX ? constant + 1 : constant}) {
      if (start > 0 && start < static_cast<int64_t>(kPortCount)) {
        starts.push_back(static_cast<Point>(start));
      }
    }
  }
  SortUnique(starts);
  return starts;
}

// The same for every protocol.
TruthMap ForEveryProtocol(const std::vector<TruthMap::Piece>& ports) {
  if (ports.size() == 1) {
    return TruthMap(ports[0].value);
  }
  std::vector<TruthMap::Piece> pieces;
  pieces.reserve(ports.size() * kProtocolCount);
  for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
    for (const TruthMap::Piece& piece : ports) {
      pieces.push_back({.first = FlowPoint(static_cast<Protocol>(protocol), 0) + piece.first,
                        .value = piece.value});
    }
  }
  return TruthMap(std::move(pieces));
}

}  // namespace

EndpointTruth AtomProbe::Try(const Expr& residual, const Footprint& footprint) {
  if (footprint.address) {
    return OfAddresses(OverAddresses(residual, footprint));
  }
  if (!footprint.port) {
    return OfFlows(OverProtocols(residual));
  }
  return OfFlows(footprint.calculates ? OverAllPorts(residual)
                                      : OverPorts(residual, PortStarts(footprint.numbers)));
}

// The probe's endpoint has only the attribute that the atom depends on; it cannot read another.
Truth AtomProbe::Ask(const Expr& residual, std::string_view attr, Value value) {
  request_.event_entity = std::make_shared<const Entity>(
      Entity{.uid = request_.resource,
             .attrs = RecordValue({{std::string(attr), std::move(value)}}),
             .tags = {},
             .ancestors = {}});
  const EvalResult result = Evaluator(request_, entities_).Evaluate(residual);
  const bool* held = result ? result->AsBool() : nullptr;
  if (held == nullptr) {
    return Truth::kError;
  }
  return *held ? Truth::kTrue : Truth::kFalse;
}

TruthMap AtomProbe::OverAddresses(const Expr& residual, const Footprint& footprint) {
  AddressCells cells;
  if (footprint.classifies) {
    cells.AddKinds();
  }
  for (const IpAddress& constant : footprint.addresses) {
    cells.Add(constant);
  }
  std::vector<TruthMap::Piece> pieces;
  for (const Point first : cells.Take()) {
    pieces.push_back(
        {.first = first, .value = Ask(residual, kAddressAttr, Value::Ip(AddressAt(first)))});
  }
  return TruthMap(std::move(pieces));
}

TruthMap AtomProbe::OverPorts(const Expr& residual, const std::vector<Point>& starts) {
  std::vector<TruthMap::Piece> pieces;
  pieces.reserve(starts.size());
  for (const Point port : starts) {
    pieces.push_back({.first = port,
                      .value = Ask(residual, kPortAttr, Value::Long(static_cast<int64_t>(port)))});
  }
  return ForEveryProtocol(TruthMap(std::move(pieces)).pieces());
}

TruthMap AtomProbe::OverAllPorts(const Expr& residual) {
  std::string text = ToCedar(residual);
  if (const auto known = calculated_.find(text); known != calculated_.end()) {
    return known->second;
  }
  std::vector<Point> starts;
  starts.reserve(static_cast<size_t>(kPortCount));
  for (Point port = 0; port < kPortCount; ++port) {
    starts.push_back(port);
  }
  return calculated_.emplace(std::move(text), OverPorts(residual, starts)).first->second;
}

TruthMap AtomProbe::OverProtocols(const Expr& residual) {
  std::vector<TruthMap::Piece> pieces;
  for (int i = 0; i < kProtocolCount; ++i) {
    const auto protocol = static_cast<Protocol>(i);
    pieces.push_back({.first = FlowPoint(protocol, 0),
                      .value = Ask(residual, kProtocolAttr,
                                   Value::String(std::string(ProtocolName(protocol))))});
  }
  return TruthMap(std::move(pieces));
}

}  // namespace palyra::policy
