#include "engine/profile_cache.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/automata.h"
#include "engine/live_run.h"
#include "engine/live_tables.h"
#include "engine/profile.h"
#include "engine/sweep.h"
#include "engine/table_image.h"
#include "tests/support/require_feature.h"
#include "tests/unit/engine/bpf_fault.h"
#include "tests/unit/engine/own_kernel.h"
#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::RuleSet;

const RuleSet kNothing = {
    .prefixes = {}, .classes = {{}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};

// `count` different reasons, which are all it has: two entries and those.
RuleSet OfSize(size_t count, const std::string& name) {
  RuleSet rules = kNothing;
  rules.reasons.assign(count, {.layers = {{policy::Layer::kCaller, {name}}}});
  return rules;
}

class ProfileCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    kernel_.emplace("palyra-test-" + std::to_string(getpid()) + "-cache", CgroupProgramsAlone());
  }

  void TearDown() override {
    if (!kernel_) return;  // Skipped.
    EXPECT_TRUE(kernel_->HoldsWholeProfilesOnly());
    EXPECT_EQ(kernel_->Entries().at("unfinished"), 0U);
  }

  [[nodiscard]] const KernelObjects& Objects() const { return kernel_->objects(); }

  [[nodiscard]] HeldProfile Hold(const RuleSet& rules) const {
    Result<HeldProfile> profile = HoldProfile(Objects(), rules);
    EXPECT_TRUE(profile) << profile.error().message;
    return *std::move(profile);
  }

  [[nodiscard]] LiveRun Start(const RuleSet& rules) const {
    Result<LiveRun> run = LiveRun::Create(kernel_->host(), Objects(), rules);
    EXPECT_TRUE(run) << run.error().message;
    return *std::move(run);
  }

  // Every entry of the image is in the table as it is.
  template <typename Key, typename Value>
  void ExpectThere(Table table, const engine::Entries<Key, Value>& entries) const {
    for (size_t i = 0; i < entries.keys.size(); ++i) {
      Value value = {};
      ASSERT_EQ(bpf_map_lookup_elem(Objects().fd(table), &entries.keys[i], &value), 0)
          << TableName(table) << " entry " << i;
      EXPECT_EQ(std::memcmp(&value, &entries.values[i], sizeof(value)), 0) << TableName(table);
    }
  }

  void ExpectThere(const RuleSet& rules, uint32_t id) const {
    const Result<TableImage> image = BuildTableImage(rules, id);
    ASSERT_TRUE(image);
    ExpectThere(Table::kAddresses4, image->addresses4);
    ExpectThere(Table::kAddresses6, image->addresses6);
    ExpectThere(Table::kHosts4, image->hosts4);
    ExpectThere(Table::kHosts6, image->hosts6);
    ExpectThere(Table::kRows, image->rows);
    ExpectThere(Table::kReasons, image->reasons);
    ExpectThere(Table::kNameLeaves, image->name_leaves);
    ExpectThere(Table::kProgramDigests, image->program_digests);
    const Result<std::vector<NameRulesImage>> names = ReadNameRules(Objects(), id);
    ASSERT_TRUE(names);
    ASSERT_EQ(names->size(), image->name_rules.size());
    for (size_t i = 0; i < names->size(); ++i) {
      EXPECT_TRUE((*names)[i].automaton == image->name_rules[i].automaton);
    }
  }

  [[nodiscard]] bool IsThere(const RuleSet& rules) const {
    return FindProfile(Objects(), policy::Digest(rules)).has_value();
  }

  [[nodiscard]] Result<SweepResult> Sweep() const {
    return SweepAbandonedRuns(kernel_->host(), Objects());
  }

  std::optional<OwnKernel> kernel_;
};

TEST_F(ProfileCacheTest, AProfileIsInTheTablesAsItsImage) {
  RandomRules random(7);
  for (int i = 0; i < 20; ++i) {
    const RuleSet rules = random.Rules();
    const uint32_t id = Hold(rules).id();
    EXPECT_NE(id, 0U);
    ExpectThere(rules, id);
    ASSERT_TRUE(kernel_->HoldsWholeProfilesOnly()) << "not the entries of its record";
  }
}

TEST_F(ProfileCacheTest, EqualRulesShareOne) {
  RandomRules random(8);
  const RuleSet rules = random.Rules();
  const HeldProfile first = Hold(rules);
  const std::map<std::string, size_t> alone = kernel_->ProfileEntries();
  const HeldProfile second = Hold(RuleSet(rules));
  EXPECT_EQ(first.id(), second.id());
  EXPECT_FALSE(first.was_there());
  EXPECT_TRUE(second.was_there());
  EXPECT_EQ(kernel_->ProfileEntries(), alone);

  RuleSet other = rules;
  other.valid_until_ms = 1;
  EXPECT_NE(Hold(other).id(), first.id());
}

