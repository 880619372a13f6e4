// What is as large as a limit compiles; what is larger by one is refused, and says whose fault it
// is. The limits are made smaller for that: at their own size each test would take minutes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "policy/limits.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

using testing::HasSubstr;

constexpr size_t kEnough = 10'000;

// The policy "large" is the one to blame for all that these need.
const std::string& NetPolicies() {
  static const std::string kText = [] {
    std::string text =
        "@id(\"large\") permit (principal, action == Palyra::Action::\"net.connect\", resource) "
        "when { resource.protocol == \"tcp\" && (";
    for (int i = 0; i < 30; ++i) {
      const std::string number = std::to_string(1 + i * 3);
      text += i == 0 ? "" : " || ";
      text += "(resource.address == ip(\"192.0.2.";
      text += number;
      text += "\") && [";
      text += number;
      text += ", " + std::to_string(1000 + i % 7) + "].contains(resource.port))";
    }
    text += ") };\n";
    for (int i = 0; i < 5; ++i) {
      text +=
          "permit (principal, action == Palyra::Action::\"net.send\", resource) when { "
          "resource.address.isInRange(ip(\"10." +
          std::to_string(i) + ".0.0/16\")) && resource.protocol == \"udp\" };\n";
    }
    return text;
  }();
  return kText;
}

const std::string& NamePolicies() {
  static const std::string kText = [] {
    std::string text =
        "@id(\"large\") permit (principal, action == Palyra::Action::\"file.read\", resource) when "
        "{ ";
    for (int i = 0; i < 30; ++i) {
      text += (i == 0 ? "" : " || ");
      // No union of patterns, of which all paths would be one class.
      const std::string directory = "/srv/" + std::to_string(i);
      text.append("(resource.path like \"").append(directory).append("/*\" && resource.path != \"");
      text.append(directory).append("/x\")");
    }
    return text +
           " };\npermit (principal, action == Palyra::Action::\"file.read\", resource) when "
           "{ resource.path == \"/srv/1/a\" };\n";
  }();
  return kText;
}

class CompilerLimitsTest : public testing::Test {
 protected:
  using Limit = size_t TableLimits::*;

  static auto CompileWithin(const CompileFixture& fixture, Limit limit, size_t value) {
    CompileInput input = fixture.input();
    input.limits.*limit = value;
    return CompileRules(input);
  }

  // The least value with which the policies compile; below it they are refused as they should be.
  static size_t Least(const CompileFixture& fixture, Limit limit) {
    size_t refused = 0;
    size_t enough = kEnough;
    EXPECT_TRUE(CompileWithin(fixture, limit, enough));
    while (enough - refused > 1) {
      const size_t middle = (refused + enough) / 2;
      (CompileWithin(fixture, limit, middle) ? enough : refused) = middle;
    }
    const auto output = CompileWithin(fixture, limit, refused);
    EXPECT_FALSE(output);
    if (!output) {
      EXPECT_EQ(output.error().front().code, "LOW-SIZE");
      EXPECT_THAT(output.error().front().policy_id.value_or(""), HasSubstr("large"));
    }
    return enough;
  }

  const CompileFixture net_{NetPolicies()};
  const CompileFixture names_{NamePolicies(), Coverage::kAll};
  const RuleSet rules_ = net_.Compile().value().rules;
};

TEST_F(CompilerLimitsTest, OfPrefixes) {
  EXPECT_GT(rules_.prefixes.size(), 30U);
  EXPECT_EQ(Least(net_, &TableLimits::prefixes), rules_.prefixes.size());
}

TEST_F(CompilerLimitsTest, OfClasses) {
  EXPECT_GT(rules_.classes.size(), 30U);
  EXPECT_EQ(Least(net_, &TableLimits::classes), rules_.classes.size());
}

TEST_F(CompilerLimitsTest, OfReasons) {
  EXPECT_GT(rules_.reasons.size(), 5U);
  EXPECT_EQ(Least(net_, &TableLimits::reasons), rules_.reasons.size());
}

TEST_F(CompilerLimitsTest, OfSpans) {
  size_t all = 0;
  size_t longest = 0;
  for (const AddressClass& address_class : rules_.classes) {
    all += address_class.spans.size();
    longest = std::max(longest, address_class.spans.size());
  }
  EXPECT_GT(longest, 1U);
  EXPECT_EQ(Least(net_, &TableLimits::spans_per_class), longest);
  EXPECT_EQ(Least(net_, &TableLimits::spans), all);
}

TEST_F(CompilerLimitsTest, OfPoliciesInReasons) {
  size_t named = 0;
  for (const Reason& reason : rules_.reasons) {
    for (const auto& layer : reason.layers) {
      // One that names none takes the place of one.
      named += std::max<size_t>(layer.policy_ids.size(), 1);
    }
  }
  EXPECT_GE(named, 6U);
  EXPECT_EQ(Least(net_, &TableLimits::reason_policies), named);
}

TEST_F(CompilerLimitsTest, OfCombinations) {
  // Each of the 30 addresses has the large policy, and each of the 5 ranges its own.
  EXPECT_GE(Least(net_, &TableLimits::occupied), 35U);
  EXPECT_GE(Least(names_, &TableLimits::occupied), 31U);
}

TEST_F(CompilerLimitsTest, OfLeaves) {
  const auto output = names_.Compile();
  ASSERT_TRUE(output);
  size_t most = 0;
  for (size_t i = 0; i < output->partitions.names.size(); ++i) {
    const Automaton& partition = output->partitions.names[i];
    size_t classes = 0;
    for (uint32_t state = 0; state < partition.state_count(); ++state) {
      classes = std::max(classes, size_t{partition.ClassAt(state)} + 1);
    }
    most = std::max(most, classes * output->rules.names[i].flag_count);
  }
  EXPECT_GE(most, 4U);
  EXPECT_EQ(Least(names_, &TableLimits::leaves), most);
}

}  // namespace
}  // namespace palyra::policy
