#include "cli/tool_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "cli/console.h"
#include "cli/tool_entity.h"
#include "engine/tools/tool_registry.h"

namespace palyra::cli {
namespace {

using engine::ToolMetadata;
using Json = nlohmann::ordered_json;

constexpr const char* kProgram = "palyra tool";

void Print(const std::string& text) { (void)base::WriteAll(STDOUT_FILENO, text, "stdout"); }

int Report(const std::string& message) {
  Say(kProgram, message);
  return 1;
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json ExecutablesOf(const ToolMetadata& tool) {
  Json all = Json::array();
  for (const engine::ToolExecutable& executable : tool.executables) {
    Json entry = {{"path", executable.path}, {"there", access(executable.path.c_str(), F_OK) == 0}};
    if (executable.sha256) entry["sha256"] = base::HexText(*executable.sha256);
    all.push_back(std::move(entry));
  }
  return all;
}

Json ArgumentsOf(const engine::ArgumentSchema& schema) {
  Json arguments = Json::object();
  if (schema.max_count) arguments["max-count"] = *schema.max_count;
  if (schema.max_length) arguments["max-length"] = *schema.max_length;
  if (!schema.allowed.empty()) arguments["allowed"] = schema.allowed;
  if (!schema.forbidden.empty()) arguments["forbidden"] = schema.forbidden;
  return arguments;
}

Json LimitsOf(const engine::ToolDefaults& defaults) {
  Json limits = Json::object();
  for (const auto& [key, member] : engine::kLimitKeys) {
    if (defaults.*member) limits[key] = *(defaults.*member);
  }
  return limits;
}

// With the keys of the files, but for those that are not set.
Json JsonOf(const ToolMetadata& tool) {
  const ToolTraits traits = TraitsOf(tool);
  Json json = {{"name", tool.name},
               {"description", tool.description},
               {"sensitivity", traits.sensitivity},
               {"capabilities", traits.capabilities},
               {"executables", ExecutablesOf(tool)}};
  if (!tool.environment.empty()) json["environment"] = tool.environment;
  if (!tool.secrets.empty()) json["secrets"] = tool.secrets;
  if (tool.calls) json["calls"] = engine::BudgetText(*tool.calls);
  if (tool.defaults.tier) json["tier"] = *tool.defaults.tier;
  if (tool.defaults.egress) json["egress"] = *tool.defaults.egress;
  if (Json arguments = ArgumentsOf(tool.arguments); !arguments.empty()) {
    json["arguments"] = std::move(arguments);
  }
  if (Json limits = LimitsOf(tool.defaults); !limits.empty()) json["limits"] = std::move(limits);
  json["source"] = tool.source.empty() ? "built in" : tool.source;
  return json;
}

// A line for each member; lists and tables on one.
std::string TextOf(const ToolMetadata& tool) {
  std::string text;
  const Json json = JsonOf(tool);
  for (const auto& [key, value] : json.items()) {
    if (key == "executables") continue;
    std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    if (value.is_array())
      shown = fmt::format("{}", fmt::join(value.get<std::vector<std::string>>(), " "));
    text += fmt::format("{:<13} {}\n", key, shown);
  }
  for (const engine::ToolExecutable& executable : tool.executables) {
    const bool there = access(executable.path.c_str(), F_OK) == 0;
    text += fmt::format("{:<13} {}{}{}\n", "executable", executable.path,
                        executable.sha256 ? " sha256 " + base::HexText(*executable.sha256) : "",
                        there ? "" : " (not there)");
  }
  return text;
}

// Those of the files, and what holds for all others where no file says so.
std::vector<ToolMetadata> AllOf(const engine::ToolRegistry& registry) {
  std::vector<ToolMetadata> tools = registry.tools();
  if (registry.Find(engine::kUnknownToolName) == nullptr) tools.push_back(registry.unknown());
  return tools;
}

int List(bool json) {
  const Result<engine::ToolRegistry> registry = engine::ToolRegistry::Load();
  if (!registry) return Report(registry.error().message);
  const std::vector<ToolMetadata> tools = AllOf(*registry);
  if (json) {
    Json all = Json::array();
    for (const ToolMetadata& tool : tools) all.push_back(JsonOf(tool));
    Json document = {{"tools", std::move(all)}};
    if (registry->budget()) document["budget"] = engine::BudgetText(*registry->budget());
    Print(Dump(document));
    return 0;
  }
  std::string text;
  for (const ToolMetadata& tool : tools) {
    const ToolTraits traits = TraitsOf(tool);
    const std::string capabilities = fmt::format("{}", fmt::join(traits.capabilities, ","));
    text += fmt::format("{:<12} {:<7} {:<45} {}\n", tool.name, traits.sensitivity, capabilities,
                        tool.description);
  }
  if (registry->budget()) {
    text += fmt::format("budget of each caller: {}\n", engine::BudgetText(*registry->budget()));
  }
  Print(text);
  return 0;
}

int Show(const std::string& name, bool json) {
  const Result<engine::ToolRegistry> registry = engine::ToolRegistry::Load();
  if (!registry) return Report(registry.error().message);
  const ToolMetadata* tool =
      name == engine::kUnknownToolName ? &registry->unknown() : registry->Find(name);
  if (tool == nullptr) {
    return Report(fmt::format(R"(no tool "{}"; see "palyra tool list")", name));
  }
  Print(json ? Dump(JsonOf(*tool)) : TextOf(*tool));
  return 0;
}

}  // namespace

void AddToolCommands(CLI::App& app, int& status) {
  struct Arguments {
    std::string name;
    bool json = false;
  };
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* tool = app.add_subcommand("tool", "the tools that this machine knows");
  tool->require_subcommand(1);
  CLI::App* list = tool->add_subcommand("list", "all of them, one a line");
  list->add_flag("--json", arguments->json, "as JSON, with all that is known");
  list->callback([=, &status] { status = List(arguments->json); });
  CLI::App* show = tool->add_subcommand("show", "all that is known of one");
  show->add_option("NAME", arguments->name, "which")->required();
  show->add_flag("--json", arguments->json, "as JSON");
  show->callback([=, &status] { status = Show(arguments->name, arguments->json); });
}

}  // namespace palyra::cli
