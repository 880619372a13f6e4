// What it costs to open and close a file, and to start a program, in a run whose policies are about
// files: by whatever mechanism this machine holds them. Prints a table with ratios.
//
//     file_bench [ROUNDS]
//
// The same process measures itself bare, outside of any run while one is alive, and in runs with
// 10, 1,000 and 10,000 rules, by turns; ratios are medians of those to the bare turn before. Under
// an emulator with one clock for all, they are ratios of instructions. Run as root.

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
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

// In a process of its own, inside a run or outside.
int MeasureHere(const char* self, const char* path) {
  const double opened = Measure(100, [&] { OpenAndClose(path); });
  const double started = Measure(1, [&] { Start(self); });
  fmt::print("{} {}\n", opened, started);
  return 0;
}

struct Costs {
  double open_ns = 0;
  double start_ns = 0;
};

struct Case {
  std::string name;
  std::string prefix;  // The command line before this program's.
  std::vector<double> open_ratios = {};
  std::vector<double> start_ratios = {};
};

Costs Run(const std::string& prefix, const std::string& self, const std::string& path) {
  const std::string command = prefix + self + " measure " + path;
  FILE* const output = popen(command.c_str(), "r");
  Costs costs;
  const bool read =
      output != nullptr && std::fscanf(output, "%lf %lf", &costs.open_ns, &costs.start_ns) == 2;
  if (output == nullptr || pclose(output) != 0 || !read) Die("failed: " + command);
  return costs;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::string DirectoryOfSelf() {
  std::error_code failure;
  const fs::path self = fs::read_symlink("/proc/self/exe", failure);
  if (failure) Die("no /proc");
  return self.parent_path().string();
}

// Beside the system, a directory for each rule; the first one holds the file that is opened.
void WriteRules(const std::string& file, const std::string& directory, int count,
                const char* actions) {
  std::ofstream text(file);
  for (const std::string& system :
       {std::string("/usr"), std::string("/bin"), std::string("/lib"), std::string("/lib64"),
        std::string("/etc"), DirectoryOfSelf()}) {
    text << "permit (principal, action in [Palyra::Action::\"file.read\", "
            "Palyra::Action::\"process.exec\"], resource in Palyra::Directory::\""
         << system << "\");\n";
  }
  for (int i = 0; i < count; ++i) {
    text << "permit (principal, action " << actions << ", resource in Palyra::Directory::\""
         << directory << '/' << i << "\");\n";
  }
}

void Compare(int rounds) {
  char name[] = "/tmp/palyra-file-bench-XXXXXX";
  if (mkdtemp(name) == nullptr || chmod(name, 0755) != 0) Die("cannot make a directory");
  const std::string top = name;
  const std::string bin = DirectoryOfSelf();
  const std::string self = bin + "/file_bench";
  std::vector<Case> cases = {{.name = "outside, a run is alive", .prefix = ""}};
  const std::string directory = top + "/files";
  std::string path = directory + "/0/";
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
  for (const auto& policy : policies) {
    for (int i = 0; i < policy.rules; ++i) {
      fs::create_directories(directory + '/' + std::to_string(i));
    }
    const std::string file = fmt::format("{}/{}.cedar", top, cases.size());
    WriteRules(file, directory, policy.rules, policy.actions);
    const std::string run = fmt::format("{}/palyra-run --user 65534 --policy {} -- ", bin, file);
    // Without BPF LSM each directory has a mount, up to a limit.
    if (std::system((run + self + " nothing 2>/dev/null").c_str()) != 0) continue;
    cases.push_back(
        {.name = fmt::format("in a run, {} rules, {}", policy.rules, policy.what), .prefix = run});
  }
  path.append(kPathLength - std::min(path.size(), kPathLength - 1), 'x');
  std::ofstream(path) << "x";

  std::vector<double> bare_open;
  std::vector<double> bare_start;
  for (int i = 0; i < rounds; ++i) {
    for (Case& each : cases) {
      const Costs bare = Run("", self, path);
      bare_open.push_back(bare.open_ns);
      bare_start.push_back(bare.start_ns);
      FILE* const alive = each.prefix.empty()
                              ? popen((bin + "/palyra-run --user 65534 -- sleep 1").c_str(), "r")
                              : nullptr;
      const Costs costs = Run(each.prefix, self, path);
      if (alive != nullptr) pclose(alive);
      each.open_ratios.push_back(costs.open_ns / bare.open_ns);
      each.start_ratios.push_back(costs.start_ns / bare.start_ns);
    }
  }
  fmt::print("| | open and close | start a program |\n|---|---|---|\n");
  fmt::print("| bare | {:.0f} ns | {:.0f} us |\n", Median(bare_open), Median(bare_start) / 1e3);
  for (const Case& each : cases) {
    fmt::print("| {} | {:.2f} | {:.2f} |\n", each.name, Median(each.open_ratios),
               Median(each.start_ratios));
  }
  fs::remove_all(top);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "nothing") return 0;
  if (word == "measure" && argc == 3) return MeasureHere(argv[0], argv[2]);
  if (geteuid() != 0) Die("run it as root");
  Compare(argc > 1 ? std::max(1, std::atoi(argv[1])) : 15);
}
