#include "cli/cedar/verb_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cedar/verb_options.h"
#include "cli/console.h"

namespace palyra::cli {

void Print(std::string_view text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

int Complain(const Error& error) {
  SayBlock(fmt::format("{}{}", error.message, error.message.ends_with('\n') ? "" : "\n"));
  return kStatusFailure;
}

}  // namespace palyra::cli
