#include "engine/kernel_objects.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "engine/cgroup.h"
#include "engine/programs.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

class KernelObjectsTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    kernel_.emplace("palyra-test-" + std::to_string(getpid()) + "-objects", CgroupProgramsAlone());
  }

  // The ids of the pinned links; 0 for one that is not there.
  [[nodiscard]] std::map<std::string, uint32_t> LinkIds() const {
    std::map<std::string, uint32_t> ids;
    for (const char* program : kProgramNames) {
      const UniqueFd fd(bpf_obj_get(LinkOf(program).c_str()));
      bpf_link_info info = {};
      __u32 size = sizeof(info);
      const bool read = fd.valid() && bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0;
      ids[program] = read ? info.id : 0;
    }
    return ids;
  }

  [[nodiscard]] std::string LinkOf(const std::string& program) const {
    return kernel_->objects().pin_path() + "/link_" + program;
  }

  [[nodiscard]] Result<KernelObjects> Open() {
    return KernelObjects::Open(kernel_->host(), kernel_->features());
  }

  // One for each program and cgroup; every one is attached to the cgroup of the runs.
  void ExpectAllAttached() const {
    const Result<Cgroup> cgroup = Cgroup::Open(kernel_->objects().cgroup_path());
    ASSERT_TRUE(cgroup);
    for (const char* program : kProgramNames) {
      const UniqueFd fd(bpf_obj_get(LinkOf(program).c_str()));
      ASSERT_TRUE(fd.valid()) << program;
      bpf_link_info info = {};
      __u32 size = sizeof(info);
      ASSERT_EQ(bpf_obj_get_info_by_fd(fd.get(), &info, &size), 0);
      EXPECT_EQ(info.cgroup.cgroup_id, cgroup->id()) << program;
    }
  }

  std::optional<OwnKernel> kernel_;
};

TEST_F(KernelObjectsTest, AreAttachedOnceAndThenFound) {
  ExpectAllAttached();
  const std::map<std::string, uint32_t> before = LinkIds();
  const Result<KernelObjects> again = Open();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(LinkIds(), before) << "installed a second time";
}

TEST_F(KernelObjectsTest, ComeToWhatTheFeaturesOfTheKernelPromise) {
  EXPECT_EQ(kernel_->objects().judges(), JudgesFor(kernel_->features()));
}

TEST_F(KernelObjectsTest, AreInstalledAgainWhereAPinIsMissing) {
  for (const char* program : {kProgramNames.front(), kProgramNames.back()}) {
    ASSERT_EQ(unlink(LinkOf(program).c_str()), 0);
    const Result<KernelObjects> again = Open();
    ASSERT_TRUE(again) << again.error().message;
    ExpectAllAttached();
  }
}

TEST_F(KernelObjectsTest, AreInstalledAgainWhereAPinOfAnLsmProgramIsMissing) {
  PALYRA_REQUIRE_FEATURE(tests::BpfLsm());
  kernel_.emplace("palyra-test-" + std::to_string(getpid()) + "-lsm");
  const std::string link = LinkOf(kLsmProgramNames.back());
  ASSERT_EQ(unlink(link.c_str()), 0);
  const Result<KernelObjects> again = Open();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(access(link.c_str(), F_OK), 0);
}

TEST_F(KernelObjectsTest, AreInstalledAgainWhereTheirCgroupWasRemoved) {
  const std::string cgroup = kernel_->objects().cgroup_path();
  ASSERT_EQ(rmdir(cgroup.c_str()), 0);
  ASSERT_EQ(mkdir(cgroup.c_str(), 0755), 0);  // Of the same name, and nothing attached.
  const Result<KernelObjects> again = Open();
  ASSERT_TRUE(again) << again.error().message;
  ExpectAllAttached();
}

TEST_F(KernelObjectsTest, AreInstalledOnceByMany) {
  ASSERT_TRUE(RemoveGeneration(kernel_->host(), GenerationName()));
  std::vector<pid_t> children;
  for (int i = 0; i < 6; ++i) {
    const pid_t child = fork();
    if (child == 0) _exit(Open() ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  ExpectAllAttached();
  EXPECT_NE(access((PalyraPins(kernel_->host()) + "/staging").c_str(), F_OK), 0);
}

TEST_F(KernelObjectsTest, AreLeftWholeByAnInterruptedInstallation) {
  // What a killed installer leaves behind.
  const std::string staging = PalyraPins(kernel_->host()) + "/staging";
  ASSERT_EQ(mkdir(staging.c_str(), 0700), 0);
  const UniqueFd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "stale", 4, 4, 1, nullptr));
  ASSERT_EQ(bpf_obj_pin(map.get(), (staging + "/runs").c_str()), 0);
  ASSERT_EQ(unlink(LinkOf("palyra_egress").c_str()), 0);
  const Result<KernelObjects> again = Open();
  ASSERT_TRUE(again) << again.error().message;
  ExpectAllAttached();
  EXPECT_NE(access(staging.c_str(), F_OK), 0);
}

TEST_F(KernelObjectsTest, KeepAGenerationThatHasARun) {
  const std::string run = kernel_->objects().cgroup_path() + "/run";
  ASSERT_EQ(mkdir(run.c_str(), 0755), 0);
  EXPECT_FALSE(RemoveGeneration(kernel_->host(), GenerationName()));
  ExpectAllAttached();
  EXPECT_TRUE(RemoveCgroup(run));
}

// The level that BPF programs count, whatever a cgroup namespace shows.
TEST_F(KernelObjectsTest, KnowTheLevelOfACgroup) {
  const Result<unsigned> own = OwnCgroupLevel();
  ASSERT_TRUE(own) << own.error().message;
  const auto level_inside = [](const std::string& path) {
    const pid_t child = StartInCgroup(path, [] {
      const Result<unsigned> level = OwnCgroupLevel();
      _exit(level ? static_cast<int>(*level) : 255);
    });
    int status = -1;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  std::string path = kernel_->CgroupPath("level");
  ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
  const int first = level_inside(path);
  ASSERT_GE(first, 2);
  ASSERT_LT(first, 64);
  for (int deeper = 1; deeper <= 3; ++deeper) {
    path += "/deeper";
    ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
    EXPECT_EQ(level_inside(path), first + deeper);
  }
  EXPECT_TRUE(RemoveCgroup(kernel_->CgroupPath("level")));
}

TEST(ProbeKernel, FindsWhatRunsNeedAndLeavesNothingBehind) {
  PALYRA_REQUIRE_FEATURE(tests::Root());
  const Result<std::string> root = tests::CgroupRoot();
  ASSERT_TRUE(root);
  Features features;
  for (const FeatureInfo& info : AllFeatures()) {
    const FeatureState& state = features.Get(info.feature);
    EXPECT_TRUE(state.present || !state.detail.empty()) << info.name << " gives no reason";
    EXPECT_TRUE(state.present || !info.required) << info.name << ": " << state.detail;
  }
  const std::string probe = *root + "/palyra-probe-" + std::to_string(getpid());
  EXPECT_NE(access(probe.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace palyra::engine
