#include "policy/rule_set.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "policy/ip.h"
#include "policy/rule_set_binary.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

AddressPrefix Prefix(std::string_view text, uint32_t address_class) {
  const IpAddress ip = IpAddress::Parse(text).value();
  return {.is_ipv6 = ip.is_ipv6(),
          .length = ip.prefix_length(),
          .bytes = ip.bytes(),
          .address_class = address_class};
}

AddressClass OneSpan(uint16_t first, uint16_t last, Verdict verdict) {
  return {.spans = {{.first = first,
                     .last = last,
                     .actions = 0b011,
                     .protocols = 0b00011,
                     .verdict = verdict,
                     .reason = 1}}};
}

RuleSet Sample() {
  return {.prefixes = {Prefix("10.0.0.0/8", 1), Prefix("10.0.0.0/24", 0), Prefix("10.0.0.1/32", 2),
                       Prefix("::/0", 2), Prefix("2001:db8::/32", 1)},
          .classes = {AddressClass{}, OneSpan(80, 443, Verdict::kAllow),
                      OneSpan(0, 65535, Verdict::kAsk)},
          .reasons = {{.layers = {{Layer::kCaller, {}}}},
                      {.layers = {{Layer::kOperator, {"policy1"}},
                                  {Layer::kCaller, {"policy0", "policy2"}}}}}};
}

Verdict VerdictAt(std::string_view address, uint16_t port) {
  return Decide(Sample(), Event(address, port)).verdict;
}

TEST(RuleSetTest, TheLongestPrefixDecides) {
  EXPECT_EQ(VerdictAt("10.1.0.0", 80), Verdict::kAllow);
  EXPECT_EQ(VerdictAt("10.0.0.2", 80), Verdict::kDeny);
  EXPECT_EQ(VerdictAt("10.0.0.1", 80), Verdict::kAsk);
  EXPECT_EQ(VerdictAt("2001:db8::1", 80), Verdict::kAllow);
  EXPECT_EQ(VerdictAt("2001:db9::1", 80), Verdict::kAsk);
}

TEST(RuleSetTest, PrefixesOfOneFamilySayNothingOfTheOther) {
  EXPECT_EQ(VerdictAt("0.0.0.0", 80), Verdict::kDeny);
  EXPECT_EQ(VerdictAt("a00::", 80), Verdict::kAsk);
}

TEST(RuleSetTest, SpansHoldTheirPortsActionsAndProtocolsOnly) {
  EXPECT_EQ(VerdictAt("10.1.0.0", 79), Verdict::kDeny);
  EXPECT_EQ(VerdictAt("10.1.0.0", 443), Verdict::kAllow);
  EXPECT_EQ(VerdictAt("10.1.0.0", 444), Verdict::kDeny);
  EXPECT_EQ(Decide(Sample(), Event("10.1.0.0", 80, Protocol::kUdplite)).verdict, Verdict::kDeny);
  EXPECT_EQ(Decide(Sample(), Event("10.1.0.0", 80, Protocol::kUdp, NetAction::kAccept)).verdict,
            Verdict::kDeny);
  EXPECT_EQ(Decide(Sample(), Event("10.1.0.0", 80, Protocol::kUdp, NetAction::kSend)).verdict,
            Verdict::kAllow);
}

TEST(RuleSetTest, WithoutASpanTheReasonIsTheDefault) {
  EXPECT_EQ(Decide(Sample(), Event("10.1.0.0", 79)),
            (Ruling{.verdict = Verdict::kDeny, .reason = kReasonDefaultDeny}));
}

TEST(RuleSetTest, DumpNamesEverything) {
  EXPECT_EQ(DumpText(Sample()),
            "palyra-ruleset 5\n"
            "prefix 10.0.0.0/8 class 1\n"
            "prefix 10.0.0.0/24 class 0\n"
            "prefix 10.0.0.1/32 class 2\n"
            "prefix ::/0 class 2\n"
            "prefix 2001:db8::/32 class 1\n"
            "class 1 ports 80-443 net.connect,net.send tcp,udp allow reason 1\n"
            "class 2 ports 0-65535 net.connect,net.send tcp,udp ask reason 1\n"
            "reason 0 no policy permits it (caller)\n"
            "reason 1 policy1 (operator); policy0, policy2 (caller)\n");
}

// Written down, because what is pinned under a digest outlives the program that made it.
TEST(RuleSetTest, ItsDigestIsTheSameEverywhere) {
  EXPECT_EQ(base::HexText(Digest(Sample())),
            "fe88b57a632becbab6cf3f8d4cc209895a865669466eb75f10bcbe57fb6c26f8");
  EXPECT_EQ(Digest(Sample()), Digest(Sample()));
}

TEST(RuleSetTest, ItsDigestChangesWithEveryPart) {
  std::vector<RuleSet> all(13, Sample());
  all[1].prefixes[0].length = 9;
  all[2].prefixes[0].address_class = 2;
  all[3].prefixes[3].bytes[15] = 1;
  all[4].prefixes.pop_back();
  all[5].classes.emplace_back();
  all[6].classes[1].spans[0].last = 444;
  all[7].classes[1].spans[0].verdict = Verdict::kDeny;
  all[8].reasons[1].layers[0].layer = Layer::kMandatory;
  all[9].reasons[1].layers[1].policy_ids = {"policy0policy2"};
  all[10].reasons[1].layers[1].policy_ids = {"policy0", "policy3"};
  all[11].valid_until_ms = 0;
  all[12].valid_until_ms = 1;
  std::set<base::Sha256Digest> digests;
  for (const RuleSet& rules : all) digests.insert(Digest(rules));
  EXPECT_EQ(digests.size(), all.size());
}

TEST(RuleSetTest, ItsDigestTakesListsOfAnyLength) {
  RuleSet rules = Sample();
  std::set<base::Sha256Digest> digests;
  constexpr size_t kSets = 50;
  for (size_t i = 0; i < kSets; ++i) {
    rules.reasons[1].layers[0].policy_ids[0] += std::string(301, 'x');
    rules.prefixes.insert(rules.prefixes.end(), 33, rules.prefixes.back());
    digests.insert(Digest(rules));
  }
  EXPECT_EQ(digests.size(), kSets);
}

TEST(RuleSetTest, ItsTextSaysHowLongItIsValid) {
  RuleSet rules = Sample();
  rules.valid_until_ms = 1'700'000'000'123;
  EXPECT_TRUE(DumpText(rules).starts_with("palyra-ruleset 5\nvalid-until 1700000000123\nprefix "));
}

TEST(RuleSetTest, ItsProtectedNamesAreKeptInOrder) {
  RuleSet rules = Sample();
  rules.protected_names = {"/a", "/b"};
  EXPECT_NE(Digest(rules), Digest(Sample()));
  const Result<RuleSet> read = ReadRules(WriteRules(rules));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, rules);
  rules.protected_names = {"/b", "/a"};
  EXPECT_FALSE(ReadRules(WriteRules(rules)));
}

}  // namespace
}  // namespace palyra::policy
