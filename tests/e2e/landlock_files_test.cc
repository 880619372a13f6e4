// Policies about files and programs where no BPF LSM program holds them: what a tool can do, with
// the same tool outside as the control, and the test as the observer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/features.h"
#include "engine/file_judge.h"
#include "tests/e2e/own_store.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr uid_t kUid = 1000;

// The system can be read and executed, and the workspace be changed.
const char* const kSystem = R"(
permit (principal, action == Palyra::Action::"file.read", resource);
permit (principal, action == Palyra::Action::"process.exec", resource in Palyra::Directory::"/usr");
permit (principal, action == Palyra::Action::"file.write", resource == Palyra::Path::"/dev/null");
permit (principal, action in Palyra::Action::"file.modify", resource in Palyra::Directory::"${workspace}");
)";

std::string ForbidChanges(const std::string& directory) {
  return "forbid (principal, action in Palyra::Action::\"file.modify\", resource in "
         "Palyra::Directory::\"" +
         directory + "\");\n";
}

std::string ForbidAll(const std::string& directory) {
  return "forbid (principal, action in [Palyra::Action::\"file.any\", "
         "Palyra::Action::\"process.exec\"], resource in Palyra::Directory::\"" +
         directory + "\");\n";
}

Feature LandlockFiles() {
  engine::Features features;
  const bool held = engine::FileJudgeOf(engine::Host(), features) == engine::FileJudge::kLandlock;
  return {.name = "files held by Landlock",
          .since = {.major = 6, .minor = 2},
          .state = held ? Result<void>() : Fail(ErrorCode::kUnsupported, "another holds them")};
}

class LandlockFiles : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    PALYRA_REQUIRE_FEATURE(tests::LandlockFiles());
    ASSERT_EQ(chown(workspace_.path().c_str(), kUid, kUid), 0);
  }

  [[nodiscard]] SpawnOptions InWorkspace() const {
    SpawnOptions options;
    options.directory = workspace_.path();
    return options;
  }

  // A shell's script in the workspace, under those policies.
  [[nodiscard]] Ended Shell(const std::string& policies, const std::string& script,
                            const std::string& user = std::string(kToolUser)) const {
    PalyraRun run;
    run.Policy(policies).User(user);
    return run.Run({"/usr/bin/sh", "-c", script}, InWorkspace());
  }

  // The same without policies about files: that it can be done at all.
  [[nodiscard]] Ended Control(const std::string& script) const {
    return PalyraRun().Run({"/usr/bin/sh", "-c", script}, InWorkspace());
  }

  void MakeDirectory(const std::string& name) const {
    fs::create_directories(workspace_.Path(name));
    ASSERT_EQ(chown(workspace_.Path(name).c_str(), kUid, kUid), 0);
  }

  void WriteAsUser(const std::string& name, const std::string& text) const {
    ASSERT_EQ(chown(workspace_.Write(name, text).c_str(), kUid, kUid), 0);
  }

  [[nodiscard]] bool Exists(const std::string& name) const {
    return fs::exists(fs::symlink_status(workspace_.Path(name)));
  }

  TempDir workspace_;
  TempDir elsewhere_;
};

// The built-in policies, in a workspace that is not below /tmp, which they permit to change.
class LandlockDefaults : public LandlockFiles {
 protected:
  LandlockDefaults() : path_("/srv/palyra-test-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  }
  ~LandlockDefaults() override {
    std::error_code failure;
    fs::remove_all(path_, failure);
  }

  void SetUp() override {
    LandlockFiles::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const Ended made = RunProgram(
        {"/usr/bin/sh", "-ec",
         "mkdir -p .git/hooks .git/objects lib/part/.vscode src; echo x >.git/config; "
         "echo x >lib/part/.vscode/tasks.json; echo x >src/main.c; chown -R 1000:1000 ."},
        At());
    ASSERT_EQ(made.status, 0) << Describe(made);
  }

  [[nodiscard]] SpawnOptions At() const {
    SpawnOptions options;
    options.directory = path_;
    return options;
  }

  [[nodiscard]] Ended Defaults(const std::string& script) const {
    return PalyraRun()
        .Option("--defaults")
        .Option("--unheld", "file-patterns")
        .Run({"/usr/bin/sh", "-c", script}, At());
  }

  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      names.push_back(entry.path().string());
    }
    std::ranges::sort(names);
    return names;
  }

  std::string path_;
};

