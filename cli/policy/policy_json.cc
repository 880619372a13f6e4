#include "cli/policy/policy_json.h"

#include <nlohmann/json.hpp>

namespace palyra::cli {

std::string CheckJson(const std::vector<policy::Diagnostic>& diagnostics, bool good,
                      const std::string& message) {
  using Json = nlohmann::ordered_json;
  Json document = {{"good", good}};
  if (!message.empty()) document["message"] = message;
  document["diagnostics"] = Json::array();
  for (const policy::Diagnostic& diagnostic : diagnostics) {
    const bool is_error = diagnostic.severity == policy::Severity::kError;
    Json entry = {{"severity", is_error ? "error" : "warning"},
                  {"code", diagnostic.code},
                  {"message", diagnostic.message}};
    if (diagnostic.source != nullptr) {
      const policy::LineColumn place = diagnostic.source->Locate(diagnostic.span.offset);
      entry["file"] = diagnostic.source->name();
      entry["line"] = place.line;
      entry["column"] = place.column;
    }
    if (diagnostic.policy_id) entry["policy"] = *diagnostic.policy_id;
    if (diagnostic.hint) entry["hint"] = *diagnostic.hint;
    document["diagnostics"].push_back(std::move(entry));
  }
  // Names of files may be in any encoding.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace palyra::cli
