// Each limit on a run: what is below it goes on, and what is more ends the run, whoever of its
// processes it was.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/kernel_state.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kEndedByLimit = 137;

// Where the hierarchy of cgroup v1 with that controller is mounted; empty: nowhere.
std::string V1MountOf(const std::string& controller) {
  std::ifstream lines("/proc/self/mounts");
  std::string device;
  std::string path;
  std::string type;
  std::string options;
  for (std::string rest; lines >> device >> path >> type >> options && std::getline(lines, rest);) {
    if (type == "cgroup" &&
        (',' + options + ',').find(',' + controller + ',') != std::string::npos) {
      return path;
    }
  }
  return "";
}

class Limits : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }

  static std::vector<std::string> Probe(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BinaryPath("palyra_probe"));
    return arguments;
  }

  // The last record of the audit file.
  static nlohmann::json EndOf(const PalyraRun& run) {
    std::istringstream lines(ReadText(run.AuditPath()));
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    return nlohmann::json::parse(last, nullptr, false);
  }

  static void ExpectEndedBy(const PalyraRun& run, const Ended& ended, const std::string& limit,
                            const std::string& text) {
    EXPECT_EQ(ended.status, kEndedByLimit) << Describe(ended);
    EXPECT_THAT(ended.error_output, HasSubstr("palyra-run: ended by its limit: --" + text + "\n"));
    const nlohmann::json end = EndOf(run);
    EXPECT_EQ(end.value("event", ""), "end") << end;
    EXPECT_EQ(end.value("end", ""), "limit") << end;
    EXPECT_EQ(end.value("limit", ""), limit) << end;
    EXPECT_EQ(end.value("status", 0), kEndedByLimit) << end;
  }

  static void ExpectAllowed(const PalyraRun& run, const Ended& ended) {
    EXPECT_EQ(ended.status, 0) << Describe(ended);
    const nlohmann::json end = EndOf(run);
    EXPECT_EQ(end.value("end", ""), "exited") << end;
    EXPECT_TRUE(end.at("limit").is_null()) << end;
  }
};

struct Bomb {
  const char* name;
  const char* option;
  const char* value;
  const char* text;  // As it is told.
  std::vector<std::string> below;
  std::vector<std::string> beyond;
};

void PrintTo(const Bomb& bomb, std::ostream* stream) { *stream << bomb.name; }

class LimitsEnd : public Limits, public testing::WithParamInterface<Bomb> {};

TEST_P(LimitsEnd, TheRun) {
  const Bomb& bomb = GetParam();
  PalyraRun below;
  below.Option(std::string("--") + bomb.option, bomb.value);
  ExpectAllowed(below, below.Run(Probe(bomb.below)));
  PalyraRun beyond;
  beyond.Option(std::string("--") + bomb.option, bomb.value);
  const Ended ended = beyond.Run(Probe(bomb.beyond));
  ExpectEndedBy(beyond, ended, bomb.option, std::string(bomb.option) + ' ' + bomb.text);
}

INSTANTIATE_TEST_SUITE_P(
    At, LimitsEnd,
    testing::Values(
        Bomb{"Memory",
             "memory",
             "24M",
             "24 MiB",
             {"use-memory", "8", "0"},
             {"use-memory", "64", "0"}},
        // No single process has more than a small part.
        Bomb{"MemoryOfMany",
             "memory",
             "24M",
             "24 MiB",
             {"use-memory", "8", "16"},
             {"use-memory", "64", "16"}},
        Bomb{"MemoryFile",
             "memory",
             "24M",
             "24 MiB",
             {"fill-file", "/dev/shm/palyra-limits-test", "8388608"},
             {"fill-file", "/dev/shm/palyra-limits-test", "67108864"}},
        // Too little for the command to begin.
        Bomb{"HardlyAnyMemory",
             "memory",
             "2M",
             "2 MiB",
             {"exit-with", "0"},
             {"use-memory", "64", "0"}},
        Bomb{"Processes", "pids", "12", "12", {"fork-many", "8"}, {"fork-many", "24"}},
        Bomb{"ForkBomb", "pids", "40", "40", {"fork-many", "30"}, {"fork-bomb"}},
        Bomb{"CpuTime", "cpu-time", "0.5", "0.5 s", {"spin", "50", "1"}, {"spin", "0", "1"}},
        // Many that each use a little.
        Bomb{
            "CpuTimeOfMany", "cpu-time", "0.8", "0.8 s", {"spin", "20", "8"}, {"spin", "300", "8"}},
        Bomb{"Output",
             "output-limit",
             "100K",
             "100 KiB",
             {"write-bytes", "1", "102400"},
             {"write-bytes", "1", "102401"}},
        Bomb{"OutputFlood",
             "output-limit",
             "100K",
             "100 KiB",
             {"write-bytes", "2", "102400"},
             {"write-bytes", "1", "0"}}),
    [](const testing::TestParamInfo<Bomb>& parameter) { return parameter.param.name; });

