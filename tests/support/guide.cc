#include "tests/support/guide.h"

#include <gtest/gtest.h>

#include "tests/support/subprocess.h"

namespace palyra::tests {

Guide::Guide(const std::string& path) : lines_(ReadText(path)) {}

int Guide::Run(const TempDir& directory, const Printed& printed) {
  int commands = 0;
  std::string line;
  while (std::getline(lines_, line)) {
    if (line.starts_with("```cedar ")) {
      (void)directory.Write(line.substr(9), Block());
    } else if (line == "```console") {
      commands += RunBlock(Block(), directory.path(), printed);
    }
  }
  return commands;
}

std::string Guide::Block() {
  std::string text;
  for (std::string line; std::getline(lines_, line) && line != "```";) text += line + '\n';
  return text;
}

int Guide::RunBlock(const std::string& block, const std::string& directory,
                    const Printed& printed) {
  int commands = 0;
  std::istringstream lines(block);
  std::string command;
  std::string expected;
  const auto check = [&] {
    if (command.empty()) return;
    EXPECT_EQ(printed(command, directory), expected) << command;
    ++commands;
  };
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("$ ")) {
      expected += line + '\n';
      continue;
    }
    check();
    command = line.substr(2);
    expected.clear();
  }
  check();
  return commands;
}

}  // namespace palyra::tests
