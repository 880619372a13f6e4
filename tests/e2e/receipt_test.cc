// Receipts of runs, reports into files, and budgets, on the command line.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/own_store.h"
#include "tests/e2e/own_tools.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kPermitAll = "permit (principal, action, resource);";

class Receipts : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    // Files are written by the rights of whoever calls.
    ASSERT_EQ(chmod(files_.path().c_str(), 0777), 0);
    // Whatever the engine mounts, it mounts for the whole machine.
    ASSERT_EQ(PalyraRun().Run({"/bin/true"}).status, 0);
    mounts_ = OwnStore();
    tools_.emplace(mounts_.get());
  }

  [[nodiscard]] Ended Palyra(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), BinaryPath("palyra"));
    return RunProgram(arguments, tools_->Inside());
  }

  // What is in the receipt, which verifies.
  [[nodiscard]] json Verified() const {
    const Ended verified = Palyra({"receipt", "verify", path_});
    EXPECT_EQ(verified.status, 0) << Describe(verified);
    return json::parse(verified.output, nullptr, false);
  }

  UniqueFd mounts_;
  std::optional<OwnTools> tools_;
  TempDir files_;
  std::string path_ = files_.Path("receipt.json");
};

TEST_F(Receipts, SayWhatRanAndHowItEnded) {
  tools_->Add("git", "high");
  const std::string git = tools_->Program("git");
  SpawnOptions inside = tools_->Inside();
  inside.environment = {{"PATH=/usr/bin:/bin", "SUDO_UID=1000"}};
  const Ended ran = PalyraRun()
                        .Policy(kPermitAll)
                        .Option("--agent", "bot")
                        .Option("--chdir", files_.path())
                        .Option("--timeout", "60")
                        .Option("--env", "SECRET=hidden")
                        .Option("--receipt", path_)
                        .Run({git, "a", "secret"}, inside);
  EXPECT_EQ(ran.status, 0) << Describe(ran);
  EXPECT_EQ(ran.output, "a secret\n");
  const json receipt = Verified();
  EXPECT_EQ(receipt["agent"], "bot");
  EXPECT_EQ(receipt["caller"]["uid"], 1000);
  EXPECT_EQ(receipt["tool"]["name"], "git");
  EXPECT_EQ(receipt["tool"]["sensitivity"], "high");
  EXPECT_EQ(receipt["user"]["uid"], 1000);
  EXPECT_EQ(receipt["cwd"], files_.path());
  EXPECT_EQ(receipt["executable"]["path"], git);
  const std::string sum = tools_->Shell("sha256sum " + git).output;
  EXPECT_EQ(receipt["executable"]["sha256"], sum.substr(0, 64));
  const std::string words = tools_->Shell("printf '%s\\0' " + git + " a secret | sha256sum").output;
  EXPECT_EQ(receipt["argv"]["sha256"], words.substr(0, 64));
  EXPECT_EQ(receipt["argv"]["count"], 3);
  EXPECT_THAT(receipt["environment"], testing::Contains("SECRET"));
  EXPECT_EQ(receipt.dump().find("hidden"), std::string::npos) << "names, and no values";
  EXPECT_EQ(receipt["limits"]["timeout_ms"], 60000);
  EXPECT_EQ(receipt["rules"].get<std::string>().size(), 64U);
  EXPECT_FALSE(receipt["programs"].empty());
  EXPECT_FALSE(receipt["promises"].empty());
  EXPECT_GT(receipt["usage"]["cpu_us"]["amount"], 0);
  EXPECT_GT(receipt["usage"]["memory_peak_bytes"]["amount"], 0);
  EXPECT_EQ(receipt["end"], (json{{"how", "exited"}, {"status", 0}}));
  EXPECT_EQ(receipt["denied"]["total"], 0);
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(Receipts, SayWhatWasDeniedAndByWhom) {
  const Ended ran =
      PalyraRun()
          .Policy(
              "@id(\"mine\") forbid (principal, action == "
              "Palyra::Action::\"net.connect\", resource);")
          .Option("--receipt", path_)
          .Run({BinaryPath("palyra_probe"), "tcp-connect", "192.0.2.1", "443"}, tools_->Inside());
  const json receipt = Verified();
  EXPECT_EQ(receipt["end"]["status"], ran.status);
  ASSERT_EQ(receipt["denied"]["of"].size(), 1U) << receipt.dump(2) << Describe(ran);
  const json& denial = receipt["denied"]["of"][0];
  EXPECT_EQ(denial["action"], "net.connect");
  EXPECT_EQ(denial["address"], "192.0.2.1");
  EXPECT_EQ(denial["port"], 443);
  EXPECT_GE(denial["count"], 1);
  EXPECT_THAT(denial["policies"][0], HasSubstr("\"mine\""));
}

TEST_F(Receipts, AreThereOfRefusedRunsToo) {
  const Ended refused = PalyraRun()
                            .Policy(
                                "forbid (principal, action == "
                                "Palyra::Action::\"tool.execute\", resource);")
                            .Option("--receipt", path_)
                            .Run({"/bin/echo", "ran"}, tools_->Inside());
  EXPECT_EQ(refused.status, 126);
  EXPECT_EQ(refused.output, "");
  const json receipt = Verified();
  EXPECT_EQ(receipt["run"], nullptr);
  EXPECT_EQ(receipt["end"]["how"], "refused");
  EXPECT_EQ(receipt["end"]["status"], 126);
  EXPECT_THAT(receipt["end"]["why"], HasSubstr("tool.execute"));
  EXPECT_EQ(receipt["executable"]["path"], std::filesystem::canonical("/bin/echo").string());
  const Ended missing =
      PalyraRun().Policy(kPermitAll).Option("--receipt", path_).Run({"/missing"}, tools_->Inside());
  EXPECT_EQ(missing.status, 127);
  EXPECT_EQ(Verified()["end"], (json{{"how", "not found"}, {"status", 127}}));
  EXPECT_EQ(Verified()["executable"], nullptr);
}

TEST_F(Receipts, AreVerifiedByTheKeyThatSignedThem) {
  EXPECT_EQ(Palyra({"receipt", "key"}).status, 2) << "there is none yet";
  ASSERT_EQ(PalyraRun()
                .Policy(kPermitAll)
                .Option("--receipt", path_)
                .Run({"/bin/true"}, tools_->Inside())
                .status,
            0);
  const Ended key = Palyra({"receipt", "key"});
  EXPECT_EQ(key.status, 0);
  EXPECT_THAT(key.output, testing::StartsWith("-----BEGIN PUBLIC KEY-----\n"));
  const std::string own = files_.Write("own.pem", key.output);
  EXPECT_EQ(Palyra({"receipt", "verify", path_, "--key", own}).status, 0);
  const std::string other = files_.Write(
      "other.pem",
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAI+KzMnW9JPuN1vMS5fnqDWZp/GtUzZRwk6UShHES+yY=\n"
      "-----END PUBLIC KEY-----\n");
  const Ended wrong = Palyra({"receipt", "verify", path_, "--key", other});
  EXPECT_EQ(wrong.status, 1);
  EXPECT_EQ(wrong.output, "");
  EXPECT_THAT(wrong.error_output, HasSubstr("not signed by this key"));
  const std::string text = ReadText(path_);
  std::string changed = text;
  changed[text.size() / 2] = changed[text.size() / 2] == 'A' ? 'B' : 'A';
  const Ended tampered = Palyra({"receipt", "verify", files_.Write("changed.json", changed)});
  EXPECT_EQ(tampered.status, 1);
  EXPECT_EQ(tampered.output, "");
  EXPECT_EQ(Palyra({"receipt", "verify", files_.Path("missing")}).status, 2);
}

TEST_F(Receipts, AreWrittenNowhereElseAndNothingRunsWithout) {
  const std::string target = files_.Write("target", "precious");
  std::filesystem::create_symlink(target, files_.Path("link"));
  for (const std::string& path : {files_.Path("link"), files_.Path("missing/receipt")}) {
    const Ended ended = PalyraRun()
                            .Policy(kPermitAll)
                            .Option("--receipt", path)
                            .Run({"/bin/echo", "ran"}, tools_->Inside());
    EXPECT_EQ(ended.status, 125);
    EXPECT_EQ(ended.output, "");
  }
  EXPECT_EQ(ReadText(target), "precious");
}

TEST_F(Receipts, AReportGoesIntoAFileAsJson) {
  const std::string path = files_.Path("report.json");
  const Ended ran = PalyraRun()
                        .Policy(kPermitAll)
                        .Option("--report=" + path)
                        .Run({"/bin/echo", "ran"}, tools_->Inside());
  EXPECT_EQ(ran.output, "ran\n") << Describe(ran);
  EXPECT_EQ(ran.error_output, "");
  const json report = json::parse(ReadText(path), nullptr, false);
  EXPECT_GE(report["promises"].size(), 10U);
  const Ended plain =
      PalyraRun().Policy(kPermitAll).Option("--report").Run({"/bin/echo", "ran"}, tools_->Inside());
  EXPECT_EQ(plain.output, "ran\n");
  EXPECT_THAT(plain.error_output, HasSubstr("net.connect"));
}

// A caller who may run nothing but this by sudo writes no file that is root's.
TEST_F(Receipts, NoFileOfRootsIsWritten) {
  const TempDir roots;
  const std::string file = roots.Write("file", "of root");
  SpawnOptions inside = tools_->Inside();
  inside.environment = {{"PATH=/usr/bin:/bin", "SUDO_UID=1000"}};
  for (const char* option : {"--receipt=", "--report=", "--audit="}) {
    const Ended ended =
        PalyraRun().Policy(kPermitAll).Option(option + file).Run({"/bin/true"}, inside);
    EXPECT_EQ(ended.status, 125) << option << Describe(ended);
    EXPECT_EQ(ReadText(file), "of root") << option;
  }
}

TEST_F(Receipts, CallsAreBudgeted) {
  tools_->Add("npm", "low", "calls = \"2/d\"\n");
  tools_->Shell("printf '[budget]\\ncalls = \"3/d\"\\n' >/etc/palyra/tools.d/budget.toml");
  const auto run = [&](const std::string& program, const std::string& caller = "1000") {
    SpawnOptions inside = tools_->Inside();
    inside.environment = {{"PATH=/usr/bin:/bin", "SUDO_UID=" + caller}};
    return PalyraRun().Policy(kPermitAll).Run({program, "ran"}, inside);
  };
  const std::string npm = tools_->Program("npm");
  const std::string other = tools_->Program("other");
  EXPECT_EQ(run(npm).output, "ran\n");
  EXPECT_EQ(run(npm).output, "ran\n");
  const Ended spent = run(npm);
  EXPECT_EQ(spent.status, 126);
  EXPECT_EQ(spent.output, "");
  EXPECT_THAT(spent.error_output, HasSubstr("the budget of the tool \"npm\" for uid 1000"));
  EXPECT_THAT(spent.error_output, HasSubstr("free again at 2"));
  EXPECT_EQ(run(other).output, "ran\n");
  EXPECT_THAT(run(other).error_output, HasSubstr("the budget of all tools for uid 1000"));
  EXPECT_EQ(run(npm, "1001").output, "ran\n");
}

}  // namespace
}  // namespace palyra::tests
