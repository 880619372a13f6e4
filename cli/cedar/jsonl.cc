#include "cli/cedar/jsonl.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "cli/cedar/raw_json.h"
#include "cli/cedar/uid.h"

namespace palyra::cli {
namespace {

using Json = nlohmann::ordered_json;
using policy::SourceFile;

constexpr std::array<std::string_view, 8> kKeys = {"policies", "schema",   "entities", "principal",
                                                   "action",   "resource", "context",  "validate"};

std::unexpected<Refusal> Refuse(Stage stage, std::string message) {
  return std::unexpected(Refusal{stage, std::move(message)});
}

std::string ToText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string_view RawValue(const std::vector<RawMember>& members, std::string_view key) {
  const RawMember* member = FindMember(members, key);
  return member == nullptr ? std::string_view() : member->value;
}

policy::SourcePtr SourceOf(std::string_view name, std::string_view text) {
  return std::make_shared<const SourceFile>(std::string(name), std::string(text));
}

// A JSON string is Cedar text, everything else JSON.
std::expected<Text, Refusal> ReadText(Stage stage, std::string_view raw) {
  if (!raw.starts_with('"')) return Text{SourceOf(NameOf(stage), raw), true};
  Result<std::string> text = ReadJsonString(raw);
  if (!text) return Refuse(stage, text.error().message);
  return Text{SourceOf(NameOf(stage), *text), false};
}

std::expected<policy::EntityUid, Refusal> ReadUid(const std::vector<RawMember>& members,
                                                  std::string_view key) {
  const std::string_view raw = RawValue(members, key);
  if (raw.empty()) return Refuse(Stage::kRequest, fmt::format("\"{}\" is missing", key));
  Result<std::string> text = ReadJsonString(raw);
  if (!text) return Refuse(Stage::kRequest, fmt::format("{}: {}", key, text.error().message));
  Result<policy::EntityUid> uid = ParseUid(key, *text);
  if (!uid) return Refuse(Stage::kRequest, uid.error().message);
  return *std::move(uid);
}

std::expected<Question, Refusal> ReadQuestion(const std::vector<RawMember>& members) {
  auto principal = ReadUid(members, "principal");
  if (!principal) return std::unexpected(principal.error());
  auto action = ReadUid(members, "action");
  if (!action) return std::unexpected(action.error());
  auto resource = ReadUid(members, "resource");
  if (!resource) return std::unexpected(resource.error());
  const std::string_view context = RawValue(members, "context");
  return Question{*std::move(principal), *std::move(action), *std::move(resource),
                  context.empty() ? nullptr : SourceOf("context", context)};
}

std::expected<std::vector<RawMember>, Refusal> ReadLine(std::string_view line) {
  Result<std::vector<RawMember>> members = SplitObject(line);
  if (!members) return Refuse(Stage::kRequest, members.error().message);
  for (const RawMember& member : *members) {
    if (std::ranges::find(kKeys, member.key) == kKeys.end()) {
      return Refuse(Stage::kRequest, fmt::format("the key \"{}\" has no meaning", member.key));
    }
  }
  return *std::move(members);
}

std::expected<bool, Refusal> WantsValidation(const std::vector<RawMember>& members) {
  const std::string_view raw = RawValue(members, "validate");
  if (raw.empty() || raw == "false") return false;
  if (raw != "true") return Refuse(Stage::kRequest, R"("validate" must be true or false)");
  if (RawValue(members, "schema").empty()) {
    return Refuse(Stage::kSchema, R"("validate" needs a "schema")");
  }
  return true;
}

Json ToJson(const std::vector<policy::Diagnostic>& diagnostics) {
  Json list = Json::array();
  for (const policy::Diagnostic& diagnostic : diagnostics) {
    list.push_back({{"policy", diagnostic.policy_id.value_or("")},
                    {"code", diagnostic.code},
                    {"message", diagnostic.message}});
  }
  return list;
}

Json ToJson(const policy::ValidationReport& report) {
  return {{"valid", report.valid()},
          {"errors", ToJson(report.errors)},
          {"warnings", ToJson(report.warnings)}};
}

}  // namespace

std::string JsonlEvaluator::Answer(std::string_view line) {
  std::expected<std::string, Refusal> answer = TryAnswer(line);
  if (answer) return *std::move(answer);
  return ToText({{"error", answer.error().message}, {"stage", NameOf(answer.error().stage)}});
}

std::expected<const Setting*, Refusal> JsonlEvaluator::Load(std::string_view policies,
                                                            std::string_view schema,
                                                            std::string_view entities) {
  std::string key = fmt::format("{}\n{}\n{}", policies, schema, entities);
  if (last_ && last_->key == key) return &last_->setting;
  SettingTexts texts;
  if (policies.empty()) return Refuse(Stage::kPolicies, "\"policies\" is missing");
  std::expected<Text, Refusal> text = ReadText(Stage::kPolicies, policies);
  if (!text) return std::unexpected(text.error());
  texts.policies = *std::move(text);
  if (!schema.empty()) {
    text = ReadText(Stage::kSchema, schema);
    if (!text) return std::unexpected(text.error());
    texts.schema = *std::move(text);
  }
  if (!entities.empty()) texts.entities = SourceOf("entities", entities);
  std::expected<Setting, Refusal> setting = Setting::Load(texts);
  if (!setting) return std::unexpected(setting.error());
  last_.emplace(std::move(key), *std::move(setting));
  return &last_->setting;
}

std::expected<std::string, Refusal> JsonlEvaluator::TryAnswer(std::string_view line) {
  const auto members = ReadLine(line);
  if (!members) return std::unexpected(members.error());
  const auto setting = Load(RawValue(*members, "policies"), RawValue(*members, "schema"),
                            RawValue(*members, "entities"));
  if (!setting) return std::unexpected(setting.error());
  const auto validate = WantsValidation(*members);
  if (!validate) return std::unexpected(validate.error());
  const auto question = ReadQuestion(*members);
  if (!question) return std::unexpected(question.error());
  const auto answer = (*setting)->Ask(*question);
  if (!answer) return std::unexpected(answer.error());
  Json json = {
      {"decision", answer->decision == policy::Decision::kAllow ? "allow" : "deny"},
      {"reasons", answer->reasons},
      {"errors", answer->errors},
  };
  if (*validate) json["validation"] = ToJson((*setting)->Validate());
  return ToText(json);
}

}  // namespace palyra::cli