TEST_F(LandlockDefaults, AreRefusedWithoutAWordAboutPatterns) {
  const Ended ended = PalyraRun().Option("--defaults").Run({"/usr/bin/true"}, At());
  EXPECT_EQ(ended.status, 126) << Describe(ended);
  EXPECT_THAT(ended.error_output, HasSubstr("FILE-DEFAULTS"));
  EXPECT_THAT(ended.error_output, HasSubstr("--unheld file-patterns"));
}

TEST_F(LandlockDefaults, LetWorkBeDone) {
  const Ended ended = Defaults(
      "cat src/main.c && echo y >>src/main.c && mkdir build && mv src/main.c build/ && "
      "echo o >.git/objects/o && echo x >.git/HEAD && cat /etc/passwd >/dev/null && "
      "mkdir lib/new && mv build/main.c lib/part/ && rm lib/part/main.c && "
      "echo t >/tmp/palyra-defaults-$$ && rm /tmp/palyra-defaults-$$");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
}

TEST_F(LandlockDefaults, SeedsAreNeitherMadeNorChanged) {
  for (const char* const script :
       {"echo x >.git/hooks/post-merge", "echo x >>.git/config", "echo ../x >.git/commondir",
        "rm .git/config", "mv .git g2", "rm -rf .git", "mv .git/hooks h", "echo x >.envrc",
        "mkdir .vscode/x", "rmdir .vscode", "ln -s src .vscode", "mv src .idea",
        "echo x >.claude/settings.json", "echo x >>lib/part/.vscode/tasks.json", "mv lib l2",
        "mv lib/part p2", "rm -rf lib/part/.vscode", "chmod 777 .git/hooks"}) {
    EXPECT_NE(Defaults(script).status, 0) << script;
    EXPECT_EQ(ReadText(path_ + "/.git/config"), "x\n") << script;
    EXPECT_TRUE(fs::is_empty(path_ + "/.git/hooks")) << script;
    EXPECT_EQ(ReadText(path_ + "/lib/part/.vscode/tasks.json"), "x\n") << script;
    for (const char* const name :
         {"/.envrc", "/.vscode", "/.idea", "/.claude", "/.git/commondir"}) {
      EXPECT_FALSE(fs::exists(fs::symlink_status(path_ + name))) << name << " after " << script;
    }
  }
  const Ended control = PalyraRun().Run(
      {"/usr/bin/sh", "-c", "echo x >.git/hooks/post-merge && echo x >.envrc && mv lib l2"}, At());
  EXPECT_EQ(control.status, 0) << Describe(control);
}

TEST_F(LandlockDefaults, SecretsAreNotRead) {
  EXPECT_NE(Defaults("cat /etc/shadow").status, 0);
  EXPECT_NE(Defaults("ls /root").status, 0);
  EXPECT_NE(Defaults("cat /proc/1/environ").status, 0);
  EXPECT_EQ(Defaults("cat /proc/self/status >/dev/null").status, 0);
}

// One finds the placeholders of another, keeps them as they are, and the last one takes them away.
TEST_F(LandlockDefaults, RunsShareTheirPlaceholders) {
  const std::vector<std::string> before = Names();
  PalyraRun first;
  first.Option("--defaults").Option("--unheld", "file-patterns");
  Subprocess long_one(first.CommandLine({"/usr/bin/sh", "-c", "echo ready; exec sleep 60"}), At());
  ASSERT_TRUE(long_one.WaitForOutput("ready"));
  const Ended second = Defaults(
      "echo x >src/new; echo x >.envrc/y || echo x >.envrc || echo x >.claude/settings.json || "
      "echo held");
  EXPECT_EQ(second.output, "held\n") << Describe(second);
  EXPECT_TRUE(fs::exists(path_ + "/.envrc")) << "the first run still has it";
  long_one.Signal(SIGTERM);
  (void)long_one.Wait();
  std::vector<std::string> after = Names();
  std::erase(after, path_ + "/src/new");
  EXPECT_EQ(after, before);
}

