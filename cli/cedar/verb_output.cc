#include "cli/cedar/verb_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/cedar/verb_options.h"
#include "cli/console.h"

namespace palyra::cli {

void Print(std::string_view text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

namespace {

bool& InJson() {
  static bool in_json = false;
  return in_json;
}

}  // namespace

void ComplainInJson() { InJson() = true; }

int Complain(const Error& error) {
  if (InJson()) {
    const nlohmann::ordered_json json = {{"message", error.message}, {"severity", "error"}};
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    SayBlock(json.dump(-1, ' ', false, replace) + '\n');
    return kStatusFailure;
  }
  SayBlock(fmt::format("{}{}", error.message, error.message.ends_with('\n') ? "" : "\n"));
  return kStatusFailure;
}

}  // namespace palyra::cli
