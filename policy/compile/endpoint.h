// The network part of the Palyra schema: its actions, and the resource that a network event is.

#ifndef PALYRA_POLICY_COMPILE_ENDPOINT_H_
#define PALYRA_POLICY_COMPILE_ENDPOINT_H_

#include <string_view>
#include <unordered_set>
#include <vector>

#include "policy/ast.h"
#include "policy/entities.h"
#include "policy/partial.h"
#include "policy/rule_set.h"
#include "policy/value.h"

namespace palyra::policy {

inline constexpr std::string_view kActionType = "Palyra::Action";
inline constexpr std::string_view kEndpointType = "Palyra::Endpoint";
inline constexpr std::string_view kDomainType = "Palyra::Domain";

inline constexpr std::string_view kAddressAttr = "address";    // ipaddr, the whole address
inline constexpr std::string_view kPortAttr = "port";          // Long
inline constexpr std::string_view kProtocolAttr = "protocol";  // String
inline constexpr std::string_view kDomainAttr = "domain";      // String, optional

// "net.connect"
std::string_view ActionName(NetAction action);
// Palyra::Action::"net.connect"
EntityUid ActionUid(NetAction action);
// "tcp", "udp", "udplite", "icmp", "icmpv6"
std::string_view ProtocolName(Protocol protocol);

// The Palyra::Endpoint that the event is about, without tags. Where it goes by a name it lies in
// that domain and those above. Its id is for people: "tcp 192.0.2.1:443",
// "udp [2001:db8::1]:53 as ns.example".
Entity EndpointEntity(const NetEvent& event, const EntityStore& entities);

// The endpoint of an event that is to come.
PartialEntity OpenEndpoint(const EntityStore& entities);

// The Palyra::Domain of that name, those of the names above it ("a.example", "example"), and what
// all those lie in by `entities`.
std::unordered_set<EntityUid> DomainsAbove(std::string_view domain, const EntityStore& entities);

// The domains that lie in `ancestor`, itself among them where it is one.
std::vector<EntityUid> DomainsBelow(const EntityUid& ancestor, const EntityStore& entities);

// A domain's own name and every name below it.
std::vector<Pattern> NamesOf(const EntityUid& domain);

// Whether this is an entity of type Palyra::Endpoint that is named as a constant.
bool IsNamedEndpoint(const Expr& expr);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_ENDPOINT_H_
