// The functions of Cedar's extension types: ipaddr, decimal, datetime and duration.
// Normative text: cedar-spec, Cedar/Spec/ExtFun.lean.

#ifndef PALYRA_POLICY_EXTENSION_H_
#define PALYRA_POLICY_EXTENSION_H_

#include <optional>
#include <string_view>

#include "policy/ast.h"
#include "policy/value.h"

namespace palyra::policy {

struct Signature {
  std::string_view name;
  ValueKind result;
  // The kind of the only argument, or of the receiver.
  ValueKind first;
  // Of the method's one argument, where it has one.
  std::optional<ValueKind> second;
  // Called as receiver.name(…), not as name(…).
  bool is_method;

  [[nodiscard]] size_t arity() const { return second ? 2 : 1; }
};

const Signature& SignatureOf(Function function);

// Nothing where there is no function or method of this name.
std::optional<Function> FindFunction(std::string_view name);

inline std::string_view NameOf(Function function) { return SignatureOf(function).name; }
inline bool IsMethod(Function function) { return SignatureOf(function).is_method; }

// What a constructor makes of `text`; nothing where it fails, or `function` is no constructor.
std::optional<Value> Construct(Function function, std::string_view text);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EXTENSION_H_
