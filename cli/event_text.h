// Events as people write them: "net.connect tcp 192.0.2.1:443", "file.read /etc/hosts".

#ifndef PALYRA_CLI_EVENT_TEXT_H_
#define PALYRA_CLI_EVENT_TEXT_H_

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "policy/rule_set.h"

namespace palyra::cli {

using Event = std::variant<policy::NetEvent, policy::NameEvent>;

// "net.connect", "tcp", and "192.0.2.1:443", "[2001:db8::1]:443", or without a port for icmp and
// icmpv6. IPv4-mapped IPv6 becomes IPv4. kInvalidArgument for anything else.
Result<policy::NetEvent> ParseNetEvent(const std::string& action, const std::string& protocol,
                                       const std::string& endpoint);
// "net.connect tcp 192.0.2.1:443", and " as a.example" where it goes by a name
std::string NetEventText(const policy::NetEvent& event);
// Likewise "process.exec /usr/bin/git", of what has a path.
std::string EventText(const Event& event);

// ACTION PROTOCOL ENDPOINT as above for the network, where `as NAME` may follow; ACTION PATH for
// files, programs and sockets, where `abstract NAME` is an abstract socket and `sha256 DIGEST`
// may follow a program; ACTION same-run or ACTION other for processes. Addresses and paths are
// brought into canonical form. kInvalidArgument says what is wrong.
Result<Event> ParseEvent(const std::vector<std::string>& words);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_EVENT_TEXT_H_
