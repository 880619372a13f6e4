// What rules say of an address that somebody looked up, under the names that it is known by.

#ifndef PALYRA_POLICY_NAMED_CLASS_H_
#define PALYRA_POLICY_NAMED_CLASS_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "policy/rule_set.h"

namespace palyra::policy {

// The address is judged under each of `names`, at least one, in canonical form: what a policy
// forbids under any of them is denied; else what is allowed under one is allowed; else what is
// asked under one is asked. The reason is that of the first name with the strongest verdict.
AddressClass NamedClass(const RuleSet& rules, bool is_ipv6, const std::array<uint8_t, 16>& address,
                        std::span<const std::string> names);

// Whether an endpoint of this name can be connected or sent to under some address and port, be it
// after a person was asked.
bool MayBeReached(const RuleSet& rules, const std::string& name);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_NAMED_CLASS_H_
