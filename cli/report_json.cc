#include "cli/report_json.h"

#include <nlohmann/json.hpp>

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

}  // namespace palyra::cli
