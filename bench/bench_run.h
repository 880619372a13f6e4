// What the benchmarks of decisions share: rules, runs, and a program to compare with.

#ifndef PALYRA_BENCH_BENCH_RUN_H_
#define PALYRA_BENCH_BENCH_RUN_H_

#include <fmt/format.h>
#include <linux/bpf.h>

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/cgroup.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::bench {

// What `result` holds; ends the benchmark with its message where that is an error.
template <typename T>
T OrDie(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "bench: {}\n", result.error().message);
    std::exit(1);
  }
  return *std::move(result);
}

const engine::Host& TheHost();

// Palyra's programs, attached.
engine::KernelObjects Install();

// Takes Palyra out of the kernel. False where runs are alive.
bool Uninstall();

// The rules of the built-in policies and of `text`, of one agent.
policy::RuleSet Compile(const std::string& text);

// "permit net.connect to 127.0.0.1 and so on, at that port."
std::string Permit(uint32_t address, int port);

// This process, from now on.
void MoveTo(const std::string& cgroup);
void MoveToRoot();

// This process is in a cgroup of its own with a program that returns 1 at each of the hooks.
class EmptyPrograms {
 public:
  EmptyPrograms(bpf_prog_type type, std::span<const bpf_attach_type> hooks);
  EmptyPrograms(const EmptyPrograms&) = delete;
  EmptyPrograms& operator=(const EmptyPrograms&) = delete;
  ~EmptyPrograms();

  [[nodiscard]] bool attached() const;

 private:
  engine::Cgroup cgroup_;
  std::vector<UniqueFd> programs_;
  std::vector<UniqueFd> links_;
};

}  // namespace palyra::bench

#endif  // PALYRA_BENCH_BENCH_RUN_H_
