#include "cli/doctor.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/report_json.h"
#include "engine/report.h"

namespace palyra::cli {
namespace {

// Names of what every run needs and this kernel lacks, with commas.
std::string MissingFeatures(engine::Features& features) {
  std::string missing;
  for (const engine::FeatureInfo& info : engine::AllFeatures()) {
    if (!info.required || features.Has(info.feature)) continue;
    missing += fmt::format("{}{}", missing.empty() ? "" : ", ", info.name);
  }
  return missing;
}

std::string FeatureLine(const engine::FeatureInfo& info, const engine::FeatureState& state) {
  const std::string_view mark = state.present ? "yes" : info.required ? "MISSING" : "no";
  std::string line =
      fmt::format("{:<8} {:<27} {}", mark, info.name, state.present ? info.purpose : info.lack);
  if (!state.detail.empty()) line += fmt::format(" ({})", state.detail);
  if (!state.present && info.remedy != "nothing") line += fmt::format("; {}", info.remedy);
  return line + '\n';
}

}  // namespace

Diagnosis DoctorText(engine::Features& features) {
  std::string text;
  for (const engine::FeatureInfo& info : engine::AllFeatures()) {
    text += FeatureLine(info, features.Get(info.feature));
  }
  text += "\nof a run as an ordinary user whose policies speak of everything:\n\n";
  text += engine::ReportText(engine::ReportOfMachine(features));
  const std::string missing = MissingFeatures(features);
  if (missing.empty()) {
    text += "\nruns can be held on this kernel\n";
  } else {
    text += fmt::format("\nno run can be held on this kernel: {} missing{}\n", missing,
                        geteuid() == 0 ? ""
                                       : "; as another user than root most probes fail, "
                                         "try \"sudo palyra doctor\"");
  }
  return {.can_hold_runs = missing.empty(), .text = std::move(text)};
}

Diagnosis DoctorJson(engine::Features& features) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const engine::FeatureInfo& info : engine::AllFeatures()) {
    const engine::FeatureState& state = features.Get(info.feature);
    nlohmann::ordered_json entry = {{"feature", info.name},
                                    {"present", state.present},
                                    {"required", info.required},
                                    {"by_setup", info.by_setup}};
    if (state.present) {
      entry["purpose"] = info.purpose;
    } else {
      entry["lack"] = info.lack;
      entry["remedy"] = info.remedy;
    }
    if (!state.detail.empty()) entry["detail"] = state.detail;
    all.push_back(std::move(entry));
  }
  const bool can_hold_runs = MissingFeatures(features).empty();
  const nlohmann::ordered_json diagnosis = {
      {"kernel", KernelTitle(features)},
      {"can_hold_runs", can_hold_runs},
      {"features", std::move(all)},
      {"promises", PromisesJson(engine::ReportOfMachine(features))}};
  return {.can_hold_runs = can_hold_runs, .text = diagnosis.dump(2) + '\n'};
}

std::string KernelTitle(engine::Features& features) {
  utsname name = {};
  uname(&name);
  const std::string_view release = name.release;
  const size_t end = std::min(release.find('.', release.find('.') + 1), release.size());
  return fmt::format("{}{}", release.substr(0, end),
                     features.Has(engine::Feature::kBpfLsm) ? "" : " without BPF LSM");
}

}  // namespace palyra::cli
