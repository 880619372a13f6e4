// Signals and tracing by policy, and what no run may do, with BPF LSM.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/files_fixture.h"
#include "tests/support/kernel_state.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

class FilesProcesses : public Files {
 protected:
  // Of the tool's user, outside every run; ends with its standard input.
  class Outsider {
   public:
    Outsider() : process_({"/bin/sleep", "600"}, AsTool()) {
      // Until exec it cannot be traced by anybody.
      EXPECT_TRUE(Eventually([this] {
        return fs::exists("/proc/" + std::to_string(process_.pid()) + "/environ") &&
               ReadText("/proc/" + std::to_string(process_.pid()) + "/cmdline").contains("600");
      }));
    }
    [[nodiscard]] std::string pid() const { return std::to_string(process_.pid()); }
    [[nodiscard]] bool is_alive() const {
      const std::string stat = ReadText("/proc/" + pid() + "/stat");
      return !stat.empty() && !stat.contains(") Z ");
    }

   private:
    static SpawnOptions AsTool() {
      SpawnOptions options;
      options.in_child = [] {
        return setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0 ? 0 : 99;
      };
      return options;
    }
    Subprocess process_;
  };

  static std::vector<FileAttempt> Reaching(const std::string& pid) {
    return {{.words = {"kill", pid, "9"}},       {.words = {"signal-by-pidfd", pid}},
            {.words = {"set-owner", pid}},       {.words = {"set-nice", pid}},
            {.words = {"attach", pid}},          {.words = {"read-memory", pid}},
            {.words = {"take-descriptor", pid}}, {.words = {"open-memory", pid}},
            {.words = {"read-environment", pid}}};
  }

  // A policy that permits all of files, and what it is given.
  static std::string WithFiles(const std::string& more) {
    return "permit (principal, action in Palyra::Action::\"file.any\", resource);\n"
           "permit (principal, action == Palyra::Action::\"process.exec\", resource);\n" +
           more;
  }
};

TEST_F(FilesProcesses, NobodyOutsideIsReached) {
  const Outsider outsider;
  const std::vector<FileAttempt> attempts = Reaching(outsider.pid());
  PalyraRun run;
  run.Policy(
      WithFiles("permit (principal, action in [Palyra::Action::\"process.signal\", "
                "Palyra::Action::\"process.trace\"], resource) when { resource.same_run };\n"));
  std::string raw;
  const std::vector<std::string> lines = TryInRun(run, attempts, raw);
  ASSERT_EQ(lines.size(), attempts.size()) << raw;
  // A Landlock domain says EPERM, and is asked first where the kernel says so.
  for (size_t i = 0; i < attempts.size(); ++i) {
    const std::string& name = attempts[i].words[0];
    EXPECT_TRUE(lines[i] == name + " EACCES" || lines[i] == name + " EPERM") << raw;
  }
  EXPECT_TRUE(outsider.is_alive());
  // The control: bare each of them reaches it, and the first kills it, last.
  const std::vector<FileAttempt> bare(attempts.rbegin(), attempts.rend());
  SpawnOptions as_tool;
  as_tool.in_child = [] {
    return setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0 ? 0 : 99;
  };
  std::vector<std::string> command = {BinaryPath("palyra_probe")};
  for (const std::string& word : TryArguments(bare)) command.push_back(word);
  const Ended ended = RunProgram(command, as_tool);
  for (const std::string& line : Lines(ended.output)) {
    EXPECT_TRUE(line.ends_with(" none")) << Describe(ended);
  }
  EXPECT_TRUE(Eventually([&] { return !outsider.is_alive(); }));
}

std::string NoSignals() {
  return "forbid (principal, action == Palyra::Action::\"process.signal\", resource);";
}

TEST_F(FilesProcesses, SignalsAndTracingWithinARunAreJudged) {
  const std::vector<FileAttempt> attempts = {
      {.words = {"signal-self"}}, {.words = {"kill-child"}}, {.words = {"trace-me"}}};
  const auto in_run = [&](const std::string& more) {
    PalyraRun run;
    run.Policy(WithFiles(more));
    std::string raw;
    return TryInRun(run, attempts, raw);
  };
  using Answers = std::vector<std::string>;
  // Each by itself; within the run allowed where no policy speaks of it.
  EXPECT_EQ(in_run(""), (Answers{"signal-self none", "kill-child none", "trace-me none"}));
  EXPECT_EQ(in_run(NoSignals()),
            (Answers{"signal-self none", "kill-child EACCES", "trace-me none"}));
  EXPECT_EQ(in_run("forbid (principal, action == Palyra::Action::\"process.trace\", resource);"),
            (Answers{"signal-self none", "kill-child none", "trace-me EACCES"}));
  EXPECT_EQ(in_run("permit (principal, action == Palyra::Action::\"process.signal\", resource) "
                   "when { resource.same_run };"),
            (Answers{"signal-self none", "kill-child none", "trace-me none"}));
  EXPECT_EQ(in_run("permit (principal, action in [Palyra::Action::\"process.signal\", "
                   "Palyra::Action::\"process.trace\"], resource) when { !resource.same_run };"),
            (Answers{"signal-self none", "kill-child EACCES", "trace-me EACCES"}));
}

