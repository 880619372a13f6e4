// Roundabout ways to files, with BPF LSM: io_uring, requests, handles, links of /proc, descriptors
// of others, names that are gone, other mounts.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/files_fixture.h"
#include "tests/e2e/giver.h"
#include "tests/e2e/own_store.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

class FilesWays : public Files {
 protected:
  // What the attempt says outside every run, as root.
  [[nodiscard]] std::string Bare(const std::vector<std::string>& words) const {
    MakeTree();
    std::vector<std::string> command = {BinaryPath("palyra_probe"), "try"};
    command.insert(command.end(), words.begin(), words.end());
    const std::vector<std::string> lines = Lines(RunProgram(command).output);
    return lines.empty() ? "" : lines[0].substr(words[0].size() + 1);
  }

  static std::string InRun(const PalyraRun& run, const std::vector<std::string>& words) {
    std::string raw;
    const std::vector<std::string> lines = TryInRun(run, {{.words = words}}, raw);
    return lines.size() == 1 ? lines[0].substr(words[0].size() + 1) : raw;
  }
};

TEST_F(FilesWays, ByIoUringEveryCallIsHeld) {
  std::vector<FileAttempt> attempts;
  for (const std::string& path : {Ws("secret/s"), Out("o")}) {
    for (const char* how :
         {"ring-open-read", "ring-open-write", "ring-open-truncate", "ring-open-by-worker",
          "ring-open-by-poller", "ring-open-at2", "ring-unlink"}) {
      attempts.push_back({.words = {how, path}});
    }
  }
  const std::vector<FileAttempt> more = {
      {.words = {"ring-create", Out("new")}},
      {.words = {"ring-create", Ws(".git/hooks/pre-commit")}},
      {.words = {"ring-mkdir", Out("new")}},
      {.words = {"ring-rmdir", Out("d")}},
      {.words = {"ring-symlink", "/nowhere", Out("new")}},
      {.words = {"ring-rename", Ws("own"), Out("new")}},
      {.words = {"ring-rename", Out("o"), Ws("scratch/new")}},
      {.words = {"ring-rename", Ws(".git"), Ws("scratch/g2")}, .expected = "EXDEV"},
      {.words = {"ring-exchange", Ws("own"), Out("o")}},
      {.words = {"ring-link", Ws("secret/s"), Ws("scratch/new")}},
      {.words = {"ring-link", Ws("data/tool"), Ws("bin/other")}, .expected = "EXDEV"}};
  attempts.insert(attempts.end(), more.begin(), more.end());
  // The file system may not know these.
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"ring-setxattr", Out("o")}, {"ring-fsetxattr", Out("readable")}}) {
    attempts.push_back({.words = words, .or_bare = Bare(words)});
    EXPECT_NE(attempts.back().or_bare, "EACCES") << words[0];
  }
  ExpectHeld(Policy(), attempts);
}

TEST_F(FilesWays, ByIoUringWhatIsPermittedSucceeds) {
  ExpectAllowed(Policy(), {{"ring-open-read", Ws("own")},
                           {"ring-open-by-worker", Ws("own")},
                           {"ring-open-by-poller", Ws("own")},
                           {"ring-open-at2", Ws("own")},
                           {"ring-create", Ws("new")},
                           {"ring-mkdir", Ws("made")},
                           {"ring-symlink", "/nowhere", Ws("broken")},
                           {"ring-rename", Ws("new"), Ws("newer")},
                           {"ring-exchange", Ws("newer"), Ws("own")},
                           {"ring-link", Ws("own"), Ws("linked")},
                           {"ring-unlink", Ws("linked")},
                           {"ring-rmdir", Ws("made")}});
}

TEST_F(FilesWays, RequestsThatChangeAttributesAreHeld) {
  std::vector<FileAttempt> attempts;
  for (const char* name :
       {"set-flags", "set-extended-flags", "set-version", "enable-verity", "set-fat-attributes"}) {
    attempts.push_back({.words = {name, Out("readable")}, .or_bare = ""});
  }
  // Those that make names: nobody can judge these.
  for (const char* name : {"subvolume-create", "subvolume-create-v2", "snapshot-create",
                           "snapshot-create-v2", "snapshot-destroy", "snapshot-destroy-v2"}) {
    attempts.push_back({.words = {name, Ws("d")}, .expected = "EPERM", .or_bare = ""});
  }
  attempts.push_back({.words = {"subvolume-flags", Out("readable")}, .or_bare = ""});
  const PalyraRun silent;
  for (FileAttempt& attempt : attempts) {
    const std::string& name = attempt.words[0];
    attempt.or_bare = Bare(attempt.words);
    EXPECT_NE(attempt.or_bare, "EACCES") << name;
    EXPECT_NE(attempt.or_bare, "EPERM") << name;
    EXPECT_EQ(InRun(silent, attempt.words), attempt.or_bare) << name;
  }
  ExpectHeld(Policy(), attempts);
}

