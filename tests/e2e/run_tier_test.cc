// What a cell is from within, and what of it can be seen from outside: the tool in its cell, the
// same tool on the host as the control, and the test as the observer.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/policies.h"
#include "tests/e2e/unix_fixture.h"
#include "tests/support/listeners.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class RunTier : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    ASSERT_EQ(chown(workspace_.path().c_str(), kToolUid, kToolUid), 0);
  }

  [[nodiscard]] SpawnOptions InWorkspace() const {
    SpawnOptions options;
    options.directory = workspace_.path();
    return options;
  }

  // A run of that tier whose policies speak of the network alone.
  static PalyraRun In(const std::string& tier) {
    PalyraRun run;
    run.Policy(PermitWhen("true"));
    run.Option("--tier", tier);
    return run;
  }

  [[nodiscard]] std::vector<std::string> Print(const PalyraRun& run,
                                               const std::vector<std::string>& arguments) const {
    std::vector<std::string> command = {BinaryPath("palyra_probe")};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Ended ended = run.Run(command, InWorkspace());
    EXPECT_EQ(ended.status, 0) << Describe(ended);
    std::vector<std::string> lines;
    std::istringstream stream(ended.output);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }

  [[nodiscard]] std::string Touch(const PalyraRun& run, const std::string& path) const {
    return run.Probe({"touch", path}, InWorkspace()).Summary();
  }

  const TempDir workspace_;
};

std::string OwnNamespace(const char* name) {
  std::array<char, 64> target = {};
  const std::string link = std::string("/proc/self/ns/") + name;
  EXPECT_GT(readlink(link.c_str(), target.data(), target.size() - 1), 0);
  return target.data();
}

TEST_P(RunTier, HasProcessesAndNamesOfItsOwn) {
  const auto guard = Print(In("guard"), {"namespaces-print"});
  const auto cell = Print(In(GetParam()), {"namespaces-print"});
  EXPECT_THAT(cell, Contains("pid 2"));
  EXPECT_THAT(cell, Contains("parent 1"));
  for (const char* name : {"cgroup", "ipc", "mnt", "pid", "uts"}) {
    EXPECT_THAT(cell, Not(Contains(OwnNamespace(name))));
  }
  for (const char* name : {"ipc", "pid", "uts", "net"}) {
    EXPECT_THAT(guard, Contains(OwnNamespace(name))) << "the control";
  }
  // None is needed, and many hosts forbid them.
  EXPECT_THAT(cell, Contains(OwnNamespace("user")));
  const bool shares_network = GetParam() == "cell";
  EXPECT_EQ(std::ranges::count(cell, OwnNamespace("net")), shares_network ? 1 : 0);
  // Of every process of the machine, two are there.
  EXPECT_THAT(Print(In(GetParam()), {"list", "/proc"}), Contains("2"));
  EXPECT_THAT(Print(In(GetParam()), {"list", "/proc"}), Not(Contains(std::to_string(getpid()))));
  EXPECT_THAT(Print(In("guard"), {"list", "/proc"}), Contains(std::to_string(getpid())));
}

TEST_P(RunTier, WritesItsWorkspaceAndNothingElseOfTheHost) {
  const TempDir elsewhere;
  ASSERT_EQ(chmod(elsewhere.path().c_str(), 0777), 0);
  const std::string outside = elsewhere.Path("made");
  const PalyraRun run = In(GetParam());
  EXPECT_EQ(Touch(run, workspace_.Path("made")), "allowed none");
  EXPECT_TRUE(fs::exists(workspace_.Path("made")));
  EXPECT_EQ(Touch(run, outside), "other ENOENT");
  EXPECT_FALSE(fs::exists(outside));
  EXPECT_EQ(Touch(In("guard"), outside), "allowed none") << "the control";
  EXPECT_TRUE(fs::exists(outside));
}

