// What a packet costs: send() on a connected UDP socket to a socket of the same process, in turn
//   Bare/F           with no egress program attached anywhere on the machine,
//   Empty/F          in a cgroup with programs at egress and ingress that only allow,
//   EmptyEgress/F    the same at egress alone,
//   Outside/F        in the root cgroup, while Palyra is attached to its own,
//   Egress/F/N       in a run whose policy has N rules; who receives is outside, so that the egress
//                    program alone runs,
//   Both/F/N         the same, with who receives in the run too.
// F is 4 or 6, the version of IP. Nobody reads what is sent; the queue is full from the first
// moments on, and the packet is dropped behind the programs. Run as root; Bare and Empty need a
// machine without live runs.

#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>
#include <string>

#include "base/unique_fd.h"
#include "bench/bench_run.h"
#include "engine/live_run.h"

namespace palyra::bench {
namespace {

constexpr uint16_t kPort = 9201;

// ::1 or 127.0.0.1.
struct Loopback {
  sockaddr_in6 v6 = {};
  sockaddr_in v4 = {};
  bool is_v6;

  Loopback(bool use_v6, uint16_t port) : is_v6(use_v6) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  [[nodiscard]] int family() const { return is_v6 ? AF_INET6 : AF_INET; }
  [[nodiscard]] const sockaddr* get() const {
    return is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  }
  [[nodiscard]] socklen_t size() const { return is_v6 ? sizeof(v6) : sizeof(v4); }
};

UniqueFd BoundSocket(const Loopback& address) {
  UniqueFd fd(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fd;
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  const int small = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  if (bind(fd.get(), address.get(), address.size()) != 0) std::perror("packet_bench: bind");
  return fd;
}

bool ConnectTo(int fd, const Loopback& address) {
  return fd >= 0 && connect(fd, address.get(), address.size()) == 0;
}

void Send(benchmark::State& state, int fd) {
  std::array<char, 64> payload = {};
  while (state.KeepRunning()) {
    if (send(fd, payload.data(), payload.size(), 0) < 0) {
      state.SkipWithError("send failed");
      return;
    }
  }
}

// Both sockets are made where this process is.
void SendToSelf(benchmark::State& state) {
  const bool is_v6 = state.range(0) == 6;
  const UniqueFd receiver = BoundSocket(Loopback(is_v6, kPort));
  const UniqueFd sender = BoundSocket(Loopback(is_v6, kPort + 1));
  if (!ConnectTo(sender.get(), Loopback(is_v6, kPort)) ||
      !ConnectTo(receiver.get(), Loopback(is_v6, kPort + 1))) {
    state.SkipWithError("connect failed");
    return;
  }
  Send(state, sender.get());
}

void Bare(benchmark::State& state) {
  MoveToRoot();
  if (!Uninstall()) {
    state.SkipWithError("runs are alive");
    return;
  }
  SendToSelf(state);
}

void UnderEmpty(benchmark::State& state, std::span<const bpf_attach_type> hooks) {
  (void)Uninstall();
  const EmptyPrograms programs(BPF_PROG_TYPE_CGROUP_SKB, hooks);
  if (!programs.attached()) {
    state.SkipWithError("cannot attach empty programs");
    return;
  }
  SendToSelf(state);
}

void Empty(benchmark::State& state) {
  constexpr std::array kHooks = {BPF_CGROUP_INET_EGRESS, BPF_CGROUP_INET_INGRESS};
  UnderEmpty(state, kHooks);
}

void EmptyEgress(benchmark::State& state) {
  constexpr std::array kHooks = {BPF_CGROUP_INET_EGRESS};
  UnderEmpty(state, kHooks);
}

void Outside(benchmark::State& state) {
  MoveToRoot();
  const engine::KernelObjects objects = Install();
  SendToSelf(state);
}

// The benchmark's ports, and addresses that nobody asks for.
const policy::RuleSet& RulesFor(int64_t count) {
  static std::map<int64_t, policy::RuleSet> made;
  if (!made.contains(count)) {
    std::string text =
        "permit (principal, action in [Palyra::Action::\"net.connect\", "
        "Palyra::Action::\"net.bind\"], resource) when { resource.address.isLoopback() && "
        "resource.port >= 9201 && resource.port <= 9202 };\n";
    for (uint32_t i = 1; i < count; ++i) text += Permit((uint32_t{10} << 24) + i, 443);
    made.emplace(count, Compile(text));
  }
  return made.at(count);
}

void Egress(benchmark::State& state) {
  const bool is_v6 = state.range(0) == 6;
  MoveToRoot();
  const engine::KernelObjects objects = Install();
  const engine::LiveRun run =
      OrDie(engine::LiveRun::Create(TheHost(), objects, RulesFor(state.range(1))));
  const UniqueFd receiver = BoundSocket(Loopback(is_v6, kPort));
  MoveTo(run.cgroup().path());
  const UniqueFd sender = BoundSocket(Loopback(is_v6, kPort + 1));
  if (ConnectTo(sender.get(), Loopback(is_v6, kPort))) {
    Send(state, sender.get());
  } else {
    state.SkipWithError("connect failed");
  }
  MoveToRoot();
}

void Both(benchmark::State& state) {
  MoveToRoot();
  const engine::KernelObjects objects = Install();
  const engine::LiveRun run =
      OrDie(engine::LiveRun::Create(TheHost(), objects, RulesFor(state.range(1))));
  MoveTo(run.cgroup().path());
  SendToSelf(state);
  MoveToRoot();
}

BENCHMARK(Bare)->Arg(4)->Arg(6);
BENCHMARK(Empty)->Arg(4)->Arg(6);
BENCHMARK(EmptyEgress)->Arg(4)->Arg(6);
BENCHMARK(Outside)->Arg(4)->Arg(6);
BENCHMARK(Egress)->Args({4, 10})->Args({4, 10'000})->Args({6, 10});
BENCHMARK(Both)->Args({4, 10})->Args({6, 10});

}  // namespace
}  // namespace palyra::bench

BENCHMARK_MAIN();
