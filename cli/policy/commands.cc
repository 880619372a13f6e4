#include "cli/policy/commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "cli/console.h"
#include "cli/event_text.h"
#include "cli/policy/compiled_policy.h"
#include "cli/policy/live_verbs.h"
#include "cli/policy/policy_json.h"
#include "cli/policy/store_verbs.h"
#include "cli/start_text.h"
#include "engine/file_judge.h"
#include "engine/file_programs.h"
#include "engine/file_tree.h"
#include "engine/policy_store.h"
#include "engine/rule_judge.h"
#include "policy/compile/explain.h"
#include "policy/compile/rule_diff.h"
#include "policy/compile/spoken_names.h"
#include "policy/compile/verify.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra policy";
constexpr int kStatusGood = 0;
constexpr int kStatusBad = 1;
constexpr int kStatusCannot = 2;

void Print(const std::string& text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

int Report(const PolicyRefusal& refusal) {
  if (refusal.diagnostics.empty()) {
    Say(kProgram, refusal.message);
    return kStatusCannot;
  }
  SayBlock(policy::Render(refusal.diagnostics));
  if (!refusal.message.empty()) Say(kProgram, refusal.message);
  return kStatusBad;
}

void Warn(const CompiledPolicy& compiled) {
  if (!compiled.warnings().empty()) SayBlock(policy::Render(compiled.warnings()));
}

std::string Summary(const CompiledPolicy& compiled) {
  const policy::RuleSet& rules = compiled.rules();
  size_t states = 0;
  size_t leaves = 0;
  for (const policy::NameRules& names : rules.names) {
    states += names.automaton.state_count();
    leaves += names.leaves.size();
  }
  const std::string domains = rules.domains ? fmt::format("; domains in {} states with {} tables",
                                                          rules.domains->automaton.state_count(),
                                                          rules.domains->tables.size())
                                            : "";
  return fmt::format(
      "{} policies: {} prefixes in {} classes{}; names in {} states with {} leaves; {} reasons\n",
      compiled.policy_count(), rules.prefixes.size(), rules.classes.size(), domains, states, leaves,
      rules.reasons.size());
}

// Why a run under these policies would be refused where Landlock holds files, with the file system
// as it is; nothing where it would not.
std::optional<Error> ObstacleToLandlock(const CompiledPolicy& compiled) {
  policy::RuleSet rules = compiled.rules();
  policy::KeepNames(rules, policy::JudgedNames(compiled.input().layers));
  engine::Features features;
  const auto view =
      engine::LowerForLandlock(policy::TakeFileRules(rules), features, engine::RealFileTree(), {});
  return view ? std::nullopt : std::optional(view.error());
}

// The same by what is named: lsm, landlock, or here for what this machine has; empty: not asked.
std::optional<Error> Obstacle(const CompiledPolicy& compiled, const std::string& judge) {
  if (judge.empty()) return std::nullopt;
  if (judge == "lsm") return std::nullopt;
  engine::Features features;
  const engine::Host host;
  const bool by_lsm =
      judge == "here" && engine::FileJudgeOf(host, features) == engine::FileJudge::kLsm;
  if (!by_lsm) return ObstacleToLandlock(compiled);
  if (engine::CanJudgeDigests(host, features)) return std::nullopt;
  const Result<void> checked = engine::RefuseDigests(compiled.rules());
  return checked ? std::nullopt : std::optional(checked.error());
}

int Check(const PolicyRunOptions& options, bool json, const std::string& judge) {
  const auto compiled = CompiledPolicy::Load(options);
  const std::optional<Error> obstacle =
      compiled ? Obstacle(**compiled, judge) : std::optional<Error>();
  if (json) {
    Print(compiled
              ? CheckJson((*compiled)->warnings(), !obstacle, obstacle ? obstacle->message : "")
              : CheckJson(compiled.error().diagnostics, false, compiled.error().message));
    if (compiled) return obstacle ? kStatusBad : kStatusGood;
    return compiled.error().diagnostics.empty() ? kStatusCannot : kStatusBad;
  }
  if (!compiled) return Report(compiled.error());
  Warn(**compiled);
  if (obstacle) {
    Say(kProgram, obstacle->message);
    return kStatusBad;
  }
  Print("good: " + Summary(**compiled));
  return kStatusGood;
}

int Compile(const PolicyRunOptions& options, const std::string& output) {
  const auto compiled = CompiledPolicy::Load(options);
  if (!compiled) return Report(compiled.error());
  Warn(**compiled);
  const std::string text = policy::DumpText((*compiled)->rules());
  if (output.empty()) {
    Print(text);
    return kStatusGood;
  }
  std::ofstream file(output);
  file << text;
  file.close();
  if (file.good()) return kStatusGood;
  Say(kProgram, fmt::format("cannot write \"{}\"", output));
  return kStatusCannot;
}

// By whom the tables are asked, and what else there is to say.
struct Comparison {
  policy::Verification result;
  std::string by = "the tables";
  uint64_t walks = 0;
};

Comparison CompareInUserSpace(const CompiledPolicy& compiled) {
  return {.result = policy::VerifyRules(compiled.input(), compiled.output().partitions,
                                        compiled.rules())};
}

// Every answer is the kernel's.
Result<Comparison> CompareInKernel(const CompiledPolicy& compiled) {
  Result<engine::RuleJudge> judge = engine::RuleJudge::Create(compiled.rules());
  if (!judge) return std::unexpected(judge.error());
  std::optional<Error> failure;
  const auto ask = [&](const auto& event) {
    Result<policy::Ruling> ruling = judge->Decide(event);
    if (ruling) return *ruling;
    failure = ruling.error();
    return policy::Ruling{.verdict = policy::Verdict::kDeny, .reason = UINT32_MAX};
  };
  Comparison comparison{.result = {}, .by = "the kernel's programs"};
  comparison.result = policy::VerifyRules(compiled.input(), compiled.output().partitions,
                                          compiled.rules(), {.net = ask, .name = ask});
  if (failure) return std::unexpected(*std::move(failure));
  Result<std::vector<std::string>> walked = judge->WalkEveryTransition(20, comparison.walks);
  if (!walked) return std::unexpected(walked.error());
  comparison.result.differences += walked->size();
  std::ranges::move(*walked, std::back_inserter(comparison.result.examples));
  return comparison;
}

int Verify(const PolicyRunOptions& options, bool in_kernel) {
  const auto compiled = CompiledPolicy::Load(options);
  if (!compiled) return Report(compiled.error());
  Result<Comparison> compared =
      in_kernel ? CompareInKernel(**compiled) : CompareInUserSpace(**compiled);
  if (!compared) {
    Say(kProgram, compared.error().message);
    return kStatusCannot;
  }
  const policy::Verification& result = compared->result;
  for (const std::string& example : result.examples) Say(kProgram, example);
  for (const std::string& action : result.not_compared) {
    Say(kProgram, fmt::format("{} has too many classes of names to be compared", action));
  }
  std::string walks;
  if (in_kernel) walks = fmt::format(", {} transitions", compared->walks);
  Print(fmt::format("compared {} cells of the network and {} of names{}: {}\n", result.net_cells,
                    result.name_cells, walks,
                    result.passed() ? compared->by + " say what the policies say"
                                    : fmt::format("{} differ", result.differences)));
  return result.passed() ? kStatusGood : kStatusBad;
}

int ExplainStart(PolicyRunOptions options, const std::vector<std::string>& words) {
  const Result<WrittenStart> start = ParseStart(words);
  if (!start) {
    Say(kProgram, start.error().message);
    return kStatusCannot;
  }
  options.tool = start->tool;
  const auto compiled = CompiledPolicy::Load(options);
  if (!compiled) return Report(compiled.error());
  Print(policy::ToText(policy::Explain((*compiled)->input().layers,
                                       ExecutionRequestOf((*compiled)->facts(), start->facts))));
  return kStatusGood;
}

int Explain(const PolicyRunOptions& options, const std::vector<std::string>& words) {
  if (!words.empty() && words[0] == policy::ExecuteAction().id()) {
    return ExplainStart(options, words);
  }
  Result<Event> event = ParseEvent(words);
  if (!event) {
    Say(kProgram, event.error().message);
    return kStatusCannot;
  }
  const auto compiled = CompiledPolicy::Load(options);
  if (!compiled) return Report(compiled.error());
  Print(policy::ToText(std::visit(
      [&](const auto& asked) {
        return policy::Explain((*compiled)->input(), (*compiled)->rules(), asked);
      },
      *event)));
  return kStatusGood;
}

int Dump(PolicyRunOptions options, const std::string& run) {
  options.as_in_kernel = true;
  CompiledPolicy::Ptr compiled;
  if (!options.paths.empty()) {
    auto loaded = CompiledPolicy::Load(options);
    if (!loaded) return Report(loaded.error());
    compiled = *std::move(loaded);
  }
  const Result<LiveDump> dump = DumpLive(run, compiled.get());
  if (!dump) {
    Say(kProgram, dump.error().message);
    return kStatusCannot;
  }
  Print(dump->text);
  return dump->all_equal ? kStatusGood : kStatusBad;
}

int Apply(PolicyRunOptions options, const std::string& run) {
  options.as_in_kernel = true;
  // From reading the operator's policies until they are in force nobody loads others.
  const Result<UniqueFd> lock = engine::PolicyStore().Take(engine::PolicyStore::Lock::kShared);
  if (!lock && lock.error().code != ErrorCode::kNotFound) {
    Say(kProgram, lock.error().message);
    return kStatusCannot;
  }
  const auto compiled = CompiledPolicy::Load(options);
  if (!compiled) return Report(compiled.error());
  Warn(**compiled);
  const Result<std::string> said = ApplyToRun(run, **compiled);
  if (!said) {
    Say(kProgram, said.error().message);
    return kStatusCannot;
  }
  Print(*said);
  if ((*compiled)->has_file_rules()) {
    Print("what the policies say of files and programs holds from the next run on\n");
  }
  return kStatusGood;
}

int Diff(PolicyRunOptions options, const std::string& before, const std::string& after) {
  options.paths = {before};
  const auto old = CompiledPolicy::Load(options);
  if (!old) return Report(old.error());
  options.paths = {after};
  const auto next = CompiledPolicy::Load(options);
  if (!next) return Report(next.error());
  const std::vector<policy::RuleChange> changes =
      policy::DiffRules((*old)->rules(), (*next)->rules());
  for (const policy::RuleChange& change : changes) {
    std::string places;
    for (const std::string& place : change.places) places += fmt::format("\n    {}", place);
    for (const std::string& name : change.names) places += fmt::format("\n    as {}", name);
    Print(fmt::format("{} -> {}: {}{}{}{}\n", policy::VerdictName(change.before),
                      policy::VerdictName(change.after), change.events, places,
                      change.exceptions ? "\n    but not all that match" : "",
                      change.more ? "\n    and others like these" : ""));
  }
  if (changes.empty()) Print("no event is decided differently\n");
  return changes.empty() ? kStatusGood : kStatusBad;
}

int Finish(const std::expected<std::string, PolicyRefusal>& said) {
  if (!said) return Report(said.error());
  Print(*said);
  return kStatusGood;
}

int History() {
  const Result<std::string> text = OperatorPolicyHistory();
  if (text) return Finish(*text);
  Say(kProgram, text.error().message);
  return kStatusCannot;
}

// What the options of the verbs are written to; lives as long as the callbacks.
struct Arguments {
  PolicyRunOptions options;
  std::vector<std::string> policies;
  std::vector<std::string> words;
  std::string before;
  std::string after;
  std::string output;
  std::string run;
  std::optional<uint64_t> version;
  bool live = false;
  bool json = false;
  std::string judge;
  bool kernel = false;
};

CLI::App* AddVerb(CLI::App& policy, const char* name, const char* purpose,
                  const std::shared_ptr<Arguments>& arguments) {
  CLI::App* verb = policy.add_subcommand(name, purpose);
  AddPolicyRunOptions(*verb, arguments->options);
  return verb;
}

void AddPaths(CLI::App& verb, const std::shared_ptr<Arguments>& arguments) {
  verb.add_option("PATH", arguments->options.paths,
                  "policy files or directories: the caller's layer")
      ->required();
}

// The verbs of the operator's own policies.
void AddStoreVerbs(CLI::App& policy, const std::shared_ptr<Arguments>& arguments, int& status) {
  CLI::App* load = policy.add_subcommand("load", "put the operator's policies in force");
  load->add_option("PATH", arguments->policies, "files or directories; else /etc/palyra/policy.d");
  load->callback([=, &status] { status = Finish(LoadOperatorPolicies(arguments->policies)); });
  CLI::App* rollback =
      policy.add_subcommand("rollback", "put the operator's version before in force again");
  rollback->add_option("--to", arguments->version, "this version, of those in the history");
  rollback->callback(
      [=, &status] { status = Finish(RollBackOperatorPolicies(arguments->version)); });
  CLI::App* history = policy.add_subcommand("history", "list the operator's versions");
  history->callback([&status] { status = History(); });
}

}  // namespace

