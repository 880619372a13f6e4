// What the programs keep of directories (bpf/known_directories.h) is never true for longer than it
// is: whoever moves things decides anew. In a run files are opened in turn with changes outside.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/files_fixture.h"
#include "tests/support/palyra_run.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

constexpr int kTurns = 300;
constexpr int kTurnsOfMounts = 15;  // Each takes grace periods.

using Change = std::function<bool()>;

class FilesKnown : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    if (IsSkipped()) return;
    MakeFile(Ws("turn/deep/f"));
  }

  static void MakeFile(const std::string& path) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << "f";
    fs::permissions(path, fs::perms(0644));
  }

  static bool Rename(const std::string& from, const std::string& to, unsigned flags = 0) {
    return renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) == 0;
  }

  // In a run `before` can be opened, then `change` happens, then `after` cannot be, then `back`.
  void ExpectTurns(const std::string& directory, const std::string& before,
                   const std::string& after, const Change& change, const Change& back,
                   int turns = kTurns) const {
    const std::string shared = Ws("scratch/shared");
    std::ofstream(shared) << std::string(sizeof(int), '\0');
    fs::permissions(shared, fs::perms(0666));
    const UniqueFd file(open(shared.c_str(), O_RDWR | O_CLOEXEC));
    void* const memory =
        mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::atomic_ref<int> number(*static_cast<int*>(memory));
    PalyraRun command;
    command.Policy(Policy());
    Subprocess run(command.CommandLine({BinaryPath("palyra_probe"), "turns", shared,
                                        std::to_string(turns), directory, before, after}));
    bool failed = false;
    for (int turn = 0; turn < 2 * turns && !failed; ++turn) {
      int64_t patience = 100'000'000;
      while (number.load() != 2 * turn + 1 && --patience > 0) sched_yield();
      failed = patience == 0 || !(turn % 2 == 0 ? change() : back());
      number.store(2 * turn + 2);
    }
    EXPECT_FALSE(failed);
    munmap(memory, sizeof(int));
    if (failed) run.Signal(SIGTERM);
    const Ended ended = run.Wait();
    EXPECT_EQ(Lines(ended.output), (std::vector<std::string>{"opened " + std::to_string(3 * turns) +
                                                             " before, 0 after"}))
        << Describe(ended);
  }
};

TEST_F(FilesKnown, ADirectoryIsRenamed) {
  const std::string there = Ws("secret/deep");
  ExpectTurns(
      Ws("turn/deep"), "f", "f", [&] { return Rename(Ws("turn/deep"), there); },
      [&] { return Rename(there, Ws("turn/deep")); });
}

TEST_F(FilesKnown, ADirectoryAboveIsRenamed) {
  const std::string there = Ws("secret/turn");
  ExpectTurns(
      Ws("turn/deep"), "f", "f", [&] { return Rename(Ws("turn"), there); },
      [&] { return Rename(there, Ws("turn")); });
}

TEST_F(FilesKnown, DirectoriesAreExchanged) {
  fs::create_directory(Ws("secret/other"));
  const auto exchange = [&] { return Rename(Ws("turn"), Ws("secret/other"), RENAME_EXCHANGE); };
  ExpectTurns(Ws("turn/deep"), "f", "f", exchange, exchange);
}

// The directory and its file keep their names; another one's memory is likely to be used anew.
TEST_F(FilesKnown, ADirectoryIsRemovedAndAnotherMade) {
  const auto make = [](const std::string& directory) {
    MakeFile(directory + "/f");
    return fs::exists(directory + "/f");
  };
  const auto remove = [](const std::string& directory) { return fs::remove_all(directory) == 2; };
  ASSERT_TRUE(make(Ws("turn/x")));
  ExpectTurns(
      Ws("turn"), Ws("turn/x/f"), Ws("secret/x/f"),
      [&] { return remove(Ws("turn/x")) && make(Ws("secret/x")); },
      [&] { return remove(Ws("secret/x")) && make(Ws("turn/x")); });
}

// Of the probe in the run: nothing where there is none.
UniqueFd MountsOfRun() {
  const std::string program = BinaryPath("palyra_probe");
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::string first;
    std::getline(std::ifstream(entry.path() / "cmdline"), first, '\0');
    if (first != program) continue;
    return UniqueFd(open((entry.path() / "ns/mnt").c_str(), O_RDONLY | O_CLOEXEC));
  }
  return {};
}

