// Verification: complete over policies and tables, so that one wrong entry is found.

#include "policy/compile/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/policy/compile_fixture.h"
#include "tests/unit/policy/random_names.h"
#include "tests/unit/policy/random_policies.h"

namespace palyra::policy {
namespace {

constexpr uint64_t kSeed = 4;
#if defined(__SANITIZE_ADDRESS__) || !defined(NDEBUG)  // Unoptimised, it takes ten times as long.
constexpr int kPolicySets = 40;
constexpr size_t kMutants = 15;
#else
constexpr int kPolicySets = 150;
constexpr size_t kMutants = 200;
#endif

// Compiled sets of random policies over all that can be decided.
class VerifyTest : public testing::Test {
 protected:
  RandomPolicies net_{kSeed};
  RandomNames names_{kSeed};

  template <typename Check>
  void ForEachCompiled(Check check) {
    int compiled = 0;
    for (int i = 0; i < kPolicySets; ++i) {
      const std::string operators = net_.Policies(3, false);
      const std::string callers =
          (i % 3 != 1 ? net_.Policies(4, false) : "") + (i % 3 != 0 ? names_.Policies() : "");
      CompileFixture fixture(
          {{Layer::kOperator, operators + "permit (principal, action, resource);"},
           {Layer::kCaller, callers}});
      fixture.set_coverage(Coverage::kAll);
      if (const auto output = fixture.Compile()) {
        ++compiled;
        check(fixture, *output, operators + callers);
      }
    }
    EXPECT_GE(compiled, kPolicySets / 6);
  }
};

TEST_F(VerifyTest, FindsNothingWhereTablesAreRight) {
  ForEachCompiled([](const CompileFixture& fixture, const CompileOutput& output,
                     const std::string& policies) {
    const Verification result = VerifyRules(fixture.input(), output.partitions, output.rules);
    EXPECT_TRUE(result.passed()) << policies << (result.examples.empty() ? "" : result.examples[0]);
    EXPECT_GT(result.net_cells, 100U);
    EXPECT_GE(result.name_cells, static_cast<uint64_t>(kNameActionCount));
  });
}

// Every single entry of the network's tables, changed, and the tables of every class of domains.
std::vector<RuleSet> NetMutants(const RuleSet& rules) {
  std::vector<RuleSet> mutants;
  const auto add = [&](auto change) {
    RuleSet mutant = rules;
    change(mutant);
    mutants.push_back(std::move(mutant));
  };
  const auto other_reason = [&](uint32_t reason) {
    return static_cast<uint32_t>((reason + 1) % rules.reasons.size());
  };
  for (size_t i = 0; i < rules.prefixes.size(); ++i) {
    add([&](RuleSet& mutant) {
      mutant.prefixes.erase(mutant.prefixes.begin() + static_cast<std::ptrdiff_t>(i));
    });
    add([&](RuleSet& mutant) {
      uint32_t& address_class = mutant.prefixes[i].address_class;
      address_class = static_cast<uint32_t>((address_class + 1) % mutant.classes.size());
    });
  }
  for (size_t i = 0; i < rules.classes.size(); ++i) {
    for (size_t j = 0; j < rules.classes[i].spans.size(); ++j) {
      const auto span = [=](RuleSet& mutant) -> PortSpan& { return mutant.classes[i].spans[j]; };
      add([&](RuleSet& mutant) {
        span(mutant).verdict =
            span(mutant).verdict == Verdict::kDeny ? Verdict::kAllow : Verdict::kDeny;
      });
      add([&](RuleSet& mutant) { span(mutant).reason = other_reason(span(mutant).reason); });
      if (rules.classes[i].spans[j].last > rules.classes[i].spans[j].first) {
        add([&](RuleSet& mutant) { --span(mutant).last; });
      }
    }
  }
  for (size_t i = 0; rules.domains && i < rules.domains->tables.size(); ++i) {
    add([&](RuleSet& mutant) {
      mutant.domains->tables[i] = rules.domains->tables[(i + 1) % rules.domains->tables.size()];
    });
    add([&](RuleSet& mutant) { mutant.domains->tables[i] = {.prefixes = {}, .classes = {{}}}; });
  }
  return mutants;
}

TEST_F(VerifyTest, FindsEveryWrongEntryThatAnEventShows) {
  size_t shown = 0;
  ForEachCompiled(
      [&](const CompileFixture& fixture, const CompileOutput& output, const std::string& policies) {
        for (const RuleSet& mutant : NetMutants(output.rules)) {
          bool differs = false;
          for (int i = 0; i < 300 && shown < kMutants; ++i) {
            const NetEvent event = net_.Event();
            differs = differs || Decide(mutant, event) != Decide(output.rules, event);
          }
          if (differs) {
            ++shown;
            EXPECT_FALSE(VerifyRules(fixture.input(), output.partitions, mutant).passed())
                << policies << DumpText(output.rules) << "mutant:\n"
                << DumpText(mutant);
          }
        }
      });
  EXPECT_GT(shown, kMutants / 2);
}

// The automaton with one transition, or the class of one state, changed.
Automaton Corrupted(const Automaton& automaton, std::mt19937_64& random) {
  SparseDfa dfa;
  dfa.symbols = automaton.byte_classes();
  for (uint32_t state = 0; state < automaton.state_count(); ++state) {
    dfa.states.push_back({.text_class = automaton.ClassAt(state),
                          .fallback = automaton.FallbackOf(state),
                          .first_edge = static_cast<uint32_t>(dfa.edges.size())});
    for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
      dfa.edges.push_back(edge);
    }
  }
  const auto count = static_cast<uint32_t>(automaton.state_count());
  if (dfa.edges.empty() || random() % 3 == 0) {
    uint32_t& fallback = dfa.states[random() % count].fallback;
    fallback = (fallback + 1) % count;
  } else {
    uint32_t& next = dfa.edges[random() % dfa.edges.size()].next;
    next = (next + 1) % count;
  }
  return Automaton(dfa);
}

TEST_F(VerifyTest, FindsEveryWrongTransitionThatAnEventShows) {
  std::mt19937_64 random(kSeed);
  size_t shown = 0;
  ForEachCompiled(
      [&](const CompileFixture& fixture, const CompileOutput& output, const std::string& policies) {
        if (shown == kMutants) return;
        RuleSet mutant = output.rules;
        for (NameRules& names : mutant.names) names.automaton = Corrupted(names.automaton, random);
        bool differs = false;
        for (int i = 0; i < 3000 && !differs; ++i) {
          const NameEvent event = names_.Event();
          differs = Decide(mutant, event) != Decide(output.rules, event);
        }
        if (!differs) return;
        ++shown;
        EXPECT_FALSE(VerifyRules(fixture.input(), output.partitions, mutant).passed()) << policies;
      });
  EXPECT_GT(shown, 1U);
}

TEST_F(VerifyTest, FindsEveryWrongLeaf) {
  size_t mutants = 0;
  ForEachCompiled([&](const CompileFixture& fixture, const CompileOutput& output,
                      const std::string& policies) {
    for (size_t i = 0; i < output.rules.names.size(); i += 3) {
      const size_t leaves = output.rules.names[i].leaves.size();
      for (size_t leaf = 1; leaf < leaves && mutants < kMutants; ++leaf) {
        RuleSet mutant = output.rules;
        Ruling& ruling = mutant.names[i].leaves[leaf];
        ruling.verdict = ruling.verdict == Verdict::kDeny ? Verdict::kAllow : Verdict::kDeny;
        ++mutants;
        EXPECT_FALSE(VerifyRules(fixture.input(), output.partitions, mutant).passed()) << policies;
      }
    }
  });
  EXPECT_GE(mutants, std::min<size_t>(kMutants, 30));
}

}  // namespace
}  // namespace palyra::policy
