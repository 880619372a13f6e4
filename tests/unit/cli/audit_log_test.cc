#include "cli/audit_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

namespace palyra::cli {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::MatchesRegex;

constexpr const char* kTimePattern =
    "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z";

palyra_event EventNow(std::string_view comm) {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  palyra_event event = {};
  event.time_ns =
      static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  event.run = 0xFFFF'FFFF'FFFF'FFFE;  // More than a double holds.
  event.pid = 4242;
  std::ranges::copy(comm, event.comm);
  return event;
}

Denial DeniedConnect() {
  return {.action = "net.connect",
          .protocol = "tcp",
          .address = "192.0.2.1",
          .port = 443,
          .layer = policy::Layer::kCaller,
          .policies = {"policy0 (a.cedar:1)"},
          .note = {}};
}

std::vector<std::string> Keys(const ordered_json& record) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : record.items()) keys.push_back(key);
  return keys;
}

class AuditLogTest : public testing::Test {
 protected:
  [[nodiscard]] AuditLog Open() const {
    Result<AuditLog> log = AuditLog::Open(path_);
    EXPECT_TRUE(log) << log.error().message;
    return *std::move(log);
  }

  // Each line of the file, which must be JSON.
  [[nodiscard]] std::vector<ordered_json> Records() const {
    std::vector<ordered_json> records;
    std::istringstream lines(tests::ReadText(path_));
    for (std::string line; std::getline(lines, line);) {
      records.push_back(ordered_json::parse(line));
    }
    return records;
  }

  const tests::TempDir directory_;
  const std::string path_ = directory_.Path("audit");
};

TEST_F(AuditLogTest, WritesOneObjectForEachDenial) {
  AuditLog log = Open();
  log.Write(EventNow("curl"), DeniedConnect());
  const std::vector<ordered_json> records = Records();
  ASSERT_EQ(records.size(), 1U);
  const ordered_json& record = records[0];
  EXPECT_THAT(Keys(record), ElementsAre("event", "time", "cgroup", "verdict", "action", "protocol",
                                        "address", "port", "pid", "comm", "policies", "layer"));
  EXPECT_EQ(record["event"], "denial");
  EXPECT_EQ(record["cgroup"], 0xFFFF'FFFF'FFFF'FFFE);
  EXPECT_EQ(record["verdict"], "deny");
  EXPECT_EQ(record["action"], "net.connect");
  EXPECT_EQ(record["protocol"], "tcp");
  EXPECT_EQ(record["address"], "192.0.2.1");
  EXPECT_EQ(record["port"], 443);
  EXPECT_EQ(record["pid"], 4242);
  EXPECT_EQ(record["comm"], "curl");
  EXPECT_EQ(record["policies"], ordered_json::array({"policy0 (a.cedar:1)"}));
  EXPECT_EQ(record["layer"], "caller");
  EXPECT_TRUE(log.state());
}

TEST_F(AuditLogTest, HasNoLayerWhereNoPolicyDenied) {
  AuditLog log = Open();
  Denial denial = DeniedConnect();
  denial.layer.reset();
  denial.policies.clear();
  log.Write(EventNow("x"), denial);
  EXPECT_TRUE(Records().at(0)["layer"].is_null());
  EXPECT_TRUE(Records().at(0)["policies"].is_array());
}

TEST_F(AuditLogTest, TellsTheTimeOfTheEventInUtc) {
  AuditLog log = Open();
  palyra_event event = EventNow("x");
  event.time_ns -= 5'000'000'000;
  const time_t expected = time(nullptr) - 5;
  log.Write(event, DeniedConnect());
  const std::string text = Records().at(0)["time"];
  ASSERT_THAT(text, MatchesRegex(kTimePattern));
  tm parts = {};
  ASSERT_NE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts), nullptr);
  EXPECT_NEAR(static_cast<double>(timegm(&parts)), static_cast<double>(expected), 2);
}