TEST_F(FilesProcesses, TheLogSaysWhomASignalWasFor) {
  PalyraRun run;
  run.Policy(WithFiles(NoSignals()));
  std::string raw;
  TryInRun(run, {{.words = {"kill-child"}}}, raw);
  const std::vector<AuditEntry> audit = run.Audit();
  ASSERT_EQ(audit.size(), 1U) << raw;
  EXPECT_EQ(audit[0].action, "process.signal");
  EXPECT_TRUE(audit[0].path.starts_with("pid ")) << audit[0].path;
}

// A process with every right, which no seccomp filter and no capability holds back: in a run the
// programs are what is left.
class FilesIntruder : public FilesProcesses {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(KernelLane());
    Files::SetUp();
  }

  // What the attempts say from within the cgroup of a run under that policy, as root.
  static std::vector<std::string> TryAsIntruder(PalyraRun& run,
                                                const std::vector<FileAttempt>& attempts,
                                                std::string& raw) {
    const std::set<std::string> before = ReadKernelState().cgroups;
    Subprocess tool(run.CommandLine({"/bin/sleep", "600"}));
    std::string cgroup;
    const bool began = Eventually([&] {
      for (const std::string& path : ReadKernelState().cgroups) {
        const bool is_new = !before.contains(path);
        if (is_new && !ReadText(path + "/cgroup.procs").empty()) cgroup = path;
      }
      return !cgroup.empty();
    });
    EXPECT_TRUE(began);
    std::vector<std::string> command = {BinaryPath("palyra_probe"), "join-and-try",
                                        cgroup + "/cgroup.procs"};
    const std::vector<std::string> words = TryArguments(attempts);
    command.insert(command.end(), words.begin() + 1, words.end());
    const Ended ended = RunProgram(command);
    raw = Describe(ended);
    tool.Signal(SIGTERM);
    raw += Describe(tool.Wait());
    return Lines(ended.output);
  }

  static void ExpectIntruderHeld(PalyraRun& run, const std::vector<FileAttempt>& attempts) {
    std::string raw;
    const std::vector<std::string> lines = TryAsIntruder(run, attempts, raw);
    ExpectAnswers(lines, attempts, raw);
    EXPECT_GE(run.Audit().size(), attempts.size()) << raw;
  }
};

TEST_F(FilesIntruder, TheKernelIsNotControlledFromARun) {
  const std::vector<FileAttempt> attempts = {
      {.words = {"mount", Out("d")}, .expected = "EPERM"},
      {.words = {"bind-mount", Out("o"), Out("readable")}, .expected = "EPERM"},
      {.words = {"remount", "/proc"}, .expected = "EPERM"},
      {.words = {"move-mount", Out("d"), Out("d")}, .expected = "EPERM"},
      {.words = {"unmount", "/sys"}, .expected = "EPERM"},
      {.words = {"pivot-root", Out("d")}, .expected = "EPERM"},
      {.words = {"chroot", "/"}, .expected = "EPERM"},
      {.words = {"user-namespace"}, .expected = "EPERM"},
      {.words = {"bpf"}, .expected = "EPERM"},
      {.words = {"perf-event"}, .expected = "EPERM"}};
  PalyraRun run;
  ExpectIntruderHeld(run, attempts);
  // The controls: none of what can be tried bare is refused with EPERM.
  for (const char* name : {"user-namespace", "bpf", "perf-event"}) {
    const Ended bare = RunProgram({BinaryPath("palyra_probe"), "try", name});
    EXPECT_EQ(bare.output, std::string(name) + " none\n");
  }
}

