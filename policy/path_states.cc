#include "policy/path_states.h"

#include <algorithm>
#include <set>

namespace palyra::policy {
namespace {

constexpr size_t kLongestName = 255;  // NAME_MAX.

// Which symbols stand for a byte that a path has; NUL is none.
std::array<bool, 256> SymbolsInUse(const Automaton& automaton, bool with_slash) {
  std::array<bool, 256> in_use = {};
  for (size_t byte = 1; byte < in_use.size(); ++byte) {
    if (byte != '/' || with_slash) in_use.at(automaton.byte_classes().at(byte)) = true;
  }
  return in_use;
}

// Calls visit(next) for each state that one byte leads to.
template <typename Visit>
void ForEachNext(const Automaton& automaton, uint32_t state, const std::array<bool, 256>& in_use,
                 Visit visit) {
  auto left = std::ranges::count(in_use, true);
  for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
    if (!in_use.at(edge.symbol)) continue;
    --left;
    visit(edge.next);
  }
  if (left > 0) visit(automaton.FallbackOf(state));
}

// The states from which one byte or more leads to one of `goals`.
std::vector<bool> LeadingTo(const Automaton& automaton, const std::vector<bool>& goals,
                            bool with_slash) {
  const std::array<bool, 256> in_use = SymbolsInUse(automaton, with_slash);
  std::vector<std::vector<uint32_t>> before(goals.size());
  std::vector<uint32_t> queue;
  for (uint32_t state = 0; state < goals.size(); ++state) {
    ForEachNext(automaton, state, in_use, [&](uint32_t next) { before[next].push_back(state); });
    if (goals[state]) queue.push_back(state);
  }
  std::vector<bool> leading(goals.size());
  while (!queue.empty()) {
    const uint32_t state = queue.back();
    queue.pop_back();
    for (const uint32_t previous : before[state]) {
      if (leading[previous]) continue;
      leading[previous] = true;
      queue.push_back(previous);
    }
  }
  return leading;
}

}  // namespace

bool DependsOnDigest(const NameRules& rules) {
  for (size_t first = 0; first < rules.leaves.size(); first += rules.flag_count) {
    for (size_t flag = 1; flag < rules.flag_count; ++flag) {
      const bool permits = rules.leaves[first + flag].verdict == Verdict::kAllow;
      if (permits != (rules.leaves[first].verdict == Verdict::kAllow)) return true;
    }
  }
  return false;
}

PathStates::Action PathStates::Look(const NameRules& rules, Asks asks) {
  const Automaton& automaton = rules.automaton;
  Action action{.rules = &rules,
                .permits = std::vector<bool>(automaton.state_count()),
                .ever_below = {},
                .ever_denied_below = {},
                .ever_child = {}};
  std::vector<bool> denies(automaton.state_count());
  for (uint32_t state = 0; state < denies.size(); ++state) {
    const size_t leaf = size_t{automaton.ClassAt(state)} * rules.flag_count;
    const Verdict verdict =
        leaf < rules.leaves.size() ? rules.leaves[leaf].verdict : Verdict::kDeny;
    const bool permits =
        verdict == Verdict::kAllow || (verdict == Verdict::kAsk && asks == Asks::kPermit);
    action.permits[state] = permits;
    denies[state] = !permits;
  }
  action.ever_below = LeadingTo(automaton, action.permits, /*with_slash=*/true);
  action.ever_denied_below = LeadingTo(automaton, denies, /*with_slash=*/true);
  action.ever_child = LeadingTo(automaton, action.permits, /*with_slash=*/false);
  return action;
}

PathStates::PathStates(const RuleSet& rules, Asks asks) : rules_(&rules) {
  for (int i = 0; i < kFileActionCount; ++i) {
    const NameRules* names = FindRules(rules, static_cast<NameAction>(i));
    if (names != nullptr) actions_.at(static_cast<size_t>(i)) = Look(*names, asks);
  }
}

PathStates::State PathStates::After(const State& state, std::string_view text,
                                    FileActions actions) const {
  State after = state;
  for (size_t i = 0; i < after.size(); ++i) {
    const Action& action = actions_.at(i);
    if (action.rules != nullptr && (actions >> i & 1U) != 0) {
      after.at(i) = action.rules->automaton.StateAfter(state.at(i), text);
    }
  }
  return after;
}

PathStates::State PathStates::After(const State& state, std::string_view text) const {
  return After(state, text, kEveryAction);
}

FileActions PathStates::Collect(const State& state, std::vector<bool> Action::* facts) const {
  unsigned found = 0;
  for (size_t i = 0; i < state.size(); ++i) {
    const std::vector<bool>& fact = actions_.at(i).*facts;
    if (!fact.empty() && fact[state.at(i)]) found |= 1U << i;
  }
  return static_cast<FileActions>(found);
}

FileActions PathStates::Permitted(const State& state) const {
  return Collect(state, &Action::permits);
}

FileActions PathStates::EverBelow(const State& state) const {
  return Collect(state, &Action::ever_below);
}

FileActions PathStates::EverChild(const State& state) const {
  return Collect(state, &Action::ever_child);
}

FileActions PathStates::AlwaysBelow(const State& state) const {
  return EverBelow(state) & static_cast<FileActions>(~Collect(state, &Action::ever_denied_below));
}

char PathStates::UnnamedByte() const {
  for (int byte = 1; byte < 128; ++byte) {
    const auto is_unnamed = [byte](const Action& action) {
      return action.rules == nullptr ||
             action.rules->automaton.byte_classes().at(static_cast<size_t>(byte)) == 0;
    };
    if (byte != '/' && std::ranges::all_of(actions_, is_unnamed)) return static_cast<char>(byte);
  }
  return 0;
}

