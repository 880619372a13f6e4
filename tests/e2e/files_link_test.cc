// Hard links that were made before the run, to what policies protect by name, with BPF LSM.

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "bpf/abi.h"
#include "tests/e2e/files_fixture.h"
#include "tests/support/palyra_run.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

using Answers = std::vector<std::string>;

class FilesLinks : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    if (IsSkipped()) return;
    Link(Ws("secret/s"), Ws("scratch/to-secret"));
    Link(Out("o"), Ws("scratch/to-out"));
    Link(Out("tool"), Ws("bin/to-tool"));
    Link(Ws("own"), Ws("scratch/to-own"));
    Link(Ws("data/tool"), Ws("bin/to-data"));
  }

  static void Link(const std::string& from, const std::string& to) {
    ASSERT_EQ(link(from.c_str(), to.c_str()), 0) << to;
  }

  // What the fixture's policy says, and forbids by name: of a directory, of two files.
  [[nodiscard]] std::string Protecting() const {
    return Policy() +
           "forbid (principal, action in Palyra::Action::\"file.modify\", resource == "
           "Palyra::Path::\"" +
           Out("o") +
           "\");\n"
           "forbid (principal, action == Palyra::Action::\"process.exec\", resource == "
           "Palyra::Executable::\"" +
           Out("tool") +
           "\");\n"
           "permit (principal, action == Palyra::Action::\"file.read\", resource == "
           "Palyra::Path::\"" +
           Out("tool") + "\");\n";
  }

  static Answers Try(const std::string& policy, const std::vector<FileAttempt>& attempts,
                     std::string& raw) {
    PalyraRun run;
    run.Policy(policy);
    return TryInRun(run, attempts, raw);
  }

  // Of any run.
  static bool AreLinkedNamesKnown() {
    for (const auto& generation : fs::directory_iterator("/sys/fs/bpf/palyra")) {
      const std::string path = generation.path().string() + "/linked_names";
      const UniqueFd map(bpf_obj_get(path.c_str()));
      palyra_linked_key key = {};
      if (bpf_map_get_next_key(map.get(), nullptr, &key) == 0) return true;
    }
    return false;
  }

  // Under that policy, until it is killed.
  static std::vector<std::string> Waiting(PalyraRun& run, const std::string& policy) {
    run.Policy(policy +
               "permit (principal, action == Palyra::Action::\"process.exec\", resource) "
               "when { resource.path like \"/*bin/*\" };");
    return run.CommandLine({"/bin/sleep", "600"});
  }
};

TEST_F(FilesLinks, AnotherNameGivesNothingThatIsForbidden) {
  std::string raw;
  EXPECT_EQ(Try(Protecting(),
                {{.words = {"open-read", Ws("scratch/to-secret")}},
                 {.words = {"open-write", Ws("scratch/to-secret")}},
                 {.words = {"open-linked", Ws("scratch/to-secret"), Ws("scratch/symlink")}},
                 {.words = {"truncate", Ws("scratch/to-secret")}},
                 {.words = {"chmod", Ws("scratch/to-secret")}},
                 {.words = {"utimes", Ws("scratch/to-secret")}},
                 {.words = {"open-write", Ws("scratch/to-out")}},
                 {.words = {"chmod", Ws("scratch/to-out")}},
                 {.words = {"exec", Ws("bin/to-tool")}},
                 {.words = {"map", Ws("bin/to-tool")}}},
                raw),
            (Answers{"open-read EACCES", "open-write EACCES", "open-linked EACCES",
                     "truncate EACCES", "chmod EACCES", "utimes EACCES", "open-write EACCES",
                     "chmod EACCES", "exec EACCES", "map EACCES"}))
      << raw;
  EXPECT_EQ(ReadText(Ws("secret/s")), "s");
}

// What has one name left was still another file's when the run began.
TEST_F(FilesLinks, RemovingTheProtectedNameFreesNothing) {
  const std::string policy =
      "permit (principal, action in Palyra::Action::\"file.any\", resource);\n"
      "permit (principal, action == Palyra::Action::\"process.exec\", resource);\n"
      "forbid (principal, action == Palyra::Action::\"file.read\", resource == Palyra::Path::\"" +
      Ws("secret/s") + "\");\n";
  std::string raw;
  EXPECT_EQ(Try(policy,
                {{.words = {"open-read", Ws("scratch/to-secret")}},
                 {.words = {"unlink", Ws("secret/s")}},
                 {.words = {"open-read", Ws("scratch/to-secret")}},
                 {.words = {"open-read", Ws("scratch/to-own")}}},
                raw),
            (Answers{"open-read EACCES", "unlink none", "open-read EACCES", "open-read none"}))
      << raw;
}

