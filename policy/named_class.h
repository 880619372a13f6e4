// What rules say of an address that somebody looked up, under the names that it is known by.

#ifndef PALYRA_POLICY_NAMED_CLASS_H_
#define PALYRA_POLICY_NAMED_CLASS_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "policy/rule_set.h"

namespace palyra::policy {

struct NamedAddress {
  bool is_ipv6;
  std::array<uint8_t, 16> bytes;  // As in NetEvent.
  // Not a host of the public Internet. Who owns a name says where it leads: into a private network
  // it leads only where rules speak of that address, by itself or together with the name.
  bool is_special;
};

// The address is judged under each of `names`, at least one, in canonical form: what a policy
// forbids under any of them is denied; else the least strict verdict under one of them counts. The
// reason is that of the first name with that verdict.
AddressClass NamedClass(const RuleSet& rules, const NamedAddress& address,
                        std::span<const std::string> names);

// Whether something can be connected or sent to, be it after a person was asked.
bool HasWayOut(const AddressClass& address_class);

// Whether an endpoint of this name can be reached that could not without the name, or be it any
// endpoint of the public Internet: else to look it up can only carry data out.
bool MayBeAskedFor(const RuleSet& rules, const std::string& name);

// Whether a TCP client that says by itself, once connected, whom it wants may go on to this address
// if it says `name`.
bool MayReachVerified(const RuleSet& rules, const NamedAddress& address, uint16_t port,
                      const std::string& name);

// Whether some connection is allowed only if it is verified.
bool VerifiesAny(const RuleSet& rules);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_NAMED_CLASS_H_
