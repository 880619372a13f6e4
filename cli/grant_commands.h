// `palyra grant`, `palyra grants`, `palyra revoke`: a person's answer where the rules of a live run
// say ask.

#ifndef PALYRA_CLI_GRANT_COMMANDS_H_
#define PALYRA_CLI_GRANT_COMMANDS_H_

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// Adds the verbs to `app`. A verb runs while the command line is parsed and leaves its exit status
// in `status`, which outlives `app`.
void AddGrantCommands(CLI::App& app, int& status);

// What a grant is for: "net.connect", "tcp", and "192.0.2.1:443", "[2001:db8::1]:443", or without a
// port for icmp and icmpv6. IPv4-mapped IPv6 becomes IPv4. kInvalidArgument for anything else.
Result<policy::NetEvent> ParseGrantResource(const std::string& action, const std::string& protocol,
                                            const std::string& endpoint);

// "net.connect tcp 192.0.2.1:443"
std::string GrantResourceText(const policy::NetEvent& resource);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_GRANT_COMMANDS_H_
