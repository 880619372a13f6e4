#include "cli/execution_check.h"

#include <fmt/format.h>

#include <utility>

#include "policy/egress_mode.h"
#include "policy/printer.h"

namespace palyra::cli {
namespace {

using policy::Value;

Value SetOf(const std::vector<std::string>& texts) {
  std::vector<Value> elements;
  elements.reserve(texts.size());
  for (const std::string& text : texts) elements.push_back(Value::String(text));
  return Value::Set(std::move(elements));
}

// uid 0 under any of its names is root.
std::string NameOf(const engine::ToolUser& user) {
  if (user.uid == 0) return "root";
  return user.name.empty() ? std::to_string(user.uid) : user.name;
}

// The context without the arguments, which may be long.
std::string ShownContext(const Value& context) {
  std::vector<policy::RecordValue::Field> fields = context.AsRecord()->fields();
  std::erase_if(fields, [](const auto& field) { return field.first == "argv"; });
  return policy::ToCedar(Value::Record(std::move(fields)));
}

std::string AskedOf(const LayerPolicies& layer, size_t policy) {
  for (const policy::Annotation& annotation : layer.policies[policy].policy.annotations) {
    if (annotation.key == "ask") return annotation.value;
  }
  return "";
}

std::string WayOut(const policy::ExecutionRequest& request, const ExecutionRefusal& refusal,
                   bool asks) {
  if (!refusal.policies.empty() && !asks) return "a forbid wins over every permit; change that one";
  return fmt::format(
      "what would permit it among the policies of the {}:\n"
      "permit (principal == {}, action == {}, resource == {});",
      policy::LayerName(refusal.layer), policy::ToCedar(request.principal),
      policy::ToCedar(policy::ExecuteAction()), policy::ToCedar(request.tool));
}

}  // namespace

LimitFacts LimitsOf(const RunOptions& options) {
  const engine::RunLimits& set = options.limits;
  const auto number = [](const std::optional<uint64_t>& value) {
    return value ? std::optional(static_cast<int64_t>(*value)) : std::nullopt;
  };
  const auto time = [](const std::optional<std::chrono::milliseconds>& value) {
    return value ? std::optional(int64_t{value->count()}) : std::nullopt;
  };
  return {.memory = number(set.memory),
          .swap = number(set.swap),
          .pids = number(set.processes),
          .cpus = number(set.processors),
          .cpu_time_ms = time(set.cpu_time),
          .io = number(set.io),
          .output = number(set.output),
          .disk = number(set.disk),
          .open_files = number(set.open_files),
          .timeout_ms = time(options.timeout)};
}

StartFacts StartFactsOf(const RunOptions& options, const engine::ToolUser& user,
                        std::optional<std::string> executable) {
  return {.egress = std::string(policy::EgressModeName(options.egress)),
          .user = NameOf(user),
          .argv = options.command,
          .unheld = options.unheld.names,
          .executable = std::move(executable),
          .limits = LimitsOf(options)};
}

policy::ExecutionRequest ExecutionRequestOf(const RunFacts& facts, const StartFacts& start) {
  policy::CompileInput input = InputFor(facts, {});
  std::vector<policy::RecordValue::Field> context = input.context.AsRecord()->fields();
  const auto add_text = [&](const char* name, const std::optional<std::string>& text) {
    if (text) context.emplace_back(name, Value::String(*text));
  };
  add_text("egress", start.egress);
  add_text("user", start.user);
  add_text("executable", start.executable);
  if (!start.argv.empty()) context.emplace_back("argv", SetOf(start.argv));
  if (!start.unheld.empty()) context.emplace_back("unheld", SetOf(start.unheld));
  std::vector<policy::RecordValue::Field> limits;
  for (const auto& [name, member] : kLimitFacts) {
    if (start.limits.*member) limits.emplace_back(name, Value::Long(*(start.limits.*member)));
  }
  if (!limits.empty()) context.emplace_back("limits", Value::Record(std::move(limits)));
  return {.principal = std::move(input.principal),
          .tool = policy::EntityUid(std::string(policy::kToolType), facts.tool),
          .context = Value::Record(std::move(context))};
}

std::optional<ExecutionRefusal> RefusalOfExecution(std::span<const LayerPolicies> layers,
                                                   const policy::ExecutionRequest& request) {
  std::vector<policy::LayerInput> inputs;
  inputs.reserve(layers.size());
  for (const LayerPolicies& layer : layers) {
    inputs.push_back({layer.layer, &layer.policies, &layer.entities});
  }
  const policy::ExecutionVerdict decided = policy::DecideExecution(inputs, request);
  if (decided.verdict == policy::Verdict::kAllow) return std::nullopt;
  ExecutionRefusal refusal = {.layer = decided.layer, .policies = {}, .text = {}};
  const bool asks = decided.verdict == policy::Verdict::kAsk;
  std::string why;
  for (const LayerPolicies& layer : layers) {
    if (layer.layer != decided.layer) continue;
    for (const size_t policy : decided.reasons) {
      refusal.policies.push_back(layer.policies[policy].Label());
      if (asks && why.empty()) why = AskedOf(layer, policy);
    }
  }
  const std::string_view name = policy::LayerName(decided.layer);
  refusal.text = fmt::format("refused: tool.execute of {} by {}: ", policy::ToCedar(request.tool),
                             policy::ToCedar(request.principal));
  if (refusal.policies.empty()) {
    refusal.text += fmt::format("no policy of the {} permits it", name);
  } else {
    refusal.text += fmt::format("{} {} of the {}", asks ? "asked for by" : "forbidden by",
                                fmt::join(refusal.policies, ", "), name);
  }
  if (asks)
    refusal.text +=
        fmt::format(" (\"{}\"); without a daemon nobody can be asked, so the answer is no", why);
  for (const std::string& error : decided.errors) refusal.text += "\nerror: " + error;
  refusal.text += "\ncontext: " + ShownContext(request.context);
  refusal.text += "\nhint: " + WayOut(request, refusal, asks);
  return refusal;
}

}  // namespace palyra::cli
