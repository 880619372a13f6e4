#include "tests/e2e/egress_fixture.h"

#include <algorithm>
#include <memory>
#include <ostream>

#include "tests/e2e/policies.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

std::unique_ptr<Listeners> OpenServers() {
  std::unique_ptr<Listeners> servers;
  TestNetwork::Get().Outside([&servers] {
    servers = std::make_unique<Listeners>(
        std::vector<std::string_view>{kAllowedV4, kAllowedV6, kDeniedV4, kDeniedV6, kPublicV4,
                                      kPublicV6, kMetadataV4, kMetadataV6, kSharedMetadataV4},
        std::vector<Transport>{Transport::kTcp, Transport::kUdp, Transport::kMptcp,
                               Transport::kUdplite});
  });
  return servers;
}

}  // namespace

std::string_view FamilyName(Family family) {
  switch (family) {
    case Family::kV4:
      return "V4";
    case Family::kV6:
      return "V6";
    case Family::kV4Mapped:
      break;
  }
  return "V4Mapped";
}

void PrintTo(Family family, std::ostream* stream) { *stream << FamilyName(family); }

std::string DeniedHost(Family family) {
  const std::string mapped = family == Family::kV4Mapped ? "::ffff:" : "";
  return mapped + std::string(CanonicalDeniedHost(family));
}

std::string_view CanonicalDeniedHost(Family family) {
  return family == Family::kV6 ? kDeniedV6 : kDeniedV4;
}

std::string AllowedHost(Family family) {
  if (family == Family::kV6) return std::string(kAllowedV6);
  return (family == Family::kV4Mapped ? "::ffff:" : "") + std::string(kAllowedV4);
}

std::string ForbidDeniedHost() {
  return std::string(kPermitAll) + ForbidWhen(AddressIsOneOf({kDeniedV4, kDeniedV6}));
}

std::string PermitAllowedHost() { return PermitWhen(AddressIsOneOf({kAllowedV4, kAllowedV6})); }

void EgressTest::SetUp() {
  PALYRA_REQUIRE_FEATURE(Root());
  TestNetwork::Get();
  Servers();
}

Listeners& EgressTest::Servers() {
  static const std::unique_ptr<Listeners> kServers = OpenServers();
  return *kServers;
}

PacketObserver& EgressTest::Observer() {
  static PacketObserver observer(TestNetwork::Get());
  return observer;
}

void EgressTest::ExpectUntouched(std::string_view address) {
  EXPECT_EQ(Observer().PacketsFor(address), 0U) << "packets arrived at " << address;
}

void EgressTest::ExpectAudit(const ProbeResult& probe, std::string_view action,
                             std::string_view protocol, std::string_view address, int port,
                             std::string_view layer, std::string_view policy) {
  const auto matches = [&](const AuditEntry& entry) {
    const bool named = policy.empty()
                           ? entry.policies.empty()
                           : entry.policies.size() == 1 &&
                                 entry.policies.front().find(policy) != std::string::npos;
    return entry.verdict == "deny" && entry.action == action && entry.protocol == protocol &&
           entry.address == address && entry.port == port && entry.layer == layer && named;
  };
  EXPECT_TRUE(std::ranges::any_of(probe.audit, matches))
      << "no audit line: deny " << action << ' ' << protocol << ' ' << address << ' ' << port << ' '
      << layer << ' ' << policy << '\n'
      << probe;
}

}  // namespace palyra::tests
