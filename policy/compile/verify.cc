#include "policy/compile/verify.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "policy/automaton_witness.h"
#include "policy/compile/name_tables.h"
#include "policy/compile/named_resource.h"
#include "policy/compile/net_cells.h"

namespace palyra::policy {
namespace {

constexpr size_t kMostExamples = 20;
constexpr size_t kMostProductStates = size_t{1} << 22;

class Verifier {
 public:
  Verifier(const CompileInput& input, const RuleSet& rules, const Deciders& deciders)
      : input_(input), rules_(rules), deciders_(deciders) {}

  void VerifyNet(const Automaton& partition) {
    const Automaton everything;
    const std::optional<std::vector<ClassPair>> names = ProductClasses(
        partition, rules_.domains ? rules_.domains->automaton : everything, kMostProductStates);
    if (!names) {
      result_.not_compared.emplace_back("net");
      return;
    }
    std::vector<std::optional<std::string>> domains = {std::nullopt};
    for (const ClassPair& pair : *names) {
      domains.emplace_back(pair.representative);
    }
    ForEachNetCell(
        input_, rules_, domains, [&](const NetEvent& event, const Candidates& candidates) {
          ++result_.net_cells;
          Compare(EvaluateAmong(input_, candidates, event), deciders_.net(event), EventText(event));
        });
  }

  void VerifyNames(const NameRules& names, const Automaton& partition) {
    const std::optional<std::vector<ClassPair>> pairs =
        ProductClasses(partition, names.automaton, kMostProductStates);
    if (!pairs) {
      result_.not_compared.emplace_back(ActionName(names.action));
      return;
    }
    const Pattern universe = UniverseOf(names.action);
    for (NameEvent event : FlagEvents(names.action, names.digests)) {
      for (const ClassPair& pair : *pairs) {
        event.name = pair.representative;
        ++result_.name_cells;
        const Ruling ruling = deciders_.name(event);
        if (Matches(universe, event.name)) {
          Compare(EvaluateWithContext(input_, event), ruling, EventText(event));
        } else if (ruling.verdict != Verdict::kDeny) {
          Differ(EventText(event) + ": no such name can occur, and the tables do not deny it");
        }
      }
    }
  }

  Verification Take() { return std::move(result_); }

 private:
  const CompileInput& input_;
  const RuleSet& rules_;
  const Deciders& deciders_;
  Verification result_;

  void Compare(const Outcome& expected, const Ruling& ruling, const std::string& event) {
    const bool is_reason = ruling.reason < rules_.reasons.size();
    if (is_reason && expected.verdict == ruling.verdict &&
        expected.reason == rules_.reasons[ruling.reason]) {
      return;
    }
    Differ(event + ": the policies say " + std::string(VerdictName(expected.verdict)) + ", " +
           ReasonText(expected.reason) + "; the tables " +
           std::string(VerdictName(ruling.verdict)) + ", " +
           (is_reason ? ReasonText(rules_.reasons[ruling.reason]) : "a reason that is not there"));
  }

  void Differ(std::string example) {
    ++result_.differences;
    if (result_.examples.size() < kMostExamples) {
      result_.examples.push_back(std::move(example));
    }
  }
};

}  // namespace

Verification VerifyRules(const CompileInput& input, const Partitions& partitions,
                         const RuleSet& rules, const Deciders& deciders) {
  Verifier verifier(input, rules, deciders);
  verifier.VerifyNet(partitions.domains);
  for (size_t i = 0; i < rules.names.size() && i < partitions.names.size(); ++i) {
    verifier.VerifyNames(rules.names[i], partitions.names[i]);
  }
  return verifier.Take();
}

Verification VerifyRules(const CompileInput& input, const Partitions& partitions,
                         const RuleSet& rules) {
  return VerifyRules(input, partitions, rules,
                     {.net = [&](const NetEvent& event) { return Decide(rules, event); },
                      .name = [&](const NameEvent& event) { return Decide(rules, event); }});
}

}  // namespace palyra::policy
