#include "policy/compile/name_diff.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "policy/automaton.h"
#include "policy/compile/name_tables.h"
#include "policy/compile/named_resource.h"

namespace palyra::policy {
namespace {

constexpr size_t kMostStates = size_t{1} << 20;
constexpr size_t kMostPlaces = 200;

// A pair of states, one of each automaton.
struct Joint {
  uint32_t before;
  uint32_t after;
  auto operator<=>(const Joint&) const = default;
};

// Bytes that both automata treat alike, by one of them each. Printable ones where there are some.
std::vector<unsigned char> DifferentBytes(const Automaton& a, const Automaton& b) {
  std::map<std::pair<uint8_t, uint8_t>, unsigned char> bytes;
  const auto add = [&](unsigned first, unsigned last) {
    for (unsigned byte = first; byte <= last; ++byte) {
      bytes.try_emplace({a.byte_classes()[byte], b.byte_classes()[byte]},
                        static_cast<unsigned char>(byte));
    }
  };
  add('a', 'z');
  add(0x21, 0x7E);
  add(0x80, 0xF4);
  std::vector<unsigned char> list;
  list.reserve(bytes.size());
  for (const auto& [classes, byte] : bytes) {
    list.push_back(byte);
  }
  return list;
}

uint32_t Step(const Automaton& automaton, uint32_t state, unsigned char byte) {
  const char text = static_cast<char>(byte);
  return automaton.StateAfter(state, {&text, 1});
}

// Every joint state with a shortest text that leads there.
class JointStates {
 public:
  struct Seen {
    std::string text;
    bool only = true;  // No other text leads there.
    std::optional<Joint> from = std::nullopt;
  };

  JointStates(const Automaton& before, const Automaton& after)
      : before_(before), after_(after), bytes_(DifferentBytes(before, after)) {
    const std::vector<size_t> weights = Weights();
    std::deque<Joint> queue = {{.before = Automaton::kStart, .after = Automaton::kStart}};
    seen_.try_emplace(queue.front());
    while (!queue.empty() && !overflown_) {
      const Joint joint = queue.front();
      queue.pop_front();
      order_.push_back(joint);
      if (IsSink(joint)) {
        continue;
      }
      const Seen from = seen_.at(joint);
      for (size_t i = 0; i < bytes_.size(); ++i) {
        const Joint next{.before = Step(before_, joint.before, bytes_[i]),
                         .after = Step(after_, joint.after, bytes_[i])};
        const auto [entry, is_new] = seen_.try_emplace(next);
        if (!is_new) {
          entry->second.only = false;
          continue;
        }
        entry->second = {.text = from.text + static_cast<char>(bytes_[i]),
                         .only = from.only && weights[i] == 1,
                         .from = joint};
        queue.push_back(next);
        overflown_ = seen_.size() > kMostStates;
      }
    }
    for (const Joint& joint : order_) {
      Seen& seen = seen_.at(joint);
      seen.only = seen.only && (!seen.from || seen_.at(*seen.from).only);
    }
  }

  // Shorter texts first.
  [[nodiscard]] const std::vector<Joint>& order() const { return order_; }
  [[nodiscard]] const Seen& At(const Joint& joint) const { return seen_.at(joint); }
  // Where bytes lead that no edge of either state is for.
  [[nodiscard]] Joint FallbackOf(const Joint& joint) const {
    return {.before = before_.FallbackOf(joint.before), .after = after_.FallbackOf(joint.after)};
  }
  [[nodiscard]] bool overflown() const { return overflown_; }
  [[nodiscard]] bool IsSink(const Joint& joint) const {
    return before_.IsSink(joint.before) && after_.IsSink(joint.after);
  }

 private:
  const Automaton& before_;
  const Automaton& after_;
  std::vector<unsigned char> bytes_;
  std::map<Joint, Seen> seen_;
  std::vector<Joint> order_;
  bool overflown_ = false;

  // How many bytes each of `bytes_` stands for.
  [[nodiscard]] std::vector<size_t> Weights() const {
    std::vector<size_t> weights;
    for (const unsigned char byte : bytes_) {
      size_t weight = 0;
      for (unsigned other = 1; other < 256; ++other) {
        weight += before_.byte_classes()[other] == before_.byte_classes()[byte] &&
                          after_.byte_classes()[other] == after_.byte_classes()[byte]
                      ? 1
                      : 0;
      }
      weights.push_back(weight);
    }
    return weights;
  }
};

// With bytes that are no text of their own escaped, and * too.
std::string PlaceText(const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '*') {
      shown += "\\*";
    } else if (byte < 0x20 || byte >= 0x7F) {
      shown += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 0xFU]};
    } else {
      shown += c;
    }
  }
  return shown;
}

