// cedar_compare [FILE…]: compares our answers with official ones, from compressed files or from
// standard input as they come.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "base/file.h"
#include "tests/corpus/archive.h"
#include "tests/fuzz/comparison.h"

namespace palyra::tests {
namespace {

constexpr int kStatusUsage = 2;
constexpr size_t kShown = 10;

void Print(const std::string& text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

Result<void> TakeFile(const std::string& path, Comparison& comparison) {
  const Result<std::string> text = ReadCompressed(path);
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    comparison.Take(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

void TakeInput(Comparison& comparison) {
  std::string line;
  while (std::getline(std::cin, line)) comparison.Take(line);
}

// The cases that differ, for later.
void Keep(const std::string& path, const Comparison& comparison) {
  std::string text;
  for (const std::string& line : comparison.different_lines()) text += line + '\n';
  const Result<UniqueFd> file = base::OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const Result<void> written =
      file ? base::WriteAll(file->get(), text, path) : std::unexpected(file.error());
  if (!written) Print(fmt::format("{}\n", written.error().message));
}

int Report(const Comparison& comparison) {
  const std::vector<std::string>& differences = comparison.differences();
  for (size_t i = 0; i < std::min(kShown, differences.size()); ++i) {
    Print(fmt::format("DIFFERENCE {}\n", differences[i]));
  }
  Print(fmt::format("{} answers compared in {} cases, {} of them to requests; {} differences\n",
                    comparison.compared(), comparison.cases(), comparison.requests(),
                    differences.size()));
  if (comparison.compared() == 0) Print("nothing was compared\n");
  return differences.empty() && comparison.compared() > 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  CLI::App app("Compares our answers with those of the official Cedar implementation.");
  std::vector<std::string> files;
  std::string kept;
  app.add_option("FILE", files, "cases, compressed or not; else standard input");
  app.add_option("--keep", kept, "write the cases that differ to this file")->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kStatusUsage;
  }
  Comparison comparison;
  if (files.empty()) TakeInput(comparison);
  for (const std::string& file : files) {
    const Result<void> taken = TakeFile(file, comparison);
    if (!taken) {
      Print(fmt::format("{}\n", taken.error().message));
      return 1;
    }
  }
  if (!kept.empty()) Keep(kept, comparison);
  return Report(comparison);
}

}  // namespace
}  // namespace palyra::tests

int main(int argc, char** argv) { return palyra::tests::Main(argc, argv); }
