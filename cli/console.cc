#include "cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/file.h"

namespace palyra::cli {
namespace {

// C0 and DEL are one byte; C1, which terminals obey too, are U+0080 to U+009F: C2 80 to C2 9F.
size_t ControlLength(std::string_view text) {
  const auto byte = [text](size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x20 || byte(0) == 0x7F) return 1;
  return byte(0) == 0xC2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) <= 0x9F ? 2 : 0;
}

std::string Escaped(std::string_view text, std::string_view kept) {
  std::string escaped;
  while (!text.empty()) {
    const size_t control = kept.contains(text[0]) ? 0 : ControlLength(text);
    for (size_t i = 0; i < control; ++i) {
      escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
    }
    if (control == 0) escaped += text[0];
    text.remove_prefix(std::max<size_t>(control, 1));
  }
  return escaped;
}

}  // namespace

// One write for a line: lines of several processes do not mix. A closed stream is not our failure.
void Say(std::string_view program, std::string_view text) {
  (void)base::WriteAll(STDERR_FILENO, fmt::format("{}: {}\n", program, Escaped(text, "")),
                       "stderr");
}

void SayBlock(std::string_view text) {
  (void)base::WriteAll(STDERR_FILENO, Escaped(text, "\n"), "stderr");
}

}  // namespace palyra::cli
