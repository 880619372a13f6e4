#include "cli/held_questions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/console.h"
#include "cli/event_text.h"
#include "cli/run_record.h"
#include "engine/clock.h"

namespace palyra::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kProgram = "palyra-run";

// With brackets a shell would look for files.
std::string GrantCommand(const std::string& run_id, const engine::HeldCall& call) {
  const std::string event = NetEventText(call.resource);
  const size_t endpoint = event.rfind(' ') + 1;
  const char* quote = event.find('[') == std::string::npos ? "" : "'";
  return fmt::format("palyra grant {} {}{}{}{} --once", run_id, event.substr(0, endpoint), quote,
                     event.substr(endpoint), quote);
}

std::string RefuseCommand(const std::string& run_id, const engine::HeldCall& call) {
  return fmt::format("palyra refuse {} {}", run_id, call.id);
}

std::string Why(const std::vector<Asking>& asking) {
  std::vector<std::string> parts;
  parts.reserve(asking.size());
  for (const Asking& each : asking) {
    parts.push_back(each.text.empty() ? each.policy
                                      : fmt::format("{}: \"{}\"", each.policy, each.text));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

double SecondsLeft(const engine::HeldCall& call) {
  constexpr double kNanoseconds = 1e9;
  const auto left = static_cast<int64_t>(call.until_ns - engine::NowBootNs());
  return std::round(static_cast<double>(left) / kNanoseconds);
}

}  // namespace

engine::HoldRequest HeldQuestions::Request(std::chrono::milliseconds limit) {
  return {
      .limit = limit,
      .on_held = [this](const engine::HeldCall& call, const policy::RuleSet* rules,
                        size_t source) { OnHeld(call, rules, source); },
      .answer = [this](const engine::HeldCall& call) { return AnswerTo(call); },
      .on_end = [this](const engine::HeldCall& call, engine::HeldEnd end) { OnEnd(call, end); }};
}

void HeldQuestions::OnHeld(const engine::HeldCall& call, const policy::RuleSet* rules,
                           size_t source) {
  const std::vector<Asking> asking = record_.AskingOf(call.reason, rules, source);
  const std::vector<std::string> names = record_.NamesOf(call.resource);
  const std::string event = NetEventText(call.resource);
  const std::string grant = GrantCommand(run_id_, call);
  const std::string refuse = RefuseCommand(run_id_, call);
  ordered_json record = {{"run", run_id_},
                         {"call", call.id},
                         {"event", event},
                         {"names", names},
                         {"pid", call.caller.pid},
                         {"comm", call.caller.comm},
                         {"executable", call.caller.executable},
                         {"asking", ordered_json::array()},
                         {"until_boot_ns", call.until_ns},
                         {"grant", grant},
                         {"refuse", refuse}};
  for (const Asking& each : asking) {
    record["asking"].push_back({{"policy", each.policy}, {"text", each.text}});
  }
  if (!records_) {
    Result<engine::HeldRecords> made = engine::HeldRecords::Make(runtime_directory_, run_id_);
    if (!made) return Say(kProgram, made.error().message);
    records_.emplace(*std::move(made));
  }
  const Result<void> written = records_->Write(
      call.id, record.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + '\n');
  if (!written) return Say(kProgram, written.error().message);
  Say(kProgram,
      fmt::format("{} by {} waits for {} s: asked by {}; allow it with {}; or deny it with {}",
                  event, call.caller.comm, SecondsLeft(call), Why(asking), grant, refuse));
}

// A call without a record cannot be answered.
engine::HeldAnswer HeldQuestions::AnswerTo(const engine::HeldCall& call) const {
  return records_ && records_->Has(call.id) ? engine::HeldAnswer::kNone : engine::HeldAnswer::kDeny;
}

void HeldQuestions::OnEnd(const engine::HeldCall& call, engine::HeldEnd end) const {
  if (records_) records_->Remove(call.id);
  if (end == engine::HeldEnd::kTimedOut) {
    Say(kProgram,
        fmt::format("{} is denied: nobody has allowed it in time", NetEventText(call.resource)));
  }
}

}  // namespace palyra::cli
