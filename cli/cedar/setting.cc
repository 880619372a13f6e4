#include "cli/cedar/setting.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "policy/parser.h"
#include "policy/schema/data.h"
#include "policy/schema/json_reader.h"
#include "policy/schema/text_parser.h"

namespace palyra::cli {
namespace {

using policy::EntityUid;

std::unexpected<Refusal> Refuse(Stage stage, std::string message) {
  return std::unexpected(Refusal{stage, std::move(message)});
}

}  // namespace

std::string_view NameOf(Stage stage) {
  switch (stage) {
    case Stage::kPolicies:
      return "policies";
    case Stage::kSchema:
      return "schema";
    case Stage::kEntities:
      return "entities";
    case Stage::kRequest:
      return "request";
  }
  std::unreachable();
}

Result<EntityUid> ParseUid(std::string_view name, std::string_view text) {
  const auto source =
      std::make_shared<const policy::SourceFile>(std::string(name), std::string(text));
  const auto parsed = policy::ParseExpression(source);
  if (parsed && !text.contains('(')) {
    const policy::Value* value = policy::ConstantOf(**parsed);
    if (value != nullptr && value->AsEntity() != nullptr) return *value->AsEntity();
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format(R"({}: "{}" is no entity; write TYPE::"ID")", name, text));
}

std::expected<policy::PolicySet, Refusal> LoadPolicies(const Text& text) {
  auto parsed = policy::PolicySet::Parse({text.source});
  if (!parsed) return Refuse(Stage::kPolicies, policy::ToError(parsed.error()).message);
  return *std::move(parsed);
}

std::expected<policy::Schema, Refusal> LoadSchema(const Text& text) {
  const auto fragment =
      text.is_json ? policy::ParseSchemaJson(text.source) : policy::ParseSchemaText(text.source);
  if (!fragment) return Refuse(Stage::kSchema, policy::ToError(fragment.error()).message);
  auto schema = policy::Schema::Resolve({&*fragment, 1});
  if (!schema) return Refuse(Stage::kSchema, policy::ToError(schema.error()).message);
  return *std::move(schema);
}

std::expected<policy::EntityStore, Refusal> LoadEntities(const policy::SourcePtr& source,
                                                         const policy::Schema* schema) {
  if (source == nullptr) {
    return schema == nullptr ? policy::EntityStore() : schema->action_entities();
  }
  Result<policy::EntityStore> store = schema == nullptr
                                          ? policy::EntityStore::FromJson(*source)
                                          : policy::EntitiesFromJson(*source, *schema);
  if (!store) return Refuse(Stage::kEntities, store.error().message);
  return *std::move(store);
}

std::expected<Setting, Refusal> Setting::Load(const SettingTexts& texts) {
  Setting setting;
  auto policies = LoadPolicies(texts.policies);
  if (!policies) return std::unexpected(policies.error());
  setting.policies_ = *std::move(policies);
  if (texts.schema.source != nullptr) {
    auto schema = LoadSchema(texts.schema);
    if (!schema) return std::unexpected(schema.error());
    setting.schema_.emplace(*std::move(schema));
  }
  auto entities = LoadEntities(texts.entities, setting.schema());
  if (!entities) return std::unexpected(entities.error());
  setting.entities_ = *std::move(entities);
  return setting;
}

std::expected<policy::Request, Refusal> Setting::Read(const Question& question) const {
  policy::Request request{question.principal, question.action, question.resource,
                          policy::Value::Record({})};
  if (question.context != nullptr) {
    Result<policy::Value> context =
        schema_ ? policy::ContextFromJson(*question.context, *schema_, question.action)
                : policy::ContextFromJson(*question.context);
    if (!context) return Refuse(Stage::kRequest, context.error().message);
    request.context = *std::move(context);
  }
  if (schema_) {
    const Result<void> valid = policy::ValidateRequest(request, *schema_);
    if (!valid) return Refuse(Stage::kRequest, valid.error().message);
  }
  return request;
}

std::expected<Answer, Refusal> Setting::Ask(const Question& question) const {
  const std::expected<policy::Request, Refusal> request = Read(question);
  if (!request) return std::unexpected(request.error());
  const policy::Response response = policy::Authorize(policies_, *request, entities_);
  Answer answer{.decision = response.decision, .reasons = {}, .errors = {}};
  for (const size_t index : response.reasons) answer.reasons.push_back(policies_[index].id);
  for (const auto& error : response.errors) answer.errors.push_back(policies_[error.policy].id);
  return answer;
}

}  // namespace palyra::cli
