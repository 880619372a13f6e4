#include "broker/pinned_answers.h"

#include <algorithm>

namespace palyra::broker {
namespace {

constexpr int kQuestionsOfName = 2;

NameOutcome OutcomeOf(const std::optional<PinnedAnswers::Result>& result) {
  if (!result) return NameOutcome::kNoAnswer;
  if (result->passed.addresses > 0) return NameOutcome::kPinned;
  if (result->has_addresses) return NameOutcome::kWithheld;
  return result->rcode == Rcode::kNameError ? NameOutcome::kNotFound : NameOutcome::kNoAddress;
}

}  // namespace

std::optional<Question> PinnedAnswers::Next() {
  if (asked_ == names_.size() * kQuestionsOfName) return std::nullopt;
  const RecordType type = asked_ % kQuestionsOfName == 0 ? RecordType::kA : RecordType::kAaaa;
  return Question{.name = names_[asked_++ / kQuestionsOfName], .type = type};
}

std::optional<NameOutcome> PinnedAnswers::Take(const Question& question,
                                               const std::optional<Result>& result) {
  Entry& entry = entries_[question.name];
  entry.outcome = std::max(entry.outcome, OutcomeOf(result));
  if (result) {
    Pinned& pinned = question.type == RecordType::kA ? entry.v4 : entry.v6;
    pinned = {.records = *result->passed.records, .error = result->passed.error};
  }
  if (++entry.answers < kQuestionsOfName) return std::nullopt;
  ++settled_;
  return entry.outcome;
}

const PinnedAnswers::Pinned* PinnedAnswers::Find(const Question& question) const {
  static const Pinned kNothing;
  const auto entry = entries_.find(question.name);
  if (entry == entries_.end() || entry->second.outcome != NameOutcome::kPinned) return nullptr;
  if (question.type == RecordType::kA) return &entry->second.v4;
  return question.type == RecordType::kAaaa ? &entry->second.v6 : &kNothing;
}

}  // namespace palyra::broker