TEST_F(ProfileCacheTest, RunsWithEqualRulesShareOneAndLeaveItBehind) {
  const RuleSet rules = OfSize(3, "kept");
  uint32_t id = 0;
  {
    const LiveRun first = Start(rules);
    const LiveRun second = Start(rules);
    id = first.first_profile();
    EXPECT_EQ(second.first_profile(), id);
    EXPECT_EQ(ReadCacheState(Objects()).idle, 0U);
  }
  EXPECT_EQ(ReadCacheState(Objects()).idle, 1U);
  EXPECT_EQ(Start(rules).first_profile(), id) << "written again";
}

TEST_F(ProfileCacheTest, KeepsNoMoreIdleProfilesThanItsBound) {
  constexpr size_t kRuns = PALYRA_MAX_IDLE_PROFILES + 6;
  for (size_t i = 0; i < kRuns; ++i) {
    const LiveRun run = Start(OfSize(2, std::to_string(i)));
  }
  const CacheState cache = ReadCacheState(Objects());
  EXPECT_EQ(cache.idle, size_t{PALYRA_MAX_IDLE_PROFILES});
  EXPECT_FALSE(IsThere(OfSize(2, "0"))) << "the longest unused goes first";
  EXPECT_TRUE(IsThere(OfSize(2, std::to_string(kRuns - 1))));
}

TEST_F(ProfileCacheTest, KeepsNoMoreIdleEntriesThanItsBound) {
  constexpr size_t kHalf = PALYRA_MAX_IDLE_ENTRIES / 2;
  {
    const LiveRun run = Start(OfSize(kHalf, "first"));
  }
  {
    const LiveRun run = Start(OfSize(kHalf - 100, "second"));
  }
  EXPECT_EQ(ReadCacheState(Objects()).idle, 2U);
  // Wanted again, so the other is the oldest.
  {
    const LiveRun run = Start(OfSize(kHalf, "first"));
  }
  {
    const LiveRun run = Start(OfSize(1000, "third"));
  }
  EXPECT_TRUE(IsThere(OfSize(kHalf, "first")));
  EXPECT_FALSE(IsThere(OfSize(kHalf - 100, "second")));
  {
    const LiveRun run = Start(OfSize(PALYRA_MAX_IDLE_ENTRIES + 1, "alone too large"));
  }
  EXPECT_EQ(ReadCacheState(Objects()).idle, 0U);
}

TEST_F(ProfileCacheTest, NeverRemovesOneThatARunIsUnder) {
  RandomRules random(9);
  const RuleSet rules = random.Rules();
  const LiveRun run = Start(rules);
  for (size_t i = 0; i < size_t{2} * PALYRA_MAX_IDLE_PROFILES; ++i) {
    const LiveRun other = Start(OfSize(2, std::to_string(i)));
  }
  ExpectThere(rules, run.first_profile());
}

TEST_F(ProfileCacheTest, IdleOnesGoWhereATableIsFull) {
  const RuleSet large = OfSize(PALYRA_MAX_REASONS - 10, "large");
  (void)Hold(large);  // Nobody trims, so it stays.
  RandomRules random(12);
  RuleSet rules = random.Rules();
  while (BuildTableImage(rules, 1)->reasons.keys.size() < 11) rules = random.Rules();
  const uint32_t id = Hold(rules).id();
  ExpectThere(rules, id);
  EXPECT_FALSE(IsThere(large));
}

TEST_F(ProfileCacheTest, LeavesNothingWhereLiveRunsFillATable) {
  const LiveRun everything = Start(OfSize(PALYRA_MAX_REASONS, "everything"));
  const std::map<std::string, size_t> full = kernel_->ProfileEntries();
  // Its rows are written before its reasons do not fit.
  RandomRules random(12);
  RuleSet rules = random.Rules();
  while (BuildTableImage(rules, 1)->rows.keys.empty()) rules = random.Rules();
  const Result<HeldProfile> refused = HoldProfile(Objects(), rules);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_NE(refused.error().message.find("\"reasons\""), std::string::npos);
  EXPECT_EQ(kernel_->ProfileEntries(), full);
}