TEST_F(AuditLogTest, WritesValidJsonForAnyNameOfAProcess) {
  const std::string_view names[] = {"\xff\xfe", "quote\"",      "new\nline",
                                    "\x1b[2J",  "half\xe2\x80", "sixteen-bytes-xx"};
  {
    AuditLog log = Open();
    for (const std::string_view name : names) log.Write(EventNow(name), DeniedConnect());
  }
  const std::vector<ordered_json> records = Records();
  ASSERT_EQ(records.size(), std::size(names));
  EXPECT_EQ(records[0]["comm"], "\uFFFD\uFFFD");
  EXPECT_EQ(records[1]["comm"], "quote\"");
  EXPECT_EQ(records[2]["comm"], "new\nline");
  EXPECT_EQ(records[5]["comm"], "sixteen-bytes-xx") << "without a final NUL";
}

TEST_F(AuditLogTest, WritesHowTheRunBegins) {
  AuditLog log = Open();
  engine::ToolUser user;
  user.uid = 1000;
  user.chosen_by = "--user";
  log.WriteStart(
      {.run = {.id = "0123", .cgroup = 0xFFFF'FFFF'FFFF'FFFE},
       .facts = {.agent = "a", .tool = "git", .workspace = "/w"},
       .user = user,
       .command = "/usr/bin/git",
       .egress = policy::EgressEnforcementMode::kNone,
       .rules = {},
       .unheld = {"file-names"},
       .report = {.promises = {{.topic = "t", .name = "p", .held = true, .mechanism = "m"},
                               {.topic = "t", .name = "q", .mechanism = "w", .remedy = "r"}}}});
  const ordered_json record = Records().at(0);
  EXPECT_THAT(Keys(record),
              ElementsAre("event", "time", "run", "cgroup", "agent", "tool", "tier", "workspace",
                          "user", "command", "egress", "rules", "unheld", "promises"));
  EXPECT_EQ(record["event"], "start");
  EXPECT_EQ(record["run"], "0123");
  EXPECT_EQ(record["cgroup"], 0xFFFF'FFFF'FFFF'FFFE);
  EXPECT_EQ(record["tool"], "git");
  EXPECT_EQ(record["user"]["uid"], 1000);
  EXPECT_EQ(record["command"], "/usr/bin/git");
  EXPECT_EQ(record["egress"], "none");
  EXPECT_EQ(record["rules"].get<std::string>().size(), 64U);
  EXPECT_EQ(record["unheld"], ordered_json::array({"file-names"}));
  EXPECT_EQ(record["promises"], ordered_json::parse(R"([
              {"topic": "t", "promise": "p", "held": true, "mechanism": "m"},
              {"topic": "t", "promise": "q", "held": false, "why": "w", "remedy": "r"}])"));
}

TEST_F(AuditLogTest, WritesThatARunDidNotBegin) {
  AuditLog log = Open();
  log.WriteRefusal({.agent = "a", .tool = "git"},
                   {.layer = policy::Layer::kOperator, .policies = {"policy0"}, .text = "no"},
                   {"file-names"});
  const ordered_json record = Records().at(0);
  EXPECT_THAT(Keys(record), ElementsAre("event", "time", "verdict", "action", "agent", "tool",
                                        "layer", "policies", "unheld"));
  EXPECT_EQ(record["event"], "refusal");
  EXPECT_EQ(record["action"], "tool.execute");
  EXPECT_EQ(record["layer"], "operator");
  EXPECT_EQ(record["policies"], ordered_json::array({"policy0"}));
}

TEST_F(AuditLogTest, WritesTheEndOfTheRun) {
  AuditLog log = Open();
  engine::RunOutcome outcome;
  outcome.run_id = "0123";
  outcome.end = engine::RunEnd::kTimedOut;
  outcome.counters = {.denied = 7, .lost = 2, .audited = 5, .lost_audited = 1};
  log.WriteEnd(outcome, 124, policy::EgressEnforcementMode::kPreflight);
  const ordered_json record = Records().at(0);
  EXPECT_THAT(Keys(record),
              ElementsAre("event", "time", "run", "egress", "end", "limit", "status", "denied",
                          "lost", "left_out", "audited", "lost_audited", "left_out_audited"));
  EXPECT_EQ(record["event"], "end");
  EXPECT_EQ(record["run"], "0123");
  EXPECT_EQ(record["egress"], "preflight");
  EXPECT_EQ(record["end"], "timed out");
  EXPECT_EQ(record["status"], 124);
  EXPECT_TRUE(record["limit"].is_null());
  EXPECT_EQ(record["denied"], 7);
  EXPECT_EQ(record["lost"], 2);
  EXPECT_EQ(record["left_out"], 0);
  EXPECT_EQ(record["audited"], 5);
  EXPECT_EQ(record["lost_audited"], 1);
  EXPECT_EQ(record["left_out_audited"], 0);
}

TEST_F(AuditLogTest, WritesWhatWasAllowedToo) {
  AuditLog log = Open();
  Denial allowed = DeniedConnect();
  allowed.layer.reset();
  allowed.names = {"a.example"};
  log.WriteAllow(EventNow("curl"), allowed);
  const ordered_json record = Records().at(0);
  EXPECT_THAT(Keys(record),
              ElementsAre("event", "time", "cgroup", "verdict", "action", "protocol", "address",
                          "port", "pid", "comm", "policies", "layer", "names"));
  EXPECT_EQ(record["event"], "allow");
  EXPECT_EQ(record["verdict"], "allow");
  EXPECT_TRUE(record["layer"].is_null());
  EXPECT_EQ(record["policies"], ordered_json::array({"policy0 (a.cedar:1)"}));
  EXPECT_EQ(record["names"], ordered_json::array({"a.example"}));
}

TEST_F(AuditLogTest, AllowsTakeNoRoomOfDenials) {
  AuditLog log = Open();
  const palyra_event event = EventNow("x");
  for (uint64_t i = 0; i < AuditLog::kMostAllows + 2; ++i) log.WriteAllow(event, DeniedConnect());
  log.Write(event, DeniedConnect());
  log.WriteEnd({}, 0, policy::EgressEnforcementMode::kStrict);
  const std::vector<ordered_json> records = Records();
  ASSERT_EQ(records.size(), AuditLog::kMostAllows + 2);
  EXPECT_EQ(records[records.size() - 2]["event"], "denial");
  EXPECT_EQ(records.back()["left_out"], 0);
  EXPECT_EQ(records.back()["left_out_audited"], 2);
}

TEST_F(AuditLogTest, CountsWhatIsTooMuchForTheDisk) {
  AuditLog log = Open();
  const palyra_event event = EventNow("x");
  for (uint64_t i = 0; i < AuditLog::kMostDenials + 3; ++i) log.Write(event, DeniedConnect());
  log.WriteEnd({}, 0, policy::EgressEnforcementMode::kStrict);
  const std::vector<ordered_json> records = Records();
  ASSERT_EQ(records.size(), AuditLog::kMostDenials + 1);
  EXPECT_EQ(records.back()["left_out"], 3);
}

TEST_F(AuditLogTest, MakesAFileForItsOwnerAlone) {
  const AuditLog log = Open();
  struct stat status = {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(AuditLogTest, AppendsToWhatIsThere) {
  (void)directory_.Write("audit", "{\"event\":\"before\"}\n");
  Open().Write(EventNow("x"), DeniedConnect());
  Open().Write(EventNow("y"), DeniedConnect());
  const std::vector<ordered_json> records = Records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0]["event"], "before");
}

// In a directory that the tool can write, a link would send our words anywhere.
TEST_F(AuditLogTest, DoesNotFollowASymbolicLink) {
  const std::string target = directory_.Write("target", "untouched");
  ASSERT_EQ(symlink(target.c_str(), path_.c_str()), 0);
  const Result<AuditLog> log = AuditLog::Open(path_);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().system_errno, ELOOP);
  EXPECT_EQ(tests::ReadText(target), "untouched");
}

TEST_F(AuditLogTest, FailsWhereThereIsNoDirectory) {
  EXPECT_FALSE(AuditLog::Open(directory_.Path("missing/audit")));
  EXPECT_FALSE(AuditLog::Open(""));
}

TEST_F(AuditLogTest, RemembersThatAWriteFailed) {
  Result<AuditLog> log = AuditLog::Open("/dev/full");
  ASSERT_TRUE(log);
  log->Write(EventNow("x"), DeniedConnect());
  ASSERT_FALSE(log->state());
  EXPECT_EQ(log->state().error().system_errno, ENOSPC);
  log->WriteEnd({}, 0, policy::EgressEnforcementMode::kStrict);
  EXPECT_FALSE(log->state());
}

}  // namespace
}  // namespace palyra::cli