void AddPolicyCommands(CLI::App& app, int& status) {
  CLI::App* policy =
      app.add_subcommand("policy", "check, compile, verify, explain and compare policies");
  policy->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();

  CLI::App* check =
      AddVerb(*policy, "check", "parse, validate and lower, and say what is wrong", arguments);
  AddPaths(*check, arguments);
  check->add_flag("--json", arguments->json, "one JSON object");
  check
      ->add_option(
          "--for", arguments->judge,
          "refuse what cannot be held of files and programs by lsm or landlock; here: by what this "
          "machine has")
      ->check(CLI::IsMember({"here", "lsm", "landlock"}));
  check->callback(
      [=, &status] { status = Check(arguments->options, arguments->json, arguments->judge); });

  CLI::App* compile = AddVerb(*policy, "compile", "print the tables", arguments);
  AddPaths(*compile, arguments);
  compile->add_option("-o,--output", arguments->output, "write them to a file instead");
  compile->callback([=, &status] { status = Compile(arguments->options, arguments->output); });

  CLI::App* verify = AddVerb(*policy, "verify",
                             "compare policies and tables on one event of every cell", arguments);
  AddPaths(*verify, arguments);
  verify->add_flag("--kernel", arguments->kernel,
                   "ask the kernel's programs; needs root, and leaves nothing behind");
  verify->callback([=, &status] { status = Verify(arguments->options, arguments->kernel); });

  CLI::App* explain =
      AddVerb(*policy, "explain", "why an event is allowed, asked or denied", arguments);
  explain->add_option("--policy", arguments->options.paths, "policy files or directories")
      ->allow_extra_args(false);
  explain
      ->add_option("EVENT", arguments->words,
                   "as net.connect tcp 192.0.2.1:443, file.read /etc, "
                   "tool.execute git egress=none")
      ->required();
  explain->callback([=, &status] { status = Explain(arguments->options, arguments->words); });

  CLI::App* dump =
      AddVerb(*policy, "dump", "print the tables of live runs, and compare them", arguments);
  dump->add_flag("--live", arguments->live, "those in the kernel")->required();
  dump->add_option("--run", arguments->run, "of this run; else of all");
  dump->add_option("PATH", arguments->options.paths,
                   "policies that they should be the tables of, compiled as palyra-run does");
  dump->callback([=, &status] { status = Dump(arguments->options, arguments->run); });

  CLI::App* apply =
      AddVerb(*policy, "apply", "put policies in force for a live run, at once", arguments);
  apply->add_option("--run", arguments->run, "id of the run")->required();
  AddPaths(*apply, arguments);
  apply->callback([=, &status] { status = Apply(arguments->options, arguments->run); });

  AddStoreVerbs(*policy, arguments, status);
  CLI::App* diff = AddVerb(*policy, "diff", "what another policy would change", arguments);
  diff->add_option("OLD", arguments->before, "policy file or directory")->required();
  diff->add_option("NEW", arguments->after, "policy file or directory")->required();
  diff->callback(
      [=, &status] { status = Diff(arguments->options, arguments->before, arguments->after); });
}

}  // namespace palyra::cli
