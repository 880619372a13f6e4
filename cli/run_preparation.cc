#include "cli/run_preparation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "cli/caller.h"
#include "cli/console.h"
#include "cli/real_path.h"
#include "engine/clock.h"
#include "engine/environment.h"
#include "engine/file_programs.h"
#include "engine/held_calls.h"
#include "engine/unix_places.h"
#include "policy/datetime.h"

namespace palyra::cli {
namespace {

constexpr const char* kRuleCache = "/run/palyra/rules";

Result<engine::ToolUser> ToolUserFor(const RunOptions& options, const std::string& workspace) {
  const char* sudo_uid = std::getenv("SUDO_UID");
  return engine::ResolveToolUser(
      {.option = options.user,
       .sudo_uid = sudo_uid == nullptr ? std::nullopt : std::optional<std::string>(sudo_uid),
       .working_directory = workspace});
}

// Where the run is, and as whom.
Result<void> PreparePlace(const RunOptions& options, Prepared& prepared) {
  Result<std::string> start = RealDirectory(options.chdir.value_or("."));
  if (!start) {
    return Fail(
        start.error().code,
        fmt::format("{}: {}", options.chdir ? "--chdir" : "cannot tell the working directory",
                    start.error().message));
  }
  prepared.start = *std::move(start);
  prepared.facts = {.agent = options.agent, .workspace = prepared.start};
  if (options.workspace) {
    Result<std::string> workspace = RealDirectory(*options.workspace);
    if (!workspace) {
      return Fail(workspace.error().code,
                  fmt::format("--workspace: {}", workspace.error().message));
    }
    prepared.facts.workspace = *std::move(workspace);
  }
  Result<engine::ToolUser> user = ToolUserFor(options, prepared.start);
  if (!user) return std::unexpected(user.error());
  prepared.user = *std::move(user);
  prepared.places = PlacesOf(prepared.facts.workspace, prepared.user.home);
  return {};
}

// What runs, and what its entry in the registry adds to the command line.
Result<void> PrepareTool(RunOptions& options, Prepared& prepared) {
  const Result<engine::ToolRegistry> registry = engine::ToolRegistry::Load();
  if (!registry) return std::unexpected(registry.error());
  const std::vector<std::string> caller = CallerEnvironment();
  Result<RunTool> tool = FindTool(*registry, options, prepared.user, prepared.start, caller);
  if (!tool) return std::unexpected(tool.error());
  prepared.tool = *std::move(tool);
  prepared.budgets = BudgetsOf(*registry, prepared.tool.metadata);
  prepared.facts.tool = prepared.tool.metadata.name;
  prepared.facts.traits = TraitsOf(prepared.tool.metadata);
  Result<void> applied = ApplyToolDefaults(prepared.tool.metadata, caller, options);
  prepared.facts.tier = engine::TierName(options.tier);
  if (!applied || prepared.receipt == nullptr) return applied;
  return prepared.receipt->AddSubject(prepared.facts, prepared.tool, prepared.user, prepared.start);
}

// Where only root can have put something.
std::optional<RuleCache> CacheOfRoot() {
  return geteuid() == 0 ? std::optional<RuleCache>(kRuleCache) : std::nullopt;
}

// At this moment.
Result<RunRules> MakeRulesNow(const RunOptions& options, const Prepared& prepared,
                              std::vector<LayerSources> sources) {
  RunFacts facts = prepared.facts;
  facts.now = policy::Datetime(engine::NowWallMs());
  const std::optional<RuleCache> cache = CacheOfRoot();
  return MakeRules(options, facts, prepared.places, std::move(sources), cache ? &*cache : nullptr);
}

// The layers with the operator's as they are now; the caller's files may be the tool's by now.
Result<std::vector<LayerSources>> FollowOperator(const RunOptions& options,
                                                 const std::vector<LayerSources>& before) {
  // The operator has decided that it may begin, and nothing else.
  if (options.tier == engine::Tier::kWatch) return before;
  Result<std::optional<LayerSources>> now = ReadOperatorLayer();
  if (!now) return std::unexpected(now.error());
  std::vector<LayerSources> layers;
  bool had_one = false;
  for (const LayerSources& layer : before) {
    if (layer.layer == policy::Layer::kCaller && *now) layers.push_back(**now);
    had_one = had_one || layer.layer == policy::Layer::kOperator;
    if (layer.layer != policy::Layer::kOperator) layers.push_back(layer);
  }
  if (!had_one || *now) return layers;
  return Fail(ErrorCode::kNotFound, "the operator's policies are gone; load them again");
}

}  // namespace

Result<void> RequireRoot() {
  if (geteuid() == 0) return {};
  return Fail(ErrorCode::kPermissionDenied,
              "root is needed to load BPF programs; start it with sudo (the tool itself then runs "
              "as you)");
}

std::vector<std::string> CallerEnvironment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

Result<Prepared> PrepareInput(RunOptions& options, RunReceipt* receipt) {
  Prepared prepared;
  prepared.receipt = receipt;
  if (geteuid() == 0) {
    // First, so that no change is missed.
    Result<engine::PolicyWatch> watch = engine::PolicyWatch::Start(engine::PolicyStore());
    // Where nothing can be stored, nothing changes.
    const bool cannot_change = !watch && watch.error().system_errno == EROFS;
    if (!watch && !cannot_change) return std::unexpected(watch.error());
    if (watch) prepared.watch.emplace(*std::move(watch));
  }
  if (Result<void> placed = PreparePlace(options, prepared); !placed) {
    return std::unexpected(placed.error());
  }
  if (Result<void> known = PrepareTool(options, prepared); !known) {
    return std::unexpected(known.error());
  }
  const Result<policy::FileParts> files =
      options.defaults ? DefaultsHere(options.unheld) : policy::FileParts::kNone;
  if (!files) return std::unexpected(files.error());
  Result<std::vector<LayerSources>> sources = ReadLayers(options, *files);
  if (!sources) return std::unexpected(sources.error());
  Result<RunRules> made = MakeRulesNow(options, prepared, *sources);
  if (!made) return std::unexpected(made.error());
  if (!made->warnings.empty()) SayBlock(made->warnings);
  prepared.may_deny_start = made->may_deny_start;
  if (options.tier == engine::Tier::kWatch) {
    prepared.deciding.emplace(std::move(made->layers));
    made = MakeRulesNow(options, prepared, LayersToWatch(*std::move(sources)));
    if (!made) return std::unexpected(made.error());
  }
  prepared.layers.push_back(std::move(made->layers));
  prepared.rules = std::move(made->rules);
  if (options.hold) {
    if (Result<void> held = engine::RefuseHeldPrograms(made->files); !held) {
      return std::unexpected(held.error());
    }
  }
  prepared.files.emplace(std::move(made->files), options.marks_stale);
  prepared.pins = std::move(made->pins);
  if (Result<void> root = RequireRoot(); !root) return std::unexpected(root.error());
  if (options.audit) {
    Result<AuditLog> audit = AuditLog::Open(*options.audit);
    if (!audit) return std::unexpected(audit.error());
    prepared.audit.emplace(*std::move(audit));
  }
  return prepared;
}

Result<engine::SourcedRules> RenewRules(const RunOptions& options, Prepared& prepared,
                                        size_t in_force) {
  Result<std::vector<LayerSources>> sources =
      FollowOperator(options, prepared.layers.back().sources());
  Result<RunRules> made = sources ? MakeRulesNow(options, prepared, *std::move(sources))
                                  : Result<RunRules>(std::unexpected(sources.error()));
  if (!made) {
    prepared.files->OnNoRules();
    return std::unexpected(made.error());
  }
  prepared.files->OnRules(made->files);
  // What was compiled and then not put in force decides nothing.
  prepared.layers.erase(prepared.layers.begin() + static_cast<ptrdiff_t>(in_force) + 1,
                        prepared.layers.end());
  prepared.layers.push_back(std::move(made->layers));
  return engine::SourcedRules{.rules = std::move(made->rules),
                              .source = prepared.layers.size() - 1};
}

Result<std::optional<engine::CellView>> ShowInCell(const RunOptions& options,
                                                   const Prepared& prepared) {
  if (!engine::IsCell(options.tier)) return std::nullopt;
  engine::CellFacts facts = {.workspace = prepared.facts.workspace, .start = prepared.start};
  Result<std::vector<std::string>> named = PermittedPaths(options);
  if (!named) return std::unexpected(named.error());
  facts.named = *std::move(named);
  const engine::UnixPermits sockets = engine::UnixPermitsOf(prepared.rules);
  facts.sockets = sockets.paths;
  facts.any_socket = sockets.every_path || !sockets.is_listable;
  Result<engine::CellView> view = prepared.files->Show(prepared.rules, facts);
  if (!view) return std::unexpected(view.error());
  return *std::move(view);
}

engine::KnownPath ExecutableOf(const Prepared& prepared) {
  const RunTool& tool = prepared.tool;
  if (!tool.executable || !tool.path) return {};
  return {.path = *tool.path, .device = tool.executable->device, .inode = tool.executable->inode};
}

StartFacts StartOf(const RunOptions& options, const Prepared& prepared) {
  const std::optional<engine::Executable>& executable = prepared.tool.executable;
  return StartFactsOf(options, prepared.user,
                      executable ? std::optional(executable->real_path) : std::nullopt);
}

Result<void> RequireExecution(const RunOptions& options, Prepared& prepared) {
  if (!prepared.may_deny_start) return {};
  const NamedLayers& deciding = prepared.deciding ? *prepared.deciding : prepared.layers.back();
  const std::vector<LayerPolicies>& layers = deciding.Get();
  if (layers.size() != deciding.sources().size()) {
    return Fail(ErrorCode::kInternal, "the policies cannot be read again");
  }
  const std::optional<ExecutionRefusal> refusal =
      RefusalOfExecution(layers, ExecutionRequestOf(prepared.facts, StartOf(options, prepared)));
  if (!refusal) return {};
  if (prepared.audit) {
    prepared.audit->WriteRefusal(prepared.facts, *refusal, options.unheld.names);
  }
  return Fail(ErrorCode::kRefused, refusal->text);
}

Result<void> GoToStart(const RunOptions& options, const Prepared& prepared) {
  if (!options.chdir) return {};
  if (Result<void> gone = ChangeDirectory(prepared.start); !gone) {
    return Fail(gone.error().code, fmt::format("--chdir: {}", gone.error().message));
  }
  setenv("PWD", prepared.start.c_str(), 1);
  return {};
}

}  // namespace palyra::cli
