// Any policies on names: refused, or equal to the authorizer on every event.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/policy/compile_fixture.h"
#include "tests/unit/policy/random_names.h"

namespace palyra::policy {
namespace {

constexpr int kPolicySets = 1200;
constexpr int kEventsPerSet = 300;

TEST(NamePropertyTest, RandomPoliciesAreRefusedOrDecidedAsTheAuthorizerDoes) {
  const char* given = std::getenv("PALYRA_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  RandomNames random(seed);
  const std::string seed_text = "PALYRA_SEED=" + std::to_string(seed) + '\n';
  int compiled = 0;
  int refused = 0;
  for (int i = 0; i < kPolicySets; ++i) {
    std::vector<std::pair<Layer, std::string>> layers;
    if (random.Below(3) == 0) {
      layers.emplace_back(Layer::kMandatory,
                          "permit (principal, action, resource);\n" + random.Policies());
    }
    layers.emplace_back(Layer::kCaller, random.Policies());
    CompileFixture fixture(layers);
    fixture.set_coverage(Coverage::kAll);
    const auto output = fixture.Compile();
    if (!output) {
      ++refused;
      ASSERT_FALSE(output.error().empty()) << seed_text;
      continue;
    }
    ++compiled;
    for (int j = 0; j < kEventsPerSet; ++j) {
      const NameEvent event = random.Event();
      ASSERT_EQ(EvaluateWithContext(fixture.input(), event), OutcomeOf(output->rules, event))
          << seed_text << EventText(event) << '\n'
          << layers.front().second << layers.back().second << DumpText(output->rules);
    }
  }
  EXPECT_GE(compiled, kPolicySets / 4) << seed_text;
  EXPECT_GE(refused, kPolicySets / 50) << seed_text;
}

}  // namespace
}  // namespace palyra::policy
