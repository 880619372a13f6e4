// Rule sets as bytes: what was written is read, and nothing else is.

#include "policy/rule_set_binary.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/sha256.h"
#include "tests/unit/policy/compile_fixture.h"
#include "tests/unit/policy/random_names.h"
#include "tests/unit/policy/random_policies.h"

namespace palyra::policy {
namespace {

uint64_t Seed() {
  const char* given = std::getenv("PALYRA_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

RuleSet Compiled(const std::vector<std::pair<Layer, std::string>>& layers,
                 std::string_view context = "{}") {
  CompileFixture fixture(layers, CompileFixture::kEntities, context);
  fixture.set_coverage(Coverage::kAll);
  auto output = fixture.Compile();
  return output ? std::move(output->rules) : RuleSet();
}

base::Sha256Digest HashOf(std::string_view bytes) {
  base::Sha256 hash;
  hash.Update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return hash.Finish();
}

// Something of every part.
RuleSet Full() {
  return Compiled(
      {{Layer::kMandatory,
        "permit (principal, action, resource);"
        "forbid (principal, action == Palyra::Action::\"file.read\", resource) when { "
        "resource.path like \"*/.ssh/*\" };"},
       {Layer::kCaller,
        "permit (principal, action == Palyra::Action::\"net.connect\", resource) when { "
        "resource has domain && resource.domain like \"*.example\" && resource.port == 443 };"
        "@ask(\"look\") permit (principal, action, resource is Palyra::Endpoint) when { "
        "resource.address.isInRange(ip(\"10.0.0.0/8\")) && resource.port < 1024 };"
        "permit (principal, action, resource is Palyra::Endpoint) when { "
        "resource.address == ip(\"2001:db8::1\") };"
        "permit (principal, action == Palyra::Action::\"process.exec\", resource) when { "
        "resource has sha256 && resource.sha256 == \"ab\" };"
        "permit (principal, action == Palyra::Action::\"process.signal\", resource) when { "
        "resource.same_run };"
        "permit (principal, action == Palyra::Action::\"file.read\", "
        "resource in Palyra::Directory::\"/usr\") when { "
        "context.now < datetime(\"2030-01-01\") };"}},
      R"({"now": {"__extn": {"fn": "datetime", "arg": "2026-01-01"}}})");
}

void ExpectComesBack(const RuleSet& rules, const std::string& about) {
  const std::string bytes = WriteRules(rules);
  const Result<RuleSet> read = ReadRules(bytes);
  ASSERT_TRUE(read) << about << DumpText(rules);
  ASSERT_EQ(*read, rules) << about << DumpText(rules) << DumpText(*read);
  ASSERT_EQ(HashOf(bytes), Digest(rules)) << about;
}

TEST(RuleSetBinary, WhatWasWrittenIsRead) {
  const RuleSet rules = Full();
  ASSERT_FALSE(rules.prefixes.empty());
  ASSERT_TRUE(rules.domains);
  ASSERT_EQ(rules.names.size(), static_cast<size_t>(kNameActionCount));
  ASSERT_TRUE(rules.valid_until_ms);
  ExpectComesBack(rules, "");
}

TEST(RuleSetBinary, WhatWasWrittenOfAnyPoliciesIsRead) {
  const uint64_t seed = Seed();
  const std::string about = "PALYRA_SEED=" + std::to_string(seed) + '\n';
  RandomNames names(seed);
  RandomPolicies nets(seed);
  int written = 0;
  for (int i = 0; i < 200; ++i) {
    const RuleSet rules =
        Compiled({{Layer::kCaller, i % 2 == 0 ? names.Policies() : nets.Policies(6, false)}});
    if (rules.reasons.empty()) continue;
    ++written;
    ExpectComesBack(rules, about);
  }
  EXPECT_GE(written, 40) << about;
}

TEST(RuleSetBinary, RefusesBytesThatAreMissingOrTooMany) {
  const std::string bytes = WriteRules(Full());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_FALSE(ReadRules(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_TRUE(ReadRules(bytes));
  EXPECT_FALSE(ReadRules(bytes + '\0'));
  EXPECT_FALSE(ReadRules(""));
}

// Read, one wrong byte is either other rules, whole and in form, or none.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStep = 5;
#else
constexpr size_t kStep = 1;
#endif

TEST(RuleSetBinary, OneWrongByteIsRefusedOrAnotherRuleSet) {
  const std::string bytes = WriteRules(Full());
  int refused = 0;
  // Each byte; under sanitizers, where it takes a minute, one in five.
  for (size_t i = 0; i < bytes.size(); i += kStep) {
    for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
      std::string wrong = bytes;
      wrong[i] = static_cast<char>(static_cast<unsigned char>(wrong[i]) ^ flip);
      const Result<RuleSet> read = ReadRules(wrong);
      refused += read ? 0 : 1;
      if (read) {
        ASSERT_EQ(WriteRules(*read), wrong) << i;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(bytes.size() / kStep));
}

using Change = void (*)(RuleSet&);

TEST(RuleSetBinary, RefusesWhatNoRuleSetHas) {
  const Change changes[] = {
      [](RuleSet& rules) { rules.prefixes[0].address_class = 1000; },
      [](RuleSet& rules) { rules.prefixes[0].length = 33; },
      [](RuleSet& rules) { rules.prefixes[0].bytes[3] = 1; },
      [](RuleSet& rules) { std::swap(rules.prefixes[0], rules.prefixes[1]); },
      [](RuleSet& rules) { rules.prefixes.push_back(rules.prefixes.back()); },
      [](RuleSet& rules) { rules.classes.clear(); },
      [](RuleSet& rules) { rules.classes[1].spans[0].reason = 1000; },
      [](RuleSet& rules) { rules.classes[1].spans[0].actions = 0x20; },
      [](RuleSet& rules) { rules.classes[1].spans[0].protocols = 0; },
      [](RuleSet& rules) { rules.classes[1].spans[0].verdict = static_cast<Verdict>(4); },
      [](RuleSet& rules) {
        PortSpan& span = rules.classes[1].spans[0];
        span.first = 2;
        span.last = 1;
      },
      [](RuleSet& rules) {
        std::vector<PortSpan>& spans = rules.classes[1].spans;
        PortSpan other = spans.back();
        other.first = other.last;
        other.actions |= 1U;
        if (other.first == spans.back().first) other.protocols |= 0x10U;
        spans.push_back(other);
      },
      [](RuleSet& rules) { rules.domains->tables.pop_back(); },
      [](RuleSet& rules) { rules.names[0].leaves[0].reason = 1000; },
      [](RuleSet& rules) { rules.names[0].leaves[0].verdict = Verdict::kVerify; },
      [](RuleSet& rules) { rules.names[0].leaves.pop_back(); },
      [](RuleSet& rules) { rules.names[0].leaves.push_back(rules.names[0].leaves[0]); },
      [](RuleSet& rules) { rules.names[0].flag_count = 2; },
      [](RuleSet& rules) { rules.names[0].digests = {"ab"}; },
      [](RuleSet& rules) { rules.names[0].action = NameAction::kUnixConnect; },
      [](RuleSet& rules) { rules.names[1].action = NameAction::kFileRead; },
      [](RuleSet& rules) { rules.reasons.clear(); },
      [](RuleSet& rules) { rules.reasons[0].layers[0].layer = Layer::kOperator; },
      [](RuleSet& rules) { rules.reasons[1].layers.clear(); },
      [](RuleSet& rules) { rules.reasons[1].layers.push_back(rules.reasons[1].layers.front()); },
  };
  int number = 0;
  for (const Change change : changes) {
    RuleSet rules = Full();
    change(rules);
    EXPECT_FALSE(ReadRules(WriteRules(rules))) << number;
    ++number;
  }
}

TEST(RuleSetBinary, RefusesAutomataThatAreNotNumberedAsOurs) {
  // Texts that begin with "a": from state 0 by 'a' to 1, else to 2.
  const auto form = [] {
    SparseDfa dfa{.symbols = {},
                  .states = {{0, 1, 0}, {0, 1, 1}, {1, 2, 1}},
                  .edges = {{.symbol = 1, .next = 2}}};
    dfa.symbols['a'] = 1;
    return dfa;
  };
  ASSERT_TRUE(Automaton::FromCanonicalForm(form()));
  EXPECT_EQ(*Automaton::FromCanonicalForm(form()), Automaton(form()));
  const auto is_refused = [&](auto change) {
    SparseDfa dfa = form();
    change(dfa);
    return !Automaton::FromCanonicalForm(std::move(dfa));
  };
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.symbols[0] = 1; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.symbols['b'] = 3; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.symbols['b'] = 2; })) << "a class without edges";
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.edges[0].next = 3; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.edges[0].next = 1; })) << "the fallback";
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.edges[0].symbol = 0; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.edges[0].symbol = 2; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.states[0].fallback = 2; })) << "the order";
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.states[1].fallback = 9; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.states[1].first_edge = 2; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.states[0].first_edge = 1; }));
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.states.push_back({0, 3, 1}); })) << "unreached";
  EXPECT_TRUE(is_refused([](SparseDfa& dfa) { dfa.states.clear(); }));
}

}  // namespace
}  // namespace palyra::policy
