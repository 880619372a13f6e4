// Comparing rules with the authorizer in every cell finds every change of the rules; and compiling
// many policies costs little more than each of them.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <functional>
#include <optional>
#include <string>

#include "policy/compile/compiler.h"
#include "policy/compile/truth_map.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

constexpr std::string_view kOperator = R"(
  permit (principal, action, resource);
  forbid (principal, action in [Palyra::Action::"net.connect", Palyra::Action::"net.send"], resource)
  when { resource.address.isInRange(ip("10.9.0.0/16")) };)";
constexpr std::string_view kCaller = R"(
  permit (principal, action == Palyra::Action::"net.connect", resource)
  when { resource.address.isInRange(ip("10.0.0.0/8")) && resource.protocol == "tcp" &&
         resource.port >= 80 && resource.port <= 443 };
  @ask("dns?") permit (principal, action == Palyra::Action::"net.send", resource)
  when { resource.address == ip("10.9.8.7") || resource.address == ip("2001:db8::53") }
  unless { resource.port != 53 };
  permit (principal, action, resource)
  when { resource.address.isInRange(ip("2001:db8::/32")) && resource.protocol like "udp*" };
  forbid (principal, action, resource) when { resource.port == 100 };)";

// The corners of the cells into which the constants of the policies above cut the dimensions.
const std::vector<std::string> kCorners = {"0.0.0.0",
                                           "9.255.255.255",
                                           "10.0.0.0",
                                           "10.8.255.255",
                                           "10.9.0.0",
                                           "10.9.8.6",
                                           "10.9.8.7",
                                           "10.9.8.8",
                                           "10.9.255.255",
                                           "10.10.0.0",
                                           "10.255.255.255",
                                           "11.0.0.0",
                                           "255.255.255.255",
                                           "::",
                                           "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                                           "2001:db8::",
                                           "2001:db8::52",
                                           "2001:db8::53",
                                           "2001:db8::54",
                                           "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                                           "2001:db9::",
                                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
constexpr std::array<uint16_t, 13> kPorts = {0,   52,  53,  54,  79,    80,   99,
                                             100, 101, 443, 444, 65534, 65535};

struct Cell {
  NetEvent event;
  Outcome expected;
};

class CellsTest : public testing::Test {
 protected:
  const CompileFixture fixture_{
      {{Layer::kOperator, std::string(kOperator)}, {Layer::kCaller, std::string(kCaller)}}};
  const RuleSet rules_ = fixture_.Compile().value().rules;
  const std::vector<Cell> cells_ = Cells();

  // The first cell in which rules and authorizer differ.
  std::optional<NetEvent> FindDifference(const RuleSet& rules) const {
    for (const Cell& cell : cells_) {
      const Ruling decision = Decide(rules, cell.event);
      if (decision.verdict != cell.expected.verdict || decision.reason >= rules.reasons.size() ||
          rules.reasons[decision.reason] != cell.expected.reason) {
        return cell.event;
      }
    }
    return std::nullopt;
  }

  void ExpectFound(const char* what, size_t index,
                   const std::function<void(RuleSet&)>& change) const {
    RuleSet changed = rules_;
    change(changed);
    EXPECT_TRUE(FindDifference(changed)) << what << " of number " << index << " went unseen\n"
                                         << DumpText(changed);
  }

 private:
  std::vector<Cell> Cells() const {
    std::vector<Cell> cells;
    for (const std::string& address : kCorners) {
      for (const uint16_t port : kPorts) {
        for (int protocol = 0; protocol < kProtocolCount; ++protocol) {
          for (int action = 0; action < kNetActionCount; ++action) {
            const NetEvent event = Event(address, port, static_cast<Protocol>(protocol),
                                         static_cast<NetAction>(action));
            cells.push_back(
                {.event = event, .expected = EvaluateWithContext(fixture_.input(), event)});
          }
        }
      }
    }
    return cells;
  }
};

TEST_F(CellsTest, CompiledRulesAgreeInEveryCell) {
  const std::optional<NetEvent> event = FindDifference(rules_);
  EXPECT_FALSE(event) << EventText(*event) << '\n' << DumpText(rules_);
}

TEST_F(CellsTest, EveryChangeOfAPrefixIsFound) {
  ASSERT_GE(rules_.prefixes.size(), 4U);
  for (size_t i = 0; i < rules_.prefixes.size(); ++i) {
    const auto at = static_cast<std::ptrdiff_t>(i);
    ExpectFound("loss", i, [&](RuleSet& r) { r.prefixes.erase(r.prefixes.begin() + at); });
    const uint8_t longest = rules_.prefixes[i].is_ipv6 ? 128 : 32;
    if (rules_.prefixes[i].length < longest) {
      ExpectFound("longer length", i, [&](RuleSet& r) { ++r.prefixes[i].length; });
    }
    for (uint32_t other = 0; other < rules_.classes.size(); ++other) {
      if (other != rules_.prefixes[i].address_class) {
        ExpectFound("other class", i, [&](RuleSet& r) { r.prefixes[i].address_class = other; });
      }
    }
  }
}

TEST_F(CellsTest, EveryChangeOfASpanIsFound) {
  size_t spans = 0;
  for (size_t c = 0; c < rules_.classes.size(); ++c) {
    for (size_t i = 0; i < rules_.classes[c].spans.size(); ++i) {
      ++spans;
      const auto change = [&](const char* what, const std::function<void(PortSpan&)>& edit) {
        ExpectFound(what, i, [&](RuleSet& r) { edit(r.classes[c].spans[i]); });
      };
      const PortSpan& span = rules_.classes[c].spans[i];
      const auto at = static_cast<std::ptrdiff_t>(i);
      ExpectFound("loss", i,
                  [&](RuleSet& r) { r.classes[c].spans.erase(r.classes[c].spans.begin() + at); });
      if (span.first < span.last) {
        change("later start", [](PortSpan& s) { ++s.first; });
        change("earlier end", [](PortSpan& s) { --s.last; });
      }
      change("lost action", [](PortSpan& s) { s.actions &= static_cast<uint8_t>(s.actions - 1U); });
      change("lost protocol",
             [](PortSpan& s) { s.protocols &= static_cast<uint8_t>(s.protocols - 1U); });
      change("other verdict", [](PortSpan& s) {
        s.verdict = s.verdict == Verdict::kAllow ? Verdict::kAsk : Verdict::kAllow;
      });
      change("other reason", [](PortSpan& s) { s.reason = s.reason == 0 ? 1 : 0; });
    }
  }
  EXPECT_GE(spans, 10U);
}

// Processor time of compiling `text`, the least of some runs.
double SecondsToCompile(const std::string& text, int runs) {
  const CompileFixture fixture(
      {{Layer::kOperator, std::string(kOperator)}, {Layer::kCaller, text}});
  double least = 1e9;
  for (int run = 0; run < runs; ++run) {
    const std::clock_t start = std::clock();
    EXPECT_TRUE(fixture.Compile());
    least = std::min(least, static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
  }
  return least;
}

using MakeRule = std::string (*)(int);

std::string Repeat(MakeRule rule, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += "permit (principal, action, resource) when { " + rule(i) + " };\n";
  }
  return text;
}

std::string Host(int i) {
  return "10." + std::to_string(i % 250) + '.' + std::to_string(i / 250 % 250) + '.' +
         std::to_string(i % 7);
}

std::string HostAndPort(int i) {
  return "resource.address == ip(\"" + Host(i) + "\") && resource.port == " + std::to_string(i);
}

std::string Range(int i) {
  return "resource.address.isInRange(ip(\"" + Host(i) + '/' + std::to_string(24 + i % 9) + "\"))";
}

std::string Ipv6Host(int i) {
  return "resource.address == ip(\"2001:db8::" + std::to_string(i % 10000) + ":1\")";
}

class ScaleTest : public testing::TestWithParam<MakeRule> {};

// Ten times as many policies may cost ten times as much, and half as much again for sorting; a
// quadratic step would cost a hundred times as much.
TEST_P(ScaleTest, TenTimesThePoliciesCostFarLessThanAHundredTimes) {
  const double small = SecondsToCompile(Repeat(GetParam(), 1'000), 3);
  const double large = SecondsToCompile(Repeat(GetParam(), 10'000), 1);
  EXPECT_LT(large, 35 * small) << small << " s and " << large << " s";
}

INSTANTIATE_TEST_SUITE_P(Rules, ScaleTest, testing::Values(HostAndPort, Range, Ipv6Host));

TEST(AlternativesTest, CostFarLessThanQuadratic) {
  const auto joined = [](int count) {
    std::string text = "permit (principal, action, resource) when { ";
    for (int i = 0; i < count; ++i) {
      text += (i == 0 ? "(" : " || (") + HostAndPort(i) + ')';
    }
    return text + " };";
  };
  const double small = SecondsToCompile(joined(1'000), 3);
  const double large = SecondsToCompile(joined(10'000), 1);
  EXPECT_LT(large, 35 * small) << small << " s and " << large << " s";
}

}  // namespace
}  // namespace palyra::policy
