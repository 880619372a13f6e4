// Roundabout ways to files where no BPF LSM program holds them: bare each leads there, in a run
// none does, and the test looks at the tree from outside.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "engine/features.h"
#include "engine/file_judge.h"
#include "tests/e2e/files_fixture.h"
#include "tests/e2e/giver.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

Feature LandlockFiles() {
  engine::Features features;
  const bool held = engine::FileJudgeOf(engine::Host(), features) == engine::FileJudge::kLandlock;
  return {.name = "files held by Landlock",
          .since = {.major = 6, .minor = 2},
          .state = held ? Result<void>() : Fail(ErrorCode::kUnsupported, "another holds them")};
}

class LandlockWays : public Files {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    PALYRA_REQUIRE_FEATURE(LandlockFiles());
    MakeTree();
  }

  // Everything in ws but for secret, and but changes of .git/hooks; programs of ws/bin.
  [[nodiscard]] std::string Policy() const {
    const auto in = [this](const std::string& name) {
      return "resource in Palyra::Directory::\"" + tree() + '/' + name + "\");\n";
    };
    return "permit (principal, action in Palyra::Action::\"file.any\", " + in("ws") +
           "permit (principal, action == Palyra::Action::\"file.read\", resource == "
           "Palyra::Path::\"" +
           Out("readable") +
           "\");\n"
           "permit (principal, action in [Palyra::Action::\"file.read\", "
           "Palyra::Action::\"process.exec\"], resource in Palyra::Directory::\"" +
           fs::path(BinaryPath("palyra_probe")).parent_path().string() +
           "\");\n"
           "forbid (principal, action in Palyra::Action::\"file.any\", " +
           in("ws/secret") + "forbid (principal, action in Palyra::Action::\"file.modify\", " +
           in("ws/.git/hooks") + "permit (principal, action == Palyra::Action::\"process.exec\", " +
           in("ws/bin");
  }

  // Outside every run, by the tool's user or by root.
  [[nodiscard]] std::string Bare(const std::vector<std::string>& words, uid_t uid) const {
    MakeTree();
    std::vector<std::string> command = {BinaryPath("palyra_probe"), "try"};
    command.insert(command.end(), words.begin(), words.end());
    SpawnOptions options;
    options.in_child = [uid] {
      return setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0 ? 0 : 99;
    };
    const std::vector<std::string> lines = Lines(RunProgram(command, options).output);
    return lines.empty() ? "" : lines[0].substr(words[0].size() + 1);
  }

  void ExpectWaysHeld(const std::vector<FileAttempt>& attempts, uid_t uid = 1000) const {
    for (const FileAttempt& attempt : attempts) {
      EXPECT_EQ(Bare(attempt.words, uid), attempt.or_bare) << attempt.words[0];
    }
    MakeTree();
    const auto before = Snapshot();
    PalyraRun run;
    run.Policy(Policy()).User(std::to_string(uid));
    std::string raw;
    const std::vector<std::string> lines = TryInRun(run, attempts, raw);
    ExpectAnswers(lines, attempts, raw);
    EXPECT_EQ(Snapshot(), before);
  }
};

TEST_F(LandlockWays, NoneLeadsToWhatIsForbidden) {
  SpawnOptions as_tool;
  as_tool.in_child = [] {
    return setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0 ? 0 : 99;
  };
  const Subprocess outsider({"/bin/sleep", "600"}, as_tool);
  const std::string pid = std::to_string(outsider.pid());
  ASSERT_TRUE(Eventually([&] { return ReadText("/proc/" + pid + "/cmdline").contains("600"); }));
  ExpectWaysHeld(
      {{.words = {"ring-open-read", Ws("own")}, .expected = "ENOSYS"},
       {.words = {"open-through-child", Out("o")}},
       {.words = {"open-through-process", pid, Ws("own")}},
       {.words = {"create-deep", Out("d")}, .expected = "EROFS"},
       {.words = {"link-unnamed", Ws("scratch"), Ws(".git/hooks/new")}, .expected = "EROFS"},
       {.words = {"link-unnamed", Ws("scratch"), Ws("bin/new")}, .expected = "EXDEV"},
       {.words = {"subvolume-create", Ws("d")}, .expected = "EPERM", .or_bare = "ENOTTY"},
       {.words = {"snapshot-destroy-v2", Ws("d")}, .expected = "EPERM", .or_bare = "ENOTTY"}});
}

TEST_F(LandlockWays, WhatIsPermittedSucceeds) {
  PalyraRun run;
  run.Policy(Policy());
  const std::vector<FileAttempt> attempts = {
      {.words = {"open-through-child", Ws("own")}, .expected = "none"},
      {.words = {"create-deep", Ws("scratch")}, .expected = "none"},
      {.words = {"link-unnamed", Ws("scratch"), Ws("scratch/new")}, .expected = "none"},
      {.words = {"create", Ws("new\nline")}, .expected = "none"},
      {.words = {"open-write", Ws("secretfoo")}, .expected = "none"}};
  std::string raw;
  const std::vector<std::string> lines = TryInRun(run, attempts, raw);
  ExpectAnswers(lines, attempts, raw);
}

TEST_F(LandlockWays, UidZeroDoesNotControlTheKernel) {
  std::vector<FileAttempt> attempts = {
      {.words = {"open-by-handle", Out("o"), Ws("own")}, .expected = "EPERM"},
      {.words = {"open-write", "/proc/sys/kernel/core_pattern"}, .expected = "EROFS"}};
  // Not every kernel is built with it.
  if (fs::exists("/proc/sysrq-trigger")) {
    attempts.push_back({.words = {"open-write", "/proc/sysrq-trigger"}, .expected = "EROFS"});
  }
  ExpectWaysHeld(attempts, 0);
}

// Landlock judges a file as it is opened, and somebody else has opened it.
TEST_F(LandlockWays, WhatAPermittedServerSendsIsReceived) {
  const TempDir place;
  ASSERT_EQ(chmod(place.path().c_str(), 0755), 0);
  const UniqueFd given(open(Out("o").c_str(), O_RDONLY | O_CLOEXEC));
  const std::string socket = place.Path("giver.sock");
  const Giver giver(socket, given.get());
  PalyraRun run;
  run.Policy(Policy()).Option("--allow-unix", socket);
  std::string raw;
  const std::vector<FileAttempt> attempts = {
      {.words = {"receive-file", socket}, .expected = "none"}};
  ExpectAnswers(TryInRun(run, attempts, raw), attempts, raw);
}

}  // namespace
}  // namespace palyra::tests
