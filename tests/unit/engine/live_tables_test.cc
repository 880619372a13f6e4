#include "engine/live_tables.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "engine/automata.h"
#include "engine/live_run.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::RuleSet;

class LiveTablesTest : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(tests::Root()); }

  static const KernelObjects& Objects() { return OwnKernel::Get().objects(); }

  static LiveRun Start(const RuleSet& rules) {
    Result<LiveRun> run = LiveRun::Create(OwnKernel::Get().host(), Objects(), rules);
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  static TableImage Read(uint32_t profile) {
    Result<TableImage> image = ReadTables(Objects(), profile);
    EXPECT_TRUE(image) << image.error().message;
    return *std::move(image);
  }

  static TableImage Expected(const RuleSet& rules, uint32_t profile) {
    return *BuildTableImage(rules, profile);
  }

  RandomRules random_{31};
};

TEST_F(LiveTablesTest, AreWhatWasCompiled) {
  for (int i = 0; i < 15; ++i) {
    const RuleSet rules = random_.Rules();
    const LiveRun run = Start(rules);
    const LiveRun neighbour = Start(random_.Rules());
    const TableImage live = Read(run.first_profile());
    EXPECT_EQ(DifferencesBetween(Expected(rules, run.first_profile()), live),
              std::vector<std::string>());
    EXPECT_EQ(*StoredText(live), *StoredText(rules));
  }
}

TEST_F(LiveTablesTest, DecideAsTheRulesThatWereCompiled) {
  for (int i = 0; i < 10; ++i) {
    const RuleSet rules = random_.Rules();
    const LiveRun run = Start(rules);
    const RuleSet read = *RulesOf(Read(run.first_profile()));
    for (int event = 0; event < 200; ++event) {
      const policy::NetEvent asked = random_.Event(rules);
      const policy::Ruling expected = policy::Decide(rules, asked);
      ASSERT_EQ(policy::Decide(read, asked), expected) << policy::DumpText(rules);
      ASSERT_EQ(DecideByTables(Objects(), run.first_profile(), asked), expected);
    }
    ASSERT_EQ(read.names, rules.names);
  }
}

// Short reasons, and classes that every address of theirs leads to: nothing is lost on the way.
TEST_F(LiveTablesTest, PrintTheTextThatTheCompilerPrints) {
  RuleSet rules = {.prefixes = {{.is_ipv6 = false, .length = 8, .bytes = {10}, .address_class = 1},
                                {.is_ipv6 = true, .length = 0, .bytes = {}, .address_class = 1}},
                   .classes = {{}, {}},
                   .reasons = {{.layers = {{policy::Layer::kCaller, {}}}},
                               {.layers = {{policy::Layer::kCaller, {"policy0", "policy1"}}}}}};
  // Enough to be cut into rows, with one that goes through all of them.
  rules.classes[1].spans.push_back({.first = 0,
                                    .last = 65535,
                                    .actions = 0b100,
                                    .protocols = 0b1,
                                    .verdict = policy::Verdict::kAsk,
                                    .reason = 1});
  for (uint16_t i = 1; i < 100; ++i) {
    rules.classes[1].spans.push_back({.first = static_cast<uint16_t>(i * 600),
                                      .last = static_cast<uint16_t>(i * 600 + 300),
                                      .actions = 0b011,
                                      .protocols = 0b11,
                                      .verdict = policy::Verdict::kAllow,
                                      .reason = 1});
  }
  const LiveRun run = Start(rules);
  const TableImage live = Read(run.first_profile());
  ASSERT_GT(live.rows.keys.size(), 1U);
  EXPECT_EQ(*StoredText(live), policy::DumpText(rules));
}

TEST_F(LiveTablesTest, OfAProfileThatIsNotThereAreEmpty) {
  const TableImage live = Read(0xFFFFFFFF);
  EXPECT_TRUE(live.addresses4.keys.empty());
  EXPECT_FALSE(RulesOf(live));
}

// One entry of each kind: changed, lost, and one that nobody wrote.
class Corruption : public LiveTablesTest {
 protected:
  void SetUp() override {
    LiveTablesTest::SetUp();
    if (IsSkipped()) return;
    do {
      rules_ = random_.Rules();
      AddHosts(rules_);
    } while (!HasEveryKindOfEntry(rules_));
  }

  // So many that both families have them in tables of their own.
  static void AddHosts(RuleSet& rules) {
    for (uint8_t i = 0; i < 16; ++i) {
      const uint8_t last = 10 * i;
      rules.prefixes.push_back(
          {.is_ipv6 = false, .length = 32, .bytes = {240, 1, 2, last}, .address_class = 0});
      rules.prefixes.push_back(
          {.is_ipv6 = true, .length = 128, .bytes = {0xfc, 1, 2, last}, .address_class = 0});
    }
    std::ranges::sort(rules.prefixes, {}, [](const policy::AddressPrefix& prefix) {
      return std::tuple(prefix.is_ipv6, prefix.bytes, prefix.length);
    });
  }

