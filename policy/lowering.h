// Lowering: a residual as a predicate over (address, protocol, port) that holds its truth exactly,
// or the reason why there is none.

#ifndef PALYRA_POLICY_LOWERING_H_
#define PALYRA_POLICY_LOWERING_H_

#include <expected>
#include <vector>

#include "policy/atom.h"
#include "policy/truth_map.h"

namespace palyra::policy {

// A tree of Cedar's connectives over step functions. Neighbours of one dimension are one leaf, so
// trees are small: a condition on the address and one on port and protocol are two leaves.
struct Predicate {
  enum class Op : uint8_t { kAddress, kFlow, kNot, kAnd, kOr, kIf };
  Op op;
  TruthMap truth;                   // Of a leaf: kAddress and kFlow.
  std::vector<Predicate> operands;  // kIf: condition, then, else.

  [[nodiscard]] bool is_leaf() const { return op == Op::kAddress || op == Op::kFlow; }
  [[nodiscard]] bool is_constant() const { return is_leaf() && truth.is_constant(); }
};

// Oddities of the atoms go to `oddities`. An obstacle behind something that decides already is not
// reached and does not count.
std::expected<Predicate, Finding> Lower(const Expr& residual, AtomProbe& probe,
                                        std::vector<Finding>& oddities);

// Every address point at which the predicate may change; ascending, with 0.
std::vector<Point> AddressBreaks(const Predicate& predicate);

// The predicate at one address, over flow points.
TruthMap AtAddress(const Predicate& predicate, Point address);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_LOWERING_H_
