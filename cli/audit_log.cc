#include "cli/audit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/file.h"
#include "base/sha256.h"
#include "cli/output_file.h"
#include "cli/report_json.h"
#include "cli/run_status.h"
#include "policy/rule_set_binary.h"

namespace palyra::cli {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

int64_t NowNanoseconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

// RFC 3339, UTC, milliseconds.
std::string TimeText(int64_t realtime_ns) {
  const time_t seconds = realtime_ns / kNanosecondsPerSecond;
  tm parts;
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     realtime_ns % kNanosecondsPerSecond / 1'000'000);
}

std::string TimeOfEvent(uint64_t time_ns) {
  const int64_t age = NowNanoseconds(CLOCK_BOOTTIME) - static_cast<int64_t>(time_ns);
  return TimeText(NowNanoseconds(CLOCK_REALTIME) - age);
}

// A process chooses its own name, which may hold any bytes.
std::string Dump(const nlohmann::ordered_json& record) {
  return record.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

template <size_t kSize>
std::string CommOf(const char (&comm)[kSize]) {  // NOLINT(modernize-avoid-c-arrays): of an event.
  return {comm, strnlen(comm, kSize)};
}

nlohmann::ordered_json LayerOf(const Denial& told) {
  return told.layer ? nlohmann::ordered_json(policy::LayerName(*told.layer)) : nullptr;
}

nlohmann::ordered_json RecordOf(std::string_view kind, std::string_view verdict,
                                const palyra_event& event, const Denial& told) {
  nlohmann::ordered_json record = {{"event", kind},
                                   {"time", TimeOfEvent(event.time_ns)},
                                   {"cgroup", event.run},
                                   {"verdict", verdict},
                                   {"action", told.action},
                                   {"protocol", told.protocol},
                                   {"address", told.address},
                                   {"port", told.port},
                                   {"pid", event.pid},
                                   {"comm", CommOf(event.comm)},
                                   {"policies", told.policies}};
  record["layer"] = LayerOf(told);
  if (!told.names.empty()) record["names"] = told.names;
  return record;
}

nlohmann::ordered_json RecordOf(std::string_view kind, std::string_view verdict,
                                const palyra_path_event& event, const Denial& denial) {
  nlohmann::ordered_json record = {{"event", kind},
                                   {"time", TimeOfEvent(event.time_ns)},
                                   {"cgroup", event.run},
                                   {"verdict", verdict},
                                   {"action", denial.action},
                                   {"path", denial.path},
                                   {"executable", denial.executable},
                                   {"hook", denial.hook},
                                   {"pid", event.pid},
                                   {"comm", CommOf(event.comm)},
                                   {"policies", denial.policies}};
  record["layer"] = LayerOf(denial);
  if (!denial.note.empty()) record["note"] = denial.note;
  return record;
}

nlohmann::ordered_json LimitOf(const engine::RunOutcome& outcome) {
  return outcome.limit ? nlohmann::ordered_json(engine::InfoOf(*outcome.limit).name) : nullptr;
}

// How many of `count` were more than `most`.
uint64_t Beyond(uint64_t most, uint64_t count) { return count - std::min(count, most); }

nlohmann::ordered_json RecordOfBroker(std::string_view event, std::string_view verdict,
                                      const Denial& denial) {
  const bool is_name = denial.action == "resolve";
  return {{"event", event},
          {"time", TimeText(NowNanoseconds(CLOCK_REALTIME))},
          {"verdict", verdict},
          {"action", denial.action},
          {"protocol", is_name ? "dns" : denial.protocol},
          {"address", denial.address},
          {"port", denial.port},
          {"comm", ""},
          {"policies", nlohmann::ordered_json::array()},
          {"layer", nullptr},
          {"names", is_name ? std::vector<std::string>{denial.protocol} : denial.names},
          {"note", denial.note}};
}

}  // namespace