  static bool HasEveryKindOfEntry(const RuleSet& rules) {
    const TableImage image = *BuildTableImage(rules, HostsFlags(rules));
    return !image.rows.keys.empty() && !image.hosts4.keys.empty() && !image.hosts6.keys.empty() &&
           !image.name_leaves.keys.empty() && !image.program_digests.keys.empty();
  }

  // Each entry of the table in turn.
  template <typename Key, typename Value, typename Change>
  void ExpectFound(Table table, Entries<Key, Value> TableImage::* entries, Change change) {
    const LiveRun run = Start(rules_);
    const uint32_t id = run.first_profile();
    const TableImage expected = Expected(rules_, id);
    const int fd = Objects().fd(table);
    for (size_t i = 0; i < (expected.*entries).keys.size(); ++i) {
      const Key key = (expected.*entries).keys[i];
      const Value whole = (expected.*entries).values[i];
      Value damaged = whole;
      change(damaged);
      ASSERT_EQ(bpf_map_update_elem(fd, &key, &damaged, BPF_EXIST), 0);
      const std::vector<std::string> changed = DifferencesBetween(expected, Read(id));
      ASSERT_EQ(changed.size(), 1U) << TableName(table) << ' ' << i;
      EXPECT_TRUE(changed[0].starts_with(std::string(TableName(table)) + ": changed"));
      ASSERT_EQ(bpf_map_delete_elem(fd, &key), 0);
      const std::vector<std::string> lost = DifferencesBetween(expected, Read(id));
      ASSERT_EQ(lost.size(), 1U);
      EXPECT_NE(lost[0].find("lost"), std::string::npos);
      ASSERT_EQ(bpf_map_update_elem(fd, &key, &whole, BPF_NOEXIST), 0);
      ASSERT_TRUE(DifferencesBetween(expected, Read(id)).empty());
    }
  }

  RuleSet rules_;
};

TEST_F(Corruption, OfAPrefixIsFound) {
  const auto change = [](palyra_address_class& value) { value.address_class ^= 1U; };
  ExpectFound(Table::kAddresses4, &TableImage::addresses4, change);
  ExpectFound(Table::kAddresses6, &TableImage::addresses6, change);
  ExpectFound(Table::kHosts4, &TableImage::hosts4, change);
  ExpectFound(Table::kHosts6, &TableImage::hosts6, change);
}

TEST_F(Corruption, OfARowIsFound) {
  ExpectFound(Table::kRows, &TableImage::rows, [](palyra_row& row) {
    row.spans[0].verdict = row.spans[0].verdict == PALYRA_ALLOW ? PALYRA_DENY : PALYRA_ALLOW;
  });
}

TEST_F(Corruption, OfAReasonIsFound) {
  ExpectFound(Table::kReasons, &TableImage::reasons,
              [](palyra_reason& reason) { reason.policies[0] ^= 1; });
}

TEST_F(Corruption, OfALeafIsFound) {
  ExpectFound(Table::kNameLeaves, &TableImage::name_leaves, [](palyra_name_leaf& leaf) {
    leaf.verdict = leaf.verdict == PALYRA_ALLOW ? PALYRA_DENY : PALYRA_ALLOW;
  });
}

TEST_F(Corruption, OfADigestIsFound) {
  ExpectFound(Table::kProgramDigests, &TableImage::program_digests,
              [](uint32_t& flag) { flag ^= 1U; });
}

TEST_F(Corruption, OfAnAutomatonIsFound) {
  const LiveRun run = Start(rules_);
  const uint32_t id = run.first_profile();
  const TableImage expected = Expected(rules_, id);
  const Result<AutomataMemory> memory = AutomataMemory::Map(Objects());
  ASSERT_TRUE(memory);
  for (const NameRulesImage& names : Read(id).name_rules) {
    for (uint32_t i = 0; i < names.rules.entry_count; ++i) {
      palyra_entry& entry = memory->entries()[names.rules.automaton + i];
      entry.next ^= 8;
      ASSERT_FALSE(DifferencesBetween(expected, Read(id)).empty()) << "entry " << i;
      entry.next ^= 8;
    }
  }
  ASSERT_TRUE(DifferencesBetween(expected, Read(id)).empty());
}

TEST_F(Corruption, ByAnEntryThatNobodyWroteIsFound) {
  const LiveRun run = Start(rules_);
  const uint32_t id = run.first_profile();
  const TableImage expected = Expected(rules_, id);
  // Before and behind all others in the kernel's order.
  for (const uint8_t byte : {uint8_t{0}, uint8_t{255}}) {
    palyra_address4_key key = {.prefix_length = 64, .profile = id, .address = {}};
    for (uint8_t& each : key.address) each = byte;
    const palyra_address_class value = {};
    if (bpf_map_update_elem(Objects().fd(Table::kAddresses4), &key, &value, BPF_NOEXIST) != 0) {
      continue;
    }
    const std::vector<std::string> found = DifferencesBetween(expected, Read(id));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].find("nobody wrote"), std::string::npos);
    ASSERT_EQ(bpf_map_delete_elem(Objects().fd(Table::kAddresses4), &key), 0);
  }
}

}  // namespace
}  // namespace palyra::engine
