// `palyra doctor` on the kernel at hand: it says what a run's report says, and what the committed
// table says of such a kernel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const char* const kTable = PALYRA_SOURCE_DIR "/docs/kernel_support.md";

json Doctor() {
  const Ended ended = RunProgram({BinaryPath("palyra"), "doctor", "--json"});
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  return json::parse(ended.output);
}

// As tools/kernel_support writes them.
std::string CellOf(const json& promise) {
  if (promise["held"]) return promise["mechanism"];
  return "**not held**: " + promise["why"].get<std::string>();
}

std::vector<std::string> CellsOf(std::string line) {
  std::erase(line, '\\');
  std::vector<std::string> cells;
  std::istringstream parts(line.substr(1));
  for (std::string cell; std::getline(parts, cell, '|');) {
    const size_t begin = cell.find_first_not_of(' ');
    const size_t end = cell.find_last_not_of(' ');
    cells.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
  }
  return cells;
}

// What the tables say under a title, by the first cell; empty where no table has that title.
std::map<std::string, std::string> Column(const std::string& title) {
  std::ifstream file(kTable);
  EXPECT_TRUE(file.is_open()) << kTable;
  std::map<std::string, std::string> column;
  size_t place = 0;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| ")) {
      if (!line.starts_with("|")) place = 0;
      continue;
    }
    const std::vector<std::string> cells = CellsOf(line);
    if (place == 0) {
      const auto found = std::ranges::find(cells, title);
      if (found == cells.end()) return {};
      place = static_cast<size_t>(found - cells.begin());
      continue;
    }
    column[cells.at(0)] = cells.at(place);
  }
  return column;
}

Feature InTheTable(const std::string& title) {
  return {.name = "a column \"" + title + "\" in docs/kernel_support.md",
          .since = {},
          .state = Column(title).empty() ? Fail(ErrorCode::kNotFound, "the table has others")
                                         : Result<void>()};
}

class DoctorCommand : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }
};

TEST_F(DoctorCommand, SaysWhatTheCommittedTableSays) {
  const json doctor = Doctor();
  PALYRA_REQUIRE_FEATURE(InTheTable(doctor["kernel"]));
  std::map<std::string, std::string> expected;
  for (const json& promise : doctor["promises"]) expected[promise["promise"]] = CellOf(promise);
  for (const json& feature : doctor["features"]) {
    if (feature["by_setup"]) continue;
    expected[feature["feature"]] = feature["present"].get<bool>() ? "yes" : "no";
  }
  EXPECT_EQ(Column(doctor["kernel"]), expected) << "write it anew: tools/kernel_support";
}

// The promises of a run are those of the machine, but for what its policies do not speak of.
TEST_F(DoctorCommand, SaysWhatTheReportOfARunSays) {
  PalyraRun run;
  run.Policy(
         "permit (principal, action, resource);\n"
         "permit (principal, action in [Palyra::Action::\"file.any\", "
         "Palyra::Action::\"process.exec\"], resource);")
      .Option("--report")
      .Option("--tier", "cell");
  const Ended ended = run.Run({"/bin/true"});
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  const json doctor = Doctor();
  ASSERT_GT(doctor["promises"].size(), 40U);
  for (const json& promise : doctor["promises"]) {
    const bool held = promise["held"];
    const std::string name = promise["promise"];
    const size_t line = ended.error_output.find((held ? "held      " : "NOT HELD  ") + name + ' ');
    ASSERT_NE(line, std::string::npos) << name << Describe(ended);
    const size_t end = ended.error_output.find('\n', line);
    EXPECT_THAT(ended.error_output.substr(line, end - line),
                HasSubstr(promise[held ? "mechanism" : "why"].get<std::string>()));
  }
  // And as text.
  const Ended text = RunProgram({BinaryPath("palyra"), "doctor"});
  for (const json& feature : doctor["features"]) {
    EXPECT_THAT(text.output, HasSubstr(feature["feature"].get<std::string>()));
  }
}

}  // namespace
}  // namespace palyra::tests