// What many of a process's own leave where it was.
TEST_F(Limits, LargestFile) {
  const TempDir directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0777), 0);
  const std::string file = directory.Path("file");
  PalyraRun run;
  run.Option("--disk", "64K");
  ExpectAllowed(run, run.Run(Probe({"fill-file", file, "65536"})));
  EXPECT_EQ(std::filesystem::file_size(file), 65'536U);

  PalyraRun beyond;
  beyond.Option("--disk", "64K");
  ExpectEndedBy(beyond, beyond.Run(Probe({"fill-file", file, "1000000"})), "disk", "disk 64 KiB");
  EXPECT_EQ(std::filesystem::file_size(file), 65'536U);

  // Whoever ignores the signal is told, and goes on.
  const ProbeResult deaf = run.Probe({"fill-file", file, "1000000", "deaf"});
  EXPECT_EQ(deaf.Summary(), "other EFBIG") << deaf;
  EXPECT_EQ(std::filesystem::file_size(file), 65'536U);
}

TEST_F(Limits, OpenFilesOfEachProcess) {
  PalyraRun run;
  run.Option("--open-files", "16");
  EXPECT_EQ(run.Probe({"open-many", "8"}).Summary(), "allowed none");
  EXPECT_EQ(run.Probe({"open-many", "16"}).Summary(), "other EMFILE");
  EXPECT_EQ(PalyraRun().Probe({"open-many", "16"}).Summary(), "allowed none");
}

TEST_F(Limits, NeverRaiseWhatTheCallerHas) {
  SpawnOptions options;
  options.in_child = [] {
    const rlimit few = {.rlim_cur = 600, .rlim_max = 600};
    return setrlimit(RLIMIT_NOFILE, &few);
  };
  PalyraRun run;
  run.Option("--open-files", "100000");
  const Ended ended = run.Run(Probe({"show-limits"}), options);
  EXPECT_THAT(ended.output, testing::ContainsRegex("Max open files +600 +600 ")) << Describe(ended);
}

TEST_F(Limits, CoreDumpsAreOffWithoutAnyLimit) {
  const Ended ended = PalyraRun().Run(Probe({"show-limits"}));
  EXPECT_THAT(ended.output, testing::ContainsRegex("Max core file size +1 +1 ")) << Describe(ended);
}

// A core that the kernel pipes to a program has no regard for a limit of 0.
TEST_F(Limits, CoresThatArePipedAreOffToo) {
  PALYRA_REQUIRE_FEATURE(KernelLane());
  const std::string pattern_file = "/proc/sys/kernel/core_pattern";
  const std::string before = ReadText(pattern_file);
  const TempDir directory;
  const std::string script =
      directory.Write("core", "#!/bin/sh\ncat >/dev/null\necho dumped >>" + directory.Path("log"));
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  const auto set = [&](const std::string& pattern) { std::ofstream(pattern_file) << pattern; };
  set('|' + script);
  const Ended inside = PalyraRun().Run(Probe({"raise", std::to_string(SIGSEGV)}));
  const std::string after_inside = ReadText(directory.Path("log"));
  const Ended outside = RunProgram(Probe({"raise", std::to_string(SIGSEGV)}));
  EXPECT_TRUE(Eventually([&] { return !ReadText(directory.Path("log")).empty(); }));
  set(before);
  EXPECT_EQ(inside.status, 128 + SIGSEGV);
  EXPECT_EQ(after_inside, "");
  EXPECT_EQ(outside.status, 128 + SIGSEGV);
}

// All limits at once, and every one large enough.
TEST_F(Limits, StandTogether) {
  PalyraRun run;
  for (const auto& [option, value] : {std::pair("--memory", "64M"),
                                      {"--swap", "1M"},
                                      {"--pids", "64"},
                                      {"--cpus", "2"},
                                      {"--cpu-time", "1h"},
                                      {"--io", "1G"},
                                      {"--output-limit", "1M"},
                                      {"--disk", "1G"},
                                      {"--open-files", "256"}}) {
    run.Option(option, value);
  }
  ExpectAllowed(run, run.Run(Probe({"use-memory", "8", "8"})));
}

// Whoever is root in the run, too.
TEST_F(Limits, CannotBeLeft) {
  PalyraRun run;
  run.User("0").Option("--memory", "64M").Option("--pids", "64");
  const ProbeResult inside = run.Probe({"join-cgroups"});
  EXPECT_EQ(inside.Summary(), "denied EROFS") << inside;
  EXPECT_EQ(ProbeBare({"join-cgroups"}).verdict, "allowed");
}

TEST_F(Limits, ATimeThatASleepingSupervisorDoesNotSeeIsHeldByTheKernel) {
  PalyraRun run;
  run.Option("--cpu-time", "0.5");
  Subprocess command(run.CommandLine(Probe({"spin", "0", "1"})));
  ASSERT_TRUE(command.WaitForOutput("ready"));
  command.Signal(SIGSTOP);
  const std::string probe = "spin";
  const std::vector<pid_t> pids = ProbesMarked(probe);
  ASSERT_FALSE(pids.empty());
  EXPECT_TRUE(AwaitEnd(pids));
  command.Signal(SIGCONT);
  ExpectEndedBy(run, command.Wait(), "cpu-time", "cpu-time 0.5 s");
}

TEST_F(Limits, AreRefusedWhereNothingHoldsThem) {
  if (V1MountOf("cpu").empty()) GTEST_SKIP() << "needs cgroup v1 with cpu, to take it away";
  SpawnOptions options;
  options.in_child = [] {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) != 0) {
      return 1;
    }
    const std::string mount_point = V1MountOf("cpu");
    return umount2(mount_point.c_str(), MNT_DETACH) == 0 ? 0 : 1;
  };
  PalyraRun run;
  run.Option("--cpus", "1");
  const Ended ended = run.Run(Probe({"exit-with", "0"}), options);
  EXPECT_EQ(ended.status, 126) << Describe(ended);
  EXPECT_THAT(ended.error_output, HasSubstr("--cpus cannot be held here"));
  EXPECT_EQ(run.Run(Probe({"exit-with", "0"})).status, 0);
}

