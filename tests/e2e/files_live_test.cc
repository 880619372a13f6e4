// The operator's rules about files, under a run that is alive, with BPF LSM.

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "tests/e2e/files_fixture.h"
#include "tests/e2e/own_store.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

class FilesLive : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    if (IsSkipped()) return;
    // Whatever the engine mounts, it mounts for the whole machine.
    ASSERT_EQ(PalyraRun().Run({"/bin/true"}).status, 0);
    mounts_ = OwnStore();
  }

  [[nodiscard]] SpawnOptions Inside() const {
    SpawnOptions options;
    options.in_child = [mounts = mounts_.get()] {
      return setns(mounts, CLONE_NEWNS) == 0 ? 0 : 99;
    };
    return options;
  }

  void Load(const std::string& text) const {
    const std::string file = files_.Write("operator.cedar", text);
    const Ended loaded = RunProgram({BinaryPath("palyra"), "policy", "load", file}, Inside());
    ASSERT_EQ(loaded.status, 0) << Describe(loaded);
  }

  TempDir files_;
  UniqueFd mounts_;
};

// What it has open it may go on to read and to write, and nothing else.
TEST_F(FilesLive, RulesThatComeIntoForceTakeAFileAway) {
  const std::string all = "permit (principal, action, resource);\n";
  Load(all);
  PalyraRun command;
  command.Policy(Policy());
  Subprocess run(command.CommandLine({BinaryPath("palyra_probe"), "lose-file", Ws("own")}),
                 Inside());
  ASSERT_TRUE(run.WaitForOutput("ready"));
  Load(all +
       "forbid (principal, action in Palyra::Action::\"file.any\", resource == "
       "Palyra::Path::\"" +
       Ws("own") + "\");\n");
  const Ended ended = run.Wait();
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  const bool by_ring = RunningKernel() >= KernelVersion{6, 9};
  const std::string ring_before = by_ring ? "ring-ftruncate none" : "ring-ftruncate EINVAL";
  const std::string ring_after = by_ring ? "ring-ftruncate EACCES" : "ring-ftruncate EINVAL";
  EXPECT_EQ(
      Lines(ended.output),
      (std::vector<std::string>{"open none", "reopen none", "write none", "ftruncate none",
                                ring_before, "fchmod none", "futimens none", "rename none", "ready",
                                "open EACCES", "reopen EACCES", "write none", "ftruncate EACCES",
                                ring_after, "fchmod EACCES", "futimens EACCES", "rename EACCES"}))
      << Describe(ended);
}

}  // namespace
}  // namespace palyra::tests