TEST_F(FilesLinks, WhatIsNotForbiddenByNameStaysUsable) {
  std::string raw;
  // "out/o" may not be changed, and nothing is said of reading it.
  const std::string reads = Protecting() +
                            "permit (principal, action == Palyra::Action::\"file.read\", resource "
                            "== Palyra::Path::\"" +
                            Out("o") + "\");\n";
  EXPECT_EQ(Try(reads,
                {{.words = {"open-both", Ws("scratch/to-own")}},
                 {.words = {"chmod", Ws("scratch/to-own")}},
                 {.words = {"open-read", Ws("scratch/to-out")}},
                 {.words = {"exec", Ws("bin/to-data")}},
                 // Its names are the run's own to remove.
                 {.words = {"unlink", Ws("scratch/to-own")}}},
                raw),
            (Answers{"open-both none", "chmod none", "open-read none", "exec none", "unlink none"}))
      << raw;
  // The control: without the forbids they are.
  const std::string permit =
      "permit (principal, action in Palyra::Action::\"file.any\", resource);\n"
      "permit (principal, action == Palyra::Action::\"process.exec\", resource);\n";
  EXPECT_EQ(Try(permit,
                {{.words = {"open-both", Ws("scratch/to-secret")}},
                 {.words = {"open-write", Ws("scratch/to-out")}},
                 {.words = {"exec", Ws("bin/to-tool")}}},
                raw),
            (Answers{"open-both none", "open-write none", "exec none"}))
      << raw;
}

TEST_F(FilesLinks, TheLogNamesWhatIsProtected) {
  PalyraRun run;
  run.Policy(Protecting());
  std::string raw;
  TryInRun(run, {{.words = {"open-read", Ws("scratch/to-secret")}}}, raw);
  const std::vector<AuditEntry> audit = run.Audit();
  ASSERT_EQ(audit.size(), 1U) << raw;
  EXPECT_EQ(audit[0].path, Ws("secret/s"));
  EXPECT_EQ(audit[0].policies.size(), 1U);
}

// Names of one file, of which each is forbidden something else.
TEST_F(FilesLinks, MoreNamesThanAreLookedAtAreRefused) {
  constexpr const char* kActions[] = {"read", "write", "remove", "attributes"};
  std::string policy =
      "permit (principal, action in Palyra::Action::\"file.any\", resource);\n"
      "permit (principal, action == Palyra::Action::\"process.exec\", resource);\n";
  const auto protect = [&](unsigned number) {
    const std::string name = Ws("scratch/name" + std::to_string(number));
    Link(Ws("own"), name);
    for (unsigned i = 0; i < std::size(kActions); ++i) {
      if ((number >> i & 1U) == 0) continue;
      policy += std::string("forbid (principal, action == Palyra::Action::\"file.") + kActions[i] +
                "\", resource == Palyra::Path::\"" + name + "\");\n";
    }
  };
  for (unsigned number = 1; number <= PALYRA_MOST_LINKED_NAMES; ++number) protect(number);
  PalyraRun within;
  within.Policy(policy);
  const Ended held = within.Run({"/bin/true"});
  EXPECT_EQ(held.status, 0) << Describe(held);
  protect(PALYRA_MOST_LINKED_NAMES + 1);
  PalyraRun beyond;
  beyond.Policy(policy);
  const Ended refused = beyond.Run({"/bin/true"});
  EXPECT_EQ(refused.status, 126) << Describe(refused);
  EXPECT_TRUE(refused.error_output.contains("FILE-LINKED")) << Describe(refused);
  EXPECT_FALSE(AreLinkedNamesKnown());
}

TEST_F(FilesLinks, TwoRunsAreHeldToTheirOwnRules) {
  std::string raw;
  PalyraRun run;
  Subprocess held(Waiting(run, Protecting()));
  ASSERT_TRUE(Eventually([] { return AreLinkedNamesKnown(); }));
  EXPECT_EQ(Try("permit (principal, action in Palyra::Action::\"file.any\", resource);\n"
                "permit (principal, action == Palyra::Action::\"process.exec\", resource);\n",
                {{.words = {"open-both", Ws("scratch/to-secret")}}}, raw),
            Answers{"open-both none"})
      << raw;
  held.Signal(SIGTERM);
  held.Wait();
  EXPECT_FALSE(AreLinkedNamesKnown());
}

TEST_F(FilesLinks, NothingIsLeftOfARunWhoseSupervisorWasKilled) {
  PalyraRun run;
  Subprocess supervisor(Waiting(run, Protecting()));
  ASSERT_TRUE(Eventually([] { return AreLinkedNamesKnown(); }));
  supervisor.Signal(SIGKILL);
  supervisor.Wait();
  EXPECT_TRUE(Eventually([] {
    RunProgram({BinaryPath("palyra"), "sweep"});
    return !AreLinkedNamesKnown();
  }));
}

}  // namespace
}  // namespace palyra::tests
