// What Cedar costs: authorization on the cases of cedar_cases.h, and parsing.
//   Authorize/<case>  one request against policies and entities that are loaded and indexed
//   Scan/<case>       the same without an index
//   Parse             policy text to trees
// `cedar_bench --print-cases` prints the cases as JSON instead, for other engines.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
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

void Authorize(benchmark::State& state, const bench::CedarCase& from) {
  const Loaded loaded = Load(from);
  const policy::Authorizer authorizer(loaded.policies);
  size_t next = 0;
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(authorizer.Authorize(loaded.requests[next], loaded.entities));
    next = next + 1 == loaded.requests.size() ? 0 : next + 1;
  }
}

void Scan(benchmark::State& state, const bench::CedarCase& from) {
  const Loaded loaded = Load(from);
  size_t next = 0;
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(
        policy::Authorize(loaded.policies, loaded.requests[next], loaded.entities));
    next = next + 1 == loaded.requests.size() ? 0 : next + 1;
  }
}

void Parse(benchmark::State& state, const bench::CedarCase& from) {
  const auto source = std::make_shared<const policy::SourceFile>(from.name, from.policies);
  while (state.KeepRunning()) {
    benchmark::DoNotOptimize(policy::ParsePolicies(source));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * from.policies.size()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<bench::CedarCase> cases = bench::CedarCases();
  if (argc == 2 && std::string_view(argv[1]) == "--print-cases") {
    std::puts(bench::ToJson(cases).c_str());
    return 0;
  }
  for (const bench::CedarCase& c : cases) {
    benchmark::RegisterBenchmark(("Authorize/" + c.name).c_str(), Authorize, c);
    benchmark::RegisterBenchmark(("Scan/" + c.name).c_str(), Scan, c);
  }
  benchmark::RegisterBenchmark("Parse", Parse, cases.back());
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
