// The audit file: what was allowed, where that is asked for, and floods of what is denied.

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/names_fixture.h"
#include "tests/e2e/policies.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::Not;

// But for how it began.
std::vector<json> Records(const PalyraRun& run) {
  std::vector<json> records;
  std::istringstream lines(ReadText(run.AuditPath()));
  for (std::string line; std::getline(lines, line);) records.push_back(json::parse(line));
  if (!records.empty() && records[0]["event"] == "start") records.erase(records.begin());
  return records;
}

json StartOf(const PalyraRun& run) {
  const std::string text = ReadText(run.AuditPath());
  return json::parse(text.substr(0, text.find('\n')));
}

// "net.connect tcp 192.0.2.10:4001" for each allow.
std::vector<std::string> Allows(const PalyraRun& run) {
  std::vector<std::string> allows;
  for (const json& record : Records(run)) {
    if (record.at("event") != "allow") continue;
    EXPECT_EQ(record.at("verdict"), "allow");
    allows.push_back(record.at("action").get<std::string>() + ' ' +
                     record.at("protocol").get<std::string>() + ' ' +
                     record.at("address").get<std::string>() + ':' +
                     std::to_string(record.at("port").get<int>()));
  }
  return allows;
}

PalyraRun Auditing(const std::string& allows, const std::string& policy) {
  PalyraRun run;
  run.Option("--audit-allows", allows).Policy(policy);
  return run;
}

std::string Target(std::string_view action, std::string_view protocol, std::string_view address,
                   const std::string& port) {
  return std::string(action) + ' ' + std::string(protocol) + ' ' + std::string(address) + ':' +
         port;
}

// The number behind `name=` in what a probe said.
uint64_t CountIn(const std::string& text, const std::string& name) {
  const size_t at = text.find(name + '=');
  return at == std::string::npos ? 0 : std::stoull(text.substr(at + name.size() + 1));
}

class Audit : public Names {};

TEST_F(Audit, ShowsNoAllowsUnasked) {
  PalyraRun run;
  run.Policy(kPermitAll);
  EXPECT_EQ(run.Probe({"tcp-connect", std::string(kPublicV4), kPort}).Summary(), "allowed none");
  const std::vector<json> records = Records(run);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0]["event"], "end");
  EXPECT_EQ(records[0]["audited"], 0);
}

TEST_F(Audit, BeginsWithWhatHoldsTheRun) {
  PalyraRun run;
  run.Policy(kPermitAll).Option("--report").Option("--agent", "bot");
  const Ended ended = run.Run({"/bin/true", "--secret"});
  const json start = StartOf(run);
  EXPECT_EQ(start["event"], "start");
  EXPECT_EQ(start["agent"], "bot");
  EXPECT_EQ(start["user"]["uid"], 1000);
  EXPECT_EQ(start["command"], "/bin/true");
  EXPECT_EQ(start["egress"], "strict");
  EXPECT_EQ(start["run"], Records(run).back()["run"]);
  EXPECT_EQ(start["unheld"], json::array());
  EXPECT_THAT(start.dump(), Not(HasSubstr("--secret")));
  ASSERT_GT(start["promises"].size(), 20U);
  for (const json& promise : start["promises"]) {
    const bool held = promise["held"];
    const std::string name = promise["promise"];
    const std::string mechanism = promise[held ? "mechanism" : "why"];
    // As --report has them.
    const size_t line = ended.error_output.find((held ? "held      " : "NOT HELD  ") + name + ' ');
    ASSERT_NE(line, std::string::npos) << name << Describe(ended);
    const size_t end = ended.error_output.find('\n', line);
    EXPECT_THAT(ended.error_output.substr(line, end - line), HasSubstr(mechanism));
  }
}

TEST_F(Audit, ShowsAConnectionWithWhoAndWhy) {
  const PalyraRun run = Auditing("all", PermitWhen(AddressIsOneOf({kPublicV4})));
  const ProbeResult probe = run.Probe({"tcp-connect", std::string(kPublicV4), kPort});
  EXPECT_EQ(probe.Summary(), "allowed none") << probe;
  EXPECT_THAT(probe.raw, Not(HasSubstr("palyra-run:"))) << "the terminal is the tool's";
  ASSERT_THAT(Allows(run), ElementsAre(Target("net.connect", "tcp", kPublicV4, kPort)));
  const json record = Records(run)[0];
  EXPECT_EQ(record["comm"], "palyra_probe");
  EXPECT_GT(record["pid"].get<int>(), 0);
  EXPECT_TRUE(record["layer"].is_null());
  EXPECT_THAT(record["policies"].get<std::vector<std::string>>(),
              ElementsAre(HasSubstr("mandatory"), HasSubstr("policy0")));
  EXPECT_EQ(Records(run).back()["audited"], 1);
  EXPECT_EQ(Records(run).back()["lost_audited"], 0);
}

