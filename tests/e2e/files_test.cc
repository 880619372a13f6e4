// Files by policy, with BPF LSM: ways to an object that the rules forbid, each with its control.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/e2e/files_fixture.h"
#include "tests/support/palyra_run.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

TEST_F(Files, WhatIsPermittedSucceeds) {
  ExpectAllowed(Policy(), {{"open-read", Ws("own")},
                           {"open-both", Ws("own")},
                           {"open-append", Ws("own")},
                           {"reopen-write", Ws("own")},
                           {"open-relative", Ws("own")},
                           {"list", Ws("d")},
                           {"create", Ws("new")},
                           {"create", Ws("new\nline")},
                           {"create-unnamed", Ws("d")},
                           {"open-linked", Ws("own"), Ws("link")},
                           {"truncate", Ws("own")},
                           {"chmod", Ws("own")},
                           {"chown", Ws("own")},
                           {"utimes", Ws("own")},
                           {"fchmod", Ws("own")},
                           {"futimens", Ws("own")},
                           {"mkdir", Ws("made")},
                           {"mkfifo", Ws("pipe")},
                           {"bind", Ws("socket")},
                           {"symlink", "/nowhere", Ws("broken")},
                           {"rename", Ws("own"), Ws("moved")},
                           {"rename", Ws("d"), Ws("moved-d")},
                           {"exchange", Ws("moved"), Ws("own2")},
                           {"link", Ws("moved"), Ws("linked")},
                           {"rename", Ws("linked"), Ws("new")},
                           {"rmdir", Ws("moved-d")},
                           {"unlink", Ws("moved")},
                           {"open-read", Ws("secretfoo")},
                           {"open-path", Ws("secret/s")},
                           {"open-path", Out("o")},
                           {"exec", Ws("bin/tool")},
                           {"exec-path", Ws("bin/tool")},
                           {"map", Ws("bin/tool")},
                           {"protect", Ws("bin/tool")},
                           {"map-anonymous"},
                           {"signal-self"},
                           {"kill-child"}});
}

TEST_F(Files, EveryWayToOpenIsHeld) {
  std::vector<FileAttempt> attempts;
  for (const std::string& path : {Ws("secret/s"), Out("o")}) {
    for (const char* how : {"open-read", "open-write", "open-both", "open-neither", "open-append",
                            "open-truncate", "open-at2", "open-below", "reopen-read",
                            "reopen-write", "open-through-root", "open-relative"}) {
      attempts.push_back({.words = {how, path}});
    }
    attempts.push_back({.words = {"open-linked", path, Ws("scratch/link")}});
  }
  attempts.push_back({.words = {"list", Ws("secret")}});
  attempts.push_back({.words = {"open-write", Out("readable")}});
  ExpectHeld(Policy(), attempts);
}

TEST_F(Files, EveryChangeIsHeld) {
  ExpectHeld(Policy(), {{.words = {"create", Out("new")}},
                        {.words = {"create", Ws(".git/hooks/pre-commit")}},
                        {.words = {"create-unnamed", Out("d")}},
                        {.words = {"mkdir", Out("new")}},
                        {.words = {"mkfifo", Out("new")}},
                        {.words = {"bind", Out("new")}},
                        {.words = {"symlink", "/nowhere", Out("new")}},
                        {.words = {"unlink", Out("o")}},
                        {.words = {"unlink", Ws("keep")}},
                        {.words = {"rmdir", Out("d")}},
                        {.words = {"truncate", Out("o")}},
                        {.words = {"chmod", Out("o")}},
                        {.words = {"chown", Out("o")}},
                        {.words = {"utimes", Out("o")}},
                        {.words = {"fchmod", Out("readable")}},
                        {.words = {"futimens", Out("readable")}}});
}

// The file system may not know them; the hook is asked before it.
TEST_F(Files, AttributesThatOnlyAnInodeHasAreHeld) {
  const auto bare = [this](const std::vector<std::string>& words) {
    MakeTree();
    const std::vector<std::string> lines =
        Lines(RunProgram({BinaryPath("palyra_probe"), "try", words[0], words[1]}).output);
    return lines.empty() ? "" : lines[0].substr(words[0].size() + 1);
  };
  std::vector<FileAttempt> attempts;
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"setxattr", Out("o")},
                                             {"setacl", Out("o")},
                                             {"fsetxattr", Out("readable")},
                                             {"chattr", Out("readable")}}) {
    attempts.push_back({.words = words, .or_bare = bare(words)});
    EXPECT_NE(attempts.back().or_bare, "EACCES") << words[0];
  }
  ExpectHeld(Policy(), attempts);
}

