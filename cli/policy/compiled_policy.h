// The policies that a verb is about, loaded and compiled as a run would.

#ifndef PALYRA_CLI_POLICY_COMPILED_POLICY_H_
#define PALYRA_CLI_POLICY_COMPILED_POLICY_H_

#include <CLI/App.hpp>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/policy_sources.h"
#include "cli/run_input.h"
#include "policy/compile/compiler.h"
#include "policy/source.h"

namespace palyra::cli {

struct PolicyRunOptions {
  std::vector<std::string> paths;  // Files or directories: the caller's layer.
  std::optional<std::string> entities;
  std::optional<std::string> schema;
  std::string agent = "unknown";
  std::string tool = "unknown";
  std::string tier = "guard";
  std::optional<std::string> workspace;  // Else the working directory.
  std::optional<std::string> home;       // Else that of the calling user.
  std::optional<std::string> now;        // Cedar datetime; else the clock.
  bool defaults = false;                 // With what is built in about files and programs.
  // As palyra-run compiles them: nothing is accepted that it does not enforce, and without what is
  // held outside of the kernel's tables. Else everything that Palyra decides.
  bool as_in_kernel = false;
};

// Adds the options, but not the paths.
void AddPolicyRunOptions(CLI::App& verb, PolicyRunOptions& options);

// Why there is nothing to work with: one sentence, or diagnostics.
struct PolicyRefusal {
  std::string message;
  std::vector<policy::Diagnostic> diagnostics;
};

// Not movable: the input points into the layers.
class CompiledPolicy {
 public:
  using Ptr = std::unique_ptr<const CompiledPolicy>;
  // All layers.
  static std::expected<Ptr, PolicyRefusal> Load(const PolicyRunOptions& options);

  CompiledPolicy(const CompiledPolicy&) = delete;
  CompiledPolicy& operator=(const CompiledPolicy&) = delete;
  ~CompiledPolicy() = default;

  [[nodiscard]] const policy::CompileInput& input() const { return *input_; }
  // What it is compiled for.
  [[nodiscard]] const RunFacts& facts() const { return facts_; }
  [[nodiscard]] const policy::CompileOutput& output() const { return output_; }
  [[nodiscard]] const policy::RuleSet& rules() const { return output_.rules; }
  // Of the validator and of the compiler.
  [[nodiscard]] const std::vector<policy::Diagnostic>& warnings() const { return warnings_; }
  [[nodiscard]] size_t policy_count() const;
  // Whether policies speak of files, programs or processes, and the rules, as in the kernel, say
  // nothing of them.
  [[nodiscard]] bool has_file_rules() const { return has_file_rules_; }

 private:
  CompiledPolicy() = default;

  std::vector<LayerPolicies> layers_;
  RunFacts facts_;
  std::optional<policy::CompileInput> input_;
  policy::CompileOutput output_;
  bool has_file_rules_ = false;
  std::vector<policy::Diagnostic> warnings_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_POLICY_COMPILED_POLICY_H_
