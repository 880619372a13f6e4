#include "cli/report_json.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/output_file.h"

namespace palyra::cli {

nlohmann::ordered_json PromisesJson(const engine::EnforcementReport& report) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const engine::Promise& promise : report.promises) {
    nlohmann::ordered_json entry = {{"topic", promise.topic},
                                    {"promise", promise.name},
                                    {"held", promise.held},
                                    {promise.held ? "mechanism" : "why", promise.mechanism}};
    if (!promise.remedy.empty()) entry["remedy"] = promise.remedy;
    all.push_back(std::move(entry));
  }
  return all;
}

Result<void> WriteReport(const engine::EnforcementReport& report, const std::string& path) {
  const Result<UniqueFd> fd = OpenOutputFile(path, OutputMode::kReplace);
  if (!fd) return std::unexpected(fd.error());
  const nlohmann::ordered_json document = {{"promises", PromisesJson(report)}};
  return base::WriteAll(fd->get(), document.dump(2) + '\n', path);
}

}  // namespace palyra::cli
