#include "cli/held_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"
#include "cli/console.h"
#include "engine/clock.h"
#include "engine/held_records.h"
#include "engine/host.h"

namespace palyra::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kProgram = "palyra";

struct Arguments {
  bool json = false;
  std::string run;
  uint64_t call = 0;
};

Result<std::string> RuntimeDirectory() {
  if (geteuid() != 0) {
    return Fail(ErrorCode::kPermissionDenied, "this needs root; start it with sudo");
  }
  const engine::Host host;
  return host.runtime_directory;
}

double SecondsUntil(uint64_t boot_ns) {
  constexpr double kNanoseconds = 1e9;
  return static_cast<double>(static_cast<int64_t>(boot_ns - engine::NowBootNs())) / kNanoseconds;
}

// Of a record that palyra-run has written (held_questions.cc).
std::string LineOf(const ordered_json& call) {
  std::string why;
  for (const ordered_json& asking : call["asking"]) {
    why += fmt::format("{}{}: \"{}\"", why.empty() ? "" : ", ", asking["policy"].get<std::string>(),
                       asking["text"].get<std::string>());
  }
  return fmt::format("{} {} {} by {} (pid {}) for {:.0f} s more: asked by {}\n",
                     call["run"].get<std::string>(), call["call"].get<uint64_t>(),
                     call["event"].get<std::string>(), call["comm"].get<std::string>(),
                     call["pid"].get<int64_t>(), call["seconds_left"].get<double>(), why);
}

Result<void> List(const Arguments& arguments) {
  const Result<std::string> directory = RuntimeDirectory();
  if (!directory) return std::unexpected(directory.error());
  engine::SweepHeldRecords(*directory);
  ordered_json calls = ordered_json::array();
  std::string text;
  for (const std::string& record : engine::ReadHeldRecords(*directory)) {
    ordered_json call = ordered_json::parse(record, nullptr, false);
    if (!call.is_object()) continue;  // Gone while it was read.
    call["seconds_left"] = SecondsUntil(call["until_boot_ns"].get<uint64_t>());
    call.erase("until_boot_ns");
    text += LineOf(call);
    calls.push_back(std::move(call));
  }
  if (arguments.json) text = calls.dump(2) + '\n';
  return base::WriteAll(STDOUT_FILENO, text, "stdout");
}

Result<void> Refuse(const Arguments& arguments) {
  const Result<std::string> directory = RuntimeDirectory();
  if (!directory) return std::unexpected(directory.error());
  return engine::RemoveHeldRecord(*directory, arguments.run, arguments.call);
}

int StatusOf(const Result<void>& result) {
  if (result) return 0;
  Say(kProgram, result.error().message);
  return 1;
}

}  // namespace

void AddHeldCommands(CLI::App& app, int& status) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* held =
      app.add_subcommand("held", "list calls of live runs that wait for an answer (--hold)");
  held->add_flag("--json", arguments->json, "as JSON, with the commands that answer each");
  held->callback([arguments, &status] { status = StatusOf(List(*arguments)); });

  CLI::App* refuse = app.add_subcommand("refuse", "deny a call that waits, at once");
  refuse->add_option("RUN", arguments->run, "id of its run")->required();
  refuse->add_option("CALL", arguments->call, "its number")->required();
  refuse->callback([arguments, &status] { status = StatusOf(Refuse(*arguments)); });
}

}  // namespace palyra::cli
