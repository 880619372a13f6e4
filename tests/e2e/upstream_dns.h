// Where the machine of a test of names asks for them.

#ifndef PALYRA_TESTS_E2E_UPSTREAM_DNS_H_
#define PALYRA_TESTS_E2E_UPSTREAM_DNS_H_

namespace palyra::tests {

// An address of loopback; at its port 53 is the test's own server.
inline constexpr const char* kUpstreamDns = "127.0.0.201";

// From now on /etc/resolv.conf names that server, in a mount namespace that this process enters.
// Throws std::runtime_error if it cannot.
void UseUpstreamDns();

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_UPSTREAM_DNS_H_
