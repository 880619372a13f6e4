#include "engine/rule_judge.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <string_view>
#include <utility>

#include "base/sha256.h"
#include "policy/compile/named_resource.h"

namespace palyra::engine {
namespace {

// A text that leads to each state, by state; nothing where only broken UTF-8 does.
std::vector<std::optional<std::string>> TextsTo(const policy::Automaton& automaton) {
  std::vector<std::optional<std::string>> texts(automaton.state_count());
  texts[policy::Automaton::kStart] = "";
  std::deque<uint32_t> queue = {policy::Automaton::kStart};
  while (!queue.empty()) {
    const uint32_t state = queue.front();
    queue.pop_front();
    for (char byte = 1; byte < 127; ++byte) {
      const uint32_t next = automaton.StateAfter(state, {&byte, 1});
      if (!texts[next]) {
        texts[next] = *texts[state] + byte;
        queue.push_back(next);
      }
    }
  }
  return texts;
}

// Some other digest where the text is none: none of a file is equal to it.
base::Sha256Digest DigestOf(const std::string& hex) {
  if (const auto digest = base::DigestOfHex(hex)) return *digest;
  base::Sha256 other;
  other.Update({reinterpret_cast<const uint8_t*>(hex.data()), hex.size()});
  return other.Finish();
}

}  // namespace

Result<RuleJudge> RuleJudge::Create(const policy::RuleSet& rules) {
  Result<KernelJudge> judge = KernelJudge::Load();
  if (!judge) return std::unexpected(judge.error());
  RuleJudge made(*std::move(judge), rules);
  Result<TableImage> image = BuildTableImage(rules, made.profile_);
  if (!image) return std::unexpected(image.error());
  for (NameRulesImage& names : image->name_rules) {
    Result<uint32_t> place = made.judge_.Add(*names.automaton);
    if (!place) return std::unexpected(place.error());
    names.rules.automaton = *place;
    made.automata_.push_back({.image = *names.automaton, .place = *place});
  }
  if (Result<void> written = made.judge_.Upload(*image); !written) {
    return std::unexpected(written.error());
  }
  return made;
}

Result<policy::Ruling> RuleJudge::Decide(const policy::NetEvent& event) {
  palyra_net_judgement question = {};
  question.profile = profile_;
  question.port = event.port;
  question.is_ipv6 = event.is_ipv6 ? 1 : 0;
  question.action = static_cast<palyra_action>(1U << static_cast<unsigned>(event.action));
  question.protocol = static_cast<palyra_protocol>(1U << static_cast<unsigned>(event.protocol));
  std::ranges::copy(event.address, question.address);
  Result<palyra_net_judgement> answer = judge_.AskNet(question);
  if (!answer) return std::unexpected(answer.error());
  return policy::Ruling{.verdict = static_cast<policy::Verdict>(answer->verdict),
                        .reason = answer->reason};
}

Result<policy::Ruling> RuleJudge::Decide(const policy::NameEvent& event) {
  palyra_judgement question = {};
  question.profile = profile_;
  question.action = static_cast<palyra_name_action>(event.action);
  question.flag = event.flag ? 1 : 0;
  if (event.sha256) {
    question.has_digest = 1;
    std::ranges::copy(DigestOf(*event.sha256), question.digest);
  }
  Result<palyra_judgement> answer = judge_.AskName(question, event.name);
  if (!answer) return std::unexpected(answer.error());
  return policy::Ruling{.verdict = static_cast<policy::Verdict>(answer->verdict),
                        .reason = answer->reason};
}

Result<std::vector<std::string>> RuleJudge::WalkEveryTransition(size_t most, uint64_t& walks) {
  std::vector<std::string> differences;
  for (size_t i = 0; i < automata_.size(); ++i) {
    const policy::Automaton& automaton = rules_->names[i].automaton;
    const std::vector<std::optional<std::string>> texts = TextsTo(automaton);
    for (uint32_t state = 0; state < texts.size(); ++state) {
      if (!texts[state]) continue;
      std::array<bool, 256> seen = {};
      for (char byte = 1; byte < 127; ++byte) {
        bool& known = seen.at(automaton.byte_classes()[static_cast<unsigned char>(byte)]);
        if (std::exchange(known, true)) continue;
        const std::string text = *texts[state] + byte;
        Result<KernelJudge::TextAnswer> answer = judge_.AskText(automata_[i].place, text);
        if (!answer) return std::unexpected(answer.error());
        ++walks;
        const uint32_t expected = automaton.StateAfter(state, {&byte, 1});
        if (answer->judged == PALYRA_JUDGED &&
            automata_[i].image.StateAt(answer->state, automata_[i].place) == expected &&
            answer->text_class == automaton.ClassAt(expected)) {
          continue;
        }
        if (differences.size() < most) {
          differences.push_back(std::string(policy::ActionName(rules_->names[i].action)) + ' ' +
                                text + ": the kernel comes to another state");
        }
      }
    }
  }
  return differences;
}

}  // namespace palyra::engine
