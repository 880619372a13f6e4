#include "cli/receipt.h"

#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/caller.h"
#include "cli/output_file.h"
#include "cli/report_json.h"
#include "cli/run_status.h"
#include "cli/version.h"
#include "engine/clock.h"
#include "policy/datetime.h"
#include "policy/rule_set_binary.h"

namespace palyra::cli {
namespace {

using Json = nlohmann::json;

std::string Now() { return policy::Datetime(engine::NowWallMs()).ToString().value_or(""); }

Json JsonOf(const Denial& denial, uint64_t count) {
  Json json = {{"action", denial.action}, {"count", count}};
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) json[name] = text;
  };
  add("protocol", denial.protocol);
  add("address", denial.address);
  if (!denial.address.empty()) json["port"] = denial.port;
  add("path", denial.path);
  add("note", denial.note);
  if (!denial.names.empty()) json["names"] = denial.names;
  if (denial.layer) json["layer"] = policy::LayerName(*denial.layer);
  if (!denial.policies.empty()) json["policies"] = denial.policies;
  return json;
}

Json JsonOf(const engine::Used& used) { return {{"amount", used.amount}, {"source", used.source}}; }

Json JsonOf(const engine::RunUsage& usage) {
  Json json = {{"cpu_us", JsonOf(usage.cpu_us)},
               {"memory_peak_bytes", JsonOf(usage.memory_peak)},
               {"io_read_bytes", JsonOf(usage.io_read)},
               {"io_written_bytes", JsonOf(usage.io_written)}};
  if (usage.output) json["output_bytes"] = JsonOf(*usage.output);
  return json;
}

Json JsonOf(const LimitFacts& limits) {
  Json json = Json::object();
  for (const auto& [name, member] : kLimitFacts) {
    if (limits.*member) json[name] = *(limits.*member);
  }
  return json;
}

Json Machine() {
  utsname name = {};
  uname(&name);
  return {{"host", name.nodename}, {"kernel", name.release}};
}

}  // namespace

base::Sha256Digest DigestOfWords(const std::vector<std::string>& words) {
  base::Sha256 hash;
  for (const std::string& word : words) {
    hash.Update({reinterpret_cast<const uint8_t*>(word.c_str()), word.size() + 1});
  }
  return hash.Finish();
}

std::vector<std::string> NamesOfVariables(const std::vector<std::string>& environment) {
  std::vector<std::string> names;
  names.reserve(environment.size());
  for (const std::string& variable : environment) {
    names.push_back(variable.substr(0, variable.find('=')));
  }
  std::ranges::sort(names);
  return names;
}

RunReceipt::RunReceipt(ReceiptSigner signer)
    : signer_(std::move(signer)), payload_(std::make_unique<Json>()) {}
RunReceipt::RunReceipt(RunReceipt&&) noexcept = default;
RunReceipt::~RunReceipt() = default;

Result<RunReceipt> RunReceipt::Open(const std::string& path,
                                    const std::vector<std::string>& command,
                                    const std::string& agent) {
  Result<UniqueFd> fd = OpenOutputFile(path, OutputMode::kKeep);
  if (!fd) return std::unexpected(fd.error());
  Result<ReceiptSigner> signer = ReceiptSigner::Start(*std::move(fd));
  if (!signer) return std::unexpected(signer.error());
  RunReceipt receipt(*std::move(signer));
  *receipt.payload_ = {
      {"palyra", kVersion},
      {"machine", Machine()},
      {"asked", Now()},
      {"run", nullptr},
      {"caller", {{"uid", CallerUid()}}},
      {"agent", agent},
      {"argv", {{"count", command.size()}, {"sha256", base::HexText(DigestOfWords(command))}}}};
  return receipt;
}

Result<void> RunReceipt::AddSubject(const RunFacts& facts, const RunTool& tool,
                                    const engine::ToolUser& user, const std::string& start) {
  Json& payload = *payload_;
  payload["tool"] = {{"name", facts.tool},
                     {"sensitivity", facts.traits.sensitivity},
                     {"capabilities", facts.traits.capabilities}};
  payload["tier"] = facts.tier;
  payload["workspace"] = facts.workspace;
  payload["cwd"] = start;
  payload["user"] = {
      {"uid", user.uid}, {"gid", user.gid}, {"name", user.name}, {"chosen_by", user.chosen_by}};
  payload["executable"] = nullptr;
  if (!tool.executable) return {};
  const Result<base::Sha256Digest> digest = engine::DigestOf(*tool.executable);
  if (!digest) return std::unexpected(digest.error());
  payload["executable"] = {{"path", tool.executable->real_path},
                           {"sha256", base::HexText(*digest)}};
  return {};
}

void RunReceipt::AddStart(const Start& start) {
  Json& payload = *payload_;
  payload["run"] = start.run.id;
  payload["started"] = Now();
  payload["egress"] = start.start.egress.value_or("");
  payload["limits"] = JsonOf(start.start.limits);
  payload["unheld"] = start.start.unheld;
  payload["environment"] = NamesOfVariables(start.environment);
  payload["rules"] = base::HexText(policy::Digest(start.rules));
  payload["promises"] = Json::parse(PromisesJson(start.report).dump());
  Json programs = Json::array();
  for (const engine::ProgramTag& program : start.programs) {
    programs.push_back({{"name", program.name}, {"tag", program.tag}});
  }
  payload["programs"] = std::move(programs);
}

void RunReceipt::AddEnd(const engine::RunOutcome& outcome, int status,
                        const DenialSummary& denials) {
  Json& payload = *payload_;
  Json of = Json::array();
  for (const auto& [denial, count] : denials.All()) of.push_back(JsonOf(denial, count));
  payload["denied"] = {{"total", outcome.counters.denied},
                       {"without_details", outcome.counters.lost},
                       {"of", std::move(of)}};
  if (outcome.usage) payload["usage"] = JsonOf(*outcome.usage);
  payload["end"] = {{"how", EndName(outcome.end)}, {"status", status}};
  if (outcome.end == engine::RunEnd::kSignaled) payload["end"]["signal"] = outcome.signal;
}

void RunReceipt::AddError(const Error& error, int status) {
  (*payload_)["end"] = {{"how", error.code == ErrorCode::kRefused ? "refused" : "failed"},
                        {"status", status},
                        {"why", error.message}};
}

Result<void> RunReceipt::Write() {
  (*payload_)["ended"] = Now();
  const std::string text = payload_->dump(-1, ' ', false, Json::error_handler_t::replace);
  return signer_.Sign(text);
}

}  // namespace palyra::cli
