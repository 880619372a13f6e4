// palyra-run: one command in a sandbox.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/file.h"
#include "cli/audit_log.h"
#include "cli/caller.h"
#include "cli/console.h"
#include "cli/denials.h"
#include "cli/dry_run.h"
#include "cli/held_questions.h"
#include "cli/policy_sources.h"
#include "cli/receipt.h"
#include "cli/report_json.h"
#include "cli/run_brokers.h"
#include "cli/run_options.h"
#include "cli/run_preparation.h"
#include "cli/run_record.h"
#include "cli/run_rules.h"
#include "cli/run_status.h"
#include "engine/clock.h"
#include "engine/environment.h"
#include "engine/file_programs.h"
#include "engine/report.h"
#include "engine/run.h"
#include "engine/sweep.h"
#include "engine/tools/call_budgets.h"
#include "engine/unix_places.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra-run";

// Rendered diagnostics are blocks of their own; everything else is one line.
int Report(const Error& error) {
  if (error.message.find('\n') != std::string::npos) {
    SayBlock(error.message + '\n');
  } else {
    Say(kProgram, error.message);
  }
  return StatusOf(error);
}

Result<void> PrintPolicy(const RunOptions& options) {
  Result<std::vector<policy::SourcePtr>> sources = CallerSources(options);
  if (!sources) return std::unexpected(sources.error());
  std::string text;
  for (const policy::SourcePtr& source : *sources) {
    text += fmt::format("// {}\n{}", source->name(), source->text());
    if (!text.ends_with('\n')) text += '\n';
  }
  return base::WriteAll(STDOUT_FILENO, text, "stdout");
}

// The kernel side, ready for a run: found, installed where missing, swept.
struct Engine {
  engine::Features features;
  engine::Host host;
  std::optional<engine::KernelObjects> objects;
};

Result<void> Prepare(Engine& engine) {
  Result<engine::Host> host = engine::PrepareHost();
  if (!host) return std::unexpected(host.error());
  engine.host = *std::move(host);
  Result<engine::KernelObjects> objects = engine::KernelObjects::Open(engine.host, engine.features);
  if (!objects) return std::unexpected(objects.error());
  engine.objects.emplace(*std::move(objects));
  Result<engine::SweepResult> swept = engine::SweepAbandonedRuns(engine.host, *engine.objects);
  if (!swept) return std::unexpected(swept.error());
  for (const std::string& failure : swept->failures) {
    Say(kProgram, fmt::format("an abandoned run could not be swept: {}", failure));
  }
  return {};
}

engine::EnforcementReport ReportOf(const RunOptions& options, const Prepared& prepared,
                                   Engine& engine, bool has_view) {
  const bool judges_files =
      has_view || FindRules(prepared.rules, policy::NameAction::kFileRead) != nullptr;
  return engine::BuildReport(engine.objects->judges(), engine.features, prepared.user, options.tier,
                             options.egress,
                             {.judged = judges_files,
                              .unheld = options.unheld.names,
                              .unlinked = prepared.files->Unlinked(prepared.rules)},
                             {.controllers = engine::FindControllers(), .asked = options.limits});
}

void WriteStart(const RunOptions& options, Prepared& prepared, Engine& engine, bool has_view,
                const engine::RunName& run) {
  prepared.audit->WriteStart({.run = run,
                              .facts = prepared.facts,
                              .user = prepared.user,
                              .command = options.command[0],
                              .egress = options.egress,
                              .rules = prepared.rules,
                              .unheld = options.unheld.names,
                              .report = ReportOf(options, prepared, engine, has_view)});
}

// Before the run, so that what cannot be found out keeps it from beginning.
Result<std::vector<engine::ProgramTag>> ProgramsFor(const Prepared& prepared,
                                                    const Engine& engine) {
  if (prepared.receipt == nullptr) return std::vector<engine::ProgramTag>();
  return engine::AttachedPrograms(engine.objects->pin_path());
}

