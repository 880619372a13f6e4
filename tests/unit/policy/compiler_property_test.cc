// What the compiler promises of any policies: refused, or equal to the authorizer on every event.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "tests/unit/policy/compile_fixture.h"
#include "tests/unit/policy/random_policies.h"

namespace palyra::policy {
namespace {

#if defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)  // Unoptimised, it takes ten times as long.
constexpr int kPolicySets = 500;
constexpr int kEventsPerSet = 360;
constexpr int kEvents = 100'000;
#else
constexpr int kPolicySets = 1500;
constexpr int kEventsPerSet = 1'000;
constexpr int kEvents = 1'000'000;
#endif

// PALYRA_SEED repeats a run.
uint64_t Seed() {
  const char* given = std::getenv("PALYRA_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

class CompilerPropertyTest : public testing::Test {
 protected:
  const uint64_t seed_ = Seed();
  RandomPolicies random_{seed_};

  std::string SeedText() const { return "PALYRA_SEED=" + std::to_string(seed_) + '\n'; }
};

TEST_F(CompilerPropertyTest, RandomPoliciesAreRefusedOrDecidedAsTheAuthorizerDoes) {
  int compiled = 0;
  int refused = 0;
  int events = 0;
  for (int i = 0; i < kPolicySets; ++i) {
    std::vector<std::pair<Layer, std::string>> layers;
    if (random_.Below(3) == 0) {
      layers.emplace_back(Layer::kMandatory,
                          "permit (principal, action, resource);\n" + random_.Policies(2, false));
    }
    if (random_.Below(3) == 0) {
      layers.emplace_back(Layer::kOperator, random_.Policies(4, false));
    }
    if (layers.empty() || random_.Below(4) != 0) {
      layers.emplace_back(Layer::kCaller, random_.Policies(6, random_.Below(3) == 0));
    }
    const CompileFixture fixture(layers);
    const auto output = fixture.Compile();
    if (!output) {
      ++refused;
      ASSERT_FALSE(output.error().empty()) << SeedText();
      continue;
    }
    ++compiled;
    for (int j = 0; j < kEventsPerSet; ++j) {
      const NetEvent event = random_.Event();
      const Outcome expected = EvaluateWithContext(fixture.input(), event);
      const Outcome found = OutcomeOf(output->rules, event);
      ASSERT_EQ(expected, found) << SeedText() << EventText(event)
                                 << "\nauthorizer: " << ReasonText(expected.reason)
                                 << "\nrules: " << ReasonText(found.reason) << '\n'
                                 << layers.back().second << DumpText(output->rules);
      ++events;
    }
  }
  EXPECT_GE(events, kEvents) << SeedText() << compiled << " compiled, " << refused << " refused";
  EXPECT_GE(refused, kPolicySets / 100) << SeedText();
}

}  // namespace
}  // namespace palyra::policy
