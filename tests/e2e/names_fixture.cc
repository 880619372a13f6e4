#include "tests/e2e/names_fixture.h"

#include <map>

#include "tests/e2e/upstream_dns.h"

namespace palyra::tests {
namespace {

constexpr uint32_t kLongTtl = 300;

struct Zone {
  std::string v4;
  std::string v6;
  uint32_t ttl = kLongTtl;
};

// What the upstream server knows.
const std::map<std::string, Zone>& Zones() {
  static const std::map<std::string, Zone> kZones = [] {
    std::map<std::string, Zone> zones = {
        {"a.test", {.v4 = std::string(kPublicV4), .v6 = ""}},
        {"six.a.test", {.v4 = "", .v6 = std::string(kPublicV6)}},
        {"short.a.test", {.v4 = std::string(kPublicV4), .v6 = "", .ttl = 1}},
        {"rebind.a.test", {.v4 = std::string(kMetadataV4), .v6 = ""}},
        {"private.a.test", {.v4 = std::string(kAllowedV4), .v6 = ""}},
        {"www.example.com", {.v4 = std::string(kPublicV4), .v6 = ""}},  // docs/egress.md
        {"evil.test", {.v4 = std::string(kPublicV4), .v6 = ""}},
        {"evila.test", {.v4 = std::string(kPublicV4), .v6 = ""}},
        {"a.test.evil.test", {.v4 = std::string(kPublicV4), .v6 = ""}},
    };
    for (size_t i = 0; i < kNotPublic.size(); ++i) {
      const std::string address = kNotPublic.at(i);
      const bool is_v6 = address.find(':') != std::string::npos;
      zones[RebindingName(i)] = {.v4 = is_v6 ? "" : address, .v6 = is_v6 ? address : ""};
    }
    return zones;
  }();
  return kZones;
}

broker::Messages Respond(const broker::Asked& asked) {
  const auto zone = Zones().find(asked.name);
  constexpr uint16_t kNameError = 3;
  broker::Message message = broker::ResponseTo(asked, zone == Zones().end() ? kNameError : 0);
  if (zone != Zones().end()) {
    const broker::Bytes owner = broker::WirePointer(broker::kToQuestion);
    if (asked.type == broker::kTypeA && !zone->second.v4.empty()) {
      message.Answer(owner, asked.type, zone->second.ttl, broker::WireV4(zone->second.v4));
    }
    if (asked.type == broker::kTypeAaaa && !zone->second.v6.empty()) {
      message.Answer(owner, asked.type, zone->second.ttl, broker::WireV6(zone->second.v6));
    }
  }
  return {message.bytes()};
}

}  // namespace

std::string RebindingName(size_t index) { return "rebind" + std::to_string(index) + ".a.test"; }

std::string PermitDomain(std::string_view condition) {
  return std::string("permit (principal, action, resource in Palyra::Domain::\"a.test\") when { ")
      .append(condition)
      .append(" };\n");
}

void Names::SetUpTestSuite() {
  TestNetwork::Get();
  UseUpstreamDns();
}

void Names::SetUp() {
  EgressTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  const auto address = broker::Address::Parse(kUpstreamDns);
  server_ = std::make_unique<broker::FakeServer>(Respond, *address);
}

std::vector<std::string> Names::Asked() const {
  std::vector<std::string> names;
  for (const broker::Asked& asked : server_->asked()) names.push_back(asked.name);
  return names;
}

}  // namespace palyra::tests