Result<int> RunCommand(const RunOptions& options, Prepared& prepared, Engine& engine,
                       std::optional<engine::CellView> cell, std::optional<engine::FileView> view) {
  if (Result<void> gone = GoToStart(options, prepared); !gone) return std::unexpected(gone.error());
  Result<std::vector<std::string>> environment =
      engine::BuildEnvironment(CallerEnvironment(), options.environment, prepared.user);
  if (!environment) return std::unexpected(environment.error());
  const Result<std::vector<engine::ProgramTag>> programs = ProgramsFor(prepared, engine);
  if (!programs) return std::unexpected(programs.error());

  RunRecord record(prepared.rules, prepared.layers, prepared.audit ? &*prepared.audit : nullptr,
                   options.audit_allows);
  size_t in_force = prepared.layers.size() - 1;
  std::optional<RunBrokers> brokers;
  std::optional<engine::BrokerService> service;
  if (engine::NeedsBrokers(prepared.rules) || prepared.pins) {
    Result<RunBrokers> started =
        RunBrokers::Start(prepared.rules, prepared.pins ? &*prepared.pins : nullptr);
    if (!started) return std::unexpected(started.error());
    service =
        brokers.emplace(*std::move(started))
            .Service(record.names(),
                     {.on_refusal = [&](const auto& refused) { record.OnRefusedName(refused); },
                      .on_relayed = [&](const auto& event) { record.OnRelayed(event); }});
  }
  HeldQuestions questions(engine.host.runtime_directory, record);
  const bool has_view = view.has_value();
  const engine::RunRequest request = {
      .argv = options.command,
      .environment = *environment,
      .executable = ExecutableOf(prepared),
      .user = prepared.user,
      .tier = options.tier,
      .rules = prepared.rules,
      .cell = std::move(cell),
      .file_view = std::move(view),
      .timeout = options.timeout,
      .limits = options.limits,
      .on_begin =
          [&, has_view](const engine::RunName& run) {
            questions.OnBegin(run);
            if (prepared.audit) WriteStart(options, prepared, engine, has_view, run);
            if (prepared.receipt == nullptr) return;
            prepared.receipt->AddStart({.run = run,
                                        .start = StartOf(options, prepared),
                                        .environment = *environment,
                                        .rules = prepared.rules,
                                        .report = ReportOf(options, prepared, engine, has_view),
                                        .programs = *programs});
          },
      .on_denial = [&](const auto& event, const auto* rules,
                       size_t source) { record.OnDenial(event, rules, source); },
      .on_path_denial = [&](const auto& event, const auto* rules,
                            size_t source) { record.OnDenial(event, rules, source); },
      .on_allow = [&](const auto& event, const auto* rules,
                      size_t source) { record.OnAllow(event, rules, source); },
      .on_path_allow = [&](const auto& event, const auto* rules,
                           size_t source) { record.OnAllow(event, rules, source); },
      .audit_allows = options.audit_allows,
      .measures_usage = prepared.receipt != nullptr,
      .is_offline = options.egress == policy::EgressEnforcementMode::kNone,
      .renew = [&] { return RenewRules(options, prepared, in_force); },
      .on_renewed = [&in_force](size_t source) { in_force = source; },
      .watch = prepared.watch ? &*prepared.watch : nullptr,
      .brokers = service ? &*service : nullptr,
      .must_end = [&prepared] { return prepared.files->must_end(); },
      .hold = options.hold ? std::optional(questions.Request(*options.hold)) : std::nullopt,
      .on_renewal_failure = [](const Error& error) { SayWithoutWaiting(kProgram, error.message); }};
  Result<engine::RunOutcome> outcome =
      engine::RunConstrainedProcess(engine.host, *engine.objects, engine.features, request);
  SayWhatIsLeft(kProgram);
  if (!outcome) return std::unexpected(outcome.error());
  const int status = StatusOf(*outcome);
  TellEnd(*outcome, options.command[0], options.timeout, record.denials());
  if (prepared.receipt != nullptr) prepared.receipt->AddEnd(*outcome, status, record.denials());
  if (!prepared.audit) return status;
  prepared.audit->WriteEnd(*outcome, status, options.egress);
  if (!prepared.audit->state()) return std::unexpected(prepared.audit->state().error());
  return status;
}

