#include "cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>

#include "base/file.h"

namespace palyra::cli {
namespace {

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      escaped += fmt::format("\\x{:02x}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

// One write for a line: lines of several processes do not mix. A closed stream is not our failure.
void Say(std::string_view program, std::string_view text) {
  (void)base::WriteAll(STDERR_FILENO, fmt::format("{}: {}\n", program, Escaped(text)), "stderr");
}

void SayBlock(std::string_view text) { (void)base::WriteAll(STDERR_FILENO, text, "stderr"); }

}  // namespace palyra::cli
