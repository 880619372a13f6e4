// What automata of path rules cost.
//   Build/N    N rules to the smallest automaton and its classes

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/path_rules.h"
#include "policy/automaton.h"
#include "policy/automaton_builder.h"

namespace {

namespace bench = palyra::bench;
namespace policy = palyra::policy;

policy::BuiltAutomaton BuildOrDie(const std::vector<policy::Pattern>& rules) {
  auto built =
      policy::BuildAutomaton({.patterns = rules, .labels = {}, .universe = {.pieces = {"/", ""}}});
  if (!built) {
    std::fputs("automaton_bench: the rules are refused\n", stderr);
    std::exit(1);
  }
  return *std::move(built);
}

void Build(benchmark::State& state) {
  const std::vector<policy::Pattern> rules = bench::PathRules(static_cast<size_t>(state.range(0)));
  while (state.KeepRunning()) benchmark::DoNotOptimize(BuildOrDie(rules));
  const policy::BuiltAutomaton built = BuildOrDie(rules);
  state.counters["states"] = static_cast<double>(built.automaton.state_count());
  state.counters["edges"] = static_cast<double>(built.automaton.edge_count());
  state.counters["classes"] = static_cast<double>(built.classes.size());
}

BENCHMARK(Build)->Arg(10)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