// As many states as letters, and each letter leads on from one of them alone.
RuleSet WithAutomaton(size_t states, const std::string& name) {
  RuleSet rules = OfSize(2, name);
  policy::SparseDfa dfa;
  for (size_t i = 0; i < 256; ++i) dfa.symbols.at(i) = static_cast<uint8_t>(i);
  for (uint32_t i = 0; i < states; ++i) {
    dfa.states.push_back({.text_class = i % 2, .fallback = 0, .first_edge = i});
    dfa.edges.push_back({.symbol = static_cast<uint8_t>(1 + i % 255),
                         .next = static_cast<uint32_t>((i + 1) % states)});
  }
  rules.names.push_back({.action = policy::NameAction::kFileRead,
                         .automaton = policy::Automaton(dfa),
                         .digests = {},
                         .flag_count = 1,
                         .leaves = {{policy::Verdict::kAllow, 1}, {policy::Verdict::kDeny, 0}}});
  return rules;
}

TEST_F(ProfileCacheTest, KeepsNoMoreIdleAutomataThanItsBound) {
  constexpr size_t kStates = PALYRA_MAX_IDLE_AUTOMATA / 5;
  for (int i = 0; i < 4; ++i) {
    const LiveRun run = Start(WithAutomaton(kStates, std::to_string(i)));
    ExpectThere(WithAutomaton(kStates, std::to_string(i)), run.first_profile());
  }
  EXPECT_FALSE(IsThere(WithAutomaton(kStates, "0"))) << "the longest unused goes first";
  EXPECT_TRUE(IsThere(WithAutomaton(kStates, "3")));
}

