#include "policy/compile/condition_table.h"

#include <algorithm>
#include <utility>

#include "policy/limits.h"

namespace palyra::policy {

void ConditionTable::Add(const NameCondition& condition, uint32_t user) {
  std::vector<uint32_t>& users = users_[NumberOf(condition)];
  if (users.empty() || users.back() != user) {
    users.push_back(user);
  }
}

uint32_t ConditionTable::NumberOf(const NameCondition& condition) {
  std::vector<std::vector<std::string>> key;
  for (const Pattern& pattern : condition) {
    key.push_back(pattern.pieces);
  }
  std::ranges::sort(key);
  const auto number = static_cast<uint32_t>(users_.size());
  const auto [entry, is_new] = numbers_.try_emplace(std::move(key), number);
  if (is_new) {
    users_.emplace_back();
    patterns_.insert(patterns_.end(), condition.begin(), condition.end());
    labels_.resize(patterns_.size(), number);
  }
  return entry->second;
}

std::vector<uint32_t> ConditionTable::UsersOf(const StringClass& names) const {
  std::vector<uint32_t> users;
  for (const uint32_t condition : names.labels) {
    users.insert(users.end(), users_[condition].begin(), users_[condition].end());
  }
  std::ranges::sort(users);
  const auto repeated = std::ranges::unique(users);
  users.erase(repeated.begin(), repeated.end());
  return users;
}

ConditionTable::Held ConditionTable::HeldOn(const StringClass& names) const {
  Held held;
  for (const uint32_t condition : names.labels) {
    for (const uint32_t user : users_[condition]) {
      held[user].push_back(condition);
    }
  }
  return held;
}

std::vector<uint32_t> ConditionTable::UsersBehind(const AutomatonRefusal& refusal) const {
  std::vector<uint32_t> users;
  for (const uint32_t pattern : refusal.patterns) {
    const std::vector<uint32_t>& of_pattern = users_[labels_[pattern]];
    users.insert(users.end(), of_pattern.begin(), of_pattern.end());
  }
  return users;
}

std::string DescribeBound(AutomatonRefusal::Bound bound) {
  switch (bound) {
    case AutomatonRefusal::Bound::kStates:
      return "the names need more than " + std::to_string(kMaxAutomatonStates) + " states";
    case AutomatonRefusal::Bound::kEdges:
      return "the names need more than " + std::to_string(kMaxAutomatonEdges) + " transitions";
    case AutomatonRefusal::Bound::kClasses:
      return "the policies tell more than " + std::to_string(kMaxStringClasses) +
             " classes of names apart";
    case AutomatonRefusal::Bound::kWork:
      return "the names would take too long to compile";
  }
  std::unreachable();
}

}  // namespace palyra::policy
