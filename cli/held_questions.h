// What palyra-run does with calls that wait for an answer: says so, with the command that allows
// it, and keeps a record for "palyra held".

#ifndef PALYRA_CLI_HELD_QUESTIONS_H_
#define PALYRA_CLI_HELD_QUESTIONS_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "cli/run_record.h"
#include "engine/held_calls.h"
#include "engine/held_records.h"
#include "engine/run.h"
#include "policy/rule_set.h"

namespace palyra::cli {

class HeldQuestions {
 public:
  // `record` names policies and hosts. Borrows it.
  HeldQuestions(std::string runtime_directory, RunRecord& record)
      : runtime_directory_(std::move(runtime_directory)), record_(record) {}

  // For RunRequest: calls wait for so long. Borrows this.
  [[nodiscard]] engine::HoldRequest Request(std::chrono::milliseconds limit);

  // Before the first.
  void OnBegin(const engine::RunName& run) { run_id_ = run.id; }

 private:
  void OnHeld(const engine::HeldCall& call, const policy::RuleSet* rules, size_t source);
  [[nodiscard]] engine::HeldAnswer AnswerTo(const engine::HeldCall& call) const;
  void OnEnd(const engine::HeldCall& call, engine::HeldEnd end) const;

  std::string runtime_directory_;
  RunRecord& record_;
  std::string run_id_;
  std::optional<engine::HeldRecords> records_;  // Once something is held.
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_HELD_QUESTIONS_H_
