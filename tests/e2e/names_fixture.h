// A DNS server of the test's own, at port 53 of a loopback address; /etc/resolv.conf of the test's
// mount namespace names it.

#ifndef PALYRA_TESTS_E2E_NAMES_FIXTURE_H_
#define PALYRA_TESTS_E2E_NAMES_FIXTURE_H_

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/egress_fixture.h"
#include "tests/unit/broker/fake_server.h"

namespace palyra::tests {

inline const std::string kPort = std::to_string(PortOf(Transport::kTcp));
inline const std::string kUdpPort = std::to_string(PortOf(Transport::kUdp));

// policy0: a.test and all below it, where `condition` holds.
std::string PermitDomain(std::string_view condition = "true");

// Where a name must not lead, of each class: this machine and network, private ones, metadata
// services, and IPv6 addresses that translators and tunnels turn into one of them.
inline constexpr std::array kNotPublic = {
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.100.100.200",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fd00:a::1",
    "fd00:ec2::254",
    "fe80::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2002:c0a8:101::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::7f00:1",
    "ff02::1",
};

// A name that leads to kNotPublic[index].
std::string RebindingName(size_t index);

// The server knows a.test, six.a.test, short.a.test (for a second), rebind.a.test (the metadata
// service), private.a.test, evil.test, evila.test, a.test.evil.test, and
// each RebindingName().
class Names : public EgressTest {
 protected:
  static void SetUpTestSuite();
  void SetUp() override;

  // The names that the server was asked for.
  [[nodiscard]] std::vector<std::string> Asked() const;

  std::unique_ptr<broker::FakeServer> server_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_NAMES_FIXTURE_H_
