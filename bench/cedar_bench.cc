// What Cedar costs: authorization on the cases of cedar_cases.h, and parsing.
//   Authorize/N  one request against policies and entities that are loaded and indexed
//   Scan/N       the same without an index
//   FromJson/N   the same with the index, and the entities are read from JSON for it
//   Parse/N      policy text to trees: of the last case, then of the applications again and again
// where N is the number of the case, and its name the label.
// `cedar_bench --print-cases` prints the cases as JSON instead, for other engines, and
// `--print-decisions` our decisions on their requests.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/cedar_cases.h"
#include "policy/authorizer.h"
#include "policy/entities.h"
#include "policy/parser.h"
#include "policy/policy_set.h"

namespace {

namespace bench = palyra::bench;
namespace policy = palyra::policy;

[[noreturn]] void Die(std::string_view message) {
  std::fprintf(stderr, "cedar_bench: %.*s\n", static_cast<int>(message.size()), message.data());
  std::exit(1);
}

struct Loaded {
  policy::PolicySet policies;
  policy::EntityStore entities;
  std::vector<policy::Request> requests;
};

const std::vector<bench::CedarCase>& Cases() {
  static const std::vector<bench::CedarCase> kCases = bench::CedarCases();
  return kCases;
}

// The case that the benchmark's argument is the index of; its name becomes the label.
const bench::CedarCase& CaseOf(benchmark::State& state) {
  const bench::CedarCase& from = Cases()[static_cast<size_t>(state.range(0))];
  state.SetLabel(from.name);
  return from;
}

Loaded Load(const bench::CedarCase& from) {
  auto policies = policy::PolicySet::Parse(
      {std::make_shared<const policy::SourceFile>(from.name, from.policies)});
  auto entities = policy::EntityStore::FromJson(policy::SourceFile(from.name, from.entities));
  if (!policies || !entities) {
    Die("cannot load " + from.name);
  }
  Loaded loaded{.policies = *std::move(policies), .entities = *std::move(entities), .requests = {}};
  for (const bench::CedarRequest& request : from.requests) {
    loaded.requests.push_back({.principal = request.principal,
                               .action = request.action,
                               .resource = request.resource,
                               .context = policy::Value::Record({})});
  }
  return loaded;
}

void Authorize(benchmark::State& state) {
  const Loaded loaded = Load(CaseOf(state));
  const policy::Authorizer authorizer(loaded.policies);
  size_t next = 0;
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(authorizer.Authorize(loaded.requests[next], loaded.entities));
    next = next + 1 == loaded.requests.size() ? 0 : next + 1;
  }
}

void Scan(benchmark::State& state) {
  const Loaded loaded = Load(CaseOf(state));
  size_t next = 0;
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(
        policy::Authorize(loaded.policies, loaded.requests[next], loaded.entities));
    next = next + 1 == loaded.requests.size() ? 0 : next + 1;
  }
}

void FromJson(benchmark::State& state) {
  const bench::CedarCase& from = CaseOf(state);
  const Loaded loaded = Load(from);
  const policy::Authorizer authorizer(loaded.policies);
  size_t next = 0;
  while (state.KeepRunning()) {
    const auto entities =
        policy::EntityStore::FromJson(policy::SourceFile(from.name, from.entities));
    benchmark::DoNotOptimize(authorizer.Authorize(loaded.requests[next], *entities));
    next = next + 1 == loaded.requests.size() ? 0 : next + 1;
  }
}

// About a megabyte each: policies that are scopes only, and those of the applications.
policy::SourcePtr TextToParse(bool of_applications) {
  if (!of_applications) {
    return std::make_shared<const policy::SourceFile>("scopes", Cases().back().policies);
  }
  std::string text;
  while (text.size() < 1'000'000) {
    for (const std::string_view name : {"gdrive/5", "github/5", "tinytodo/5"}) {
      text += std::ranges::find(Cases(), name, &bench::CedarCase::name)->policies;
    }
  }
  return std::make_shared<const policy::SourceFile>("applications", std::move(text));
}

void Parse(benchmark::State& state) {
  const policy::SourcePtr source = TextToParse(state.range(0) != 0);
  state.SetLabel(source->name());
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(policy::ParsePolicies(source));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * source->text().size()));
}

void EachCase(benchmark::internal::Benchmark* benchmark) {
  benchmark->DenseRange(0, static_cast<int>(Cases().size()) - 1);
}

BENCHMARK(Authorize)->Apply(EachCase);
BENCHMARK(Scan)->Apply(EachCase);
BENCHMARK(FromJson)->Apply(EachCase);
BENCHMARK(Parse)->DenseRange(0, 1);

void PrintDecisions() {
  nlohmann::json decisions;
  for (const bench::CedarCase& from : Cases()) {
    const Loaded loaded = Load(from);
    const policy::Authorizer authorizer(loaded.policies);
    for (const policy::Request& request : loaded.requests) {
      const bool allows =
          authorizer.Authorize(request, loaded.entities).decision == policy::Decision::kAllow;
      decisions[from.name].push_back(allows ? "allow" : "deny");
    }
  }
  std::puts(decisions.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--print-cases") {
    std::puts(bench::ToJson(Cases()).c_str());
    return 0;
  }
  if (argc == 2 && std::string_view(argv[1]) == "--print-decisions") {
    PrintDecisions();
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
