// A DNS server of the test's own, at port 53 of a loopback address; /etc/resolv.conf of the test's
// mount namespace names it.

#ifndef PALYRA_TESTS_E2E_NAMES_FIXTURE_H_
#define PALYRA_TESTS_E2E_NAMES_FIXTURE_H_

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

// The server knows a.test, six.a.test, short.a.test (for a second), rebind.a.test (the metadata
// service), private.a.test and evil.test.
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
