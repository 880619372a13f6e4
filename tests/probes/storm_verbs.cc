// `storm`: two processes that call at random on one tree; tests/probes/storm.h.

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/probes/probe.h"
#include "tests/probes/storm.h"

namespace palyra::probes {
namespace {

std::optional<uint64_t> ParseSeed(std::string_view text) {
  uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seed;
}

// In one piece, because two processes write to one pipe.
void Tell(const Storm& storm) {
  std::ostringstream text;
  for (const auto& [name, count] : storm.counts()) {
    text << "did " << name << ' ' << count.succeeded << ' ' << count.denied << ' ' << count.failed
         << '\n';
  }
  for (const std::string& finding : storm.findings()) text << finding << '\n';
  text << "over\n";
  const std::string whole = text.str();
  (void)!write(STDOUT_FILENO, whole.data(), whole.size());
}

// The second process has the next seed.
Outcome RunStorm(Arguments arguments) {
  const auto seed = ParseSeed(arguments[0]);
  const auto steps = ParseNumber(arguments[1]);
  if (!seed || !steps) return CouldNotTry(EINVAL);
  const pid_t other = fork();
  if (other < 0) return CouldNotTry(errno, "fork");
  Storm storm(arguments[2], other == 0 ? *seed + 1 : *seed);
  for (int i = 0; i < *steps; ++i) storm.Step();
  Tell(storm);
  if (other == 0) _exit(0);
  waitpid(other, nullptr, 0);
  return Shown();
}

// What the storm executes: says where it lies, by the word of the kernel.
Outcome Mark(Arguments) {
  std::array<char, 4096> line = {};
  const size_t start = std::strlen(std::strcpy(line.data(), "executed "));
  const ssize_t length = readlink("/proc/self/exe", line.data() + start, line.size() - start - 1);
  if (length < 0) return CouldNotTry(errno);
  line[start + static_cast<size_t>(length)] = '\n';
  (void)!write(STDOUT_FILENO, line.data(), start + static_cast<size_t>(length) + 1);
  return Shown();
}

constexpr std::array kVerbs = {
    Verb{"storm", 3, false, "SEED STEPS TREE", RunStorm},
    Verb{"storm-mark", 0, false, "", Mark},
};

}  // namespace

std::span<const Verb> StormVerbs() { return kVerbs; }

}  // namespace palyra::probes