TEST_F(LandlockFiles, TheWorkspaceIsChangedAndNothingElse) {
  ASSERT_EQ(chmod(elsewhere_.path().c_str(), 0777), 0);
  const std::string out = elsewhere_.path();
  EXPECT_EQ(Control("echo x > " + out + "/control && chmod 600 " + out + "/control").status, 0);
  EXPECT_TRUE(fs::exists(out + "/control"));

  const Ended inside =
      Shell(kSystem, "echo one > a && mv a b && ln b c && rm c && mkdir d && chmod 700 d && cat b");
  EXPECT_EQ(inside.status, 0) << Describe(inside);
  EXPECT_EQ(inside.output, "one\n");
  EXPECT_EQ(ReadText(workspace_.Path("b")), "one\n");

  for (const char* const command :
       {"echo y > $o/new", "echo y >> $o/control", "rm -f $o/control", "mv $o/control $o/moved",
        "ln $o/control $o/linked", "chmod 644 $o/control", "touch -d yesterday $o/control",
        "truncate -s 0 $o/control", "mkdir $o/made", "ln -s /etc $o/link", "mv b $o/b"}) {
    EXPECT_NE(Shell(kSystem, "o=" + out + "; " + command).status, 0) << command;
  }
  EXPECT_EQ(ReadText(out + "/control"), "x\n");
  struct stat status;
  ASSERT_EQ(stat((out + "/control").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(status.st_nlink, 1U);
  EXPECT_EQ(std::distance(fs::directory_iterator(out), fs::directory_iterator()), 1);
}

TEST_F(LandlockFiles, UidZeroIsHeldToo) {
  const std::string file = elsewhere_.Write("roots", "whole\n");
  ASSERT_EQ(chown(workspace_.path().c_str(), 0, 0), 0);
  const Ended control = PalyraRun().User("0").Run({"/usr/bin/touch", file});
  EXPECT_EQ(control.status, 0) << Describe(control);
  const Ended denied = Shell(kSystem, "echo > " + file, "0");
  EXPECT_NE(denied.status, 0);
  EXPECT_THAT(denied.error_output, HasSubstr("Read-only file system"));
  EXPECT_EQ(ReadText(file), "whole\n");
  EXPECT_NE(Shell(kSystem, "chmod 777 " + file, "0").status, 0);
  const std::string masked = kSystem + ForbidAll(elsewhere_.path());
  for (const std::string& way : {std::string(), std::string("/proc/1/root"),
                                 std::string("/proc/$PPID/root"), std::string("/proc/$$/root")}) {
    const Ended hidden = Shell(masked, std::string("cat ").append(way).append(file), "0");
    EXPECT_NE(hidden.status, 0) << way;
    EXPECT_EQ(hidden.output, "") << way;
  }
}

TEST_F(LandlockFiles, WhatNoPolicyReadsCannotBeRead) {
  const std::string file = elsewhere_.Write("secret", "hidden\n");
  const std::string policies = R"(
permit (principal, action in [Palyra::Action::"file.read", Palyra::Action::"process.exec"],
        resource in Palyra::Directory::"/usr");
permit (principal, action == Palyra::Action::"file.read", resource in Palyra::Directory::"/etc");
)";
  EXPECT_EQ(Control("cat " + file).output, "hidden\n");
  const Ended denied = Shell(policies, "cat " + file + "; ls " + elsewhere_.path());
  EXPECT_NE(denied.status, 0);
  EXPECT_EQ(denied.output, "");
  EXPECT_THAT(denied.error_output, HasSubstr("Permission denied"));
  EXPECT_EQ(Shell(policies, "test -n \"$(cat /etc/passwd)\"").status, 0);
}

TEST_F(LandlockFiles, ASecretIsMaskedWhateverTheWayToIt) {
  MakeDirectory("keys");
  WriteAsUser("keys/id", "hidden\n");
  WriteAsUser("open", "shown\n");
  fs::create_symlink(workspace_.Path("keys/id"), workspace_.Path("link"));
  const std::string policies = kSystem + ForbidAll("${workspace}/keys");
  EXPECT_EQ(Control("cat keys/id").output, "hidden\n");
  for (const std::string& command : std::vector<std::string>{
           "cat keys/id", "cat link", "ls keys", "cat keys/../keys/id", "ln keys/id mine",
           "mv keys moved", "cd keys && cat id", "chmod 777 keys", "cat /proc/self/cwd/keys/id",
           "cat /proc/self/root" + workspace_.path() + "/keys/id",
           "cp -r keys copy && cat copy/id"}) {
    const Ended denied = Shell(policies, command);
    EXPECT_NE(denied.status, 0) << command;
    EXPECT_THAT(denied.output, Not(HasSubstr("hidden"))) << command;
  }
  EXPECT_EQ(Shell(policies, "cat open").output, "shown\n");
  EXPECT_EQ(ReadText(workspace_.Path("keys/id")), "hidden\n");
}

TEST_F(LandlockFiles, ALinkOfTheRunsOwnLeadsNowhereElse) {
  const std::string file = elsewhere_.Write("target", "whole\n");
  ASSERT_EQ(chmod(file.c_str(), 0666), 0);
  EXPECT_EQ(Control("ln -s " + file + " l && echo x >> l").status, 0);
  ASSERT_EQ(ReadText(file), "whole\nx\n");
  EXPECT_NE(Shell(kSystem, "echo y >> l").status, 0);
  EXPECT_EQ(ReadText(file), "whole\nx\n");
}

TEST_F(LandlockFiles, HooksThatAreThereCannotBeChanged) {
  MakeDirectory(".git");
  MakeDirectory(".git/hooks");
  WriteAsUser(".git/hooks/old", "old\n");
  const std::string policies = kSystem + ForbidChanges("${workspace}/.git/hooks");
  for (const std::string& command : std::vector<std::string>{
           "echo x > .git/hooks/new", "echo x > .git/hooks/old", "rm .git/hooks/old",
           "mv .git g2 && mkdir -p .git/hooks", "mv .git/hooks .git/h2", "rm -r .git/hooks",
           "chmod 777 .git/hooks/old", "ln .git/hooks/old mine && echo x > mine"}) {
    EXPECT_NE(Shell(policies, command).status, 0) << command;
  }
  EXPECT_EQ(ReadText(workspace_.Path(".git/hooks/old")), "old\n");
  EXPECT_FALSE(Exists(".git/hooks/new"));
  EXPECT_FALSE(Exists("g2"));
  EXPECT_EQ(Shell(policies, "cat .git/hooks/old && echo x > .git/index").output, "old\n");
  EXPECT_TRUE(Exists(".git/index"));
  EXPECT_EQ(Control("echo x > .git/hooks/new").status, 0);
}

TEST_F(LandlockFiles, HooksThatAreNotThereYetCannotBeMade) {
  const std::string policies =
      kSystem + ForbidChanges("${workspace}/.git/hooks") + ForbidChanges("${workspace}/.vscode");
  const Ended made = Shell(policies,
                           "echo x > .git/hooks/post-commit; rmdir .git/hooks; mv .git g; "
                           "echo x > .vscode/tasks.json; test -d .git && echo > .git/config");
  EXPECT_EQ(made.status, 0) << Describe(made);
  EXPECT_TRUE(Exists(".git/config")) << "what the run made stays";
  EXPECT_FALSE(Exists(".git/hooks"));
  EXPECT_FALSE(Exists(".vscode"));
  EXPECT_FALSE(Exists("g"));
}

TEST_F(LandlockFiles, PlaceholdersGoWithAKilledSupervisor) {
  PalyraRun run;
  run.Policy(kSystem + ForbidChanges("${workspace}/.git/hooks"));
  Subprocess command(run.CommandLine({"/usr/bin/sh", "-c", "echo ready; sleep 1000"}),
                     InWorkspace());
  ASSERT_TRUE(command.WaitForOutput("ready"));
  EXPECT_TRUE(Exists(".git/hooks"));
  command.Signal(SIGKILL);
  (void)command.Wait(std::chrono::seconds(5));
  EXPECT_TRUE(Eventually([&] { return !Exists(".git"); }));
}

// Whoever removes a directory takes every mount on it away.
TEST_F(LandlockFiles, APlaceholderStaysForTheOtherRunThatIsProtectedByIt) {
  PalyraRun run;
  run.Policy(kSystem + ForbidChanges("${workspace}/.git/hooks"));
  const std::string wait = "echo ready; read line; mkdir -p .git/hooks; echo x > .git/hooks/a";
  Subprocess first(run.CommandLine({"/usr/bin/sh", "-c", "echo ready; sleep 1000"}), InWorkspace());
  ASSERT_TRUE(first.WaitForOutput("ready"));
  SpawnOptions in_terminal = InWorkspace();
  in_terminal.terminal = true;
  Subprocess second(run.CommandLine({"/usr/bin/sh", "-c", wait}), in_terminal);
  ASSERT_TRUE(second.WaitForOutput("ready"));
  first.Signal(SIGTERM);
  (void)first.Wait();
  EXPECT_TRUE(Exists(".git/hooks"));
  second.Type("go\n");
  const Ended ended = second.Wait();
  EXPECT_THAT(ended.output, HasSubstr("Read-only file system"));
  EXPECT_FALSE(Exists(".git"));
}

TEST_F(LandlockFiles, OnlyWhatMayBeExecutedIs) {
  fs::copy_file("/usr/bin/true", workspace_.Path("tool"));
  ASSERT_EQ(chmod(workspace_.Path("tool").c_str(), 0755), 0);
  const std::string interpreter = "/usr/lib64/ld-linux-x86-64.so.2";
  EXPECT_EQ(Control("./tool && " + interpreter + " ./tool").status, 0);
  EXPECT_EQ(Shell(kSystem, "/usr/bin/true").status, 0);
  EXPECT_THAT(Shell(kSystem, "./tool").error_output, HasSubstr("Permission denied"));
  EXPECT_NE(Shell(kSystem, interpreter + " ./tool").status, 0) << "read, and mapped executable";
  EXPECT_NE(Shell(kSystem, "cp /usr/bin/true mine && ./mine").status, 0);

  const std::string forbidden =
      std::string(kSystem) +
      "forbid (principal, action == Palyra::Action::\"process.exec\", resource == "
      "Palyra::Executable::\"/usr/bin/true\");";
  EXPECT_NE(Shell(forbidden, "/usr/bin/true").status, 0);
  EXPECT_NE(Shell(forbidden, interpreter + " /usr/bin/true").status, 0);
  EXPECT_EQ(Shell(forbidden, "/usr/bin/id -u").status, 0);
  const Ended command = PalyraRun().Policy(forbidden).Run({"/usr/bin/true"}, InWorkspace());
  EXPECT_EQ(command.status, 126) << Describe(command);
}

TEST_F(LandlockFiles, AProgramInAMemoryFileIsNone) {
  const std::string program =
      "import os; f = os.memfd_create('x', 0); os.write(f, open('/usr/bin/true', 'rb').read()); "
      "os.execve(f, ['true'], {})";
  const std::vector<std::string> command = {"/usr/bin/python3", "-c", program};
  EXPECT_EQ(PalyraRun().Run(command, InWorkspace()).status, 0);
  const Ended denied = PalyraRun().Policy(kSystem).Run(command, InWorkspace());
  EXPECT_EQ(denied.status, 1);
  EXPECT_THAT(denied.error_output, HasSubstr("PermissionError"));
}

TEST_F(LandlockFiles, SignalsReachTheRunAndNobodyElse) {
  const Subprocess other(
      {"/usr/bin/sleep", "1000"},
      {.input = "", .environment = std::nullopt, .directory = "", .inherited = {}, .in_child = [] {
         return setuid(kUid) == 0 ? 0 : 99;
       }});
  const std::string script = "sleep 1000 & kill $! && ! kill " + std::to_string(other.pid());
  const std::string signal =
      "permit (principal, action == Palyra::Action::\"process.signal\", "
      "resource)";
  EXPECT_EQ(Shell(signal + " when { resource.same_run };", script).status, 0);
  EXPECT_EQ(kill(other.pid(), 0), 0);
  const Ended refused = Shell(signal + ";", script);
  EXPECT_EQ(refused.status, 126);
  EXPECT_THAT(refused.error_output, HasSubstr("PROCESS-SCOPE"));
}

TEST_F(LandlockFiles, WhatCannotBeHeldIsRefusedUnlessItIsNamed) {
  const std::string pattern =
      std::string(kSystem) +
      "forbid (principal, action in Palyra::Action::\"file.any\", resource) when { resource.path "
      "like \"*.env\" };";
  WriteAsUser(".env", "hidden\n");
  const Ended refused = Shell(pattern, "true");
  EXPECT_EQ(refused.status, 126);
  EXPECT_THAT(refused.error_output, HasSubstr("FILE-PATTERN"));
  EXPECT_THAT(refused.error_output, HasSubstr("--unheld file-patterns"));

  const std::string narrow =
      "permit (principal, action in [Palyra::Action::\"file.read\", "
      "Palyra::Action::\"process.exec\"], resource in Palyra::Directory::\"/usr\");\n"
      "permit (principal, action in Palyra::Action::\"file.any\", resource in "
      "Palyra::Directory::\"${workspace}\");\n"
      "forbid (principal, action in Palyra::Action::\"file.any\", resource) when { resource.path "
      "like \"" +
      workspace_.path() + "/*.env\" };";
  EXPECT_EQ(Shell(narrow, "true").status, 126);
  PalyraRun weakened;
  weakened.Policy(narrow).Option("--unheld", "file-patterns");
  const Ended ended = weakened.Run(
      {"/usr/bin/sh", "-c", "cat .env || echo denied; echo x > new.env && cat new.env"},
      InWorkspace());
  EXPECT_EQ(ended.output, "denied\nx\n") << Describe(ended);
  EXPECT_EQ(ReadText(workspace_.Path(".env")), "hidden\n");
}

TEST_F(LandlockFiles, TheReportSaysByWhatFilesAreHeld) {
  const Ended with =
      PalyraRun().Policy(kSystem).Option("--report").Run({"/usr/bin/true"}, InWorkspace());
  EXPECT_EQ(with.status, 0) << Describe(with);
  EXPECT_THAT(with.error_output, HasSubstr("Landlock domain, read-only mounts"));
  const Ended without = PalyraRun().Option("--report").Run({"/usr/bin/true"}, InWorkspace());
  EXPECT_THAT(without.error_output, HasSubstr("NOT HELD  files, programs"));
}

class LandlockUpdates : public LandlockFiles {
 protected:
  void SetUp() override {
    LandlockFiles::SetUp();
    if (IsSkipped()) return;
    // Whatever the engine mounts, it mounts for the whole machine.
    ASSERT_EQ(PalyraRun().Run({"/bin/true"}).status, 0);
    mounts_ = OwnStore();
    Load(kPermit);
  }

  [[nodiscard]] SpawnOptions Inside() const {
    SpawnOptions options = InWorkspace();
    options.in_child = [mounts = mounts_.get(), directory = workspace_.path()] {
      return setns(mounts, CLONE_NEWNS) == 0 && chdir(directory.c_str()) == 0 ? 0 : 99;
    };
    return options;
  }

  void Load(const std::string& text) const {
    const std::string file = elsewhere_.Write("operator.cedar", text);
    const Ended loaded = RunProgram({BinaryPath("palyra"), "policy", "load", file}, Inside());
    ASSERT_EQ(loaded.status, 0) << Describe(loaded);
  }

  static constexpr const char* kPermit =
      "permit (principal, action in [Palyra::Action::\"file.any\", "
      "Palyra::Action::\"process.exec\"], resource);\n";
  const std::vector<std::string> waiting_ = {"/usr/bin/sh", "-c", "echo ready; sleep 1000"};
  UniqueFd mounts_;
};

TEST_F(LandlockUpdates, ARunThatLosesFilesEnds) {
  PalyraRun command;
  command.Policy(kSystem);
  Subprocess run(command.CommandLine(waiting_), Inside());
  ASSERT_TRUE(run.WaitForOutput("ready"));
  Load(kPermit + ForbidChanges(workspace_.path() + "/x"));
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 137) << Describe(ended);
  EXPECT_FALSE(ended.signaled);
  EXPECT_THAT(ended.error_output, HasSubstr("the run ends: the policies deny files"));
}

