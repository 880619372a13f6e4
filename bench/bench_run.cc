#include "bench/bench_run.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <utility>

#include "base/file.h"
#include "engine/features.h"
#include "engine/sweep.h"
#include "policy/compile/compiler.h"
#include "policy/mandatory.h"

namespace palyra::bench {

const engine::Host& TheHost() {
  static const engine::Host kHost = OrDie(engine::PrepareHost());
  return kHost;
}

engine::KernelObjects Install() {
  engine::Features features;
  return OrDie(engine::KernelObjects::Open(TheHost(), features));
}

bool Uninstall() { return OrDie(engine::Uninstall(TheHost())) == 0; }

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

std::string Permit(uint32_t address, int port) {
  return fmt::format(
      "permit (principal, action == Palyra::Action::\"net.connect\", resource) when {{ "
      "resource.address == ip(\"{}.{}.{}.{}\") && resource.port == {} }};\n",
      address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255, port);
}

void MoveTo(const std::string& cgroup) {
  const UniqueFd fd = OrDie(base::OpenFile(cgroup + "/cgroup.procs", O_WRONLY));
  const std::string pid = std::to_string(getpid());
  if (write(fd.get(), pid.data(), pid.size()) < 0) std::perror("bench: cgroup.procs");
}

void MoveToRoot() { MoveTo(TheHost().cgroup2.mount_point); }

EmptyPrograms::EmptyPrograms(bpf_prog_type type, std::span<const bpf_attach_type> hooks)
    : cgroup_(OrDie(engine::Cgroup::Create(
          fmt::format("{}/palyra-bench-{}", TheHost().cgroup2.mount_point, getpid())))) {
  const std::array<bpf_insn, 2> program = {{
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  }};
  for (const bpf_attach_type hook : hooks) {
    LIBBPF_OPTS(bpf_prog_load_opts, options);
    options.expected_attach_type = hook;
    programs_.emplace_back(
        bpf_prog_load(type, "empty", "GPL", program.data(), program.size(), &options));
    links_.emplace_back(bpf_link_create(programs_.back().get(), cgroup_.fd(), hook, nullptr));
  }
  MoveTo(cgroup_.path());
}

EmptyPrograms::~EmptyPrograms() {
  MoveToRoot();
  (void)engine::RemoveCgroup(cgroup_.path());
}

bool EmptyPrograms::attached() const {
  return std::ranges::all_of(links_, [](const UniqueFd& link) { return link.valid(); });
}

}  // namespace palyra::bench
