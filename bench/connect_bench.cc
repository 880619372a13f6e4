// What a decision costs: connect() on a UDP socket, by the same process in turn
//   Bare       with no connect program attached anywhere on the machine,
//   Empty      in a cgroup with a program that only allows,
//   Outside    in the root cgroup, while Palyra is attached to its own,
//   Rules/N    in a run whose policy has N rules,
//   Prefixes/N/D  in a run under N prefixes scattered over 127.0.0.0/8, of 50 different classes.
// Destinations are 10 loopback addresses that every policy permits, or D scattered ones that have a
// prefix each, as far as there are so many; nothing is sent. Run as root; Bare needs a machine
// without live runs.

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "bench/bench_run.h"
#include "engine/live_run.h"

namespace palyra::bench {
namespace {

constexpr uint16_t kPort = 9;

// 127.0.0.1 and on.
uint32_t Destination(uint32_t index) { return (uint32_t{127} << 24) + 1 + index; }

// The same addresses all over 127.0.0.0/8 in every run: an odd factor permutes 24 bits.
uint32_t Scattered(uint32_t index) {
  return (uint32_t{127} << 24) | (index * 0x9E3779B1U & 0xFFFFFFU);
}

policy::RuleSet RulesFor(uint32_t count) {
  std::string text;
  for (uint32_t i = 0; i < count; ++i) text += Permit(Destination(i), kPort);
  return Compile(text);
}

policy::RuleSet ScatteredRules(uint32_t count) {
  std::string text = fmt::format(
      "permit (principal, action == Palyra::Action::\"net.connect\", resource) when {{ "
      "resource.port == {} }};\n",
      kPort);
  for (uint32_t i = 0; i < count; ++i) {
    text += Permit(Scattered(i), 1000 + static_cast<int>(i % 50));
  }
  return Compile(text);
}

std::vector<sockaddr_in> Destinations(uint32_t count, uint32_t (*at)(uint32_t)) {
  std::vector<sockaddr_in> addresses(count);
  for (uint32_t i = 0; i < count; ++i) {
    addresses[i].sin_family = AF_INET;
    addresses[i].sin_port = htons(kPort);
    addresses[i].sin_addr.s_addr = htonl(at(i));
  }
  return addresses;
}

void Connect(benchmark::State& state,
             const std::vector<sockaddr_in>& addresses = Destinations(10, Destination)) {
  const UniqueFd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) {
    state.SkipWithError("no socket");
    return;
  }
  size_t next = 0;
  while (state.KeepRunning()) {
    const sockaddr_in& address = addresses[next];
    next = next + 1 < addresses.size() ? next + 1 : 0;
    if (connect(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
        0) {
      state.SkipWithError("connect failed");
      return;
    }
  }
}

void Bare(benchmark::State& state) {
  MoveToRoot();
  if (!Uninstall()) {
    state.SkipWithError("runs are alive");
    return;
  }
  Connect(state);
}

void Empty(benchmark::State& state) {
  (void)Uninstall();
  constexpr std::array kHooks = {BPF_CGROUP_INET4_CONNECT};
  const EmptyPrograms programs(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, kHooks);
  if (!programs.attached()) {
    state.SkipWithError("cannot attach an empty program");
    return;
  }
  Connect(state);
}

void Outside(benchmark::State& state) {
  MoveToRoot();
  const engine::KernelObjects objects = Install();
  Connect(state);
}

void ConnectUnder(benchmark::State& state, const policy::RuleSet& rules,
                  const std::vector<sockaddr_in>& addresses) {
  const engine::KernelObjects objects = Install();
  const engine::LiveRun run = OrDie(engine::LiveRun::Create(TheHost(), objects, rules));
  MoveTo(run.cgroup().path());
  Connect(state, addresses);
  MoveToRoot();
}

// By count; compiling takes longer than measuring.
const policy::RuleSet& Once(int64_t count, policy::RuleSet (*make)(uint32_t)) {
  static std::map<std::pair<int64_t, policy::RuleSet (*)(uint32_t)>, policy::RuleSet> made;
  const std::pair key(count, make);
  if (!made.contains(key)) made.emplace(key, make(static_cast<uint32_t>(count)));
  return made.at(key);
}

void Rules(benchmark::State& state) {
  ConnectUnder(state, Once(state.range(0), RulesFor), Destinations(10, Destination));
}

void Prefixes(benchmark::State& state) {
  ConnectUnder(state, Once(state.range(0), ScatteredRules),
               Destinations(static_cast<uint32_t>(state.range(1)), Scattered));
}

BENCHMARK(Bare);
BENCHMARK(Empty);
BENCHMARK(Outside);
BENCHMARK(Rules)->Arg(10)->Arg(10000);
BENCHMARK(Prefixes)
    ->Args({10, 1024})
    ->Args({100'000, 1024})
    ->Args({10, 65'536})
    ->Args({100'000, 65'536});

}  // namespace
}  // namespace palyra::bench

BENCHMARK_MAIN();