Result<AuditLog> AuditLog::Open(const std::string& path) {
  Result<UniqueFd> fd = OpenOutputFile(path, OutputMode::kAppend);
  if (!fd) return std::unexpected(fd.error());
  return AuditLog(*std::move(fd));
}

void AuditLog::WriteLine(const std::string& line) {
  if (!state_) return;
  state_ = base::WriteAll(fd_.get(), line, "audit file");
}

void AuditLog::WriteStart(const RunStart& start) {
  WriteLine(Dump({{"event", "start"},
                  {"time", TimeText(NowNanoseconds(CLOCK_REALTIME))},
                  {"run", start.run.id},
                  {"cgroup", start.run.cgroup},
                  {"agent", start.facts.agent},
                  {"tool", start.facts.tool},
                  {"tier", start.facts.tier},
                  {"workspace", start.facts.workspace},
                  {"user",
                   {{"uid", start.user.uid},
                    {"gid", start.user.gid},
                    {"name", start.user.name},
                    {"chosen_by", start.user.chosen_by}}},
                  {"command", start.command},
                  {"egress", policy::EgressModeName(start.egress)},
                  {"rules", base::HexText(policy::Digest(start.rules))},
                  {"unheld", start.unheld},
                  {"promises", PromisesJson(start.report)}}));
}

void AuditLog::WriteRefusal(const RunFacts& facts, const ExecutionRefusal& refusal,
                            const std::vector<std::string>& unheld) {
  WriteLine(Dump({{"event", "refusal"},
                  {"time", TimeText(NowNanoseconds(CLOCK_REALTIME))},
                  {"verdict", "deny"},
                  {"action", "tool.execute"},
                  {"agent", facts.agent},
                  {"tool", facts.tool},
                  {"layer", policy::LayerName(refusal.layer)},
                  {"policies", refusal.policies},
                  {"unheld", unheld}}));
}

void AuditLog::Write(const palyra_event& event, const Denial& denial) {
  if (++denials_ > kMostDenials) return;
  WriteLine(Dump(RecordOf("denial", "deny", event, denial)));
}

void AuditLog::Write(const engine::PathEvent& event, const Denial& denial) {
  if (++denials_ > kMostDenials) return;
  WriteLine(Dump(RecordOf("denial", "deny", event.event, denial)));
}

void AuditLog::WriteAllow(const palyra_event& event, const Denial& allowed) {
  if (++allows_ > kMostAllows) return;
  WriteLine(Dump(RecordOf("allow", "allow", event, allowed)));
}

void AuditLog::WriteAllow(const engine::PathEvent& event, const Denial& allowed) {
  if (++allows_ > kMostAllows) return;
  WriteLine(Dump(RecordOf("allow", "allow", event.event, allowed)));
}

void AuditLog::WriteOfBroker(const Denial& denial) {
  if (++of_brokers_ > kMostOfBrokers) return;
  WriteLine(Dump(RecordOfBroker("denial", "deny", denial)));
}

void AuditLog::WriteVerified(const Denial& allowed) {
  if (++allows_ > kMostAllows) return;
  WriteLine(Dump(RecordOfBroker("allow", "allow", allowed)));
}

void AuditLog::WriteEnd(const engine::RunOutcome& outcome, int status,
                        policy::EgressEnforcementMode egress) {
  WriteLine(
      Dump({{"event", "end"},
            {"time", TimeText(NowNanoseconds(CLOCK_REALTIME))},
            {"run", outcome.run_id},
            {"egress", policy::EgressModeName(egress)},
            {"end", EndName(outcome.end)},
            {"limit", LimitOf(outcome)},
            {"status", status},
            {"denied", outcome.counters.denied},
            {"lost", outcome.counters.lost},
            {"left_out", Beyond(kMostDenials, denials_) + Beyond(kMostOfBrokers, of_brokers_)},
            {"audited", outcome.counters.audited},
            {"lost_audited", outcome.counters.lost_audited},
            {"left_out_audited", Beyond(kMostAllows, allows_)}}));
}

}  // namespace palyra::cli
