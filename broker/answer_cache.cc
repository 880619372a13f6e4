#include "broker/answer_cache.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "broker/special_address.h"

namespace palyra::broker {
namespace {

// Of a node of a list and of a set, and what the allocator adds.
constexpr size_t kEntryOverhead = 256;

}  // namespace

size_t QuestionHash::operator()(const Question& question) const {
  return std::hash<std::string_view>()(question.name) * 31 + std::to_underlying(question.type);
}

KnownAnswer::KnownAnswer(const Question& question, Answer from, TimePoint until)
    : answer(std::move(from)),
      records(question, answer),
      has_special(std::ranges::any_of(answer.addresses, IsSpecial)),
      expires(until) {}

std::chrono::seconds KnownAnswer::Remaining(TimePoint now) const {
  return std::max(std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(expires - now));
}

size_t KnownAnswer::Bytes() const {
  size_t bytes = sizeof(KnownAnswer) + records.size();
  bytes += answer.addresses.size() * sizeof(Address);
  for (const std::string& name : answer.chain) bytes += sizeof(std::string) + name.size();
  for (const ServerRecord& one : answer.servers) bytes += sizeof(one) + one.target.size();
  for (const ServiceRecord& one : answer.services) {
    bytes += sizeof(one) + one.target.size() + one.params.size();
  }
  return bytes;
}

const KnownAnswer* AnswerCache::Find(const Question& question, TimePoint now) {
  const auto found = index_.find(question);
  if (found == index_.end()) return nullptr;
  const auto position = *found;
  if (position->known.expires <= now) {
    Erase(position);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, position);
  return &position->known;
}

void AnswerCache::Put(const Question& question, KnownAnswer answer) {
  if (const auto found = index_.find(question); found != index_.end()) Erase(*found);
  entries_.push_front({question, std::move(answer)});
  index_.insert(entries_.begin());
  bytes_ += kEntryOverhead + question.name.size() + entries_.front().known.Bytes();
  while (entries_.size() > max_entries_ || bytes_ > max_bytes_) {
    Erase(std::prev(entries_.end()));
  }
}

void AnswerCache::Erase(Position position) {
  bytes_ -= kEntryOverhead + position->question.name.size() + position->known.Bytes();
  index_.erase(index_.find(position->question));
  entries_.erase(position);
}

}  // namespace palyra::broker