TEST_P(RunTier, HasTemporaryFilesOfItsOwn) {
  const std::string name = "/tmp/of-a-cell-" + std::to_string(getpid());
  const PalyraRun run = In(GetParam());
  EXPECT_EQ(Touch(run, name), "allowed none");
  EXPECT_FALSE(fs::exists(name));
  EXPECT_EQ(Touch(run, "/dev/shm/x"), "allowed none");
  EXPECT_FALSE(fs::exists("/dev/shm/x"));
  // The next one begins with nothing but the way to its workspace.
  EXPECT_THAT(Print(run, {"list", "/tmp"}),
              UnorderedElementsAre(fs::path(workspace_.path()).filename().string()));
  EXPECT_THAT(Print(run, {"list", "/var/tmp", "/dev/shm"}), IsEmpty());
}

// Uid 0 may do more with files than others, and changes no more of the host.
TEST_P(RunTier, NobodyChangesTheSystem) {
  for (const char* user : {"0", "1000"}) {
    PalyraRun run = In(GetParam());
    run.User(user);
    for (const char* path : {"/x", "/etc/x", "/usr/x", "/dev/x", "/run/x", "/proc/x", "/sys/x",
                             "/sys/fs/cgroup/x", "/proc/sys/kernel/x"}) {
      EXPECT_THAT(Touch(run, path),
                  testing::AnyOf("other EROFS", "denied EACCES", "denied EPERM", "other ENOENT"))
          << path << " as " << user;
      EXPECT_FALSE(fs::exists(path));
    }
  }
  PalyraRun control = In("guard");
  control.User("0");
  EXPECT_EQ(Touch(control, "/etc/of-a-control"), "allowed none");
  fs::remove("/etc/of-a-control");
}

TEST_P(RunTier, HasTheDevicesThatKeepNothing) {
  EXPECT_THAT(Print(In(GetParam()), {"list", "/dev"}),
              UnorderedElementsAre("fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr",
                                   "stdin", "stdout", "tty", "urandom", "zero"));
  EXPECT_EQ(In(GetParam()).Probe({"touch", "/dev/null"}, InWorkspace()).Summary(), "allowed none");
}

TEST_P(RunTier, HidesWhatTellsOfTheMachine) {
  PalyraRun run = In(GetParam());
  run.User("0");
  for (const char* path : {"/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/sysrq-trigger"}) {
    if (!fs::exists(path)) continue;
    const ProbeResult result = run.Probe({"print-file", path}, InWorkspace());
    EXPECT_EQ(result.Summary(), "denied EACCES") << path;
  }
  for (const char* path : {"/sys/fs/bpf", "/sys/firmware", "/sys/kernel/debug"}) {
    if (!fs::exists(path)) continue;
    EXPECT_EQ(run.Probe({"list", path}, InWorkspace()).Summary(), "denied EACCES") << path;
  }
  // Neither other runs nor our own files.
  EXPECT_THAT(Print(run, {"list", "/run"}), Contains("palyra"));
  EXPECT_THAT(Print(run, {"list", "/run/palyra"}), Not(Contains("runs")));
}

// Keys of receipts, policies, budgets.
TEST_P(RunTier, OurOwnStateIsHidden) {
  ASSERT_FALSE(fs::is_empty("/var/lib/palyra")) << "the control";
  for (const char* tier : {"guard", GetParam().c_str()}) {
    PalyraRun run = In(tier);
    run.User("0");
    EXPECT_EQ(run.Probe({"list", "/var/lib/palyra"}).Summary(), "denied EACCES") << tier;
    EXPECT_NE(run.Probe({"list", "/var/lib/palyra/policy"}).verdict, "allowed") << tier;
  }
}

