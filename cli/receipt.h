// The receipt of a run (--receipt): a signed statement of what ran, under what, what it used, what
// was denied, and how it ended. docs/receipts.md says what each member means.

#ifndef PALYRA_CLI_RECEIPT_H_
#define PALYRA_CLI_RECEIPT_H_

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/sha256.h"
#include "cli/denials.h"
#include "cli/execution_check.h"
#include "cli/receipt_signer.h"
#include "cli/run_input.h"
#include "cli/run_tool.h"
#include "engine/program_tags.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/tool_user.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// Of the words, each with a zero byte after it: `printf '%s\0' git status | sha256sum`.
base::Sha256Digest DigestOfWords(const std::vector<std::string>& words);

// Names of NAME=VALUE strings, sorted.
std::vector<std::string> NamesOfVariables(const std::vector<std::string>& environment);

class RunReceipt {
 public:
  // Opens the file as OpenOutputFile() does, empty from now on, and starts the signer, which makes
  // the machine's key where there is none: what would keep a receipt from being written is known
  // before anything runs.
  static Result<RunReceipt> Open(const std::string& path, const std::vector<std::string>& command,
                                 const std::string& agent);

  RunReceipt(RunReceipt&&) noexcept;
  RunReceipt& operator=(RunReceipt&&) = delete;
  ~RunReceipt();

  // What runs, where and as whom; reads the executable for its digest.
  Result<void> AddSubject(const RunFacts& facts, const RunTool& tool, const engine::ToolUser& user,
                          const std::string& start);

  struct Start {
    const engine::RunName& run;
    const StartFacts& start;
    const std::vector<std::string>& environment;
    const policy::RuleSet& rules;
    const engine::EnforcementReport& report;
    const std::vector<engine::ProgramTag>& programs;
  };
  // The run as it begins.
  void AddStart(const Start& start);

  // It has ended, or its command could not be started.
  void AddEnd(const engine::RunOutcome& outcome, int status, const DenialSummary& denials);

  // It was refused, or palyra itself failed.
  void AddError(const Error& error, int status);

  // Signs and writes it. Once, at the end.
  Result<void> Write();

 private:
  explicit RunReceipt(ReceiptSigner signer);

  ReceiptSigner signer_;
  std::unique_ptr<nlohmann::json> payload_;  // Its keys are sorted.
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RECEIPT_H_