// What a run would be refused for, it is refused for here.
Result<int> ShowDryRun(const RunOptions& options, Prepared& prepared, Engine& engine,
                       const std::optional<engine::FileView>& view) {
  const std::string text =
      DryRunText({.facts = prepared.facts,
                  .places = prepared.places,
                  .start = prepared.start,
                  .user = prepared.user,
                  .rules = prepared.rules,
                  .view = view ? &*view : nullptr,
                  .layers = prepared.layers.back()}) +
      engine::ReportText(ReportOf(options, prepared, engine, view.has_value()));
  if (Result<void> printed = base::WriteAll(STDOUT_FILENO, text, "stdout"); !printed) {
    return std::unexpected(printed.error());
  }
  if (Result<void> permitted = RequireExecution(options, prepared); !permitted) {
    return std::unexpected(permitted.error());
  }
  if (Result<void> held = engine::RequireFilePrograms(*engine.objects, prepared.rules); !held) {
    return std::unexpected(held.error());
  }
  const Result<engine::UnixSetup> sockets = engine::PrepareUnix(
      engine.objects->unix_judge(), prepared.rules, engine.host.runtime_directory);
  if (!sockets) return std::unexpected(sockets.error());
  return 0;
}

Result<int> Run(RunOptions options, RunReceipt* receipt) {
  if (options.print_policy) {
    if (Result<void> printed = PrintPolicy(options); !printed) {
      return std::unexpected(printed.error());
    }
    return 0;
  }
  Result<Prepared> prepared = PrepareInput(options, receipt);
  if (!prepared) return std::unexpected(prepared.error());
  if (!options.dry_run && !options.command.empty()) {
    Result<void> permitted = RequireExecution(options, *prepared);
    // A run that policies refuse costs nothing.
    if (permitted) {
      permitted = engine::CallBudgets().Take(CallerUid(), prepared->budgets, engine::NowWallMs());
    }
    if (!permitted) return std::unexpected(permitted.error());
  }
  Engine engine;
  if (Result<void> ready = Prepare(engine); !ready) return std::unexpected(ready.error());
  Result<std::optional<engine::CellView>> cell = ShowInCell(options, *prepared);
  if (!cell) return std::unexpected(cell.error());
  Result<std::optional<engine::FileView>> view =
      prepared->files->Lower(engine.features, options.unheld, *cell ? &**cell : nullptr);
  if (!view) return std::unexpected(view.error());
  if (options.dry_run) return ShowDryRun(options, *prepared, engine, *view);
  if (options.report) {
    const engine::EnforcementReport report =
        ReportOf(options, *prepared, engine, view->has_value());
    if (!options.report_file) {
      SayBlock(engine::ReportText(report));
    } else if (Result<void> written = WriteReport(report, *options.report_file); !written) {
      return std::unexpected(written.error());
    }
    if (options.command.empty()) return 0;
  }
  return RunCommand(options, *prepared, engine, *std::move(cell), *std::move(view));
}

// A run has its receipt however it ends, also where it was refused.
Result<int> RunWithReceipt(RunOptions options) {
  if (!options.receipt || options.print_policy) return Run(std::move(options), nullptr);
  if (Result<void> root = RequireRoot(); !root) return std::unexpected(root.error());
  Result<RunReceipt> receipt = RunReceipt::Open(*options.receipt, options.command, options.agent);
  if (!receipt) return std::unexpected(receipt.error());
  Result<int> status = Run(std::move(options), &*receipt);
  if (!status) receipt->AddError(status.error(), StatusOf(status.error()));
  const Result<void> written = receipt->Write();
  if (written) return status;
  if (!status) Report(status.error());
  return std::unexpected(written.error());
}

int Main(std::vector<std::string> arguments) {
  Result<std::variant<RunOptions, HelpText>> options = ParseRunOptions(std::move(arguments));
  if (!options) return Report(options.error());
  if (const auto* help = std::get_if<HelpText>(&*options)) {
    return base::WriteAll(STDOUT_FILENO, help->text, "stdout") ? 0 : kStatusFailed;
  }
  Result<int> status = RunWithReceipt(std::get<RunOptions>(*std::move(options)));
  return status ? *status : Report(status.error());
}

}  // namespace
}  // namespace palyra::cli

int main(int argc, char** argv) {
  // Whoever ignores it has the kernel throw away how the command ended.
  signal(SIGCHLD, SIG_DFL);
  return palyra::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