TEST_P(RunTier, ItsFirstProcessCannotBeTouched) {
  for (const char* user : {"0", "1000"}) {
    PalyraRun run = In(GetParam());
    run.User(user);
    // The signals are sent, and nothing comes of them: the run goes on to its end.
    const ProbeResult killed = run.Probe({"init-kill"}, InWorkspace());
    EXPECT_THAT(killed.Summary(), testing::AnyOf("allowed none", "denied EPERM")) << killed;
    const ProbeResult read = run.Probe({"init-read"}, InWorkspace());
    EXPECT_EQ(read.verdict, "denied") << read;
    const auto name = Print(run, {"print-file", "/proc/1/comm", "/proc/1/cmdline"});
    ASSERT_FALSE(name.empty());
    EXPECT_EQ(name[0], "palyra-init");
    EXPECT_THAT(name.size() > 1 ? name[1] : "", Not(HasSubstr("policy")));
  }
}

TEST_P(RunTier, EndsAsItsCommandDoes) {
  const PalyraRun run = In(GetParam());
  const std::string probe = BinaryPath("palyra_probe");
  EXPECT_EQ(run.Run({probe, "exit-with", "7"}).status, 7);
  EXPECT_EQ(run.Run({probe, "raise", std::to_string(SIGTERM)}).status, 128 + SIGTERM);
  EXPECT_EQ(run.Run({probe, "raise", std::to_string(SIGSEGV)}).status, 128 + SIGSEGV);
  EXPECT_EQ(run.Run({"/no/such/command"}).status, 127);
  EXPECT_EQ(run.Run({workspace_.Write("plain", "x")}, InWorkspace()).status, 126);
}

TEST_P(RunTier, StartsWhereItWasStarted) {
  EXPECT_EQ(Print(In(GetParam()), {"cwd-print"}), std::vector<std::string>{workspace_.path()});
  // Where the rules permit nothing, there is an empty directory.
  const TempDir elsewhere;
  (void)elsewhere.Write("secret", "s");
  PalyraRun run;
  run.Option("--tier", GetParam()).Option("--allow-exec", BinaryPath("palyra_probe"));
  run.Option("--workspace", workspace_.path());
  SpawnOptions there;
  there.directory = elsewhere.path();
  const Ended ended = run.Run({BinaryPath("palyra_probe"), "cwd-print"}, there);
  EXPECT_THAT(ended.output, HasSubstr(elsewhere.path())) << Describe(ended);
  EXPECT_EQ(run.Probe({"print-file", elsewhere.Path("secret")}, there).Summary(), "other ENOENT");
}

TEST_P(RunTier, RulesOnFilesDecideWhatIsThere) {
  const TempDir shown;
  const TempDir hidden;
  for (const TempDir* directory : {&shown, &hidden}) (void)directory->Write("file", "text\n");
  ASSERT_EQ(chown(shown.path().c_str(), kToolUid, kToolUid), 0);
  const auto with = [&](const std::string& option) {
    PalyraRun run;
    run.Option("--tier", GetParam()).Option("--allow-exec", BinaryPath("palyra_probe"));
    run.Option(option, shown.path());
    return run;
  };
  EXPECT_THAT(Print(with("--allow-read"), {"print-file", shown.Path("file")}),
              UnorderedElementsAre("text"));
  EXPECT_EQ(with("--allow-read").Probe({"print-file", hidden.Path("file")}).Summary(),
            "other ENOENT");
  EXPECT_NE(with("--allow-read").Probe({"touch", shown.Path("new")}).verdict, "allowed");
  EXPECT_FALSE(fs::exists(shown.Path("new")));
  EXPECT_EQ(with("--allow-write").Probe({"touch", shown.Path("new")}).Summary(), "allowed none");
  EXPECT_TRUE(fs::exists(shown.Path("new")));
}

// Where a run is started is not shown in place of what the cell has of its own.
TEST_P(RunTier, OwnPlacesAreItsOwnAlsoWhereItStartsThere) {
  const TempDir mine;
  const std::string own_process = std::to_string(getpid());
  for (const char* place : {"/proc", "/tmp", "/run", "/sys", "/dev/shm"}) {
    SpawnOptions there;
    there.directory = place;
    PalyraRun run = In(GetParam());
    run.User("0");
    const Ended ended = run.Run({BinaryPath("palyra_probe"), "list", place}, there);
    EXPECT_EQ(ended.status, 0) << Describe(ended);
    EXPECT_THAT(ended.output, Not(HasSubstr(fs::path(mine.path()).filename().string())));
    EXPECT_THAT(ended.output, Not(HasSubstr(own_process + "\n")));
  }
  EXPECT_THAT(Print(In("guard"), {"list", "/proc"}), Contains(own_process)) << "the control";
}