TEST_F(FilesWays, InputOfATerminalSignalsNobody) {
  const std::string terminal =
      Policy() +
      "permit (principal, action in [Palyra::Action::\"file.read\", "
      "Palyra::Action::\"file.write\"], resource == Palyra::Path::\"/dev/ptmx\");\n";
  ExpectHeld(terminal, {{.words = {"signal-input"}}, {.words = {"signal-input-by-request"}}});
  ExpectAllowed(terminal, {{"signal-pipe"}, {"signal-pipe-by-request"}});
}

TEST_F(FilesWays, LinksOfProcLeadToWhatIsJudged) {
  ExpectHeld(Policy(), {{.words = {"open-through-child", Ws("secret/s")}},
                        {.words = {"open-through-child", Out("o")}}});
  ExpectAllowed(Policy(), {{"open-through-child", Ws("own")}});
}

// A Landlock domain says so, too, and is asked first.
TEST_F(FilesWays, LinksOfOthersInProcLeadNowhere) {
  SpawnOptions as_tool;
  as_tool.in_child = [] {
    return setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0 ? 0 : 99;
  };
  const Subprocess outsider({"/bin/sleep", "600"}, as_tool);
  const std::string pid = std::to_string(outsider.pid());
  ASSERT_TRUE(Eventually([&] { return ReadText("/proc/" + pid + "/cmdline").contains("600"); }));
  const std::vector<std::string> words = {"open-through-process", pid, Ws("own")};
  std::vector<std::string> command = {BinaryPath("palyra_probe"), "try"};
  command.insert(command.end(), words.begin(), words.end());
  EXPECT_EQ(RunProgram(command, as_tool).output, "open-through-process none\n");
  PalyraRun run;
  run.Policy(Policy());
  EXPECT_EQ(InRun(run, words), "EACCES");
}

TEST_F(FilesWays, AFileWithoutANameIsJudgedByItsLast) {
  const std::string unread =
      Policy() +
      "forbid (principal, action == Palyra::Action::\"file.read\", resource == "
      "Palyra::Path::\"" +
      Ws("scratch/gone") + "\");\n";
  const auto in_run = [this](const std::string& policy) {
    MakeTree();
    std::ofstream(Ws("scratch/gone")) << "o";
    EXPECT_EQ(chown(Ws("scratch/gone").c_str(), 1000, 1000), 0);
    PalyraRun run;
    run.Policy(policy);
    return InRun(run, {"reopen-removed", Ws("scratch/gone")});
  };
  EXPECT_EQ(in_run(Policy()), "none");
  EXPECT_EQ(in_run(unread), "EACCES");
}

TEST_F(FilesWays, AnUnnamedFileGetsNoNameThatGivesMore) {
  ExpectHeld(Policy(),
             {{.words = {"link-unnamed", Ws("scratch"), Ws("bin/other")}, .expected = "EXDEV"},
              {.words = {"link-unnamed", Ws("scratch"), Ws(".git/hooks/pre-commit")}},
              {.words = {"link-unnamed", Ws("scratch"), Out("new")}}});
  ExpectAllowed(Policy(), {{"link-unnamed", Ws("scratch"), Ws("named")}});
}

