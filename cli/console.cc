#include "cli/console.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

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

std::string LineOf(std::string_view program, std::string_view text) {
  return fmt::format("{}: {}\n", program, Escaped(text, ""));
}

// A pipe has room for this much at once when poll(2) calls it writable (pipe(7)).
constexpr size_t kAtOnce = 4096;
constexpr size_t kMostWaiting = size_t{64} << 10;

struct Waiting {
  std::string lines;
  size_t left_out = 0;
};

Waiting& TheWaiting() {
  static Waiting waiting;
  return waiting;
}

bool HasRoom() {
  pollfd stream = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  return poll(&stream, 1, 0) == 1 && (stream.revents & POLLOUT) != 0;
}

}  // namespace

// One write for a line: lines of several processes do not mix. A closed stream is not our failure.
void Say(std::string_view program, std::string_view text) {
  (void)base::WriteAll(STDERR_FILENO, LineOf(program, text), "stderr");
}

void SayWithoutWaiting(std::string_view program, std::string_view text) {
  Waiting& waiting = TheWaiting();
  const std::string line = LineOf(program, text);
  if (waiting.lines.empty() && line.size() <= kAtOnce && HasRoom()) {
    (void)base::WriteAll(STDERR_FILENO, line, "stderr");
  } else if (waiting.lines.size() + line.size() <= kMostWaiting) {
    waiting.lines += line;
  } else {
    ++waiting.left_out;
  }
}

void SayWhatIsLeft(std::string_view program) {
  const Waiting waiting = std::exchange(TheWaiting(), {});
  if (!waiting.lines.empty()) (void)base::WriteAll(STDERR_FILENO, waiting.lines, "stderr");
  if (waiting.left_out > 0) {
    Say(program, fmt::format("{} more lines found no room", waiting.left_out));
  }
}

void SayBlock(std::string_view text) {
  (void)base::WriteAll(STDERR_FILENO, Escaped(text, "\n"), "stderr");
}

}  // namespace palyra::cli
