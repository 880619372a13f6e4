// Tests in the format of Cedar's own corpus, and what our implementation makes of them.
// https://github.com/cedar-policy/cedar-integration-tests

#ifndef PALYRA_TESTS_CORPUS_CORPUS_H_
#define PALYRA_TESTS_CORPUS_CORPUS_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/cedar/setting.h"
#include "policy/source.h"

namespace palyra::tests {

struct CorpusRequest {
  std::string description;
  cli::Question question;
  policy::Decision decision = policy::Decision::kDeny;
  std::set<std::string> reasons;
  std::set<std::string> errors;
};

// One test: NAME.json. The others are names of files.
struct CorpusTest {
  std::string name;
  std::string policies;
  std::string schema;
  std::string entities;
  bool should_validate = true;
  std::vector<CorpusRequest> requests;
};

Result<CorpusTest> ReadCorpusTest(const std::string& name, const std::string& text);

// Whether a file is a test: NAME.json and not NAME.entities.json.
bool IsCorpusTest(std::string_view name);

// What is done with the files of an archive.
class CorpusRun {
 public:
  // Schemas in JSON, by the name of the file without directories: the official translation of
  // NAME.cedarschema is NAME.cedarschema.json. A test that has one must translate its schema to the
  // same, and answer the same with it. Before the first Take.
  void ExpectJsonSchemas(std::map<std::string, std::string> schemas) {
    json_schemas_ = std::move(schemas);
  }

  // Verdicts of the validator in both modes, by the name of the file without directories: those on
  // the test NAME are in NAME.validation.json. Before the first Take.
  void ExpectVerdicts(std::map<std::string, std::string> verdicts) {
    verdicts_ = std::move(verdicts);
  }

  // Takes one file. A test runs as soon as all of its files are there; those that belong to it
  // alone, which begin as it does, are then forgotten.
  void Take(std::string name, std::string content);

  // Counts tests that still wait for files as failed, and archives without any test.
  void Finish();

  [[nodiscard]] size_t passed() const { return passed_; }
  [[nodiscard]] size_t failed() const { return failures_.size(); }
  [[nodiscard]] size_t requests() const { return requests_; }
  // Tests that had a schema in JSON.
  [[nodiscard]] size_t translations() const { return translations_; }
  // Tests that had verdicts of the validator.
  [[nodiscard]] size_t judged() const { return judged_; }

  // A few lines about each test that failed.
  [[nodiscard]] const std::vector<std::string>& failures() const { return failures_; }

 private:
  void Run(const CorpusTest& test);
  void RunWaiting();
  [[nodiscard]] policy::SourcePtr FindFile(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> Missing(const CorpusTest& test) const;
  // What is wrong, a line each; empty where nothing is.
  std::vector<std::string> Differences(const CorpusTest& test);
  std::vector<std::string> VerdictDifferences(const CorpusTest& test, const cli::Setting& setting);
  std::vector<std::string> DifferencesUnder(const CorpusTest& test, const cli::Text& schema);

  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> json_schemas_;
  std::map<std::string, std::string> verdicts_;
  std::vector<CorpusTest> waiting_;
  size_t passed_ = 0;
  size_t requests_ = 0;
  size_t translations_ = 0;
  size_t judged_ = 0;
  std::vector<std::string> failures_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_CORPUS_CORPUS_H_
