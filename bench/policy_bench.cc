// What changing a policy costs, by rules of N prefixes:
//   Digest/N   the SHA-256 of the rules, by which a profile is found,
//   Hit/N      a profile that is there: found by its digest and held,
//   Miss/N     a profile that is not: written whole, and removed again outside the time,
//   Store      what puts it in force: the lock and the store into the run's entry,
//   Swap/N     LiveRun::Replace between two profiles that are there, open connections looked for,
//   Start/N    a run made and removed whose profile is there.
// Run as root.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>

#include "engine/features.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "engine/live_run.h"
#include "engine/profile.h"
#include "engine/profile_cache.h"
#include "policy/rule_set.h"

namespace {

using palyra::Result;
namespace engine = palyra::engine;
namespace policy = palyra::policy;

template <typename T>
T OrDie(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "policy_bench: {}\n", result.error().message);
    std::exit(1);
  }
  return *std::move(result);
}

struct Machine {
  engine::Features features;
  engine::Host host = OrDie(engine::PrepareHost());
  engine::KernelObjects objects = OrDie(engine::KernelObjects::Open(host, features));
};

Machine& TheMachine() {
  static Machine machine;
  return machine;
}

// `variant` makes other rules of the same size.
policy::RuleSet RulesOf(int64_t prefixes, uint16_t variant) {
  policy::RuleSet rules = {.prefixes = {},
                           .classes = {{}, {}},
                           .reasons = {{.layers = {{policy::Layer::kCaller, {}}}},
                                       {.layers = {{policy::Layer::kCaller, {"policy0"}}}}}};
  rules.classes[1].spans.push_back({.first = variant,
                                    .last = 65535,
                                    .actions = 0b011,
                                    .protocols = 0b11,
                                    .verdict = policy::Verdict::kAllow,
                                    .reason = 1});
  for (int64_t i = 0; i < prefixes; ++i) {
    rules.prefixes.push_back({.is_ipv6 = false,
                              .length = 32,
                              .bytes = {10, static_cast<uint8_t>(i >> 16),
                                        static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)},
                              .address_class = 1});
  }
  return rules;
}

engine::LiveRun StartWith(const policy::RuleSet& rules) {
  return OrDie(engine::LiveRun::Create(TheMachine().host, TheMachine().objects, rules));
}

void Digest(benchmark::State& state) {
  const policy::RuleSet rules = RulesOf(state.range(0), 1);
  while (state.KeepRunning()) benchmark::DoNotOptimize(policy::Digest(rules));
}

void Hit(benchmark::State& state) {
  const policy::RuleSet rules = RulesOf(state.range(0), 1);
  const engine::LiveRun run = StartWith(rules);
  const palyra::base::Sha256Digest digest = policy::Digest(rules);
  while (state.KeepRunning()) {
    const engine::HeldProfile held =
        OrDie(engine::HoldProfile(TheMachine().objects, rules, digest));
    if (!held.was_there()) state.SkipWithError("not there");
  }
}

void Miss(benchmark::State& state) {
  const engine::KernelObjects& objects = TheMachine().objects;
  const policy::RuleSet rules = RulesOf(state.range(0), 3);
  while (state.KeepRunning()) {
    uint32_t id = 0;
    {
      const engine::HeldProfile held = OrDie(engine::HoldProfile(objects, rules));
      if (held.was_there()) state.SkipWithError("there");
      id = held.id();
    }
    state.PauseTiming();
    const palyra::UniqueFd lock = OrDie(objects.LockProfiles(
        engine::KernelObjects::ProfileLock::kExclusive, std::chrono::milliseconds(1000)));
    engine::RemoveProfile(objects, {.id = id, .profile = *engine::ReadProfileRecord(objects, id)});
    state.ResumeTiming();
  }
}

void Store(benchmark::State& state) {
  const engine::KernelObjects& objects = TheMachine().objects;
  const engine::LiveRun run = StartWith(RulesOf(1, 1));
  while (state.KeepRunning()) {
    const palyra::UniqueFd lock = OrDie(objects.LockRuns());
    if (!objects.runs().Replace(run.cgroup().id(), run.first_profile(), 0)) std::abort();
  }
}

void Swap(benchmark::State& state) {
  const policy::RuleSet one = RulesOf(state.range(0), 1);
  const policy::RuleSet other = RulesOf(state.range(0), 2);
  engine::LiveRun run = StartWith(one);
  (void)OrDie(run.Replace(other));
  bool is_one = false;
  while (state.KeepRunning()) {
    is_one = !is_one;
    (void)OrDie(run.Replace(is_one ? one : other));
  }
}

void Start(benchmark::State& state) {
  const policy::RuleSet rules = RulesOf(state.range(0), 1);
  while (state.KeepRunning()) {
    const engine::LiveRun run = StartWith(rules);
  }
}

BENCHMARK(Digest)->Arg(10)->Arg(1000)->Arg(10000);
BENCHMARK(Hit)->Arg(10)->Arg(1000)->Arg(10000);
BENCHMARK(Miss)->Arg(10)->Arg(1000)->Arg(10000);
BENCHMARK(Store);
BENCHMARK(Swap)->Arg(10)->Arg(1000)->Arg(10000);
BENCHMARK(Start)->Arg(10)->Arg(1000);

}  // namespace

BENCHMARK_MAIN();