// In the run's own mounts.
TEST_F(FilesKnown, AMountIsMoved) {
  fs::create_directory(Ws("secret/place"));
  fs::create_directory(Ws("place"));
  ASSERT_EQ(mount("turns", Ws("place").c_str(), "tmpfs", 0, nullptr), 0);
  MakeFile(Ws("place/deep/f"));
  const UniqueFd outside(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  bool is_inside = false;
  const auto move = [&](const std::string& from, const std::string& to) {
    if (!is_inside) is_inside = setns(MountsOfRun().get(), CLONE_NEWNS) == 0;
    return is_inside && mount(from.c_str(), to.c_str(), nullptr, MS_MOVE, nullptr) == 0;
  };
  ExpectTurns(
      Ws("place/deep"), "f", "f", [&] { return move(Ws("place"), Ws("secret/place")); },
      [&] { return move(Ws("secret/place"), Ws("place")); }, kTurnsOfMounts);
  ASSERT_EQ(setns(outside.get(), CLONE_NEWNS), 0);
  EXPECT_EQ(umount2(Ws("place").c_str(), MNT_DETACH), 0);
}

// One dentry under two mounts, by turns.
TEST_F(FilesKnown, ADirectoryIsMountedTwice) {
  fs::create_directory(Ws("secret/turn"));
  ASSERT_EQ(mount(Ws("turn").c_str(), Ws("secret/turn").c_str(), nullptr, MS_BIND, nullptr), 0);
  ExpectTurns(
      Ws("turn"), Ws("turn/deep/f"), Ws("secret/turn/deep/f"), [] { return true; },
      [] { return true; });
  EXPECT_EQ(umount2(Ws("secret/turn").c_str(), MNT_DETACH), 0);
}

// Two runs under other rules, at the same time.
TEST_F(FilesKnown, OtherRulesSayOtherwise) {
  const std::string file = Ws("turn/deep/f");
  const std::vector<FileAttempt> attempts(100, {.words = {"open-read", file}});
  const std::vector<std::string> arguments = TryArguments(attempts);
  std::vector<std::string> words = {BinaryPath("palyra_probe")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  PalyraRun may;
  may.Policy(Policy());
  PalyraRun may_not;
  may_not.Policy(Policy() +
                 "forbid (principal, action == Palyra::Action::\"file.read\", resource in "
                 "Palyra::Directory::\"" +
                 Ws("turn") + "\");\n");
  Subprocess first(may.CommandLine(words));
  Subprocess second(may_not.CommandLine(words));
  const Ended allowed = first.Wait();
  const Ended denied = second.Wait();
  EXPECT_EQ(Lines(allowed.output), std::vector<std::string>(attempts.size(), "open-read none"))
      << Describe(allowed);
  EXPECT_EQ(Lines(denied.output), std::vector<std::string>(attempts.size(), "open-read EACCES"))
      << Describe(denied);
}

// In a directory that is known each name is still judged by itself.
TEST_F(FilesKnown, NamesAreJudgedEachByItself) {
  const std::string policy = Policy() +
                             "forbid (principal, action in Palyra::Action::\"file.any\", resource) "
                             "when { resource.path like \"*.env\" };\n";
  const std::string longest(251, 'n');
  const std::string bytes = "turn/deep/\xFF";
  for (const std::string& name :
       {std::string("turn/deep/.env"), "turn/deep/" + longest + ".env", "turn/deep/" + longest,
        "turn/deep/" + std::string(62, 'n'), "turn/deep/" + std::string(64, 'n'),
        "turn/deep/" + std::string(60, 'n') + ".env", bytes, std::string("turn/deep/\xC3\xA4")}) {
    MakeFile(Ws(name));
  }
  const auto read = [this](const std::string& name, const char* expected) {
    return FileAttempt{.words = {"open-read", Ws("turn/deep/" + name)}, .expected = expected};
  };
  const std::vector<FileAttempt> attempts = {
      read("f", "none"),
      read("f", "none"),
      read(".env", "EACCES"),
      read("f", "none"),
      read(longest, "none"),
      read(longest + ".env", "EACCES"),
      read(std::string(62, 'n'), "none"),
      read(std::string(64, 'n'), "none"),
      read(std::string(60, 'n') + ".env", "EACCES"),
      read("\xFF", "EACCES"),
      read("\xC3\xA4", "none"),
      read("f", "none"),
  };
  PalyraRun run;
  run.Policy(policy);
  std::string raw;
  ExpectAnswers(TryInRun(run, attempts, raw), attempts, raw);
  // There a sink says yes to every text, and to nothing else.
  PalyraRun of_sink;
  of_sink.Policy(Policy());
  const std::vector<FileAttempt> of_text = {read("f", "none"), read("f", "none"),
                                            read("\xFF", "EACCES"), read(".env", "none")};
  ExpectAnswers(TryInRun(of_sink, of_text, raw), of_text, raw);
}

}  // namespace
}  // namespace palyra::tests
