// Programs by their SHA-256, with BPF LSM and IMA.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "tests/e2e/files_fixture.h"
#include "tests/support/palyra_run.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

using Answers = std::vector<std::string>;

std::string DigestOf(const std::string& path) {
  const std::string text = ReadText(path);
  base::Sha256 sha256;
  sha256.Update({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  return base::HexText(sha256.Finish());
}

std::string ExecRule(const std::string& effect, const std::string& condition) {
  return effect + " (principal, action == Palyra::Action::\"process.exec\", resource) when { " +
         condition + " };\n";
}

std::string HasDigest(const std::string& digest) {
  return "resource has sha256 && resource.sha256 == \"" + digest + "\"";
}

class FilesByDigest : public Files {
 protected:
  // Everything of files, and what is executed by digest of the probe alone.
  static std::string ProbeAlone() { return Everything() + ExecRule("permit", HasDigest(Probe())); }

  static std::string Everything() {
    return "permit (principal, action in Palyra::Action::\"file.any\", resource);\n";
  }

  static std::string Probe() { return DigestOf(BinaryPath("palyra_probe")); }

  // The programs of the machine and the probe, by their paths.
  static std::string System() {
    return Everything() +
           ExecRule("permit", "resource.path == \"" + BinaryPath("palyra_probe") +
                                  "\" || resource.path like \"/lib*\" || resource.path like "
                                  "\"/usr/lib*\"");
  }

  // Another program that does the same.
  static void Change(const std::string& path) { std::ofstream(path, std::ios::app) << "x"; }

  static std::vector<std::string> Try(const std::string& policy,
                                      const std::vector<FileAttempt>& attempts, std::string& raw) {
    PalyraRun run;
    run.Policy(policy);
    return TryInRun(run, attempts, raw);
  }
};

TEST_F(FilesByDigest, AProgramRunsUnderWhateverName) {
  ExpectAllowed(ProbeAlone(), {{"exec", Ws("bin/tool")},
                               {"exec", Out("tool")},
                               {"exec-path", Ws("data/tool")},
                               {"exec-as", Ws("data/tool"), "other"},
                               {"exec-copy", Ws("bin/tool"), Ws("scratch/copy")},
                               {"link", Ws("bin/tool"), Ws("scratch/link")},
                               {"exec", Ws("scratch/link")},
                               {"rename", Ws("bin/tool"), Ws("scratch/moved")},
                               {"exec", Ws("scratch/moved")},
                               {"map", Ws("data/tool")}});
}

TEST_F(FilesByDigest, OneByteMoreIsAnotherProgram) {
  const std::vector<FileAttempt> attempts = {{.words = {"exec", Ws("bin/tool")}},
                                             {.words = {"exec-path", Ws("bin/tool")}},
                                             {.words = {"exec-copy", Ws("bin/tool"), Ws("copy")}},
                                             {.words = {"map", Ws("bin/tool")}}};
  const Answers held = {"exec EACCES", "exec-path EACCES", "exec-copy EACCES", "map EACCES"};
  const Answers runs = {"exec none", "exec-path none", "exec-copy none", "map none"};
  std::string raw;
  Change(Ws("bin/tool"));
  EXPECT_EQ(Try(ProbeAlone(), attempts, raw), held) << raw;
  EXPECT_EQ(
      Try(ProbeAlone() + ExecRule("permit", HasDigest(DigestOf(Ws("bin/tool")))), attempts, raw),
      runs)
      << raw;
}

TEST_F(FilesByDigest, AForbidHoldsUnderWhateverName) {
  Change(Ws("data/tool"));
  const std::string policy = Everything() + ExecRule("permit", "true") +
                             ExecRule("forbid", HasDigest(DigestOf(Ws("data/tool"))));
  std::string raw;
  EXPECT_EQ(Try(policy,
                {{.words = {"exec", Ws("bin/tool")}},
                 {.words = {"exec", Ws("data/tool")}},
                 {.words = {"exec-copy", Ws("data/tool"), Ws("scratch/copy")}},
                 {.words = {"exec-copy", Ws("bin/tool"), Ws("scratch/other")}}},
                raw),
            (Answers{"exec none", "exec EACCES", "exec-copy EACCES", "exec-copy none"}))
      << raw;
}

// The digest counts in one place; nowhere else is it asked for.
TEST_F(FilesByDigest, ElsewhereThePathDecides) {
  const std::string policy =
      System() + ExecRule("permit", "resource in Palyra::Directory::\"" + Ws("bin") + "\"") +
      ExecRule("permit",
               "resource in Palyra::Directory::\"" + Ws("data") + "\" && " + HasDigest(Probe()));
  Change(Ws("bin/tool"));
  std::string raw;
  EXPECT_EQ(Try(policy,
                {{.words = {"exec", Ws("bin/tool")}},
                 {.words = {"map-written", Ws("bin/tool")}},
                 {.words = {"protect", Ws("bin/tool")}},
                 {.words = {"map-written", Ws("data/tool")}},
                 {.words = {"exec", Ws("data/tool")}},
                 {.words = {"protect", Ws("data/tool")}},
                 {.words = {"exec", Out("tool")}},
                 // Into the place where its digest would be enough.
                 {.words = {"rename", Ws("bin/tool"), Ws("data/other")}},
                 {.words = {"rename", Out("tool"), Ws("data/other")}}},
                raw),
            (Answers{"exec none", "map-written none", "protect none", "map-written EACCES",
                     "exec none", "protect EACCES", "exec EACCES", "rename none", "rename EXDEV"}))
      << raw;
}

TEST_F(FilesByDigest, WhatIsExecutedIsNotWritten) {
  ExpectHeld(ProbeAlone(), {{.words = {"map-written", Ws("bin/tool")}},
                            {.words = {"write-mapped", Ws("bin/tool")}},
                            {.words = {"truncate-mapped", Ws("data/tool")}},
                            {.words = {"protect", Ws("data/tool")}}});
  // The control: what was never mapped so is, and a new file takes its place.
  ExpectAllowed(ProbeAlone(), {{"open-write", Ws("bin/tool")},
                               {"map", Ws("data/tool")},
                               {"rename", Ws("own"), Ws("data/tool")},
                               {"open-write", Ws("data/tool")}});
}

TEST_F(FilesByDigest, TheDynamicLinkerExecutesNoOther) {
  const std::string other = Ws("scratch/bash");
  fs::copy_file("/bin/bash", other);
  const std::string policy = System() + ExecRule("permit", HasDigest(DigestOf(other)));
  std::string raw;
  EXPECT_EQ(Try(policy, {{.words = {"exec-by-linker", other}}}, raw),
            Answers{"exec-by-linker none"})
      << raw;
  // Its mark forbids runs to write it, and not us.
  Change(other);
  EXPECT_EQ(Try(policy, {{.words = {"exec-by-linker", other}}}, raw),
            Answers{"exec-by-linker EACCES"})
      << raw;
}

// Everything that a program is made of, by digest alone.
TEST_F(FilesByDigest, ALibraryIsAProgram) {
  const std::string shell = "/bin/bash";
  const Ended listed = RunProgram({"/lib64/ld-linux-x86-64.so.2", "--list", shell});
  ASSERT_EQ(listed.status, 0) << Describe(listed);
  std::vector<std::string> files = {"/lib64/ld-linux-x86-64.so.2"};
  for (const std::string& line : Lines(listed.output)) {
    const size_t first = line.find("=> /");
    if (first != std::string::npos) {
      files.push_back(line.substr(first + 3, line.find(" (") - first - 3));
    }
  }
  ASSERT_GE(files.size(), 2U);
  const auto permits = [&](size_t left_out) {
    std::string policy = ProbeAlone() + ExecRule("permit", HasDigest(DigestOf(shell)));
    for (size_t i = 0; i < files.size(); ++i) {
      if (i != left_out) policy += ExecRule("permit", HasDigest(DigestOf(files[i])));
    }
    return policy;
  };
  const auto status = [&](const std::string& policy) {
    return PalyraRun().Policy(policy).Run({shell, "-c", "exit 7"}).status;
  };
  EXPECT_EQ(status(permits(files.size())), 7);
  for (size_t i = 0; i < files.size(); ++i) EXPECT_NE(status(permits(i)), 7) << files[i];
}

TEST_F(FilesByDigest, AScriptIsAskedWithItsInterpreter) {
  const auto script = [](const std::string& path, const std::string& interpreter) {
    std::ofstream(path) << "#!" << interpreter << "\n";
    fs::permissions(path, fs::perms(0777));
  };
  script(Ws("bin/good"), Ws("bin/tool"));
  script(Ws("bin/changed"), Ws("bin/tool"));
  script(Ws("bin/bad"), Ws("data/tool"));
  const std::string policy = ProbeAlone() +
                             ExecRule("permit", HasDigest(DigestOf(Ws("bin/good")))) +
                             ExecRule("permit", HasDigest(DigestOf(Ws("bin/bad"))));
  Change(Ws("bin/changed"));
  Change(Ws("data/tool"));
  std::string raw;
  EXPECT_EQ(Try(policy,
                {{.words = {"exec", Ws("bin/good")}},
                 {.words = {"exec", Ws("bin/changed")}},
                 {.words = {"exec", Ws("bin/bad")}},
                 {.words = {"open-write", Ws("bin/good")}}},
                raw),
            (Answers{"exec none", "exec EACCES", "exec EACCES", "open-write none"}))
      << raw;
}

TEST_F(FilesByDigest, TheCommandItselfIsHeldAndTheLogSaysWhy) {
  Change(Ws("bin/tool"));
  PalyraRun run;
  run.Policy(ProbeAlone());
  const Ended ended = run.Run({Ws("bin/tool"), "try", "signal-self"});
  EXPECT_EQ(ended.status, 126) << Describe(ended);
  const std::vector<AuditEntry> audit = run.Audit();
  ASSERT_EQ(audit.size(), 1U) << Describe(ended);
  EXPECT_EQ(audit[0].action, "process.exec");
  EXPECT_EQ(audit[0].path, Ws("bin/tool"));
  EXPECT_EQ(audit[0].layer, "caller");
  EXPECT_EQ(PalyraRun().Policy(ProbeAlone()).Run({Ws("data/tool"), "try", "signal-self"}).output,
            "signal-self none\n");
}

TEST_F(FilesByDigest, TheReportNamesTheMechanism) {
  const Ended ended = PalyraRun()
                          .Policy(ProbeAlone())
                          .Option("--report")
                          .Run({Ws("data/tool"), "try", "signal-self"});
  EXPECT_NE(ended.error_output.find("IMA, BPF lsm/bprm_check_security"), std::string::npos)
      << Describe(ended);
}

}  // namespace
}  // namespace palyra::tests
