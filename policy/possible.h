// What an expression can come to, as far as kinds, bounds and truth tell: the values that
// outcomes.cc computes with. Always an over-approximation.

#ifndef PALYRA_POLICY_POSSIBLE_H_
#define PALYRA_POLICY_POSSIBLE_H_

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "policy/ast.h"
#include "policy/schema/types.h"
#include "policy/validate/capability.h"
#include "policy/value.h"

namespace palyra::policy {

struct Possible {
  bool error = false;
  bool value = true;                             // False: it always fails.
  std::optional<ValueKind> kind = std::nullopt;  // Of each value; nothing: not known.
  const Type* type = nullptr;                    // As declared, where it is.
  bool may_be_true = true;                       // Of a Bool.
  bool may_be_false = true;
  int64_t least = INT64_MIN;  // Of a Long.
  int64_t most = INT64_MAX;
  bool only_entities = false;  // Of a set.
  // What is there where the Bool has this value.
  CapabilitySet if_true = {};
  CapabilitySet if_false = {};
};

inline Possible OfKind(ValueKind kind) { return {.kind = kind}; }
Possible OfType(const Type* type);  // Null: not known.
Possible OfValue(const Value& value);

// Takes over into `out` what an operand does that is always evaluated and may be of any kind, or
// has to be of one of these.
void Need(Possible& out, const Possible& operand);
void Need(Possible& out, const Possible& operand, std::initializer_list<ValueKind> kinds);

Possible Equality(const Possible& left, const Possible& right, bool equal);  // Else !=.
Possible Comparison(BinaryOp op, const Possible& left, const Possible& right);
Possible Arithmetic(BinaryOp op, const Possible& left, const Possible& right);
Possible Membership(const Possible& left, const Possible& right);  // `in`
Possible Either(const Possible& a, const Possible& b);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_POSSIBLE_H_
