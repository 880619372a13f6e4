#include "tests/corpus/corpus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "tests/corpus/archive.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

// The directory of the official archives: PALYRA_CEDAR_CORPUS, else beside the source tree.
std::string OfficialPath(const std::string& name) {
  const char* directory = std::getenv("PALYRA_CEDAR_CORPUS");
  return fmt::format("{}/{}", directory == nullptr ? PALYRA_CEDAR_CORPUS : directory, name);
}

Feature OfficialArchive(const std::string& name) {
  const std::string path = OfficialPath(name);
  Result<void> state;
  if (access(path.c_str(), R_OK) != 0) {
    state = Fail(ErrorCode::kNotFound, fmt::format("\"{}\" is not there", path));
  }
  return {.name = "Cedar's own test archives", .since = {}, .state = state};
}

void RunArchive(const std::string& name, CorpusRun& run) {
  const Result<void> read =
      ReadArchive(OfficialPath(name), [&](std::string file, std::string content) {
        run.Take(std::move(file), std::move(content));
      });
  ASSERT_TRUE(read) << read.error().message;
  run.Finish();
  EXPECT_EQ(run.failed(), 0U) << fmt::format("{}", fmt::join(run.failures(), "\n"));
}

TEST(OfficialCorpus, EveryAnswerIsTheOfficialOne) {
  PALYRA_REQUIRE_FEATURE(OfficialArchive("corpus-4.10.tar.gz"));
  PALYRA_REQUIRE_FEATURE(OfficialArchive("json-schemas-4.9.tar.gz"));
  Result<FilesByName> schemas = ReadFilesByName(OfficialPath("json-schemas-4.9.tar.gz"));
  ASSERT_TRUE(schemas) << schemas.error().message;
  PALYRA_REQUIRE_FEATURE(OfficialArchive("validation-4.9.tar.gz"));
  Result<FilesByName> verdicts = ReadFilesByName(OfficialPath("validation-4.9.tar.gz"));
  ASSERT_TRUE(verdicts) << verdicts.error().message;
  CorpusRun run;
  run.ExpectJsonSchemas(*std::move(schemas));
  run.ExpectVerdicts(*std::move(verdicts));
  RunArchive("corpus-4.10.tar.gz", run);
  EXPECT_GT(run.passed(), 4000U);
  EXPECT_GT(run.translations(), 4000U);
  EXPECT_GT(run.judged(), 4000U);
}

TEST(OfficialCorpus, EveryHandwrittenAnswerIsTheOfficialOne) {
  PALYRA_REQUIRE_FEATURE(OfficialArchive("handwritten.tar.gz"));
  CorpusRun run;
  RunArchive("handwritten.tar.gz", run);
  EXPECT_EQ(run.passed(), 22U);
}

// One test whose policy permits everything; `decision` and `reason` are what it expects.
std::string OneTest(const std::string& decision, const std::string& reason,
                    const std::string& should_validate = "true") {
  return fmt::format(
      R"({{"policies": "t.cedar", "schema": "t.cedarschema", "entities": "t.entities.json",
           "shouldValidate": {}, "requests": [{{"description": "r",
           "principal": {{"type": "U", "id": "a"}}, "action": {{"type": "Action", "id": "go"}},
           "resource": {{"type": "U", "id": "b"}}, "context": {{}}, "decision": "{}",
           "reason": [{}], "errors": []}}]}})",
      should_validate, decision, reason);
}

void TakeWorld(CorpusRun& run) {
  run.Take("t.cedar", "permit (principal, action, resource);");
  run.Take("t.cedarschema", "entity U; action go appliesTo { principal: U, resource: U };");
  run.Take("t.entities.json", "[]");
}

TEST(CorpusRun, CountsATestWhoseFilesComeInAnyOrder) {
  CorpusRun run;
  run.Take("t.json", OneTest("allow", R"("policy0")"));
  TakeWorld(run);
  run.Finish();
  EXPECT_EQ(run.passed(), 1U);
  EXPECT_EQ(run.failed(), 0U);
}

TEST(CorpusRun, FailsWhereAnythingDiffers) {
  struct Row {
    std::string claim;
    std::string test;
    std::string said;
  };
  const Row rows[] = {
      {"another decision", OneTest("deny", ""), "expected deny by []"},
      {"another reason", OneTest("allow", R"("policy1")"), "got allow by [policy0]"},
      {"another verdict of the validator", OneTest("allow", R"("policy0")", "false"),
       "should not validate"},
      {"a test that is cut off", "{\"policies\": ", "t.json"},
      {"a file that is missing", R"({"policies": "none", "schema": "t.cedarschema", "entities":
        "t.entities.json", "shouldValidate": true, "requests": []})",
       "lacks none"},
  };
  for (const Row& row : rows) {
    CorpusRun run;
    TakeWorld(run);
    run.Take("t.json", row.test);
    run.Finish();
    EXPECT_EQ(run.failed(), 1U) << row.claim;
    EXPECT_EQ(run.passed(), 0U) << row.claim;
    ASSERT_FALSE(run.failures().empty()) << row.claim;
    EXPECT_TRUE(run.failures().front().contains(row.said)) << run.failures().front();
  }
}

TEST(CorpusRun, FailsWhereAVerdictOfEitherModeDiffers) {
  for (const std::string mode : {"strict", "permissive"}) {
    const std::string other = mode == "strict" ? "permissive" : "strict";
    CorpusRun run;
    run.ExpectVerdicts(
        {{"t.validation.json", fmt::format(R"({{"policyValidation": {{"perPolicy": {{"policy0":
                             {{"{}": false, "{}": true}}}}}}}})",
                                           mode, other)}});
    TakeWorld(run);
    run.Take("t.json", OneTest("allow", R"("policy0")"));
    ASSERT_EQ(run.failures().size(), 1U) << mode;
    EXPECT_TRUE(run.failures().front().contains(mode + ": invalid officially [policy0]"));
    EXPECT_EQ(run.judged(), 1U);
  }
}

TEST(CorpusRun, AnArchiveWithoutTestsIsAFailure) {
  CorpusRun run;
  TakeWorld(run);
  run.Finish();
  EXPECT_EQ(run.failed(), 1U);
}

}  // namespace
}  // namespace palyra::tests
