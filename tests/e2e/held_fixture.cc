#include "tests/e2e/held_fixture.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

namespace palyra::tests {
namespace {

std::vector<std::string> WordsOf(const std::string& command) {
  std::istringstream text(command);
  std::vector<std::string> words;
  for (std::string word; text >> word;) {
    std::erase(word, '\'');
    words.push_back(word);
  }
  return words;
}

std::vector<std::string> ProbeIn(const PalyraRun& run, const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {BinaryPath("palyra_probe")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run.CommandLine(command);
}

}  // namespace

std::string AskWhen(std::string_view action, std::string_view condition) {
  return std::string("@ask(\"is it needed?\")\npermit (principal, action == Palyra::Action::\"")
      .append(action)
      .append("\", resource) when { ")
      .append(condition)
      .append(" };\n");
}

std::vector<HeldLine> HeldNow() {
  const Ended listed = RunProgram({BinaryPath("palyra"), "held", "--json"});
  std::vector<HeldLine> lines;
  const auto calls = nlohmann::json::parse(listed.output, nullptr, false);
  if (!calls.is_array()) return lines;
  for (const auto& call : calls) {
    HeldLine line = {.run = call.at("run"),
                     .call = call.at("call"),
                     .event = call.at("event"),
                     .pid = call.at("pid"),
                     .asking = {},
                     .grant = WordsOf(call.at("grant")),
                     .refuse = WordsOf(call.at("refuse"))};
    for (const auto& asking : call.at("asking")) line.asking.push_back(asking.at("text"));
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<HeldLine> AwaitHeld(size_t count) {
  std::vector<HeldLine> lines;
  const bool are_there = Eventually([&] {
    lines = HeldNow();
    return lines.size() == count;
  });
  return are_there ? lines : std::vector<HeldLine>();
}

int Answer(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  words[0] = BinaryPath(words[0]);
  return RunProgram(words).status;
}

HeldProbe::HeldProbe(const PalyraRun& run, const std::vector<std::string>& arguments)
    : process_(ProbeIn(run, arguments)) {}

ProbeResult HeldProbe::Wait() { return ParseProbe(process_.Wait()); }

}  // namespace palyra::tests
