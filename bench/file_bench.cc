// What it costs to open and close a file, and to start a program, in a run whose policies are about
// files: by whatever mechanism this machine holds them. Prints a table with ratios.
//
//     file_bench [ROUNDS]
//
// The same program measures itself bare, before any program of Palyra's is attached; then outside
// of any run while one is alive, and in runs with 10, 1,000 and 10,000 rules, by turns. Ratios are
// those of medians. With tools/run_in_kernel --count they are ratios of instructions. Run as root,
// without live runs.

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::bench {
namespace {

namespace fs = std::filesystem;
using tests::BinaryPath;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTurn{150};
constexpr size_t kPathLength = 60;

[[noreturn]] void Die(const std::string& why) {
  fmt::print(stderr, "file_bench: {}\n", why);
  std::exit(1);
}

// Nanoseconds of one call, over a turn.
template <typename Function>
double Measure(int calls_at_once, Function call) {
  const auto begin = Clock::now();
  const auto end = begin + kTurn;
  int64_t calls = 0;
  while (Clock::now() < end) {
    for (int i = 0; i < calls_at_once; ++i) call();
    calls += calls_at_once;
  }
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count() /
         static_cast<double>(calls);
}

void OpenAndClose(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || close(fd) != 0) Die(fmt::format("cannot open {}", path));
}

void Start(const char* program) {
  std::string name = program;
  std::string word = "nothing";
  char* const arguments[] = {name.data(), word.data(), nullptr};
  pid_t child = -1;
  int status = 0;
  if (posix_spawn(&child, program, nullptr, nullptr, arguments, environ) != 0 ||
      waitpid(child, &status, 0) != child || status != 0) {
    Die(fmt::format("cannot start {}", program));
  }
}

// As long as nobody kills it.
int Linger() {
  fmt::print("alive\n");
  std::fflush(stdout);
  while (true) pause();
}

// In a process of its own, inside a run or outside.
int MeasureHere(const char* self, const char* path) {
  const double opened = Measure(100, [&] { OpenAndClose(path); });
  const double started = Measure(1, [&] { Start(self); });
  fmt::print("{} {}\n", opened, started);
  return 0;
}

struct Costs {
  std::vector<double> open_ns;
  std::vector<double> start_ns;
};

// A turn of this program below that command, which may be none.
void Turn(std::vector<std::string> command, const std::string& path, Costs& costs) {
  for (const std::string& word : {BinaryPath("file_bench"), std::string("measure"), path}) {
    command.push_back(word);
  }
  const tests::Ended ended = tests::RunProgram(command);
  char* rest = nullptr;
  const double opened = std::strtod(ended.output.c_str(), &rest);
  const double started = std::strtod(rest, nullptr);
  if (ended.status != 0 || opened <= 0 || started <= 0) Die(tests::Describe(ended));
  costs.open_ns.push_back(opened);
  costs.start_ns.push_back(started);
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Beside the system, a directory for each rule; the first one holds the file that is opened.
void WriteRules(const std::string& file, const std::string& directory, int count,
                const char* actions) {
  std::ofstream text(file);
  for (const std::string& system :
       {std::string("/usr"), std::string("/bin"), std::string("/lib"), std::string("/lib64"),
        std::string("/etc"), fs::path(BinaryPath("palyra-run")).parent_path().string()}) {
    text << "permit (principal, action in [Palyra::Action::\"file.read\", "
            "Palyra::Action::\"process.exec\"], resource in Palyra::Directory::\""
         << system << "\");\n";
  }
  for (int i = 0; i < count; ++i) {
    text << "permit (principal, action " << actions << ", resource in Palyra::Directory::\""
         << directory << '/' << i << "\");\n";
  }
}

struct Case {
  std::string name;
  std::vector<std::string> command;
  Costs costs;
};

// The runs that this machine can hold: without BPF LSM each directory that may be changed has a
// mount, up to a limit.
std::vector<Case> MakeRuns(const tests::TempDir& top, const std::string& directory) {
  struct {
    int rules;
    const char* actions;
    const char* what;
  } const policies[] = {
      {10, "in Palyra::Action::\"file.any\"", "what may be changed"},
      {1'000, "in Palyra::Action::\"file.any\"", "what may be changed"},
      {10'000, "in Palyra::Action::\"file.any\"", "what may be changed"},
      {1'000, "== Palyra::Action::\"file.read\"", "what may only be read"},
  };
  std::vector<Case> runs;
  for (const auto& policy : policies) {
    for (int i = 0; i < policy.rules; ++i) {
      fs::create_directories(directory + '/' + std::to_string(i));
    }
    const std::string file = top.Path(fmt::format("{}.cedar", runs.size()));
    WriteRules(file, directory, policy.rules, policy.actions);
    std::vector<std::string> command = {
        BinaryPath("palyra-run"), "--tier", "guard", "--user", "65534", "--policy", file, "--"};
    std::vector<std::string> trial = command;
    trial.insert(trial.end(), {BinaryPath("file_bench"), "nothing"});
    if (tests::RunProgram(trial).status != 0) continue;
    runs.push_back({.name = fmt::format("in a run, {} rules, {}", policy.rules, policy.what),
                    .command = std::move(command),
                    .costs = {}});
  }
  return runs;
}

void Compare(int rounds) {
  const tests::TempDir top;
  const std::string directory = top.Path("files");
  std::string path = directory + "/0/";
  path.append(kPathLength - std::min(path.size(), kPathLength - 1), 'x');
  fs::create_directories(directory + "/0");
  std::ofstream(path) << "x";

  // Before any program is attached.
  if (tests::RunProgram({BinaryPath("palyra"), "detach"}).status != 0) Die("runs are alive");
  Case bare = {.name = "bare", .command = {}, .costs = {}};
  for (int i = 0; i < rounds; ++i) Turn({}, path, bare.costs);
  std::vector<Case> cases = MakeRuns(top, directory);
  cases.push_back({.name = "outside, a run is alive", .command = {}, .costs = {}});
  for (int i = 0; i < rounds; ++i) {
    for (Case& each : cases) {
      std::optional<tests::Subprocess> alive;
      if (each.command.empty()) {
        const std::vector<std::string> run = {
            BinaryPath("palyra-run"), "--tier", "guard", "--user", "65534", "--",
            BinaryPath("file_bench"), "linger"};
        alive.emplace(run);
        if (!alive->WaitForOutput("alive")) Die("no run is alive");
      }
      Turn(each.command, path, each.costs);
    }
  }
  fmt::print("| | open and close | start a program |\n|---|---|---|\n");
  const double open_ns = Median(bare.costs.open_ns);
  const double start_ns = Median(bare.costs.start_ns);
  fmt::print("| bare | {:.0f} ns | {:.0f} us |\n", open_ns, start_ns / 1e3);
  for (const Case& each : cases) {
    fmt::print("| {} | {:.2f} | {:.2f} |\n", each.name, Median(each.costs.open_ns) / open_ns,
               Median(each.costs.start_ns) / start_ns);
  }
}

}  // namespace
}  // namespace palyra::bench

int main(int argc, char** argv) {
  using namespace palyra::bench;
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "nothing") return 0;
  if (word == "linger") return Linger();
  if (word == "measure" && argc == 3) return MeasureHere(argv[0], argv[2]);
  if (geteuid() != 0) Die("run it as root");
  Compare(argc > 1 ? std::max(1, static_cast<int>(std::strtol(argv[1], nullptr, 10))) : 15);
}
