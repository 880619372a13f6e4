// palyra: the operator's command line.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <string>

#include "base/file.h"
#include "cli/cedar/commands.h"
#include "cli/console.h"
#include "cli/doctor.h"
#include "cli/grant_commands.h"
#include "cli/held_commands.h"
#include "cli/policy/commands.h"
#include "cli/receipt_commands.h"
#include "cli/tool_commands.h"
#include "cli/version.h"
#include "engine/features.h"
#include "engine/host.h"
#include "engine/kernel_objects.h"
#include "engine/sweep.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra";
constexpr int kStatusUsage = 2;

int Report(const Error& error) {
  Say(kProgram, error.message);
  return 1;
}

void Print(const std::string& text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

int Doctor(bool json) {
  engine::Features features;
  const Diagnosis diagnosis = json ? DoctorJson(features) : DoctorText(features);
  Print(diagnosis.text);
  return diagnosis.can_hold_runs ? 0 : 1;
}

int Sweep() {
  Result<engine::Host> host = engine::PrepareHost();
  if (!host) return Report(host.error());
  engine::Features features;
  Result<engine::KernelObjects> objects = engine::KernelObjects::Open(*host, features);
  if (!objects) return Report(objects.error());
  Result<engine::SweepResult> swept = engine::SweepAbandonedRuns(*host, *objects);
  if (!swept) return Report(swept.error());
  for (const std::string& id : swept->ended) Print(fmt::format("ended run {}\n", id));
  for (const std::string& failure : swept->failures) Say(kProgram, failure);
  Print(fmt::format("{} abandoned runs ended\n", swept->ended.size()));
  return swept->failures.empty() ? 0 : 1;
}

int Detach() {
  Result<engine::Host> host = engine::PrepareHost();
  if (!host) return Report(host.error());
  Result<int> in_use = engine::Uninstall(*host);
  if (!in_use) return Report(in_use.error());
  if (*in_use == 0) return 0;
  Say(kProgram, "runs are alive; their programs and maps stay until they end");
  return 1;
}

int Main(int argc, char** argv) {
  CLI::App app("The operator's command line of Palyra.");
  app.set_version_flag("--version", fmt::format("palyra {}", kVersion));
  app.require_subcommand(1);
  CLI::App* doctor = app.add_subcommand(
      "doctor",
      "what this kernel can enforce by which mechanism, and what each missing piece costs");
  bool json = false;
  doctor->add_flag("--json", json, "as JSON");
  const CLI::App* sweep =
      app.add_subcommand("sweep", "end runs whose supervisor is dead, and remove what they left");
  app.add_subcommand("detach",
                     "detach the BPF programs and unpin their maps; the next run "
                     "installs them again");
  int verb_status = 0;
  AddCedarCommands(app, verb_status);
  AddPolicyCommands(app, verb_status);
  AddGrantCommands(app, verb_status);
  AddHeldCommands(app, verb_status);
  AddReceiptCommands(app, verb_status);
  AddToolCommands(app, verb_status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kStatusUsage;
  }
  for (const char* verb :
       {"cedar", "policy", "grant", "grants", "held", "receipt", "refuse", "revoke", "tool"}) {
    if (app.got_subcommand(verb)) return verb_status;
  }
  if (doctor->parsed()) return Doctor(json);
  if (geteuid() != 0) {
    Say(kProgram, "this needs root; start it with sudo");
    return 1;
  }
  return sweep->parsed() ? Sweep() : Detach();
}

}  // namespace
}  // namespace palyra::cli

int main(int argc, char** argv) { return palyra::cli::Main(argc, argv); }
