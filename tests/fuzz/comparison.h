// Our answers beside those of the official implementation, which came with the questions. The form
// of a case is told in cedar/generate.js.

#ifndef PALYRA_TESTS_FUZZ_COMPARISON_H_
#define PALYRA_TESTS_FUZZ_COMPARISON_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/cedar/raw_json.h"
#include "cli/cedar/setting.h"

namespace palyra::tests {

class Comparison {
 public:
  // One line. A line that is no case is a difference.
  void Take(std::string_view line);

  [[nodiscard]] size_t cases() const { return cases_; }
  // Verdicts and answers of the official implementation that ours was held to.
  [[nodiscard]] size_t compared() const { return compared_; }
  // Those among them that are answers to requests.
  [[nodiscard]] size_t requests() const { return requests_; }

  // What differs, several lines each, with the smallest question that was found to show it.
  [[nodiscard]] const std::vector<std::string>& differences() const { return differences_; }
  // The lines of the cases that differ, each once.
  [[nodiscard]] const std::vector<std::string>& different_lines() const { return different_lines_; }

 private:
  struct Case;
  void CompareCase(const Case& made);
  void ComparePolicies(const Case& made,
                       const std::expected<policy::PolicySet, cli::Refusal>& ours);
  void ComparePolicyJson(const Case& made);
  void CompareSchema(const Case& made, const std::expected<policy::Schema, cli::Refusal>& ours);
  // With the member `key` of the official answers, if that is a schema.
  void CompareTranslation(const Case& made, std::string_view key,
                          const policy::SchemaFragment& fragment);
  void CompareEntities(const Case& made, const policy::Schema* schema);
  void CompareValidation(const Case& made, const policy::PolicySet& policies,
                         const policy::Schema& schema);
  void CompareRequests(const Case& made);
  void CompareRequest(const Case& made, const cli::Setting& setting, std::string_view request,
                      std::string_view expected);

  // Counts one comparison of accepting or refusing; `refusal` is ours, null where we accept.
  void CompareVerdict(std::string_view what, std::string_view expected, const std::string* refusal,
                      std::string_view shown);
  // Our own promises about what we accepted.
  void CheckFormatter(const Case& made);
  void Differ(std::string text) { differences_.push_back(std::move(text)); }

  size_t cases_ = 0;
  size_t compared_ = 0;
  size_t requests_ = 0;
  std::vector<std::string> differences_;
  std::vector<std::string> different_lines_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_FUZZ_COMPARISON_H_
