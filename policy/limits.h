// How large what policies are compiled to may be. Policies that need more are refused; nothing is
// cut.

#ifndef PALYRA_POLICY_LIMITS_H_
#define PALYRA_POLICY_LIMITS_H_

#include <cstddef>

namespace palyra::policy {

// As many as the kernel's tables hold.
inline constexpr size_t kMaxPrefixes = size_t{1} << 20;
inline constexpr size_t kMaxClasses = size_t{1} << 18;
inline constexpr size_t kMaxReasons = size_t{1} << 18;

// The kernel stores a long class in parts by port range; this many spans fill half of all ports.
inline constexpr size_t kMaxSpansPerClass = size_t{1} << 15;
inline constexpr size_t kMaxSpans = size_t{1} << 21;

// Bounds on memory and time while compiling: policy names in all reasons together, and satisfied
// policies summed over the different combinations of them that addresses have.
inline constexpr size_t kMaxReasonPolicies = size_t{1} << 22;
inline constexpr size_t kMaxOccupied = size_t{1} << 25;

// Automata of strings. While one is made it may have as many states and transitions as this, and
// tell as many classes of texts apart; what the kernel holds is less (engine/automaton_image.h).
inline constexpr size_t kMaxAutomatonStates = size_t{1} << 20;
inline constexpr size_t kMaxAutomatonEdges = size_t{1} << 22;
inline constexpr size_t kMaxStringClasses = size_t{1} << 17;

// Bounds on memory and time meanwhile: the nodes of all tries of literal text, and the numbers that
// tell states and classes apart, each four times where it is kept and once where it is copied.
inline constexpr size_t kMaxPatternNodes = size_t{1} << 21;
inline constexpr size_t kMaxAutomatonWork = size_t{1} << 26;

// Leaves of one action on names: classes of names by flags.
inline constexpr size_t kMaxLeaves = size_t{1} << 20;

// Those on tables, which a compilation may be given smaller ones of.
struct TableLimits {
  size_t prefixes = kMaxPrefixes;
  size_t classes = kMaxClasses;
  size_t reasons = kMaxReasons;
  size_t spans_per_class = kMaxSpansPerClass;
  size_t spans = kMaxSpans;
  size_t reason_policies = kMaxReasonPolicies;
  size_t occupied = kMaxOccupied;
  size_t leaves = kMaxLeaves;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_LIMITS_H_