// Without controllers the supervisor measures.
TEST_F(Limits, AreMeasuredWhereNoControllerIs) {
  if (V1MountOf("memory").empty() || V1MountOf("pids").empty()) {
    GTEST_SKIP() << "needs cgroup v1 with memory and pids, to take them away";
  }
  SpawnOptions options;
  options.in_child = [] {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) != 0) {
      return 1;
    }
    for (const char* const name : {"memory", "pids"}) {
      if (umount2(V1MountOf(name).c_str(), MNT_DETACH) != 0) return 1;
    }
    return 0;
  };
  PalyraRun memory;
  memory.Option("--memory", "24M").Option("--report");
  const Ended below = memory.Run(Probe({"use-memory", "8", "4"}), options);
  ExpectAllowed(memory, below);
  EXPECT_THAT(below.error_output, HasSubstr("measured every 50 ms"));
  // It holds what it has until it is ended.
  ExpectEndedBy(memory, memory.Run(Probe({"use-memory", "64", "4", "wait"}), options), "memory",
                "memory 24 MiB");
  PalyraRun pids;
  pids.Option("--pids", "16");
  ExpectAllowed(pids, pids.Run(Probe({"fork-many", "8"}), options));
  ExpectEndedBy(pids, pids.Run(Probe({"linger", "limits-measured", "wait", "brood"}), options),
                "pids", "pids 16");
}

}  // namespace
}  // namespace palyra::tests
