// What every egress test has: the two hosts, their servers, and the observer outside.

#ifndef PALYRA_TESTS_E2E_EGRESS_FIXTURE_H_
#define PALYRA_TESTS_E2E_EGRESS_FIXTURE_H_

#include <gtest/gtest.h>

#include <iosfwd>
#include <string>
#include <string_view>

#include "tests/support/listeners.h"
#include "tests/support/packet_observer.h"
#include "tests/support/palyra_run.h"
#include "tests/support/test_network.h"

namespace palyra::tests {

// How a probe names its target.
enum class Family : uint8_t { kV4, kV6, kV4Mapped };

std::string_view FamilyName(Family family);
void PrintTo(Family family, std::ostream* stream);

// The denied host as that family spells it, and as palyra's log spells it (v4-mapped is IPv4).
std::string DeniedHost(Family family);
std::string_view CanonicalDeniedHost(Family family);
std::string AllowedHost(Family family);

// permit-all, then policy1: no address of the denied host.
std::string ForbidDeniedHost();

// policy0: the addresses of the allowed host and nothing else.
std::string PermitAllowedHost();

class EgressTest : public testing::Test {
 protected:
  void SetUp() override;

  // At all addresses outside, every transport.
  static Listeners& Servers();
  static PacketObserver& Observer();

  // Whatever `probe` says, no packet for that address has arrived since the observer's Start().
  static void ExpectUntouched(std::string_view address);

  // The log has a denial of exactly this. `policy` is part of the one policy label, or empty for a
  // denial that names no policy.
  static void ExpectAudit(const ProbeResult& probe, std::string_view action,
                          std::string_view protocol, std::string_view address, int port,
                          std::string_view layer, std::string_view policy);
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_EGRESS_FIXTURE_H_