TEST_F(LandlockUpdates, ARunThatWinsFilesGoesOnWithoutThem) {
  Load(kPermit + ForbidChanges("/usr"));
  PalyraRun command;
  command.Policy(kSystem + std::string(kPermit));
  Subprocess run(command.CommandLine(waiting_), Inside());
  ASSERT_TRUE(run.WaitForOutput("ready"));
  Load(kPermit);
  const Ended ended = run.Wait(std::chrono::seconds(2));
  EXPECT_TRUE(ended.timed_out);
  EXPECT_THAT(ended.error_output, HasSubstr("the next run has it"));
}

TEST_F(LandlockUpdates, AStaleRunGoesOnWhereThatIsWanted) {
  PalyraRun command;
  command.Policy(kSystem).Option("--on-stale", "mark");
  Subprocess run(command.CommandLine(waiting_), Inside());
  ASSERT_TRUE(run.WaitForOutput("ready"));
  Load(kPermit + ForbidChanges(workspace_.path() + "/x"));
  const Ended ended = run.Wait(std::chrono::seconds(2));
  EXPECT_TRUE(ended.timed_out);
  EXPECT_THAT(ended.error_output, HasSubstr("the run is stale"));
}

TEST_F(LandlockFiles, DefaultsTakeMoreThanLandlock) {
  PalyraRun run;
  run.Option("--defaults");
  const Ended refused = run.Run({"/usr/bin/true"}, InWorkspace());
  EXPECT_EQ(refused.status, 126) << Describe(refused);
  EXPECT_NE(refused.error_output.find("FILE-DEFAULTS"), std::string::npos) << Describe(refused);
}

