// What a profile takes of the kernel's memory, as the kernel counts it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/path_rules.h"
#include "engine/profile.h"
#include "engine/profile_cache.h"
#include "policy/compile/compiler.h"
#include "policy/mandatory.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"

namespace palyra::engine {
namespace {

constexpr size_t kRules = 1000;
constexpr uint64_t kMost = uint64_t{1} << 20;
constexpr uint64_t kEntryBytes = sizeof(palyra_arena) / PALYRA_AUTOMATA_ENTRIES;

// The line "memlock:" of /proc/self/fdinfo, in bytes: since Linux 6.4 what a map really takes.
uint64_t MemoryOf(int map) {
  std::istringstream info(tests::ReadText("/proc/self/fdinfo/" + std::to_string(map)));
  for (std::string word; info >> word;) {
    uint64_t bytes = 0;
    if (word == "memlock:" && info >> bytes) return bytes;
  }
  ADD_FAILURE() << "no memlock";
  return 0;
}

// As a pattern is written; the rules have nothing that is to be escaped.
std::string PatternText(const policy::Pattern& pattern) {
  std::string text = "\"";
  for (size_t i = 0; i < pattern.pieces.size(); ++i) {
    text.append(i == 0 ? "" : "*").append(pattern.pieces[i]);
  }
  return text + '"';
}

class ProfileMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    tests::Feature counted{.name = "maps that count their memory", .since = {6, 4}, .state = {}};
    if (tests::RunningKernel() < counted.since) {
      counted.state = Fail(ErrorCode::kUnsupported, "Linux before 6.4");
    }
    PALYRA_REQUIRE_FEATURE(counted);
    kernel_.emplace("palyra-test-" + std::to_string(getpid()) + "-memory", CgroupProgramsAlone());
  }

  static policy::RuleSet Compile(const std::function<std::string(size_t)>& rule) {
    std::string text;
    for (size_t i = 0; i < kRules; ++i) text += rule(i);
    const auto source = std::make_shared<const policy::SourceFile>("rules", text);
    const auto policies = policy::PolicySet::Parse({source});
    const policy::EntityStore entities;
    auto compiled = policy::CompileRules(
        {.principal = policy::EntityUid("Palyra::Agent", "any"),
         .context = policy::Value::Record({}),
         .layers = {{policy::Layer::kMandatory, &policy::MandatoryPolicies(), &entities},
                    {policy::Layer::kCaller, &policies.value(), &entities}},
         .coverage = policy::Coverage::kNetworkAndUnix});
    return std::move(compiled.value().rules);
  }

  [[nodiscard]] uint64_t Taken() const {
    uint64_t bytes = 0;
    for (size_t i = 0; i < kTableCount; ++i) {
      bytes += MemoryOf(kernel_->objects().fd(static_cast<Table>(i)));
    }
    // One value that is always there, of which profiles take parts.
    for (const ProfileRecord& record : ReadProfileRecords(kernel_->objects())) {
      bytes += record.profile.automata * kEntryBytes;
    }
    return bytes;
  }

  // Beside those that are there.
  [[nodiscard]] uint64_t TakenBy(const policy::RuleSet& rules) const {
    const uint64_t before = Taken();
    const Result<HeldProfile> profile = HoldProfile(kernel_->objects(), rules);
    EXPECT_TRUE(profile) << profile.error().message;
    return Taken() - before;
  }

  std::optional<OwnKernel> kernel_;
};

TEST_F(ProfileMemoryTest, AThousandRulesOfAddressesTakeLessThanAMebibyte) {
  const uint64_t taken = TakenBy(Compile([](size_t i) {
    return "permit (principal, action == Palyra::Action::\"net.connect\", resource) when { "
           "resource.address == ip(\"10.0." +
           std::to_string(i / 250) + '.' + std::to_string(i % 250) +
           "\") && resource.port == " + std::to_string(1000 + i) + " };\n";
  }));
  EXPECT_GT(taken, kRules * sizeof(palyra_address_class)) << "it is not counted";
  RecordProperty("bytes", static_cast<int>(taken));
  EXPECT_LT(taken, kMost);
}

TEST_F(ProfileMemoryTest, AThousandRulesOfPathsTakeLessThanAMebibyte) {
  const std::vector<policy::Pattern> paths = bench::PathRules(kRules);
  const uint64_t taken = TakenBy(Compile([&paths](size_t i) {
    return "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
           "resource.path like " +
           PatternText(paths[i]) + " };\n";
  }));
  EXPECT_GT(taken, kRules * kEntryBytes) << "it is not counted";
  RecordProperty("bytes", static_cast<int>(taken));
  EXPECT_LT(taken, kMost);
}

}  // namespace
}  // namespace palyra::engine
