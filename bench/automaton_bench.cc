// What automata of path rules cost.
//   Build/N    N rules to the smallest automaton and its classes
//   Pack/N     the automaton to what the kernel walks; how many bytes that is
//   Walk/N/L   the kernel's walk of a text of L bytes by an automaton of N rules, as root:
//              `per_byte` nanoseconds, of which the check for UTF-8 is a part

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "bench/path_rules.h"
#include "engine/automaton_image.h"
#include "engine/kernel_judge.h"
#include "policy/automaton.h"
#include "policy/automaton_builder.h"

namespace {

namespace bench = palyra::bench;
namespace policy = palyra::policy;

[[noreturn]] void Die(const std::string& message) {
  std::fprintf(stderr, "automaton_bench: %s\n", message.c_str());
  std::exit(1);
}

policy::BuiltAutomaton BuildOrDie(const std::vector<policy::Pattern>& rules) {
  auto built =
      policy::BuildAutomaton({.patterns = rules, .labels = {}, .universe = {.pieces = {"/", ""}}});
  if (!built) Die("the rules are refused");
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

palyra::engine::AutomatonImage PackOrDie(const policy::Automaton& automaton) {
  auto image = palyra::engine::AutomatonImage::Pack(automaton);
  if (!image) Die(image.error().message);
  return *std::move(image);
}

void Pack(benchmark::State& state) {
  const std::vector<policy::Pattern> rules = bench::PathRules(static_cast<size_t>(state.range(0)));
  const policy::BuiltAutomaton built = BuildOrDie(rules);
  while (state.KeepRunning()) benchmark::DoNotOptimize(PackOrDie(built.automaton));
  state.counters["bytes"] =
      static_cast<double>(PackOrDie(built.automaton).entry_count() * sizeof(palyra_entry));
}

// A text that never comes to a sink, through the states of a rule with stars.
void Walk(benchmark::State& state) {
  constexpr uint32_t kRepeat = 20000;
  std::vector<policy::Pattern> rules = bench::PathRules(static_cast<size_t>(state.range(0)));
  const auto length = static_cast<size_t>(state.range(1));
  std::string text = rules[0].pieces[0];
  while (text.size() < length) text += "Documents/notes/.ss/";
  text.resize(length);
  auto judge = palyra::engine::KernelJudge::Load();
  if (!judge) Die(judge.error().message);
  const auto place = judge->Add(PackOrDie(BuildOrDie(rules).automaton));
  if (!place) Die(place.error().message);
  double best = 0;
  while (state.KeepRunning()) {
    const auto time = judge->TimeText(*place, text, kRepeat);
    if (!time) Die(time.error().message);
    const auto nanoseconds = static_cast<double>(time->count());
    best = best == 0 ? nanoseconds : std::min(best, nanoseconds);
  }
  state.counters["per_text"] = best;
  state.counters["per_byte"] = best / static_cast<double>(length);
}

BENCHMARK(Pack)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);
BENCHMARK(Walk)->ArgsProduct({{10, 1000}, {64, 4096}})->Iterations(20);
BENCHMARK(Build)->Arg(10)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
