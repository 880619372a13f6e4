#include "cli/cedar/commands.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "cli/cedar/authorize_verbs.h"
#include "cli/cedar/jsonl.h"
#include "cli/cedar/text_verbs.h"
#include "cli/cedar/verb_options.h"
#include "cli/cedar/verb_output.h"

namespace palyra::cli {
namespace {

// Each answer leaves before the next question is waited for.
int EvaluateLines() {
  JsonlEvaluator evaluator;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << evaluator.Answer(line) << '\n';
    if (std::cin.rdbuf()->in_avail() <= 0) std::cout.flush();
  }
  std::cout.flush();
  return std::cout.good() ? kStatusSuccess : kStatusFailure;
}

}  // namespace

void AddCedarCommands(CLI::App& app, int& status) {
  CLI::App* cedar = app.add_subcommand("cedar", "parse, check and evaluate Cedar policies");
  cedar->require_subcommand(1);
  cedar->fallthrough();
  cedar
      ->add_option_function<std::string>(
          "-f,--error-format",
          [](const std::string& format) {
            if (format == "json") ComplainInJson();
          },
          "how to say what is wrong (human)")
      ->check(CLI::IsMember({"human", "plain", "json"}))
      ->envname("CEDAR_ERROR_FORMAT");
  AddAuthorizeVerbs(*cedar, status);
  AddTextVerbs(*cedar, status);

  CLI::App* eval = cedar->add_subcommand("eval", "answer questions, one a line");
  eval->add_flag("--jsonl")->description("one JSON object a line in, one a line out")->required();
  eval->callback([&status] { status = EvaluateLines(); });
}

}  // namespace palyra::cli