TEST_F(Files, ANameGivesNothingThatTheOtherDidNot) {
  ExpectHeld(Policy(),
             {{.words = {"rename", Ws("own"), Out("new")}},
              {.words = {"rename", Out("o"), Ws("scratch/new")}},
              {.words = {"rename", Ws("own"), Ws(".git/hooks/pre-commit")}},
              {.words = {"rename", Ws("own"), Ws("keep")}},
              {.words = {"exchange", Ws("own"), Out("o")}},
              {.words = {"link", Out("o"), Ws("scratch/new")}},
              {.words = {"link", Ws("secret/s"), Ws("scratch/new")}},
              {.words = {"link-descriptor", Ws("secret/s"), Ws("scratch/new")}},
              {.words = {"link", Ws("own"), Out("new")}},
              {.words = {"rename", Ws("data/tool"), Ws("bin/other")}, .expected = "EXDEV"},
              {.words = {"link", Ws("data/tool"), Ws("bin/other")}, .expected = "EXDEV"},
              {.words = {"exchange", Ws("data/tool"), Ws("bin/tool")}, .expected = "EXDEV"}});
}

TEST_F(Files, ADirectoryTakesNoRulesWithIt) {
  ExpectHeld(Policy(), {{.words = {"rename", Ws("secret"), Ws("scratch/open")}},
                        {.words = {"rename", Ws(".git"), Ws("scratch/g2")}, .expected = "EXDEV"},
                        {.words = {"exchange", Ws(".git"), Ws("d")}, .expected = "EXDEV"},
                        {.words = {"rename", Ws("data"), Ws("bin/data")}, .expected = "EXDEV"},
                        {.words = {"rename", Ws("d"), Ws(".git/hooks/d")}},
                        {.words = {"rename", Out("d"), Ws("scratch/d")}}});
}

TEST_F(Files, APathThatIsNoTextIsDenied) {
  ExpectHeld(Policy(), {{.words = {"create", Ws("scratch/\xFF")}},
                        {.words = {"create-deep", Ws("scratch")}}});
}

TEST_F(Files, ARacedLinkLeadsNowhereElse) {
  ExpectHeld(Policy(), {{.words = {"race-read", Ws("secret/s"), Ws("own"), Ws("scratch/place")}}});
}

TEST_F(Files, EveryWayToExecuteIsHeld) {
  fs::copy_file("/bin/bash", Ws("data/bash"), fs::copy_options::overwrite_existing);
  ExpectHeld(Policy(), {{.words = {"exec", Out("tool")}},
                        {.words = {"exec", Ws("data/tool")}},
                        {.words = {"exec-as", Ws("data/tool"), "palyra_probe"}},
                        {.words = {"exec-path", Ws("data/tool")}},
                        {.words = {"exec-memory", Ws("bin/tool")}},
                        {.words = {"exec-unlinked", Ws("bin/tool"), Ws("scratch/tool")}},
                        {.words = {"exec-copy", Ws("bin/tool"), Ws("scratch/tool")}},
                        {.words = {"map", Ws("data/tool")}},
                        {.words = {"protect", Ws("data/tool")}},
                        {.words = {"map-memory"}}});
}

TEST_F(Files, TheDynamicLinkerExecutesNoOther) {
  const std::string other = Ws("scratch/bash");
  const auto try_it = [&](const std::string& policy) {
    MakeTree();
    fs::copy_file("/bin/bash", other);
    PalyraRun run;
    run.Policy(policy);
    std::string raw;
    const auto lines = TryInRun(run, {{.words = {"exec-by-linker", other}}}, raw);
    return lines.empty() ? raw : lines[0];
  };
  const std::string permit =
      "permit (principal, action == Palyra::Action::\"process.exec\", resource == "
      "Palyra::Executable::\"" +
      other + "\");";
  EXPECT_EQ(try_it(Policy() + permit), "exec-by-linker none");
  EXPECT_EQ(try_it(Policy()), "exec-by-linker EACCES");
}

