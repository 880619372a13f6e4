// What names led to before a run began: all the DNS that the run has.

#ifndef PALYRA_BROKER_PINNED_ANSWERS_H_
#define PALYRA_BROKER_PINNED_ANSWERS_H_

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/answer_gate.h"
#include "broker/dns_message.h"
#include "broker/dns_reply.h"
#include "broker/name_authority.h"

namespace palyra::broker {

class PinnedAnswers {
 public:
  // Canonical names, each once.
  explicit PinnedAnswers(std::vector<std::string> names) : names_(std::move(names)) {}

  // Both addresses of each name are asked for; nothing once all have been.
  std::optional<Question> Next();

  // What came of such a question: what passed of the answer, or nothing where no server answered.
  // Gives what came of its name when both questions have been answered.
  struct Result {
    Rcode rcode;
    bool has_addresses;  // Before some were withheld.
    AnswerGate::Passed passed;
  };
  std::optional<NameOutcome> Take(const Question& question, const std::optional<Result>& result);

  // Nothing is asked any more, and nothing is waited for.
  [[nodiscard]] bool is_complete() const { return settled_ == names_.size(); }

  struct Pinned {
    ReplyRecords records;
    std::optional<ExtendedError> error = std::nullopt;
  };
  // Null where the name was not pinned. Without records for other types than A and AAAA.
  [[nodiscard]] const Pinned* Find(const Question& question) const;

 private:
  struct Entry {
    Pinned v4;
    Pinned v6;
    int answers = 0;
    NameOutcome outcome = NameOutcome::kNotFound;  // The best so far.
  };

  std::vector<std::string> names_;
  size_t asked_ = 0;  // Questions, two for each name.
  size_t settled_ = 0;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_PINNED_ANSWERS_H_
