// What `palyra doctor` says of kernels that have and have not.

#include "cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "cli/report_json.h"
#include "engine/report.h"

namespace palyra::cli {
namespace {

using engine::Feature;
using nlohmann::ordered_json;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

engine::Features Without(std::set<Feature> absent) {
  return engine::Features([absent = std::move(absent)](Feature feature) {
    return engine::FeatureState{.present = !absent.contains(feature), .detail = "told"};
  });
}

TEST(Doctor, ShowsFeaturesPromisesAndWhatToDo) {
  engine::Features whole = Without({});
  const Diagnosis good = DoctorText(whole);
  EXPECT_TRUE(good.can_hold_runs);
  EXPECT_THAT(good.text, HasSubstr("\nyes      BPF LSM "));
  EXPECT_THAT(good.text, HasSubstr(engine::ReportText(engine::ReportOfMachine(whole))));
  EXPECT_THAT(good.text, Not(HasSubstr("lsm=…,bpf")));
  EXPECT_THAT(good.text, EndsWith("\nruns can be held on this kernel\n"));

  engine::Features locked = Without({Feature::kBpfLsm});
  const Diagnosis weaker = DoctorText(locked);
  EXPECT_TRUE(weaker.can_hold_runs);
  EXPECT_THAT(weaker.text, HasSubstr("\nno       BPF LSM "));
  EXPECT_THAT(weaker.text, HasSubstr("(told); boot with lsm=…,bpf"));
  EXPECT_THAT(weaker.text, HasSubstr("NOT HELD  denials as events"));

  engine::Features none = Without({Feature::kSeccompFilter});
  const Diagnosis bad = DoctorText(none);
  EXPECT_FALSE(bad.can_hold_runs);
  EXPECT_THAT(bad.text, HasSubstr("\nMISSING  seccomp filter "));
  EXPECT_THAT(bad.text, HasSubstr("no run can be held on this kernel: seccomp filter missing"));
}

TEST(Doctor, SaysTheSameAsJson) {
  engine::Features features = Without({Feature::kBpfLsm, Feature::kBpffs});
  const Diagnosis diagnosis = DoctorJson(features);
  const ordered_json json = ordered_json::parse(diagnosis.text);
  EXPECT_FALSE(diagnosis.can_hold_runs);
  EXPECT_EQ(json["can_hold_runs"], false);
  EXPECT_EQ(json["kernel"], KernelTitle(features));
  EXPECT_EQ(json["promises"], PromisesJson(engine::ReportOfMachine(features)));
  ASSERT_EQ(json["features"].size(), engine::AllFeatures().size());
  for (const engine::FeatureInfo& info : engine::AllFeatures()) {
    const ordered_json& told = json["features"][static_cast<size_t>(info.feature)];
    EXPECT_EQ(told["feature"], info.name);
    EXPECT_EQ(told["present"], features.Has(info.feature)) << info.name;
    EXPECT_EQ(told.contains("remedy"), !features.Has(info.feature)) << info.name;
    EXPECT_EQ(told["detail"], "told");
  }
}

TEST(Doctor, NamesKernelsByWhatMakesADifference) {
  engine::Features whole = Without({});
  engine::Features locked = Without({Feature::kBpfLsm});
  EXPECT_THAT(KernelTitle(whole), testing::MatchesRegex("[0-9]+\\.[0-9]+"));
  EXPECT_EQ(KernelTitle(locked), KernelTitle(whole) + " without BPF LSM");
}

}  // namespace
}  // namespace palyra::cli
