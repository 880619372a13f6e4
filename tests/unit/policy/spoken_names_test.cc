// Which policies make a run one whose files are judged.

#include "policy/compile/spoken_names.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

constexpr uint16_t Bit(NameAction action) {
  return static_cast<uint16_t>(1U << static_cast<unsigned>(action));
}

constexpr uint16_t kSockets = Bit(NameAction::kUnixConnect);
// With the actions on files and programs, which come before these.
constexpr uint16_t kFiles = kSockets | (Bit(NameAction::kProcessSignal) - 1);

uint16_t Judged(Layer layer, const std::string& policies) {
  const CompileFixture fixture({{layer, policies}});
  return JudgedNames(fixture.input().layers);
}

TEST(SpokenNamesTest, OneActionOnFilesIsEnoughForAll) {
  for (const char* head :
       {R"(action == Palyra::Action::"file.read", resource)",
        R"(action in Palyra::Action::"file.any", resource)",
        R"(action in [Palyra::Action::"net.connect", Palyra::Action::"file.link"], resource)",
        R"(action == Palyra::Action::"process.exec", resource)",
        R"(action, resource is Palyra::Path)", R"(action, resource is Palyra::Executable)",
        R"(action, resource == Palyra::Path::"/a")",
        R"(action, resource in Palyra::Directory::"/a")"}) {
    for (const char* effect : {"permit", "forbid"}) {
      const std::string policy = std::string(effect) + " (principal, " + head + ");";
      EXPECT_EQ(Judged(Layer::kCaller, policy), kFiles) << policy;
      EXPECT_EQ(Judged(Layer::kOperator, policy), kFiles) << policy;
      EXPECT_EQ(Judged(Layer::kMandatory, policy), kSockets) << policy;
    }
  }
}

// Else such a policy would judge nothing where its time is over, or the agent is another.
TEST(SpokenNamesTest, ConditionsMakeNoDifference) {
  EXPECT_EQ(Judged(Layer::kCaller,
                   R"(permit (principal == Palyra::Agent::"other",
                              action == Palyra::Action::"file.read", resource)
                      when { 1 == 2 };)"),
            kFiles);
}

TEST(SpokenNamesTest, SignalsAndTracingAreJudgedEachByItself) {
  EXPECT_EQ(Judged(Layer::kCaller,
                   R"(permit (principal, action == Palyra::Action::"process.signal", resource);)"),
            kSockets | Bit(NameAction::kProcessSignal));
  EXPECT_EQ(Judged(Layer::kCaller,
                   R"(permit (principal, action == Palyra::Action::"process.trace", resource);)"),
            kSockets | Bit(NameAction::kProcessTrace));
  EXPECT_EQ(Judged(Layer::kCaller, "permit (principal, action, resource is Palyra::Process);"),
            kSockets | Bit(NameAction::kProcessSignal) | Bit(NameAction::kProcessTrace));
}

TEST(SpokenNamesTest, AForbidSpeaksOfWhatItsConditionsName) {
  for (const char* condition :
       {R"(resource in Palyra::Directory::"/etc")", "resource is Palyra::Path",
        R"(principal is Palyra::Agent && resource in [Palyra::Path::"/a", Palyra::Path::"/b"])"}) {
    const std::string rest =
        std::string(" (principal, action, resource) when { ") + condition + " };";
    EXPECT_EQ(Judged(Layer::kOperator, "forbid" + rest), kFiles) << rest;
    EXPECT_EQ(Judged(Layer::kOperator, "permit" + rest), kSockets) << rest;
  }
}

TEST(SpokenNamesTest, OtherPoliciesLeaveFilesAsTheyAre) {
  for (const char* policy :
       {"permit (principal, action, resource);", "forbid (principal, action, resource);",
        "permit (principal, action, resource is Palyra::Endpoint);",
        "permit (principal, action, resource is Palyra::Socket);",
        R"(permit (principal, action == Palyra::Action::"net.connect", resource);)",
        R"(permit (principal, action == Palyra::Action::"unix.connect", resource);)"}) {
    EXPECT_EQ(Judged(Layer::kCaller, policy), kSockets) << policy;
  }
}

TEST(SpokenNamesTest, TheCoverageIsTheLeastThatHoldsThem) {
  EXPECT_EQ(CoverageFor(kSockets), Coverage::kNetworkAndUnix);
  EXPECT_EQ(CoverageFor(kFiles), Coverage::kFiles);
}

}  // namespace
}  // namespace palyra::policy