// What others have opened is judged when it comes.
TEST_F(FilesWays, DescriptorsOfOthersAreJudgedAsTheyCome) {
  const TempDir place;
  ASSERT_EQ(chmod(place.path().c_str(), 0755), 0);
  const std::string socket = place.Path("giver.sock");
  const std::string policy =
      Policy() +
      "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
      "!resource.abstract && resource.path == \"" +
      socket + "\" };\n";
  const auto answers = [&](const std::string& path, int flags) {
    const UniqueFd given(open(path.c_str(), flags | O_CLOEXEC));
    const Giver giver(socket, given.get());
    EXPECT_EQ(Lines(RunProgram({BinaryPath("palyra_probe"), "try", "receive-file", socket}).output),
              std::vector<std::string>{"receive-file none"});
    PalyraRun run;
    run.Policy(policy);
    std::string answer = InRun(run, {"receive-file", socket});
    EXPECT_EQ(run.Audit().empty(), answer == "none") << answer;
    unlink(socket.c_str());
    return answer;
  };
  EXPECT_EQ(answers(Ws("own"), O_RDWR), "none");
  EXPECT_EQ(answers(Out("readable"), O_RDONLY), "none");
  EXPECT_EQ(answers(Out("readable"), O_RDWR), "EACCES");
  EXPECT_EQ(answers(Ws("secret/s"), O_RDONLY), "EACCES");
  EXPECT_EQ(answers(Out("o"), O_RDONLY), "EACCES");
  EXPECT_EQ(answers(Out("o"), O_PATH), "EACCES");
}

// Where the same directory is seen twice.
class FilesMounts : public FilesWays {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(KernelLane());
    Files::SetUp();
  }
  void TearDown() override {
    while (umount2(Ws("scratch").c_str(), MNT_DETACH) == 0) {
    }
  }
  [[nodiscard]] static std::string When(const std::string& path) {
    struct stat status = {};
    if (lstat(path.c_str(), &status) != 0) return "gone";
    return std::to_string(status.st_ctim.tv_sec) + '.' + std::to_string(status.st_ctim.tv_nsec);
  }
};