// libc asks for the route to each address of a name, with a UDP socket at the port of the service.
TEST_F(Audit, ShowsNamesAndNoneOfLibcsProbes) {
  for (const char* condition : {"true", "resource.protocol == \"tcp\""}) {
    const PalyraRun run = Auditing("all", PermitDomain(condition));
    EXPECT_EQ(run.Probe({"name-connect", "a.test", kPort}).Summary(), "allowed none");
    ASSERT_THAT(Allows(run), ElementsAre(Target("net.connect", "tcp", kPublicV4, kPort)));
    const std::vector<json> records = Records(run);
    // Before it libc may have asked a cache for the name, over a unix socket that is denied.
    const auto allow =
        std::ranges::find(records, json("allow"), [](const json& r) { return r["event"]; });
    ASSERT_NE(allow, records.end());
    EXPECT_EQ((*allow)["names"], json::array({"a.test"}));
  }
  const PalyraRun run = Auditing("all", std::string(kPermitAll));
  EXPECT_EQ(run.Probe({"udp-connect-only", std::string(kPublicV4), kPort}).Summary(),
            "allowed none");
  EXPECT_THAT(Allows(run), IsEmpty());
}

TEST_F(Audit, ShowsTheBeginningOfAFlowAndNotEachPacket) {
  const std::string v4(kPublicV4);
  const std::string v6(kPublicV6);
  const PalyraRun connected = Auditing("all", std::string(kPermitAll));
  EXPECT_EQ(connected.Probe({"udp-connect-send", v6, kUdpPort}).Summary(), "allowed none");
  EXPECT_THAT(Allows(connected), ElementsAre(Target("net.connect", "udp", v6, kUdpPort)));
  EXPECT_EQ(Records(connected)[0]["comm"], "palyra_probe");

  const PalyraRun many = Auditing("all", std::string(kPermitAll));
  EXPECT_EQ(many.Probe({"udp-flood", v4, kUdpPort, "50", "20"}).detail, "denied=0,allowed=50");
  EXPECT_THAT(Allows(many), ElementsAre(Target("net.send", "udp", v4, kUdpPort)));

  const PalyraRun both = Auditing("all", std::string(kPermitAll));
  EXPECT_EQ(
      both.Probe({"udp-reconnect", v4, kUdpPort, std::string(kAllowedV4), kUdpPort}).Summary(),
      "allowed none");
  EXPECT_THAT(Allows(both), ElementsAre(Target("net.connect", "udp", kAllowedV4, kUdpPort)))
      << "nothing was sent to the first";
}

TEST_F(Audit, ShowsWhatAServerDoes) {
  const PalyraRun run = Auditing("all", std::string(kPermitAll));
  const ProbeResult probe = run.Probe({"tcp-pair", "127.0.0.1", "4321"});
  EXPECT_EQ(probe.Summary(), "allowed none") << probe;
  std::vector<std::string> actions;
  for (const json& record : Records(run)) {
    // Only where BPF LSM shows the call.
    if (record["event"] != "allow" || record["action"] == "net.listen") continue;
    actions.push_back(record["action"]);
  }
  EXPECT_THAT(actions, ElementsAre("net.bind", "net.connect", "net.accept"));
}

TEST_F(Audit, DeniesAreToldBesideAllows) {
  const PalyraRun run = Auditing("all", PermitWhen(AddressIsOneOf({kPublicV4})));
  const std::string probe = BinaryPath("palyra_probe");
  const Ended ended =
      run.Run({"sh", "-c",
               probe + " tcp-connect " + std::string(kPublicV4) + ' ' + kPort + "; " + probe +
                   " tcp-connect " + std::string(kDeniedV4) + ' ' + kPort});
  const std::vector<json> records = Records(run);
  ASSERT_EQ(records.size(), 3U) << Describe(ended);
  EXPECT_EQ(records[0]["event"], "allow");
  EXPECT_EQ(records[1]["event"], "denial");
  EXPECT_EQ(records[1]["address"], std::string(kDeniedV4));
  EXPECT_THAT(Describe(ended), HasSubstr("denied: net.connect tcp " + std::string(kDeniedV4)));
}

