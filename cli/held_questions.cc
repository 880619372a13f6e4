#include "cli/held_questions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/console.h"
#include "cli/event_text.h"
#include "cli/run_record.h"
#include "engine/clock.h"

namespace palyra::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kProgram = "palyra-run";

// A path is the tool's choice; a shell must take it as it is.
std::string Quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/@._-+,:=%";
  if (word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string GrantCommand(const std::string& run_id, const engine::HeldCall& call) {
  const std::string event = EventText(call.resource);
  // Only a path has spaces, and it is the last word.
  const auto* const named = std::get_if<policy::NameEvent>(&call.resource);
  const size_t last = named == nullptr ? event.rfind(' ') + 1 : event.find(' ') + 1;
  return fmt::format("palyra grant {} {}{} --once", run_id, event.substr(0, last),
                     Quoted(event.substr(last)));
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
  const auto* const endpoint = std::get_if<policy::NetEvent>(&call.resource);
  const std::string event = EventText(call.resource);
  const std::string grant = GrantCommand(run_id_, call);
  const std::string refuse = RefuseCommand(run_id_, call);
  ordered_json record = {
      {"run", run_id_},
      {"call", call.id},
      {"event", event},
      {"names", endpoint == nullptr ? std::vector<std::string>() : record_.NamesOf(*endpoint)},
      {"arguments_are_held", endpoint != nullptr},
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
    if (!made) {
      SayWithoutWaiting(kProgram, made.error().message);
      return;
    }
    records_.emplace(*std::move(made));
  }
  const Result<void> written = records_->Write(
      call.id, record.dump(-1, ' ', true, ordered_json::error_handler_t::replace) + '\n');
  if (!written) {
    SayWithoutWaiting(kProgram, written.error().message);
    return;
  }
  SayWithoutWaiting(
      kProgram,
      fmt::format("{}{} by {} waits for {} s: asked by {}; allow it with {}; or deny it with {}",
                  event, endpoint == nullptr ? " with any arguments" : "", call.caller.comm,
                  SecondsLeft(call), Why(asking), grant, refuse));
}

// A call without a record cannot be answered.
engine::HeldAnswer HeldQuestions::AnswerTo(const engine::HeldCall& call) const {
  return records_ && records_->Has(call.id) ? engine::HeldAnswer::kNone : engine::HeldAnswer::kDeny;
}

void HeldQuestions::OnEnd(const engine::HeldCall& call, engine::HeldEnd end) const {
  if (records_) records_->Remove(call.id);
  if (end == engine::HeldEnd::kTimedOut) {
    SayWithoutWaiting(kProgram, fmt::format("{} is denied: nobody has allowed it in time",
                                            EventText(call.resource)));
  }
}

}  // namespace palyra::cli