TEST_F(LandlockFiles, NoProgramCanWaitForAnAnswer) {
  const std::string ask =
      "@ask(\"is it needed?\")\npermit (principal, action == Palyra::Action::\"process.exec\", "
      "resource == Palyra::Executable::\"/opt/tool\");";
  PalyraRun run;
  run.Policy(kSystem + ask);
  const Ended denied = run.Run({"/usr/bin/true"}, InWorkspace());
  EXPECT_EQ(denied.status, 0) << "an ask alone is a deny: " << Describe(denied);
  run.Option("--hold", "60");
  const Ended refused = run.Run({"/usr/bin/true"}, InWorkspace());
  EXPECT_EQ(refused.status, 126) << Describe(refused);
  EXPECT_NE(refused.error_output.find("HOLD-EXEC"), std::string::npos) << Describe(refused);
}

TEST_F(LandlockFiles, ADryRunShowsTheView) {
  PalyraRun run;
  run.User(std::string(kToolUser))
      .Option("--allow-read", "/usr")
      .Option("--allow-exec", "/usr/bin");
  run.Option("--dry-run");
  const Ended shown = run.Run({"/usr/bin/touch", "made"}, InWorkspace());
  EXPECT_EQ(shown.status, 0) << Describe(shown);
  EXPECT_NE(shown.output.find("grant /usr: read list\n"), std::string::npos) << Describe(shown);
  EXPECT_NE(shown.output.find("grant /usr/bin: read list execute"), std::string::npos)
      << Describe(shown);
  EXPECT_FALSE(Exists("made"));
}

}  // namespace
}  // namespace palyra::tests
