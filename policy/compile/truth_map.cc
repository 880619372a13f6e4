#include "policy/compile/truth_map.h"

#include <array>
#include <cstddef>
#include <utility>

namespace palyra::policy {
namespace {

Truth AndOf(Truth left, Truth right) { return left == Truth::kTrue ? right : left; }
Truth OrOf(Truth left, Truth right) { return left == Truth::kFalse ? right : left; }
Truth UnlessOf(Truth left, Truth right) { return left == Truth::kFalse ? right : Truth::kFalse; }

FlowTruth AndOf(const FlowTruth& left, const FlowTruth& right) {
  if (left.map().is_constant()) {
    return left.is(Truth::kTrue) ? right : left;
  }
  return right.is(Truth::kTrue) ? left
                                : FlowTruth(Merge(left.map(), right.map(),
                                                  [](Truth a, Truth b) { return AndOf(a, b); }));
}

FlowTruth OrOf(const FlowTruth& left, const FlowTruth& right) {
  if (left.map().is_constant()) {
    return left.is(Truth::kFalse) ? right : left;
  }
  return right.is(Truth::kFalse) ? left
                                 : FlowTruth(Merge(left.map(), right.map(),
                                                   [](Truth a, Truth b) { return OrOf(a, b); }));
}

// `right` where `left` is false, and false elsewhere.
FlowTruth UnlessOf(const FlowTruth& left, const FlowTruth& right) {
  if (left.map().is_constant()) {
    return left.is(Truth::kFalse) ? right : FlowTruth(Truth::kFalse);
  }
  return FlowTruth(Merge(left.map(), right.map(), [](Truth a, Truth b) { return UnlessOf(a, b); }));
}

FlowTruth NotOf(const FlowTruth& operand) {
  std::vector<TruthMap::Piece> pieces = operand.map().pieces();
  for (TruthMap::Piece& piece : pieces) {
    if (piece.value != Truth::kError) {
      piece.value = piece.value == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
    }
  }
  return FlowTruth(TruthMap(std::move(pieces)));
}

constexpr auto kAnd = [](const FlowTruth& a, const FlowTruth& b) { return AndOf(a, b); };
constexpr auto kOr = [](const FlowTruth& a, const FlowTruth& b) { return OrOf(a, b); };
constexpr auto kUnless = [](const FlowTruth& a, const FlowTruth& b) { return UnlessOf(a, b); };

}  // namespace

Point AddressPoint(bool is_ipv6, const IpAddress::Bytes& bytes) {
  Point point = 0;
  for (size_t i = 0; i < (is_ipv6 ? 16U : 4U); ++i) {
    point = point << 8U | bytes[i];
  }
  return is_ipv6 ? point : kFirstIpv4Point + point;
}

IpAddress AddressAt(Point point) {
  const bool is_ipv6 = !IsIpv4Point(point);
  IpAddress::Bytes bytes{};
  Point rest = is_ipv6 ? point : point - kFirstIpv4Point;
  for (size_t i = is_ipv6 ? 16 : 4; i-- > 0; rest >>= 8U) {
    bytes[i] = static_cast<uint8_t>(rest & 0xFFU);
  }
  return *IpAddress::Create(is_ipv6, bytes, is_ipv6 ? 128 : 32);
}

FlowTruth::FlowTruth(Truth value) {
  static const std::array<std::shared_ptr<const TruthMap>, 3> kConstants = {
      std::make_shared<const TruthMap>(Truth::kFalse),
      std::make_shared<const TruthMap>(Truth::kTrue),
      std::make_shared<const TruthMap>(Truth::kError)};
  map_ = kConstants.at(static_cast<size_t>(value));
}

EndpointTruth OfAddresses(const TruthMap& addresses) {
  std::vector<EndpointTruth::Piece> pieces;
  pieces.reserve(addresses.pieces().size());
  for (const TruthMap::Piece& piece : addresses.pieces()) {
    pieces.push_back({.first = piece.first, .value = FlowTruth(piece.value)});
  }
  return EndpointTruth(std::move(pieces));
}

EndpointTruth OfFlows(TruthMap flows) { return EndpointTruth(FlowTruth(std::move(flows))); }

EndpointTruth Negation(const EndpointTruth& operand) {
  std::vector<EndpointTruth::Piece> pieces = operand.pieces();
  for (EndpointTruth::Piece& piece : pieces) {
    piece.value = NotOf(piece.value);
  }
  return EndpointTruth(std::move(pieces));
}

EndpointTruth Conjunction(std::vector<EndpointTruth> operands) {
  return operands.empty() ? EndpointTruth(FlowTruth(Truth::kTrue))
                          : MergeAll(std::move(operands), kAnd);
}

EndpointTruth Disjunction(std::vector<EndpointTruth> operands) {
  return operands.empty() ? EndpointTruth(FlowTruth(Truth::kFalse))
                          : MergeAll(std::move(operands), kOr);
}

EndpointTruth Choice(const EndpointTruth& condition, const EndpointTruth& then_branch,
                     const EndpointTruth& else_branch) {
  // Where the condition fails, so does the first part, and the disjunction with it.
  return Merge(Merge(condition, then_branch, kAnd), Merge(condition, else_branch, kUnless), kOr);
}

}  // namespace palyra::policy