TEST_P(RunTier, WhereItStartsInAnOwnPlaceIsShownToBeRead) {
  const std::string place = "/dev/shm/of-a-cell-" + std::to_string(getpid());
  fs::create_directory(place);
  ASSERT_EQ(chmod(place.c_str(), 0777), 0);
  SpawnOptions there;
  there.directory = place;
  PalyraRun run = In(GetParam());
  run.Option("--workspace", workspace_.path());
  EXPECT_EQ(run.Probe({"touch", place + "/x"}, there).Summary(), "other EROFS");
  EXPECT_FALSE(fs::exists(place + "/x"));
  fs::remove_all(place);
}

TEST_P(RunTier, FilesMoveBetweenDirectories) {
  const std::string from = workspace_.Write("file", "x");
  fs::create_directory(workspace_.Path("other"));
  ASSERT_EQ(chown(workspace_.Path("other").c_str(), kToolUid, kToolUid), 0);
  const ProbeResult moved =
      In(GetParam()).Probe({"try", "rename", from, workspace_.Path("other/file")}, InWorkspace());
  EXPECT_TRUE(fs::exists(workspace_.Path("other/file"))) << moved;
}

INSTANTIATE_TEST_SUITE_P(Of, RunTier, testing::Values("cell", "sealed"),
                         [](const auto& parameter) { return parameter.param; });

class RunTierNetwork : public RunTier {};

TEST_F(RunTierNetwork, SealedReachesNotEvenTheLoopback) {
  Listeners listeners({"127.0.0.1"}, {Transport::kTcp});
  const std::vector<std::string> connect = {"tcp-connect", "127.0.0.1",
                                            std::to_string(PortOf(Transport::kTcp))};
  EXPECT_EQ(In("cell").Probe(connect).Summary(), "allowed none") << "the control";
  const Heard before = listeners.At("127.0.0.1", Transport::kTcp);
  EXPECT_NE(In("sealed").Probe(connect).verdict, "allowed");
  EXPECT_EQ(listeners.At("127.0.0.1", Transport::kTcp).connections, before.connections);
  EXPECT_THAT(Print(In("sealed"), {"list", "/sys/class/net"}), UnorderedElementsAre("lo"));
}

TEST_F(RunTierNetwork, SealedDoesNotGoWithANetwork) {
  PalyraRun run = In("sealed");
  run.Option("--egress", "strict");
  const Ended ended = run.Run({"/bin/true"});
  EXPECT_EQ(ended.status, 125);
  EXPECT_THAT(ended.error_output, HasSubstr("--tier sealed has no network"));
  EXPECT_EQ(In("cage").Run({"/bin/true"}).status, 125);
}

TEST_F(RunTierNetwork, ACellReachesTheUnixSocketsThatItMay) {
  const TempDir place;
  const UnixServer permitted(place.Path("permitted"), SOCK_STREAM);
  const UnixServer other(place.Path("other"), SOCK_STREAM);
  PalyraRun run;
  run.Option("--tier", "cell").Option("--allow-unix", permitted.name());
  const ProbeResult reached = run.Probe({"unix-connect", "stream", permitted.name()});
  EXPECT_EQ(reached.Summary(), "allowed none") << reached;
  EXPECT_EQ(permitted.Heard(), 1);
  EXPECT_NE(run.Probe({"unix-connect", "stream", other.name()}).verdict, "allowed");
  EXPECT_EQ(other.Heard(), 0);
}

}  // namespace
}  // namespace palyra::tests
