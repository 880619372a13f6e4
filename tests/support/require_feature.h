// What a test needs of the kernel that it runs on, and the one way to skip a test.
//
//     TEST(FileRules, CannotReadOutsideWorkspace) {
//       PALYRA_REQUIRE_FEATURE(tests::BpfLsm());
//
// A test whose feature is missing is skipped and counted. Where every feature must work, that is
// where the environment has PALYRA_REQUIRE_ALL_FEATURES=1 (tools/run_in_kernel sets it), the same
// test fails, unless the running kernel is older than the feature.

#ifndef PALYRA_TESTS_SUPPORT_REQUIRE_FEATURE_H_
#define PALYRA_TESTS_SUPPORT_REQUIRE_FEATURE_H_

#include <gtest/gtest.h>

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace palyra::tests {

struct KernelVersion {
  int major = 0;
  int minor = 0;
  auto operator<=>(const KernelVersion&) const = default;
};

struct Feature {
  std::string name;     // As it reads in "needs <name>".
  KernelVersion since;  // The first kernel that can have it.
  Result<void> state;   // An error says why it is missing here.
};

// Effective uid 0.
Feature Root();

// BPF LSM programs load, attach, and are really called: an attached program was seen to run. A
// kernel with the hooks compiled in but `bpf` absent from its active LSMs accepts programs and
// never calls them, so nothing less is proof. Needs root. Probed once per process.
Feature BpfLsm();

// The cgroup2 hierarchy has `controller` ("memory", "pids", "cpu", "io") in its root.
Feature CgroupController(std::string_view controller);

// The test runs in a kernel booted by tools/run_in_kernel, whose surroundings are known.
Feature KernelLane();

// Where the cgroup2 hierarchy is mounted, by /proc/self/mountinfo.
Result<std::string> CgroupRoot();

// The running kernel, by uname(2).
KernelVersion RunningKernel();

// The rule behind the macro, free of the environment.
enum class Requirement { kMet, kSkip, kFail };
Requirement Judge(const Feature& feature, KernelVersion running, bool all_required);

// Judge() for this process: RunningKernel() and PALYRA_REQUIRE_ALL_FEATURES.
Requirement JudgeHere(const Feature& feature);

// "needs BPF LSM: <why it is missing>".
std::string MissingText(const Feature& feature);

}  // namespace palyra::tests

// For a test body or SetUp(): returns from it unless `feature` (a Feature) is there.
#define PALYRA_REQUIRE_FEATURE(feature)                                         \
  do {                                                                          \
    const ::palyra::tests::Feature& palyra_feature = (feature);                 \
    const auto palyra_requirement = ::palyra::tests::JudgeHere(palyra_feature); \
    if (palyra_requirement == ::palyra::tests::Requirement::kFail)              \
      GTEST_FAIL() << ::palyra::tests::MissingText(palyra_feature);             \
    if (palyra_requirement == ::palyra::tests::Requirement::kSkip)              \
      GTEST_SKIP() << ::palyra::tests::MissingText(palyra_feature);             \
  } while (false)

#endif  // PALYRA_TESTS_SUPPORT_REQUIRE_FEATURE_H_