TEST_F(FilesMounts, TimesAreJudgedUnderEveryMount) {
  std::ofstream(Out("d/f")) << "o";
  ASSERT_EQ(chown(Out("d/f").c_str(), 1000, 1000), 0);
  ASSERT_EQ(mount(Out("d").c_str(), Ws("scratch").c_str(), nullptr, MS_BIND, nullptr), 0);
  PalyraRun run;
  run.Policy(Policy());
  const std::string before = When(Out("d/f"));
  EXPECT_EQ(InRun(run, {"utimes", Ws("scratch/f")}), "EACCES");
  EXPECT_EQ(InRun(run, {"setxattr", Ws("scratch/f")}), "EACCES");
  EXPECT_EQ(When(Out("d/f")), before);
  // The control: seen once more, but nowhere where it must not change.
  ASSERT_EQ(umount2(Ws("scratch").c_str(), MNT_DETACH), 0);
  std::ofstream(Ws("d/f")) << "o";
  ASSERT_EQ(chown(Ws("d/f").c_str(), 1000, 1000), 0);
  ASSERT_EQ(mount(Ws("d").c_str(), Ws("scratch").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(InRun(run, {"utimes", Ws("scratch/f")}), "none");
}

// A file system of its own, mounted where it may be changed and where it may not.
TEST_F(FilesMounts, OneFileSystemThatIsMountedTwiceIsJudgedUnderBoth) {
  ASSERT_EQ(mount("tmpfs", Ws("scratch").c_str(), "tmpfs", 0, "mode=0777"), 0);
  std::ofstream(Ws("scratch/f")) << "o";
  ASSERT_EQ(chown(Ws("scratch/f").c_str(), 1000, 1000), 0);
  PalyraRun run;
  run.Policy(Policy());
  EXPECT_EQ(InRun(run, {"utimes", Ws("scratch/f")}), "none");
  ASSERT_EQ(mount(Ws("scratch").c_str(), Out("d").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_EQ(InRun(run, {"utimes", Ws("scratch/f")}), "EACCES");
  EXPECT_EQ(InRun(run, {"open-write", Ws("scratch/f")}), "none");
  EXPECT_EQ(InRun(run, {"open-read", Out("d/f")}), "EACCES");
  EXPECT_EQ(umount2(Out("d").c_str(), MNT_DETACH), 0);
  EXPECT_EQ(InRun(run, {"utimes", Ws("scratch/f")}), "none");
}

// Nobody knows what that file is called where the run is.
TEST_F(FilesMounts, AFileOfOtherMountsKeepsItsAttributes) {
  ASSERT_EQ(PalyraRun().Run({"/bin/true"}).status, 0);
  const UniqueFd elsewhere = OwnStore();
  UniqueFd given;
  std::thread([&] {
    if (unshare(CLONE_FS) != 0 || setns(elsewhere.get(), CLONE_NEWNS) != 0 ||
        mount("tmpfs", "/mnt", "tmpfs", 0, "mode=0777") != 0) {
      return;
    }
    std::ofstream("/mnt/f") << "o";
    if (chown("/mnt/f", 1000, 1000) == 0) given.Reset(open("/mnt/f", O_RDONLY | O_CLOEXEC));
  }).join();
  ASSERT_TRUE(given.valid());
  const TempDir place;
  const std::string socket = place.Path("giver.sock");
  const Giver giver(socket, given.get());
  PalyraRun run;
  run.Policy(
      "permit (principal, action in [Palyra::Action::\"file.any\", "
      "Palyra::Action::\"process.exec\"], resource);\n"
      "permit (principal, action == Palyra::Action::\"unix.connect\", resource);\n");
  EXPECT_EQ(InRun(run, {"receive-file", socket}), "none");
  for (const char* name : {"setxattr-received", "ring-setxattr-received"}) {
    EXPECT_NE(Bare({name, socket}), "EACCES") << name;
    EXPECT_EQ(InRun(run, {name, socket}), "EACCES") << name;
  }
}

// Whatever the layers are called: the run sees neither.
TEST_F(FilesMounts, AnOverlayIsJudgedByItsOwnPaths) {
  const std::string layers = Out("d/");
  ASSERT_EQ(mount("tmpfs", layers.c_str(), "tmpfs", 0, "mode=0755"), 0);
  for (const char* name : {"lower", "upper", "work"}) fs::create_directory(layers + name);
  for (const char* name : {"lower/f", "lower/g", "lower/hidden"}) {
    std::ofstream(layers + name) << "o";
  }
  for (const char* name : {"lower/tool", "lower/other"}) {
    fs::copy_file(BinaryPath("palyra_probe"), layers + name);
    fs::permissions(layers + name, fs::perms(0755));
  }
  for (const auto& entry : fs::recursive_directory_iterator(layers)) {
    ASSERT_EQ(lchown(entry.path().c_str(), 1000, 1000), 0);
  }
  const std::string options =
      "lowerdir=" + layers + "lower,upperdir=" + layers + "upper,workdir=" + layers + "work";
  ASSERT_EQ(mount("overlay", Ws("scratch").c_str(), "overlay", 0, options.c_str()), 0)
      << strerror(errno);
  ASSERT_EQ(umount2(layers.c_str(), MNT_DETACH), 0);
  PalyraRun run;
  run.Policy(Policy() +
             "forbid (principal, action in Palyra::Action::\"file.any\", resource == "
             "Palyra::Path::\"" +
             Ws("scratch/hidden") +
             "\");\npermit (principal, action == Palyra::Action::\"process.exec\", resource == "
             "Palyra::Executable::\"" +
             Ws("scratch/tool") + "\");\n");
  const std::vector<FileAttempt> attempts = {
      {.words = {"open-read", Ws("scratch/hidden")}},
      {.words = {"open-write", Ws("scratch/hidden")}},
      {.words = {"utimes", Ws("scratch/hidden")}},
      {.words = {"truncate", Ws("scratch/hidden")}},
      {.words = {"unlink", Ws("scratch/hidden")}},
      {.words = {"exec", Ws("scratch/other")}},
      {.words = {"map", Ws("scratch/other")}},
      {.words = {"protect", Ws("scratch/other")}},
      {.words = {"rename", Ws("scratch/other"), Ws("scratch/tool")}, .expected = "EXDEV"},
      {.words = {"exec", Ws("scratch/tool")}, .expected = "none"},
      {.words = {"map", Ws("scratch/tool")}, .expected = "none"},
      {.words = {"protect", Ws("scratch/tool")}, .expected = "none"},
      {.words = {"open-read", Ws("scratch/f")}, .expected = "none"},
      {.words = {"open-write", Ws("scratch/f")}, .expected = "none"},
      {.words = {"utimes", Ws("scratch/g")}, .expected = "none"},
      {.words = {"chmod", Ws("scratch/g")}, .expected = "none"},
      {.words = {"truncate", Ws("scratch/g")}, .expected = "none"},
      {.words = {"create", Ws("scratch/new")}, .expected = "none"},
      {.words = {"mkdir", Ws("scratch/made")}, .expected = "none"},
      {.words = {"rename", Ws("scratch/g"), Ws("scratch/h")}, .expected = "none"},
      {.words = {"unlink", Ws("scratch/f")}, .expected = "none"}};
  std::string raw;
  ExpectAnswers(TryInRun(run, attempts, raw), attempts, raw);
  EXPECT_EQ(ReadText(Ws("scratch/hidden")), "o");
}

}  // namespace
}  // namespace palyra::tests
