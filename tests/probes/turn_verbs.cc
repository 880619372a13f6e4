// `turns`: opens by turns with somebody outside, who moves things about in between: as fast as two
// processors hand a number to each other, so that little else happens in the kernel meanwhile.

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <iostream>

#include "base/unique_fd.h"
#include "tests/probes/probe.h"

namespace palyra::probes {
namespace {

bool CanOpen(int directory, const char* name) {
  return UniqueFd(openat(directory, name, O_RDONLY | O_CLOEXEC)).valid();
}

// The number is even while this one has its turn: 0 and all multiples of 4 before things were
// moved, the others after. The same file is opened thrice each time.
Outcome TakeTurns(Arguments arguments) {
  const auto turns = ParseNumber(arguments[1]);
  const UniqueFd shared(open(arguments[0], O_RDWR | O_CLOEXEC));
  const UniqueFd directory(open(arguments[2], O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!turns || !shared.valid() || !directory.valid()) return CouldNotTry(errno);
  void* const memory =
      mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED, shared.get(), 0);
  if (memory == MAP_FAILED) return CouldNotTry(errno);
  const std::atomic_ref<int> number(*static_cast<int*>(memory));
  int opened_before = 0;
  int opened_after = 0;
  for (int turn = 0; turn < 2 * *turns; ++turn) {
    while (number.load() != 2 * turn) sched_yield();
    int& opened = turn % 2 == 0 ? opened_before : opened_after;
    for (int i = 0; i < 3; ++i) {
      if (CanOpen(directory.get(), arguments[turn % 2 == 0 ? 3 : 4])) ++opened;
    }
    number.store(2 * turn + 1);
  }
  std::cout << "opened " << opened_before << " before, " << opened_after << " after\n";
  return Shown();
}

constexpr Verb kVerbs[] = {
    {"turns", 5, false, "SHARED TURNS DIRECTORY BEFORE AFTER", TakeTurns},
};

}  // namespace

std::span<const Verb> TurnVerbs() { return kVerbs; }

}  // namespace palyra::probes