std::string EventsText(const NameEvent& event) {
  const std::string text(ActionName(event.action));
  const std::string_view type = ResourceTypeOf(event.action);
  if (type == kProcessType) {
    return text + (event.flag ? " same-run" : " other");
  }
  if (type == kSocketType) {
    return text + (event.flag ? " abstract" : " path");
  }
  return event.sha256 ? text + " sha256 " + *event.sha256 : text;
}

Verdict VerdictAt(const NameRules& rules, uint32_t state, const NameEvent& event) {
  const size_t leaf = size_t{rules.automaton.ClassAt(state)} * rules.flag_count;
  return rules.leaves.at(leaf + FlagOf(rules, event)).verdict;
}

// The changes for one flag.
class FlagChanges {
 public:
  FlagChanges(const NameRules& before, const NameRules& after, const JointStates& joints,
              const NameEvent& event)
      : before_(before), after_(after), joints_(joints), event_(event) {
    const bool has_names = ResourceTypeOf(after.action) != kProcessType;
    for (const Joint& joint : joints.order()) {
      if (has_names || joint == Joint{}) {
        Look(joint, has_names);
      }
    }
  }

  std::vector<RuleChange> Take() {
    std::vector<RuleChange> changes;
    for (auto& [verdicts, change] : changes_) {
      std::ranges::sort(change.places);
      changes.push_back(std::move(change));
    }
    return changes;
  }

 private:
  using Verdicts = std::pair<Verdict, Verdict>;

  const NameRules& before_;
  const NameRules& after_;
  const JointStates& joints_;
  const NameEvent& event_;
  std::map<Verdicts, RuleChange> changes_;
  std::map<Joint, Verdicts> covered_;  // By a place with a last * that leads there.

  [[nodiscard]] Verdicts At(const Joint& joint) const {
    return {VerdictAt(before_, joint.before, event_), VerdictAt(after_, joint.after, event_)};
  }

  void Look(const Joint& joint, bool has_names) {
    const JointStates::Seen& seen = joints_.At(joint);
    const Verdicts verdicts = At(joint);
    if (const auto above = seen.from ? covered_.find(*seen.from) : covered_.end();
        above != covered_.end()) {
      const Verdicts by = above->second;
      covered_.emplace(joint, by);
      if (by == verdicts) {
        return;
      }
    }
    if (verdicts.first == verdicts.second) {
      return;
    }
    RuleChange& change = changes_[verdicts];
    change.before = verdicts.first;
    change.after = verdicts.second;
    change.events = EventsText(event_);
    change.more = change.more || joints_.overflown() || (has_names && !seen.only);
    if (!has_names) {
      return;
    }
    const Joint next = joints_.FallbackOf(joint);
    const bool goes_on = At(next) == verdicts && At(joints_.FallbackOf(next)) == verdicts;
    if (goes_on && !joints_.IsSink(joint)) {
      covered_[joint] = verdicts;
      change.exceptions = true;
    }
    if (change.places.size() < kMostPlaces) {
      change.places.push_back(PlaceText(seen.text) + (goes_on ? "*" : ""));
    } else {
      change.more = true;
    }
  }
};

}  // namespace

void AppendNameChanges(const NameRules& before, const NameRules& after,
                       std::vector<RuleChange>& changes) {
  if (before == after) {
    return;
  }
  const JointStates joints(before.automaton, after.automaton);
  std::set<std::string> digests(before.digests.begin(), before.digests.end());
  digests.insert(after.digests.begin(), after.digests.end());
  for (const NameEvent& event : FlagEvents(after.action, {digests.begin(), digests.end()})) {
    for (RuleChange& change : FlagChanges(before, after, joints, event).Take()) {
      const auto is_known = [&](const RuleChange& other) {
        return other.events == ActionName(after.action) && other.before == change.before &&
               other.after == change.after && other.places == change.places &&
               other.more == change.more;
      };
      // What changes for every program is not said for each digest again.
      if (!event.sha256 || std::ranges::none_of(changes, is_known)) {
        changes.push_back(std::move(change));
      }
    }
  }
}

}  // namespace palyra::policy
