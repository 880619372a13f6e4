#include "cli/grant_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/quantity.h"
#include "cli/console.h"
#include "cli/event_text.h"
#include "cli/live_kernel.h"
#include "cli/run_options.h"
#include "engine/grants.h"
#include "engine/rule_update.h"

namespace palyra::cli {
namespace {

constexpr const char* kProgram = "palyra";

struct Arguments {
  std::string run;
  std::vector<std::string> event;
  std::optional<std::string> time;
  uint32_t uses = 0;
  bool once = false;
};

// A name is not what a grant is for: an address may have many.
Result<Event> ResourceOf(const Arguments& arguments) {
  Result<Event> resource = ParseEvent(arguments.event);
  const auto* const endpoint = resource ? std::get_if<policy::NetEvent>(&*resource) : nullptr;
  if (endpoint == nullptr || !endpoint->domain) return resource;
  return Fail(ErrorCode::kInvalidArgument, "a grant is for an address; leave out the name");
}

Result<void> Grant(const Arguments& arguments) {
  const Result<Event> resource = ResourceOf(arguments);
  if (!resource) return std::unexpected(resource.error());
  engine::GrantRequest request = {
      .resource = *resource, .lifetime = std::nullopt, .uses = arguments.once ? 1 : arguments.uses};
  if (arguments.time) {
    Result<std::chrono::milliseconds> time = base::ParseDuration(*arguments.time);
    if (!time) return std::unexpected(time.error());
    request.lifetime = *time;
  }
  const Result<LiveKernel> kernel = OpenLiveKernel();
  if (!kernel) return std::unexpected(kernel.error());
  const Result<engine::Cgroup> run = engine::CgroupOfRun(*kernel->objects, arguments.run);
  if (!run) return std::unexpected(run.error());
  return engine::AddGrant(*kernel->objects, run->id(), request);
}

Result<void> Revoke(const Arguments& arguments) {
  const Result<Event> resource = ResourceOf(arguments);
  if (!resource) return std::unexpected(resource.error());
  const Result<LiveKernel> kernel = OpenLiveKernel();
  if (!kernel) return std::unexpected(kernel.error());
  const Result<engine::Cgroup> run = engine::CgroupOfRun(*kernel->objects, arguments.run);
  if (!run) return std::unexpected(run.error());
  return engine::RevokeGrant(*kernel->objects, *run, *resource);
}

std::string LineOf(const std::string& run, const engine::Grant& grant) {
  std::string line = fmt::format("{} {}", run, EventText(grant.resource));
  if (grant.uses != 0) line += fmt::format(" used {} of {}", grant.used, grant.uses);
  if (!grant.left) return line + " until its run ends\n";
  if (grant.left->count() <= 0) return line + " expired\n";
  return line + fmt::format(" for {:.1f} s\n", static_cast<double>(grant.left->count()) / 1000);
}

Result<void> List(const Arguments& arguments) {
  const Result<LiveKernel> kernel = OpenLiveKernel();
  if (!kernel) return std::unexpected(kernel.error());
  std::string text;
  const std::vector<std::string> runs =
      arguments.run.empty() ? LiveRunIds(*kernel->objects) : std::vector{arguments.run};
  for (const std::string& id : runs) {
    const Result<engine::Cgroup> run = engine::CgroupOfRun(*kernel->objects, id);
    if (!run && !arguments.run.empty()) return std::unexpected(run.error());
    if (!run) continue;
    for (const engine::Grant& grant : engine::ListGrants(*kernel->objects, run->id())) {
      text += LineOf(id, grant);
    }
  }
  return base::WriteAll(STDOUT_FILENO, text, "stdout");
}

void AddResource(CLI::App& verb, Arguments& arguments) {
  verb.add_option("RUN", arguments.run, "id of a live run")->required();
  verb.add_option("EVENT", arguments.event,
                  "ACTION PROTOCOL ADDRESS:PORT, as net.connect tcp 192.0.2.1:443, or ACTION PATH, "
                  "as process.exec /usr/bin/git")
      ->required()
      ->expected(2, 3);
}

int StatusOf(const Result<void>& result) {
  if (result) return 0;
  Say(kProgram, result.error().message);
  return 1;
}

}  // namespace

void AddGrantCommands(CLI::App& app, int& status) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* grant = app.add_subcommand(
      "grant", "allow a live run one address and port, or one path, where its policies ask");
  AddResource(*grant, *arguments);
  grant->add_option("--for", arguments->time, "for this time (s, m or h); else until the run ends")
      ->type_name("TIME");
  CLI::Option* once =
      grant->add_flag("--once", arguments->once, "for one connection, datagram or execution");
  grant->add_option("--uses", arguments->uses, "for so many")->type_name("N")->excludes(once);
  grant->callback([arguments, &status] { status = StatusOf(Grant(*arguments)); });

  CLI::App* grants = app.add_subcommand("grants", "list what live runs were granted");
  grants->add_option("RUN", arguments->run, "of one run alone");
  grants->callback([arguments, &status] { status = StatusOf(List(*arguments)); });

  CLI::App* revoke =
      app.add_subcommand("revoke", "take a grant back, and end the connections that it allowed");
  AddResource(*revoke, *arguments);
  revoke->callback([arguments, &status] { status = StatusOf(Revoke(*arguments)); });
}

}  // namespace palyra::cli