// Whatever the rules say, and where they say nothing.
TEST_F(FilesIntruder, PalyrasOwnIsNotChangedFromARun) {
  const std::string lock = "/run/palyra/runs.lock";
  for (const char* directory : {"/etc/palyra", "/var/lib/palyra/policy"}) {
    fs::create_directories(directory);
  }
  const Result<std::string> found = CgroupRoot();
  ASSERT_TRUE(found);
  const auto attempts = [&]() -> std::vector<FileAttempt> {
    return {{.words = {"open-write", lock}},
            {.words = {"unlink", lock}},
            {.words = {"rename", lock, "/run/other"}},
            {.words = {"create", "/run/palyra/new"}},
            {.words = {"create", "/etc/palyra/policy.cedar"}},
            {.words = {"mkdir", "/etc/palyra/policy.d"}},
            {.words = {"symlink", "/tmp", "/var/lib/palyra/policy/current"}},
            {.words = {"chmod", "/etc/palyra"}},
            {.words = {"utimes", "/etc/palyra"}},
            {.words = {"rename", "/etc/palyra", "/etc/other"}},
            {.words = {"rename", "/var/lib", "/var/other"}},
            {.words = {"open-write", *found + "/cgroup.procs"}},
            {.words = {"mkdir", *found + "/escape"}},
            {.words = {"open-write", "/sys/kernel/profiling"}, .expected = "EACCES"}};
  };
  {
    PalyraRun silent;
    ExpectIntruderHeld(silent, attempts());
  }
  PalyraRun permissive;
  permissive.Policy(WithFiles(""));
  ExpectIntruderHeld(permissive, attempts());
  EXPECT_TRUE(fs::exists(lock));
  EXPECT_TRUE(fs::is_empty("/etc/palyra"));
  EXPECT_FALSE(fs::exists(*found + "/escape"));
  // The control: outside a run they can be changed.
  const Ended bare = RunProgram({BinaryPath("palyra_probe"), "try", "create", "/etc/palyra/a", ",",
                                 "unlink", "/etc/palyra/a", ",", "mkdir", *found + "/escape", ",",
                                 "rmdir", *found + "/escape", ",", "open-write", lock});
  EXPECT_EQ(Lines(bare.output),
            (std::vector<std::string>{"create none", "unlink none", "mkdir none", "rmdir none",
                                      "open-write none"}));
}

TEST_F(FilesIntruder, WithEveryRightItIsHeldToTheRules) {
  PalyraRun run;
  run.Policy(Policy() +
             "permit (principal, action == Palyra::Action::\"process.exec\", resource) "
             "when { resource.path like \"/*bin/*\" };");
  const std::vector<FileAttempt> attempts = {
      {.words = {"open-read", Ws("secret/s")}},
      {.words = {"open-write", Out("o")}},
      {.words = {"chown", Out("o")}},
      {.words = {"open-by-handle", Ws("secret/s"), Ws("own")}},
      {.words = {"open-in-new-mounts", Out("o")}},
      {.words = {"open-write", "/proc/sysrq-trigger"}},
      {.words = {"open-write", "/proc/sys/kernel/core_pattern"}},
      {.words = {"kill", "1", "0"}},
      {.words = {"attach", "1"}},
      {.words = {"open-memory", "1"}}};
  ExpectIntruderHeld(run, attempts);
  std::vector<std::string> bare = {BinaryPath("palyra_probe")};
  for (const std::string& word : TryArguments(attempts)) bare.push_back(word);
  for (const std::string& line : Lines(RunProgram(bare).output)) {
    EXPECT_TRUE(line.ends_with(" none")) << line;
  }
}

// By the mandatory layer where files are judged, and everywhere by read-only mounts.
TEST_F(FilesProcesses, UidZeroDoesNotControlTheKernel) {
  const std::vector<FileAttempt> attempts = {
      {.words = {"open-write", "/proc/sysrq-trigger"}},
      {.words = {"open-write", "/proc/sys/kernel/core_pattern"}}};
  for (const FileAttempt& attempt : attempts) {
    EXPECT_EQ(
        RunProgram({BinaryPath("palyra_probe"), "try", "open-write", attempt.words[1]}).output,
        "open-write none\n");
  }
  std::string raw;
  PalyraRun silent;
  silent.User("0");
  EXPECT_EQ(TryInRun(silent, attempts, raw),
            (std::vector<std::string>{"open-write EROFS", "open-write EROFS"}))
      << raw;
  PalyraRun permissive;
  permissive.Policy(WithFiles("")).User("0");
  EXPECT_EQ(TryInRun(permissive, attempts, raw),
            (std::vector<std::string>{"open-write EROFS", "open-write EROFS"}))
      << raw;
}

}  // namespace
}  // namespace palyra::tests
