// Answers that are still true.

#ifndef PALYRA_BROKER_ANSWER_CACHE_H_
#define PALYRA_BROKER_ANSWER_CACHE_H_

#include <cstddef>
#include <list>
#include <unordered_set>

#include "broker/dns_message.h"
#include "broker/dns_reply.h"
#include "broker/resolver_options.h"

namespace palyra::broker {

struct QuestionHash {
  size_t operator()(const Question& question) const;
};

// An answer and all that is worth to be known of it beforehand.
struct KnownAnswer {
  KnownAnswer(const Question& question, Answer from, TimePoint until);

  Answer answer;
  ReplyRecords records;  // Of the whole answer.
  bool has_special;      // Of its addresses, at least one.
  TimePoint expires;

  // What is left at `now`, in whole seconds, rounded up; 0 if nothing is.
  [[nodiscard]] std::chrono::seconds Remaining(TimePoint now) const;

  // About what it takes in memory.
  [[nodiscard]] size_t Bytes() const;
};

// The most recently used answers, bounded in number and in bytes. Not thread-safe.
class AnswerCache {
 public:
  AnswerCache(size_t max_entries, size_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}

  // Null if there is none, or none that is still true. Valid until the next call.
  const KnownAnswer* Find(const Question& question, TimePoint now);

  // In place of what is there.
  void Put(const Question& question, KnownAnswer answer);

  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Question question;
    KnownAnswer known;
  };
  using Position = std::list<Entry>::iterator;

  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name.
    size_t operator()(const Question& key) const { return QuestionHash()(key); }
    size_t operator()(const Position& key) const { return QuestionHash()(key->question); }
  };
  struct Equal {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the library's name.
    bool operator()(const Position& left, const Position& right) const {
      return left->question == right->question;
    }
    bool operator()(const Question& left, const Position& right) const {
      return left == right->question;
    }
    bool operator()(const Position& left, const Question& right) const {
      return left->question == right;
    }
  };

  void Erase(Position position);

  size_t max_entries_;
  size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // The most recently used first.
  std::unordered_set<Position, Hash, Equal> index_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_ANSWER_CACHE_H_