PathStates::State PathStates::UnnamedAfter(const State& state) const {
  const char unnamed = UnnamedByte();
  return unnamed == 0 ? state : After(state, {&unnamed, 1});
}

FileActions PathStates::UnnamedIn(const State& state) const {
  return UnnamedByte() == 0 ? FileActions{0} : Permitted(UnnamedAfter(state));
}

// Walks from a directory through every name that is not as usual.
class PathStates::NameLister {
 public:
  // `goes_on`: what is usual may differ further below, and patterns within names are passed over.
  NameLister(const PathStates& states, size_t most, FileActions actions, bool goes_on)
      : states_(states), most_(most), actions_(actions), goes_on_(goes_on) {}

  std::optional<Names> List(const State& directory) {
    const char unnamed = states_.UnnamedByte();
    if (unnamed == 0) return std::nullopt;
    usual_ = states_.After(directory, {&unnamed, 1}, actions_);
    usual_below_ = states_.After(usual_, "/", actions_);
    names_.usual = states_.Permitted(usual_) & actions_;
    if (goes_on_ ? !FindUnlisted() : !IsUsual(usual_)) return std::nullopt;
    if (!ListFrom(directory)) return std::nullopt;
    return std::move(names_);
  }

 private:
  const PathStates& states_;
  const size_t most_;
  const FileActions actions_;
  const bool goes_on_;
  State usual_ = {};
  State usual_below_ = {};
  std::set<State> unlisted_;
  Names names_ = {.usual = 0, .others = {}};
  std::set<State> on_the_way_;
  std::string name_;

  // Where a name can be that began as one which no rule names. False where these are too many.
  bool FindUnlisted() {
    constexpr size_t kMostStates = 10'000;
    std::vector<State> queue = {usual_};
    unlisted_ = {usual_};
    while (!queue.empty() && unlisted_.size() <= kMostStates) {
      const State at = queue.back();
      queue.pop_back();
      for (unsigned byte = 1; byte < 256; ++byte) {
        const char text = static_cast<char>(byte);
        if (text == '/') continue;
        const State next = states_.After(at, {&text, 1}, actions_);
        if (unlisted_.insert(next).second) queue.push_back(next);
      }
    }
    return queue.empty();
  }

  // Any number of names go on from here alike, as behind a star.
  [[nodiscard]] bool IsEndless(const State& state) const {
    const char unnamed = states_.UnnamedByte();
    return states_.After(state, {&unnamed, 1}, actions_) == state;
  }

  [[nodiscard]] bool IsUsualBelow(const State& state) const {
    if (goes_on_ && state == usual_below_) return true;
    return (states_.AlwaysBelow(state) & actions_) == names_.usual &&
           (states_.EverBelow(state) & actions_) == names_.usual;
  }
  [[nodiscard]] bool IsUsual(const State& state) const {
    if (goes_on_ && (unlisted_.contains(state) || IsEndless(state))) return true;
    return (states_.Permitted(state) & actions_) == names_.usual && IsUsualBelow(state);
  }

  bool ListFrom(const State& at) {
    // What comes back to where it was does so any number of times.
    if (name_.size() > kLongestName || !on_the_way_.insert(at).second) return goes_on_;
    for (unsigned byte = 1; byte < 256; ++byte) {
      const char text = static_cast<char>(byte);
      if (text == '/') continue;
      const State next = states_.After(at, {&text, 1}, actions_);
      if (IsUsual(next)) continue;
      name_ += text;
      const bool differs = (states_.Permitted(next) & actions_) != names_.usual ||
                           !IsUsualBelow(states_.After(next, "/", actions_));
      if (differs && name_ != "." && name_ != "..") names_.others.push_back(name_);
      if (names_.others.size() > most_ || !ListFrom(next)) return false;
      name_.pop_back();
    }
    on_the_way_.erase(at);
    return true;
  }
};

std::optional<PathStates::Names> PathStates::NamesIn(const State& state, size_t most,
                                                     FileActions actions) const {
  return NameLister(*this, most, actions, /*goes_on=*/false).List(state);
}

std::optional<PathStates::Names> PathStates::NamesApart(const State& state, size_t most) const {
  return NameLister(*this, most, kEveryAction, /*goes_on=*/true).List(state);
}

std::vector<std::string> PathStates::ReasonsBelow(const State& state, NameAction action,
                                                  size_t most) const {
  const auto index = static_cast<size_t>(action);
  const NameRules* rules = actions_.at(index).rules;
  if (rules == nullptr) return {};
  const std::array<bool, 256> in_use = SymbolsInUse(rules->automaton, /*with_slash=*/true);
  std::vector<std::string> denying;
  std::vector<std::string> permitting;
  std::vector<bool> seen(rules->automaton.state_count());
  std::vector<uint32_t> queue = {state.at(index)};
  seen[queue[0]] = true;
  // Grows as it is read.
  size_t next = 0;
  while (next < queue.size() && denying.size() < most) {
    const uint32_t at = queue[next++];
    const size_t leaf = size_t{rules->automaton.ClassAt(at)} * rules->flag_count;
    if (leaf < rules->leaves.size()) {
      std::vector<std::string>& reasons = actions_.at(index).permits[at] ? permitting : denying;
      std::string text = ReasonText(rules_->reasons[rules->leaves[leaf].reason]);
      const bool is_known = std::ranges::find(reasons, text) != reasons.end();
      if (!is_known && reasons.size() < most) reasons.push_back(std::move(text));
    }
    ForEachNext(rules->automaton, at, in_use, [&](uint32_t to) {
      if (!seen[to]) queue.push_back(to);
      seen[to] = true;
    });
  }
  return denying.empty() ? permitting : denying;
}

}  // namespace palyra::policy
