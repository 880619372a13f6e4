// The report says what holds each promise, and never that something is held which is not.

#include "engine/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace palyra::engine {
namespace {

using policy::EgressEnforcementMode;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using Names = std::set<std::string>;

constexpr Judges kByLsm = {
    .families = true, .unix_sockets = UnixJudge::kByPeer, .files = true, .digests = true};
constexpr Judges kWithoutIma = {
    .families = true, .unix_sockets = UnixJudge::kByPeer, .files = true};
constexpr Judges kByAddress = {.unix_sockets = UnixJudge::kByAddress};
constexpr Judges kByNobody = {};

// What differs from a run of an ordinary user, whose policies speak of files, on a whole kernel.
struct Case {
  Judges judges = kByLsm;
  std::set<Feature> absent = {};  // NOLINT(readability-redundant-member-init)
  uid_t uid = 1000;
  EgressEnforcementMode egress = EgressEnforcementMode::kStrict;
  FileFacts files = {.judged = true};
  Tier tier = Tier::kCell;
  // Where every limit is held.
  Controllers controllers = {{{.version = ControllerPlace::Version::kV2, .hierarchy = ""},
                              {.version = ControllerPlace::Version::kV2, .hierarchy = ""},
                              {.version = ControllerPlace::Version::kV2, .hierarchy = ""},
                              {.version = ControllerPlace::Version::kV2, .hierarchy = ""}}};
};

EnforcementReport Report(const Case& of) {
  Features features([&of](Feature feature) {
    return FeatureState{.present = !of.absent.contains(feature), .detail = {}};
  });
  ToolUser user;
  user.uid = of.uid;
  user.chosen_by = "--user";
  return BuildReport(of.judges, features, user, of.tier, of.egress, of.files,
                     {.controllers = of.controllers, .asked = {}});
}

Names NotHeld(const Case& of) {
  Names names;
  for (const Promise& promise : Report(of).promises) {
    if (!promise.held) names.insert(promise.name);
  }
  return names;
}

// What is held in the one and not in the other.
Names Lost(const Case& before, const Case& after) {
  Names lost = NotHeld(after);
  for (const std::string& name : NotHeld(before)) lost.erase(name);
  return lost;
}

const Promise* Find(const EnforcementReport& report, const std::string& name) {
  for (const Promise& promise : report.promises) {
    if (promise.name == name) return &promise;
  }
  return nullptr;
}

std::vector<Case> Kernels() {
  return {{.judges = kByLsm},
          {.judges = kWithoutIma},
          {.judges = kByAddress},
          {.judges = kByAddress, .absent = {Feature::kLandlockFiles, Feature::kLandlockScopes}},
          {.judges = kByNobody,
           .absent = {Feature::kLandlock, Feature::kLandlockFiles, Feature::kLandlockScopes,
                      Feature::kCgroupKill}}};
}

TEST(ReportTest, HasTheSamePromisesOnEveryKernel) {
  std::vector<std::string> first;
  for (const Case& kernel : Kernels()) {
    std::vector<std::string> names;
    Names seen;
    for (const Promise& promise : Report(kernel).promises) {
      names.push_back(promise.topic + ": " + promise.name);
      EXPECT_TRUE(seen.insert(promise.name).second) << promise.name << " twice";
      EXPECT_FALSE(promise.mechanism.empty()) << promise.name;
      EXPECT_FALSE(promise.held && !promise.remedy.empty()) << promise.name;
    }
    if (first.empty()) first = names;
    EXPECT_EQ(names, first);
  }
}

TEST(ReportTest, SaysWhatALockedKernelTakesAway) {
  EXPECT_EQ(
      Lost({}, {.judges = kByAddress}),
      Names({"unix sockets: patterns of paths, peers of the same run",
             "no sockets passed by others", "renaming and linking apart from making and removing",
             "patterns of names where new ones may be made",
             "--defaults: .env at any depth outside the workspace",
             "rules that change under the run", "denials as events", "programs by sha256",
             "process.signal, process.trace by policy"}));
  const EnforcementReport report = Report({.judges = kByAddress});
  const Promise* patterns = Find(report, "patterns of names where new ones may be made");
  ASSERT_NE(patterns, nullptr);
  EXPECT_THAT(patterns->mechanism, HasSubstr("policies that need it are refused"));
  EXPECT_THAT(patterns->remedy, HasSubstr("lsm=…,bpf"));
  EXPECT_THAT(Find(report, "file.read")->mechanism, HasSubstr("Landlock domain"));
}

TEST(ReportTest, SaysWhatEachMissingFeatureTakesAway) {
  const Case whole = {.judges = kByAddress};
  EXPECT_EQ(Lost(whole, {.judges = kByAddress, .absent = {Feature::kLandlockScopes}}),
            Names({"no signals to processes outside"}));
  EXPECT_EQ(Lost(whole, {.judges = kByAddress, .absent = {Feature::kLandlock}}),
            Names({"no tracing of processes outside"}));
  EXPECT_EQ(Lost(whole, {.judges = kByAddress, .absent = {Feature::kLandlockFiles}}),
            Names({"file.read", "file.write, create, remove, rename, link", "file.attributes",
                   "protected names that are not there yet", "process.exec, libraries too",
                   "hard links from before the run, to what is forbidden by name",
                   "no programs made in memory files"}));
  EXPECT_EQ(Lost({}, {.judges = kWithoutIma}), Names({"programs by sha256"}));
  EXPECT_THAT(Find(Report({.judges = kWithoutIma}), "programs by sha256")->remedy,
              HasSubstr("CONFIG_IMA"));
  EXPECT_EQ(Lost(whole, {.judges = kByNobody}),
            Names({"unix sockets: abstract names", "unix sockets: listed paths"}));
  // With BPF LSM programs hold these too.
  EXPECT_EQ(
      Lost({}, {.absent = {Feature::kLandlock, Feature::kLandlockScopes, Feature::kLandlockFiles}}),
      Names());
  // Without cgroup.kill a run ends whole too, by another way.
  EXPECT_EQ(Lost({}, {.absent = {Feature::kCgroupKill}}), Names());
  EXPECT_THAT(ReportText(Report({.absent = {Feature::kCgroupKill}})), HasSubstr("freeze and kill"));
}

TEST(ReportTest, SaysThatRootOwnsTheHost) {
  const Names always = {"file permissions restrain the tool", "no capabilities, none to be gained",
                        "stays in its cgroup"};
  EXPECT_EQ(Lost({}, {.uid = 0}), always);
  Names without_lsm = always;
  without_lsm.insert("unix sockets: listed paths");
  without_lsm.insert("Palyra's policies, locks and pins: not changed by the run itself");
  EXPECT_EQ(Lost({.judges = kByAddress}, {.judges = kByAddress, .uid = 0}), without_lsm);
}

TEST(ReportTest, SaysWhatWasNamedAsUnheldAndOnlyWhereItIs) {
  const FileFacts files = {.judged = true, .unheld = {"file-attributes", "processes"}};
  const EnforcementReport weakened = Report({.judges = kByAddress, .files = files});
  EXPECT_FALSE(Find(weakened, "file.attributes")->held);
  EXPECT_EQ(Find(weakened, "file.attributes")->mechanism, "--unheld file-attributes");
  EXPECT_EQ(Find(weakened, "process.signal, process.trace by policy")->mechanism,
            "--unheld processes");
  EXPECT_TRUE(Find(Report({.judges = kByAddress}), "file.attributes")->held);
  // Where BPF LSM is, nothing is given up.
  EXPECT_EQ(Lost({}, {.files = files}), Names());
}

TEST(ReportTest, SaysWhereNoPolicySpeaksOfFiles) {
  for (const Judges judges : {kByLsm, kByAddress}) {
    const Case silent = {.judges = judges, .files = {.judged = false}};
    EXPECT_THAT(NotHeld(silent), IsSupersetOf({"files, programs"}));
    EXPECT_EQ(Find(Report(silent), "file.read"), nullptr);
  }
}

TEST(ReportTest, SaysWhichEgressModeHoldsAndHow) {
  using enum EgressEnforcementMode;
  const auto text = [](EgressEnforcementMode mode) { return ReportText(Report({.egress = mode})); };
  EXPECT_THAT(text(kNone), HasSubstr("egress mode none: offline"));
  EXPECT_THAT(text(kNone), HasSubstr("no resolver"));
  EXPECT_THAT(text(kPreflight), HasSubstr("egress mode preflight: names as they were"));
  EXPECT_THAT(text(kPreflight), HasSubstr("a resolver without sockets"));
  EXPECT_THAT(text(kStrict), HasSubstr("egress mode strict: every call and packet"));
  EXPECT_THAT(text(kStrict), Not(HasSubstr("a resolver without sockets")));
}

TEST(ReportTest, TheMachinesIsThatOfAnOrdinaryUsersRun) {
  Features features([](Feature) { return FeatureState{.present = true, .detail = {}}; });
  EXPECT_EQ(ReportText(ReportOfMachine(features, Case().controllers)), ReportText(Report({})));
}

TEST(ReportTest, WithoutControllersNothingSlowsARunDown) {
  EXPECT_EQ(Lost({}, {.controllers = {}}), (Names{"--cpus", "--io"}));
}

TEST(ReportTest, SaysAtWhatALimitIs) {
  Features features([](Feature) { return FeatureState{.present = true, .detail = {}}; });
  const EnforcementReport report =
      BuildReport(kByLsm, features, ToolUser(), Tier::kCell, EgressEnforcementMode::kStrict, {},
                  {.controllers = Case().controllers, .asked = {.processes = 20}});
  EXPECT_THAT(ReportText(report), HasSubstr("cgroup v2 pids.max; at 20\n"));
}

TEST(ReportTest, IsOneLineForEachPromiseInColumns) {
  EXPECT_EQ(ReportText({.promises = {{.topic = "t", .name = "a", .held = true, .mechanism = "m"},
                                     {.topic = "t",
                                      .name = "long",
                                      .held = false,
                                      .mechanism = "why",
                                      .remedy = "do it"}}}),
            "held      a     m\n"
            "NOT HELD  long  why; do it\n");
}

}  // namespace
}  // namespace palyra::engine
