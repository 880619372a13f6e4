#include "tests/e2e/names_fixture.h"

#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>

#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

constexpr const char* kServer = "127.0.0.201";
constexpr uint32_t kLongTtl = 300;

struct Zone {
  std::string v4;
  std::string v6;
  uint32_t ttl = kLongTtl;
};

// What the upstream server knows.
const std::map<std::string, Zone>& Zones() {
  static const std::map<std::string, Zone> kZones = {
      {"a.test", {.v4 = std::string(kPublicV4), .v6 = ""}},
      {"six.a.test", {.v4 = "", .v6 = std::string(kPublicV6)}},
      {"short.a.test", {.v4 = std::string(kPublicV4), .v6 = "", .ttl = 1}},
      {"rebind.a.test", {.v4 = std::string(kMetadataV4), .v6 = ""}},
      {"private.a.test", {.v4 = std::string(kAllowedV4), .v6 = ""}},
      {"www.example.com", {.v4 = std::string(kPublicV4), .v6 = ""}},  // docs/egress.md
      {"evil.test", {.v4 = std::string(kPublicV4), .v6 = ""}},
  };
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

// In a mount namespace of this process's own from then on.
void UseServer() {
  static const TempDir kDirectory;
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    throw std::runtime_error("no mount namespace");
  }
  const std::string file = kDirectory.Write(
      "resolv.conf", std::string("nameserver ") + kServer + "\noptions timeout:2 attempts:2\n");
  std::ofstream("/etc/resolv.conf", std::ios::app).flush();
  const std::string target = std::filesystem::canonical("/etc/resolv.conf");
  if (mount(file.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw std::runtime_error("cannot replace /etc/resolv.conf");
  }
}

}  // namespace

std::string PermitDomain(std::string_view condition) {
  return std::string("permit (principal, action, resource in Palyra::Domain::\"a.test\") when { ")
      .append(condition)
      .append(" };\n");
}

void Names::SetUpTestSuite() {
  TestNetwork::Get();
  static const bool kIsDone = [] {
    UseServer();
    return true;
  }();
  (void)kIsDone;
}

void Names::SetUp() {
  EgressTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  const auto address = broker::Address::Parse(kServer);
  server_ = std::make_unique<broker::FakeServer>(Respond, *address);
}

std::vector<std::string> Names::Asked() const {
  std::vector<std::string> names;
  for (const broker::Asked& asked : server_->asked()) names.push_back(asked.name);
  return names;
}

}  // namespace palyra::tests
