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
#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/unique_fd.h"
#include "engine/features.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "engine/live_run.h"
#include "engine/sweep.h"
#include "policy/compile/compiler.h"
#include "policy/mandatory.h"

namespace {

using palyra::Result;
using palyra::UniqueFd;
namespace engine = palyra::engine;
namespace policy = palyra::policy;

constexpr uint16_t kPort = 9;

template <typename T>
T OrDie(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "connect_bench: {}\n", result.error().message);
    std::exit(1);
  }
  return *std::move(result);
}

// 127.0.0.1 and on.
uint32_t Destination(uint32_t index) { return (uint32_t{127} << 24) + 1 + index; }

// The same addresses all over 127.0.0.0/8 in every run: an odd factor permutes 24 bits.
uint32_t Scattered(uint32_t index) {
  return (uint32_t{127} << 24) | (index * 0x9E3779B1U & 0xFFFFFFU);
}

std::string Permit(uint32_t address, int port) {
  return fmt::format(
      "permit (principal, action == Palyra::Action::\"net.connect\", resource) when {{ "
      "resource.address == ip(\"{}.{}.{}.{}\") && resource.port == {} }};\n",
      address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, port);
}

policy::RuleSet Compile(const std::string& text) {
  const auto source = std::make_shared<const policy::SourceFile>("bench", text);
  const auto policies = policy::PolicySet::Parse({source});
  const policy::EntityStore entities;
  const auto compiled = policy::CompileRules(
      {.principal = policy::EntityUid("Palyra::Agent", "bench"),
       .context = policy::Value::Record({}),
       .layers = {{policy::Layer::kMandatory, &policy::MandatoryPolicies(), &entities},
                  {policy::Layer::kCaller, &policies.value(), &entities}},
       .coverage = policy::Coverage::kNetworkAndUnix});
  return compiled.value().rules;
}

void MoveTo(const std::string& cgroup) {
  const UniqueFd fd = OrDie(palyra::base::OpenFile(cgroup + "/cgroup.procs", O_WRONLY));
  const std::string pid = std::to_string(getpid());
  if (write(fd.get(), pid.data(), pid.size()) < 0) std::perror("connect_bench: cgroup.procs");
}

// A cgroup of this process's own with a program that returns 1.
class EmptyProgram {
 public:
  explicit EmptyProgram(const engine::Host& host)
      : cgroup_(OrDie(engine::Cgroup::Create(
            fmt::format("{}/palyra-bench-{}", host.cgroup2.mount_point, getpid())))) {
    const std::array<bpf_insn, 2> program = {{
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    }};
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = BPF_CGROUP_INET4_CONNECT;
    program_.Reset(bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "empty", "GPL", program.data(),
                                 program.size(), &options));
    link_.Reset(bpf_link_create(program_.get(), cgroup_.fd(), BPF_CGROUP_INET4_CONNECT, nullptr));
    MoveTo(cgroup_.path());
  }
  EmptyProgram(const EmptyProgram&) = delete;
  EmptyProgram& operator=(const EmptyProgram&) = delete;
  ~EmptyProgram() { (void)engine::RemoveCgroup(cgroup_.path()); }

  [[nodiscard]] bool attached() const { return link_.valid(); }

 private:
  engine::Cgroup cgroup_;
  UniqueFd program_;
  UniqueFd link_;
};

const engine::Host& TheHost() {
  static const engine::Host kHost = OrDie(engine::PrepareHost());
  return kHost;
}

engine::KernelObjects Install() {
  engine::Features features;
  return OrDie(engine::KernelObjects::Open(TheHost(), features));
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
  MoveTo(TheHost().cgroup2.mount_point);
  if (OrDie(engine::Uninstall(TheHost())) != 0) {
    state.SkipWithError("runs are alive");
    return;
  }
  Connect(state);
}

void Empty(benchmark::State& state) {
  (void)OrDie(engine::Uninstall(TheHost()));
  {
    const EmptyProgram program(TheHost());
    if (program.attached()) {
      Connect(state);
    } else {
      state.SkipWithError("cannot attach an empty program");
    }
    MoveTo(TheHost().cgroup2.mount_point);
  }
}

void Outside(benchmark::State& state) {
  MoveTo(TheHost().cgroup2.mount_point);
  const engine::KernelObjects objects = Install();
  Connect(state);
}

void ConnectUnder(benchmark::State& state, const policy::RuleSet& rules,
                  const std::vector<sockaddr_in>& addresses) {
  const engine::KernelObjects objects = Install();
  const engine::LiveRun run = OrDie(engine::LiveRun::Create(TheHost(), objects, rules));
  MoveTo(run.cgroup().path());
  Connect(state, addresses);
  MoveTo(TheHost().cgroup2.mount_point);
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

BENCHMARK_MAIN();
