// cedar_corpus ARCHIVE…: the tests of Cedar's own corpus, straight from their archives.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/corpus/archive.h"
#include "tests/corpus/corpus.h"

namespace palyra::tests {
namespace {

constexpr int kStatusUsage = 2;
constexpr size_t kShownFailures = 50;

void Print(const std::string& text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

struct Options {
  std::vector<std::string> archives;
  std::string json_schemas;
  std::string validation;
};

Result<void> RunAll(const Options& options, CorpusRun& run) {
  if (!options.json_schemas.empty()) {
    Result<FilesByName> schemas = ReadFilesByName(options.json_schemas);
    if (!schemas) return std::unexpected(schemas.error());
    run.ExpectJsonSchemas(*std::move(schemas));
  }
  if (!options.validation.empty()) {
    Result<FilesByName> verdicts = ReadFilesByName(options.validation);
    if (!verdicts) return std::unexpected(verdicts.error());
    run.ExpectVerdicts(*std::move(verdicts));
  }
  for (const std::string& archive : options.archives) {
    Result<void> read = ReadArchive(archive, [&](std::string name, std::string content) {
      run.Take(std::move(name), std::move(content));
    });
    if (!read) return read;
  }
  run.Finish();
  return {};
}

int Run(const Options& options) {
  CorpusRun run;
  if (const Result<void> ran = RunAll(options, run); !ran) {
    Print(fmt::format("FAILED {}\n0 passed, 1 failed\n", ran.error().message));
    return 1;
  }
  const std::vector<std::string>& failures = run.failures();
  for (size_t i = 0; i < std::min(kShownFailures, failures.size()); ++i) {
    Print(fmt::format("FAILED {}\n", failures[i]));
  }
  if (failures.size() > kShownFailures) {
    Print(fmt::format("… {} more failures\n", failures.size() - kShownFailures));
  }
  Print(fmt::format("{} requests, {} schemas in JSON, {} verdicts of the validator\n",
                    run.requests(), run.translations(), run.judged()));
  Print(fmt::format("{} passed, {} failed\n", run.passed(), run.failed()));
  return run.failed() == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Runs tests in the format of Cedar's integration tests.");
  Options options;
  app.add_option("ARCHIVE", options.archives, "tar archives of tests, compressed or not")
      ->required();
  app.add_option("--json-schemas", options.json_schemas,
                 "an archive of the same schemas, translated to JSON")
      ->type_name("ARCHIVE");
  app.add_option("--validation", options.validation,
                 "an archive of the validator's verdicts in both modes")
      ->type_name("ARCHIVE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kStatusUsage;
  }
  return Run(options);
}

}  // namespace
}  // namespace palyra::tests

int main(int argc, char** argv) { return palyra::tests::Main(argc, argv); }
