// Atoms: sub-expressions of a residual that depend on one part of the endpoint.

#ifndef PALYRA_POLICY_COMPILE_ATOM_H_
#define PALYRA_POLICY_COMPILE_ATOM_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "policy/ast.h"
#include "policy/compile/residual_walk.h"
#include "policy/compile/truth_map.h"
#include "policy/entities.h"
#include "policy/evaluator.h"

namespace palyra::policy {

// What a residual depends on, and the constants that can make a difference to it.
struct Footprint {
  bool address = false;
  bool port = false;
  bool protocol = false;
  // The port goes through arithmetic, so that constants do not tell where the outcome changes.
  bool calculates = false;
  // The address is asked for its kind, as by isLoopback(), and not only compared with constants.
  bool classifies = false;
  std::vector<IpAddress> addresses;
  std::vector<int64_t> numbers;
  std::optional<Finding> obstacle;  // The first reason why it cannot be lowered.
  std::vector<Finding> oddities;    // Conditions that can never hold as they were meant.
};

Footprint FootprintOf(const Expr& residual);

// Finds out what an atom is everywhere by asking the evaluator once in each cell of its dimension.
//
// Ports: a bare port is only compared, so the outcome changes at constants alone; with arithmetic
// all 65,536 values are tried. Protocols are five. Addresses: every operation of ipaddr on an
// address compares it with a constant, or with a constant's range, or with the fixed ranges of
// isLoopback, isMulticast, isIpv4 and isIpv6.
//
// Principal, action and context are no longer in residuals, so that one probe serves all policies
// of a layer. It remembers arithmetic that it has tried.
class AtomProbe {
 public:
  // Borrows `entities`. `request` is for any action and any endpoint.
  AtomProbe(Request request, const EntityStore& entities)
      : request_(std::move(request)), entities_(entities) {}

  // `footprint` is the residual's own: no obstacle, at most one of address, port and protocol.
  [[nodiscard]] EndpointTruth Try(const Expr& residual, const Footprint& footprint);

 private:
  Request request_;
  const EntityStore& entities_;
  std::unordered_map<std::string, TruthMap> calculated_;  // By Cedar text.

  Truth Ask(const Expr& residual, std::string_view attr, Value value);
  TruthMap OverAddresses(const Expr& residual, const Footprint& footprint);
  TruthMap OverPorts(const Expr& residual, const std::vector<Point>& starts);
  TruthMap OverAllPorts(const Expr& residual);
  TruthMap OverProtocols(const Expr& residual);
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_ATOM_H_
