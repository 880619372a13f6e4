// What compiling policies costs, from parsed policies to tables, and what proving it costs.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "bench/path_rules.h"
#include "policy/compile/compiler.h"
#include "policy/compile/places.h"
#include "policy/compile/verify.h"
#include "policy/defaults.h"
#include "policy/mandatory.h"
#include "policy/printer.h"
#include "policy/rule_set_binary.h"

namespace {

using namespace palyra::policy;  // NOLINT(google-build-using-namespace): a benchmark.

// Policies of one layer, parsed.
struct Setting {
  PolicySet policies;
  EntityStore entities;
  CompileInput input;

  Setting(const std::string& text, Coverage coverage)
      : policies(
            PolicySet::Parse({std::make_shared<const SourceFile>("bench.cedar", text)}).value()),
        input{.principal = EntityUid("Palyra::Agent", "bench"),
              .context = Value::Record({}),
              .layers = {{Layer::kCaller, &policies, &entities}},
              .coverage = coverage} {}
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting() = default;

  [[nodiscard]] CompileOutput Compile() const {
    auto output = CompileRules(input);
    if (!output) {
      std::fputs(Render(output.error()).c_str(), stderr);
      std::exit(1);
    }
    return *std::move(output);
  }
};

std::string NetRules(int64_t count) {
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    text +=
        "permit (principal, action == Palyra::Action::\"net.connect\", resource) when { "
        "resource.address.isInRange(ip(\"10." +
        std::to_string(i / 65536) + '.' + std::to_string(i / 256 % 256) + '.' +
        std::to_string(i % 256) + "\")) && resource.port == " + std::to_string(1000 + i % 50) +
        " };\n";
  }
  return text;
}

std::string PathPolicies(int64_t count) {
  std::string text;
  for (const Pattern& pattern : palyra::bench::PathRules(static_cast<size_t>(count))) {
    std::string like;
    for (const std::string& piece : pattern.pieces) like += (like.empty() ? "" : "*") + piece;
    text +=
        "permit (principal, action == Palyra::Action::\"file.read\", resource) when { "
        "resource.path like \"" +
        like + "\" };\n";
  }
  return text;
}

void CompileNet(benchmark::State& state) {
  const Setting setting(NetRules(state.range(0)), Coverage::kNetwork);
  while (state.KeepRunning()) benchmark::DoNotOptimize(setting.Compile());
}
BENCHMARK(CompileNet)->Arg(10)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

// What every start pays where nobody wrote a policy.
void CompileMandatory(benchmark::State& state) {
  const EntityStore entities;
  const CompileInput input = {.principal = EntityUid("Palyra::Agent", "bench"),
                              .context = Value::Record({}),
                              .layers = {{Layer::kMandatory, &MandatoryPolicies(), &entities}},
                              .coverage = Coverage::kNetworkAndUnix};
  while (state.KeepRunning()) benchmark::DoNotOptimize(CompileRules(input));
}
BENCHMARK(CompileMandatory)->Unit(benchmark::kMicrosecond);

// What the first start in a workspace pays where files are held to policies, too.
void CompileDefaults(benchmark::State& state) {
  const Places places = {.workspace = "/home/a/src/app", .home = "/home/a", .tmp = "/tmp"};
  const EntityStore entities;
  const PolicySet mandatory =
      ExpandPlaces(PolicySet::Parse(MandatorySources({.files = FileParts::kLsm})).value(), places)
          .value();
  const PolicySet defaults =
      ExpandPlaces(WithDefaults({}, entities, {}, DefaultSources(FileParts::kLsm)).value(), places)
          .value();
  const CompileInput input = {
      .principal = EntityUid("Palyra::Agent", "bench"),
      .context = Value::Record({{"workspace", Value::String(places.workspace)}}),
      .layers = {{Layer::kMandatory, &mandatory, &entities},
                 {Layer::kCaller, &defaults, &entities}},
      .coverage = Coverage::kFiles};
  size_t states = 0;
  while (state.KeepRunning()) {
    const CompileOutput output = CompileRules(input).value();
    for (const NameRules& names : output.rules.names) {
      states = std::max(states, names.automaton.state_count());
    }
  }
  state.counters["states"] = static_cast<double>(states);
}
BENCHMARK(CompileDefaults)->Unit(benchmark::kMillisecond);

// What the next start pays instead, of the same rules on paths.
void ReadKeptPaths(benchmark::State& state) {
  const Setting setting(PathPolicies(state.range(0)), Coverage::kAll);
  const std::string bytes = WriteRules(setting.Compile().rules);
  while (state.KeepRunning()) benchmark::DoNotOptimize(ReadRules(bytes));
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(ReadKeptPaths)->Arg(10)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

void CompilePaths(benchmark::State& state) {
  const Setting setting(PathPolicies(state.range(0)), Coverage::kAll);
  while (state.KeepRunning()) benchmark::DoNotOptimize(setting.Compile());
}
BENCHMARK(CompilePaths)->Arg(10)->Arg(1000)->Arg(10000)->Unit(benchmark::kMillisecond);

void VerifyNet(benchmark::State& state) {
  const Setting setting(NetRules(state.range(0)), Coverage::kNetwork);
  const CompileOutput output = setting.Compile();
  uint64_t cells = 0;
  while (state.KeepRunning()) {
    cells = VerifyRules(setting.input, output.partitions, output.rules).net_cells;
  }
  state.counters["cells"] = static_cast<double>(cells);
}
BENCHMARK(VerifyNet)->Arg(10)->Arg(1000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