TEST_F(ProfileCacheTest, LeavesNothingWhereAutomataFindNoPlace) {
  constexpr size_t kStates = PALYRA_AUTOMATA_ENTRIES / 4;
  const LiveRun first = Start(WithAutomaton(kStates, "first"));
  const std::map<std::string, size_t> before = kernel_->ProfileEntries();
  const Result<HeldProfile> refused = HoldProfile(Objects(), WithAutomaton(2 * kStates, "second"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_EQ(kernel_->ProfileEntries(), before);
}

TEST_F(ProfileCacheTest, AHeldProfileIsNotRemoved) {
  const HeldProfile held = Hold(OfSize(2, "held"));
  const Result<UniqueFd> exclusive =
      Objects().LockProfiles(KernelObjects::ProfileLock::kExclusive, std::chrono::milliseconds(1));
  ASSERT_FALSE(exclusive);
  EXPECT_EQ(exclusive.error().code, ErrorCode::kUnavailable);
}

TEST_F(ProfileCacheTest, HoldsTwentyThousandPrefixes) {
  constexpr size_t kPrefixes = 20'000;
  RuleSet rules = kNothing;
  rules.classes.emplace_back();
  for (size_t i = 0; i < kPrefixes; ++i) {
    rules.prefixes.push_back({.is_ipv6 = false,
                              .length = 32,
                              .bytes = {10, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)},
                              .address_class = 1});
  }
  {
    const LiveRun run = Start(rules);
    ExpectThere(rules, run.first_profile());
    EXPECT_EQ(kernel_->ProfileEntries().at("addresses4"), kPrefixes + 1);
    EXPECT_EQ(kernel_->ProfileEntries().at("hosts4"), kPrefixes);
  }
}

// They are for speed alone: without room for them the trie decides.
TEST_F(ProfileCacheTest, GoesWithoutHostsWhereTheirTableIsFull) {
  constexpr uint32_t kOther = PALYRA_HAS_HOSTS4 | 1;
  constexpr size_t kHosts = 100;
  RuleSet rules = kNothing;
  for (uint8_t i = 0; i < kHosts; ++i) {
    rules.prefixes.push_back(
        {.is_ipv6 = false, .length = 32, .bytes = {10, 0, 0, i}, .address_class = 0});
  }
  Entries<palyra_host4_key, palyra_address_class> others;
  for (uint32_t i = 0; i < PALYRA_MAX_HOSTS - kHosts / 2; ++i) {
    palyra_host4_key key = {.profile = kOther, .address = {}};
    std::memcpy(key.address, &i, sizeof(key.address));
    others.Add(key, {});
  }
  const int hosts = Objects().fd(Table::kHosts4);
  auto count = static_cast<__u32>(others.keys.size());
  ASSERT_EQ(bpf_map_update_batch(hosts, others.keys.data(), others.values.data(), &count, nullptr),
            0);
  {
    const LiveRun run = Start(rules);
    EXPECT_EQ(run.first_profile() & PALYRA_HAS_HOSTS4, 0U);
    ExpectThere(rules, run.first_profile());
    EXPECT_EQ(kernel_->ProfileEntries().at("hosts4"), others.keys.size()) << "half of the entries";
  }
  count = static_cast<__u32>(others.keys.size());
  ASSERT_EQ(bpf_map_delete_batch(hosts, others.keys.data(), &count, nullptr), 0);
}

// What a removal leaves out would show in the counts of the next test on these tables.
TEST_F(ProfileCacheTest, RemovesAllOfAProfileAndNothingOfItsNeighbours) {
  RandomRules random(10);
  for (int i = 0; i < 30; ++i) {
    const RuleSet neighbour = random.Rules();
    const RuleSet rules = random.Rules();
    const LiveRun run = Start(neighbour);
    const std::map<std::string, size_t> alone = kernel_->ProfileEntries();
    const uint32_t id = Hold(rules).id();
    const auto lock = Objects().LockProfiles(KernelObjects::ProfileLock::kExclusive,
                                             std::chrono::milliseconds(1000));
    ASSERT_TRUE(lock);
    RemoveProfile(Objects(), {.id = id, .profile = *ReadProfileRecord(Objects(), id)});
    ASSERT_EQ(kernel_->ProfileEntries(), alone) << policy::DumpText(rules);
    ExpectThere(neighbour, run.first_profile());
  }
}

// A program that took the profile's id just before may still be deciding by it.
TEST_F(ProfileCacheTest, AProfileThatIsBeingRemovedAllowsNothingThatItDenied) {
  constexpr uint16_t kHoles = 20'000;
  RuleSet rules = kNothing;  // 10.0.0.0/8 is allowed, but for the first addresses in it.
  rules.classes.push_back({.spans = {{.first = 0,
                                      .last = 0xFFFF,
                                      .actions = 1,
                                      .protocols = 1,
                                      .verdict = policy::Verdict::kAllow,
                                      .reason = 0}}});
  rules.prefixes.push_back({.is_ipv6 = false, .length = 8, .bytes = {10}, .address_class = 1});
  for (uint16_t i = 0; i < kHoles; ++i) {
    rules.prefixes.push_back(
        {.is_ipv6 = false,
         .length = 32,
         .bytes = {10, 0, static_cast<uint8_t>(i >> 8U), static_cast<uint8_t>(i & 0xFFU)},
         .address_class = 0});
  }
  const uint32_t id = Hold(rules).id();
  const auto verdict_at = [&](uint16_t i) {
    return DecideByTables(
               Objects(), id,
               {.action = policy::NetAction::kConnect,
                .protocol = policy::Protocol::kTcp,
                .is_ipv6 = false,
                .address = {10, 0, static_cast<uint8_t>(i >> 8U), static_cast<uint8_t>(i & 0xFFU)},
                .port = 443})
        .verdict;
  };
  ASSERT_EQ(verdict_at(kHoles), policy::Verdict::kAllow);
  std::atomic<bool> removed = false;
  size_t asked = 0;
  size_t allowed = 0;
  std::thread reader([&] {
    for (uint16_t i = 0; !removed; i = static_cast<uint16_t>((i + 777) % kHoles)) {
      ++asked;
      allowed += verdict_at(i) == policy::Verdict::kAllow ? 1 : 0;
    }
  });
  RemoveProfile(Objects(), {.id = id, .profile = *ReadProfileRecord(Objects(), id)});
  removed = true;
  reader.join();
  EXPECT_GT(asked, 100U);
  EXPECT_EQ(allowed, 0U);
}

// Where the record does not say what is there, whole tables are searched.
TEST_F(ProfileCacheTest, RemovesAllOfADamagedProfileToo) {
  RandomRules random(11);
  const RuleSet rules = random.Rules();
  const std::map<std::string, size_t> before = kernel_->ProfileEntries();
  const uint32_t id = Hold(rules).id();
  const palyra_profile record = *ReadProfileRecord(Objects(), id);
  ASSERT_EQ(bpf_map_delete_elem(Objects().fd(Table::kAddresses4), &record.first4), 0);
  RemoveProfile(Objects(), {.id = id, .profile = record});
  EXPECT_EQ(kernel_->ProfileEntries(), before);
}

// At each of its calls into the kernel in turn: what a writer that is killed there leaves is never
// used, and gone after the next sweep.
TEST_F(ProfileCacheTest, AKilledWriterLeavesNothingForLong) {
  RandomRules random(13);
  const auto write = [this](const RuleSet& rules) {
    return [this, &rules] { return HoldProfile(Objects(), rules) ? 0 : 1; };
  };
  const RuleSet measured = random.Rules();
  const Faulted whole = RunWithFault(write(measured), Fault::kNone, 0);
  ASSERT_EQ(whole.status, 0);
  ASSERT_GT(whole.calls, 6);
  int died = 0;
  for (int at = 0; at < whole.calls; ++at) {
    const RuleSet rules = random.Rules();
    const std::map<std::string, size_t> before = kernel_->ProfileEntries();
    const Faulted killed = RunWithFault(write(rules), Fault::kKilled, at);
    // Some rules take fewer calls than those that were measured.
    if (killed.status != 0) {
      ASSERT_EQ(killed.status, 128 + SIGKILL) << at;
      ++died;
    }
    const bool is_complete = IsThere(rules);
    ASSERT_TRUE(Sweep());
    ASSERT_EQ(kernel_->Entries().at("unfinished"), 0U) << at;
    ASSERT_TRUE(kernel_->HoldsWholeProfilesOnly()) << at;
    if (is_complete) {
      ExpectThere(rules, *FindProfile(Objects(), policy::Digest(rules)));
    } else {
      ASSERT_EQ(kernel_->ProfileEntries(), before) << at;
    }
    const uint32_t id = Hold(rules).id();
    ExpectThere(rules, id);
  }
  EXPECT_GT(died, 6);
}

TEST_F(ProfileCacheTest, AKilledRemoverLeavesNothingForLong) {
  RandomRules random(14);
  const auto remove = [this](const RuleSet& rules) {
    const uint32_t id = Hold(rules).id();
    const palyra_profile record = *ReadProfileRecord(Objects(), id);
    return [this, id, record] {
      RemoveProfile(Objects(), {.id = id, .profile = record});
      return 0;
    };
  };
  constexpr int kMost = 60;
  int died = 0;
  for (int at = 0; at < kMost; ++at) {
    const Faulted killed = RunWithFault(remove(random.Rules()), Fault::kKilled, at);
    died += killed.status == 0 ? 0 : 1;
    ASSERT_TRUE(Sweep());
    ASSERT_EQ(kernel_->Entries().at("unfinished"), 0U) << at;
    ASSERT_TRUE(kernel_->HoldsWholeProfilesOnly()) << at;
  }
  EXPECT_GT(died, 10);
}

TEST_F(ProfileCacheTest, WithoutMemoryNothingIsLeft) {
  RandomRules random(15);
  const RuleSet measured = random.Rules();
  const auto write = [this](const RuleSet& rules) {
    return [this, &rules] { return HoldProfile(Objects(), rules) ? 0 : 1; };
  };
  const Faulted whole = RunWithFault(write(measured), Fault::kNone, 0);
  ASSERT_EQ(whole.status, 0);
  for (int at = 0; at < whole.calls; ++at) {
    const RuleSet rules = random.Rules();
    // Without anything idle that could make room, what fails once fails.
    const Faulted failed = RunWithFault(write(rules), Fault::kNoMemory, at);
    ASSERT_LE(failed.status, 1) << at;
    ASSERT_TRUE(Sweep());
    ASSERT_TRUE(kernel_->HoldsWholeProfilesOnly()) << at;
    ASSERT_EQ(kernel_->Entries().at("unfinished"), 0U) << at;
    ASSERT_TRUE(failed.status != 0 || IsThere(rules)) << at;
  }
}

TEST_F(ProfileCacheTest, ManyWritersOfTheSameRulesEndWithOne) {
  RandomRules random(16);
  for (int round = 0; round < 10; ++round) {
    const RuleSet rules = random.Rules();
    const size_t before = ReadCacheState(Objects()).profiles;
    std::vector<pid_t> writers;
    for (int i = 0; i < 6; ++i) {
      const pid_t writer = fork();
      if (writer == 0) _exit(HoldProfile(Objects(), rules) ? 0 : 1);
      writers.push_back(writer);
    }
    for (const pid_t writer : writers) {
      int status = -1;
      waitpid(writer, &status, 0);
      EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(ReadCacheState(Objects()).profiles, before + 1);
  }
}

TEST_F(ProfileCacheTest, DetachingRemovesWhatIsKept) {
  {
    const LiveRun run = Start(OfSize(5, "kept"));
  }
  EXPECT_EQ(ReadCacheState(Objects()).profiles, 1U);
  ASSERT_TRUE(Uninstall(kernel_->host()));
  const Result<KernelObjects> again = KernelObjects::Open(kernel_->host(), kernel_->features());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ReadCacheState(*again).profiles, 0U);
}

}  // namespace
}  // namespace palyra::engine