// Of a script its interpreter is asked about too.
TEST_F(Files, AScriptIsAskedWithItsInterpreter) {
  const auto script = [](const std::string& path, const std::string& interpreter) {
    std::ofstream(path) << "#!" << interpreter << "\n";
    fs::permissions(path, fs::perms(0755));
  };
  script(Ws("bin/good"), Ws("bin/tool"));
  script(Ws("bin/bad"), Ws("data/tool"));
  script(Ws("data/bad"), Ws("bin/tool"));
  PalyraRun run;
  run.Policy(Policy());
  std::string raw;
  EXPECT_EQ(TryInRun(run,
                     {{.words = {"exec", Ws("bin/good")}},
                      {.words = {"exec", Ws("bin/bad")}},
                      {.words = {"exec", Ws("data/bad")}}},
                     raw),
            (std::vector<std::string>{"exec none", "exec EACCES", "exec EACCES"}))
      << raw;
}

TEST_F(Files, WhoSaysNothingOfFilesIsNotJudged) {
  PalyraRun run;
  run.Option("--allow-net", "192.0.2.1:1");
  std::string raw;
  EXPECT_EQ(TryInRun(run,
                     {{.words = {"open-both", Out("o")}},
                      {.words = {"rename", Ws(".git"), Ws("g2")}},
                      {.words = {"utimes", Out("o")}},
                      {.words = {"exec", Out("tool")}},
                      {.words = {"exec-memory", Ws("bin/tool")}},
                      {.words = {"create", Out("\xFF")}}},
                     raw),
            (std::vector<std::string>{"open-both none", "rename none", "utimes none", "exec none",
                                      "exec-memory none", "create none"}))
      << raw;
}

TEST_F(Files, TheLogSaysWhatWasDeniedToWhom) {
  PalyraRun run;
  run.Policy(Policy());
  std::string raw;
  TryInRun(run, {{.words = {"open-read", Ws("secret/s")}}}, raw);
  const std::vector<AuditEntry> audit = run.Audit();
  ASSERT_EQ(audit.size(), 1U) << raw;
  EXPECT_EQ(audit[0].action, "file.read");
  EXPECT_EQ(audit[0].path, Ws("secret/s"));
  EXPECT_EQ(audit[0].comm, "palyra_probe");
  EXPECT_EQ(audit[0].layer, "caller");
  EXPECT_EQ(audit[0].policies.size(), 1U);
  EXPECT_NE(raw.find("denied: file.read " + Ws("secret/s")), std::string::npos) << raw;
}

// One side of an exchange may be a directory, and the other a file with a name of its own.
TEST_F(Files, AFileExchangedWithADirectoryGainsNothing) {
  const std::string policy =
      Policy() +
      "forbid (principal, action == Palyra::Action::\"file.read\", resource == "
      "Palyra::Path::\"" +
      Ws("keep") + "\");\n";
  ExpectHeld(policy, {{{"exchange", Ws("keep"), Ws("d")}, "EXDEV"},
                      {{"exchange", Ws("d"), Ws("keep")}, "EXDEV"},
                      {{"rename", Ws("keep"), Ws("elsewhere")}, "EXDEV"}});
  ExpectAllowed(policy, {{"exchange", Ws("own"), Ws("d")}});
}

TEST_F(Files, DefaultsLetADeveloperWorkAndNoMore) {
  MakeTree();
  for (const std::string& path : {Ws(".env"), Out(".env")}) {
    std::ofstream(path) << "TOKEN=1\n";
    ASSERT_EQ(chown(path.c_str(), 1000, 1000), 0);
  }
  const std::vector<FileAttempt> attempts = {
      {{"open-read", Ws("own")}, "none"},
      {{"create", Ws("new")}, "none"},
      {{"open-read", Ws(".env")}, "none"},
      {{"open-read", Ws(".git/config")}, "none"},
      {{"exec", Ws("bin/tool")}, "none"},
      {{"signal-self"}, "none"},
      {{"open-read", Out("o")}, "none"},
      {{"open-read", Out(".env")}},
      {{"open-write", Ws(".git/config")}},
      {{"create", Ws(".git/hooks/post-commit")}},
      {{"create", Ws("d/.envrc")}},
      {{"mkdir", Ws("d/.vscode")}},
      {{"rename", Ws(".git"), Ws("g2")}, "EXDEV"},
  };
  PalyraRun run;
  run.Option("--defaults").Option("--workspace", Ws(""));
  run.Option("--allow-exec", fs::path(BinaryPath("palyra_probe")).parent_path());
  std::string raw;
  const std::vector<std::string> lines = TryInRun(run, attempts, raw);
  ExpectAnswers(lines, attempts, raw);
  EXPECT_FALSE(fs::exists(Ws(".git/hooks/post-commit")));
  EXPECT_TRUE(fs::exists(Ws(".git/hooks")));
}

}  // namespace
}  // namespace palyra::tests