TEST_F(Audit, ShowsOneInSoMany) {
  const PalyraRun run = Auditing("1/10", std::string(kPermitAll));
  const ProbeResult probe = run.Probe({"udp-spray", std::string(kAllowedV4), "2000"});
  EXPECT_EQ(CountIn(probe.detail, "allowed"), 2000U) << probe;
  const json end = Records(run).back();
  EXPECT_THAT(end["audited"].get<int>(), AllOf(Ge(100), Le(350)));
  EXPECT_EQ(Allows(run).size() + end["lost_audited"].get<size_t>(), end["audited"].get<size_t>());
}

// Denials have a part of the ring that allows cannot take.
TEST_F(Audit, AFloodOfAllowsHidesNoDenial) {
  const PalyraRun run = Auditing(
      "all", std::string(kPermitAll) + ForbidWhen("resource.port == 30000 || resource.port == 9"));
  const ProbeResult probe = run.Probe({"udp-spray", std::string(kAllowedV4), "30000"});
  EXPECT_EQ(CountIn(probe.detail, "denied"), 2U) << probe;
  const std::vector<json> records = Records(run);
  const json& end = records.back();
  EXPECT_EQ(end["denied"], 2);
  EXPECT_EQ(end["lost"], 0);
  EXPECT_EQ(probe.audit.size(), 2U);
  EXPECT_EQ(end["audited"], 29998);
  EXPECT_EQ(Allows(run).size() + end["lost_audited"].get<size_t>(), 29998U);
}

size_t PeakKib(pid_t pid) {
  const std::string status = ReadText("/proc/" + std::to_string(pid) + "/status");
  const size_t at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::stoul(status.substr(at + 6));
}

TEST_F(Audit, AFloodOfDenialsIsCountedToTheLast) {
  constexpr int kSeconds = 8;
  PalyraRun run;
  run.Policy(ForbidWhen("true"));
  const steady_clock::time_point begin = steady_clock::now();
  const ProbeResult probe = run.Probe(
      {"udp-flood", std::string(kDeniedV4), kUdpPort, "1000000", std::to_string(kSeconds)});
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(3 * kSeconds));
  const uint64_t denied = CountIn(probe.detail, "denied");
  EXPECT_GT(denied, 10'000U) << probe;
  RecordProperty("denied", std::to_string(denied));
  const std::vector<json> records = Records(run);
  const json& end = records.back();
  EXPECT_EQ(end["denied"].get<uint64_t>(), denied);
  EXPECT_EQ(records.size() - 1 + end["lost"].get<uint64_t>() + end["left_out"].get<uint64_t>(),
            denied);
  EXPECT_LE(records.size(), 100'001U);
  // One line, whatever the number: what was told by itself, and the rest.
  EXPECT_THAT(probe.raw, HasSubstr("denied: net.send udp " + std::string(kDeniedV4)));
  if (end["lost"].get<uint64_t>() > 0) {
    EXPECT_THAT(probe.raw,
                HasSubstr("(" + std::to_string(end["lost"].get<uint64_t>()) + " without details)"));
  }
}

// The supervisor reads the flood, and all the same sees the clock and signals, in little memory.
TEST_F(Audit, AFloodOfDenialsHoldsUpNobody) {
  constexpr size_t kMostKib = size_t{64} * 1024;
  const std::vector<std::string> flood = {BinaryPath("palyra_probe"),
                                          "udp-flood",
                                          std::string(kDeniedV4),
                                          kUdpPort,
                                          "2000000000",
                                          "50"};
  PalyraRun timed;
  timed.Policy(ForbidWhen("true")).Option("--timeout", "2");
  steady_clock::time_point begin = steady_clock::now();
  EXPECT_EQ(timed.Run(flood).status, 124);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(20));

  PalyraRun signaled;
  signaled.Policy(ForbidWhen("true"));
  Subprocess process(signaled.CommandLine(flood));
  const steady_clock::time_point full = steady_clock::now() + std::chrono::seconds(20);
  while (ReadText(signaled.AuditPath()).size() < 1'000'000 && steady_clock::now() < full) {
    usleep(50'000);
  }
  const size_t peak = PeakKib(process.pid());
  EXPECT_GT(peak, 0U);
  EXPECT_LT(peak, kMostKib);
  begin = steady_clock::now();
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait().status, 128 + SIGTERM);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_GT(Records(signaled).back()["denied"].get<uint64_t>(), 1000U);
}

}  // namespace
}  // namespace palyra::tests
