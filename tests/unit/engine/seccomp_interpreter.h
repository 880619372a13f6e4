// Classic BPF as seccomp runs it, in user space: what a filter answers for a call that nobody
// makes.

#ifndef PALYRA_TESTS_UNIT_ENGINE_SECCOMP_INTERPRETER_H_
#define PALYRA_TESTS_UNIT_ENGINE_SECCOMP_INTERPRETER_H_

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstdint>
#include <span>

namespace palyra::engine {

// The filter's return value (SECCOMP_RET_*, seccomp(2)). Throws std::runtime_error for a program
// that the kernel would not take: a jump or a load out of bounds, an instruction outside the subset
// that seccomp_check_filter() in the kernel's kernel/seccomp.c knows.
uint32_t Interpret(std::span<const sock_filter> filter, const seccomp_data& call);

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_SECCOMP_INTERPRETER_H_
