// bpf(2) that fails, or whose caller dies, at a chosen call: the kernel without memory, and SIGKILL
// at the worst moment, without a line for it in the engine.

#ifndef PALYRA_TESTS_UNIT_ENGINE_BPF_FAULT_H_
#define PALYRA_TESTS_UNIT_ENGINE_BPF_FAULT_H_

#include <functional>

namespace palyra::engine {

enum class Fault {
  kNone,      // Only counts.
  kNoMemory,  // The call fails with ENOMEM.
  kKilled,    // The caller is killed in place of the call.
};

struct Faulted {
  int calls = 0;    // bpf(2) calls up to the fault, or in all.
  int status = -1;  // What `body` returned, or 128 + the signal that ended it.
};

// Runs `body` in a child, with `fault` at its bpf(2) call number `at` (from 0). Throws
// std::runtime_error where the kernel does not let us.
Faulted RunWithFault(const std::function<int()>& body, Fault fault, int at);

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_BPF_FAULT_H_
