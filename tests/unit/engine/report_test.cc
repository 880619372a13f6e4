// The report says what holds each promise, and never that something is held which is not.

#include "engine/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

using testing::HasSubstr;
using testing::IsSupersetOf;

class ReportTest : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(tests::Root()); }

  // On a kernel that has everything but `absent`.
  static EnforcementReport Report(
      const std::set<Feature>& absent, uid_t uid = 1000,
      policy::EgressEnforcementMode egress = policy::EgressEnforcementMode::kStrict) {
    Features features([&absent](Feature feature) {
      return FeatureState{.present = !absent.contains(feature), .detail = {}};
    });
    ToolUser user;
    user.uid = uid;
    user.chosen_by = "--user";
    return BuildReport(OwnKernel::Get().objects(), features, user, egress);
  }

  static std::set<std::string> NotHeld(const EnforcementReport& report) {
    std::set<std::string> names;
    for (const Promise& promise : report.promises) {
      if (!promise.held) names.insert(promise.name);
    }
    return names;
  }

  // What a whole kernel holds and one without `absent` does not.
  static std::set<std::string> Lost(const std::set<Feature>& absent, uid_t uid = 1000) {
    std::set<std::string> lost = NotHeld(Report(absent, uid));
    for (const std::string& name : NotHeld(Report({}))) lost.erase(name);
    return lost;
  }
};

TEST_F(ReportTest, GivesAMechanismOrAReasonForEachPromise) {
  std::set<std::string> names;
  for (const Promise& promise : Report({}).promises) {
    EXPECT_FALSE(promise.mechanism.empty()) << promise.name;
    EXPECT_TRUE(names.insert(promise.name).second) << promise.name << " twice";
  }
}

TEST_F(ReportTest, SaysWhatEachMissingFeatureTakesAway) {
  EXPECT_EQ(Lost({}), std::set<std::string>());
  // With BPF LSM programs hold these too.
  const bool by_landlock = !OwnKernel::Get().objects().judges_files();
  const std::set<std::string> signals = {"no signals to processes outside"};
  const std::set<std::string> both = {"no signals to processes outside",
                                      "no tracing of processes outside"};
  const std::set<std::string> none;
  EXPECT_EQ(Lost({Feature::kLandlockScopes}), by_landlock ? signals : none);
  EXPECT_EQ(Lost({Feature::kLandlock, Feature::kLandlockScopes}), by_landlock ? both : none);
  // Without cgroup.kill a run ends whole too, by another way.
  EXPECT_EQ(Lost({Feature::kCgroupKill}), std::set<std::string>());
  EXPECT_THAT(ReportText(Report({Feature::kCgroupKill})), HasSubstr("freeze and kill"));
}

TEST_F(ReportTest, SaysThatRootOwnsTheHost) {
  std::set<std::string> lost = {"file permissions restrain the tool",
                                "no capabilities, none to be gained", "stays in its cgroup"};
  if (OwnKernel::Get().objects().unix_judge() == UnixJudge::kByAddress) {
    lost.insert("unix sockets: listed paths");
  }
  EXPECT_EQ(Lost({}, 0), lost);
}

TEST_F(ReportTest, SaysWhichEgressModeHoldsAndHow) {
  using enum policy::EgressEnforcementMode;
  const auto text = [](policy::EgressEnforcementMode mode) {
    return ReportText(Report({}, 1000, mode));
  };
  EXPECT_THAT(text(kNone), HasSubstr("egress mode none: offline"));
  EXPECT_THAT(text(kNone), HasSubstr("no resolver"));
  EXPECT_THAT(text(kPreflight), HasSubstr("egress mode preflight: names as they were"));
  EXPECT_THAT(text(kPreflight), HasSubstr("a resolver without sockets"));
  EXPECT_THAT(text(kStrict), HasSubstr("egress mode strict: every call and packet"));
  for (const auto mode : {kNone, kPreflight, kStrict}) {
    for (const char* part : {"tcp", "udp", "icmp", "unix sockets", "socket families", "names"}) {
      EXPECT_THAT(text(mode), HasSubstr(part));
    }
  }
}

TEST_F(ReportTest, NamesWhatIsNotHeldOfFiles) {
  const bool is_held = OwnKernel::Get().objects().judges_files();
  EXPECT_THAT(NotHeld(Report({})),
              IsSupersetOf({is_held ? "a hard link made before the run is the file itself"
                                    : "files, programs"}));
}

TEST_F(ReportTest, IsOneLineForEachPromiseInColumns) {
  EXPECT_EQ(ReportText({.promises = {{.name = "a", .held = true, .mechanism = "m"},
                                     {.name = "long", .held = false, .mechanism = "why"}}}),
            "held      a     m\n"
            "NOT HELD  long  why\n");
}

}  // namespace
}  // namespace palyra::engine
