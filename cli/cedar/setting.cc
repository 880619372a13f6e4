#include "cli/cedar/setting.h"

#include <utility>

#include "cli/cedar/links.h"
#include "policy/est.h"
#include "policy/json_tree.h"
#include "policy/schema/data.h"
#include "policy/schema/json_reader.h"
#include "policy/schema/text_parser.h"

namespace palyra::cli {
namespace {

std::unexpected<Refusal> Refuse(Stage stage, std::string message) {
  return std::unexpected(Refusal{stage, std::move(message)});
}

std::expected<policy::PolicySet, Refusal> LoadCedar(const policy::SourcePtr& source) {
  auto policies = policy::PolicySet::Parse({source});
  if (!policies) return Refuse(Stage::kPolicies, policy::ToError(policies.error()).message);
  return *std::move(policies);
}

std::expected<policy::PolicySet, Refusal> LoadJson(const policy::SourcePtr& source) {
  const Result<policy::JsonNode> root = policy::ParseJson(*source);
  if (!root) return Refuse(Stage::kPolicies, root.error().message);
  if (root->Find("effect") == nullptr) {
    Result<policy::PolicySet> policies = policy::PolicySetFromEst(source);
    if (!policies) return Refuse(Stage::kPolicies, policies.error().message);
    return *std::move(policies);
  }
  Result<policy::Policy> one = policy::PolicyFromEst(*source);
  if (!one) return Refuse(Stage::kPolicies, one.error().message);
  policy::PolicySet policies;
  const Result<void> added = policies.Add("policy0", source, *std::move(one));
  if (!added) return Refuse(Stage::kPolicies, added.error().message);
  return policies;
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

std::expected<policy::PolicySet, Refusal> LoadPolicies(const Text& text,
                                                       const policy::SourcePtr& links) {
  auto policies = text.is_json ? LoadJson(text.source) : LoadCedar(text.source);
  if (!policies || links == nullptr) return policies;
  const Result<void> added = AddLinks(*links, *policies);
  if (!added) return Refuse(Stage::kPolicies, added.error().message);
  return policies;
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
  auto policies = LoadPolicies(texts.policies, texts.links);
  if (!policies) return std::unexpected(policies.error());
  setting.indexed_ = std::make_unique<const Indexed>(*std::move(policies));
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

std::expected<policy::Request, Refusal> MakeRequest(const Question& question,
                                                    const policy::Schema* schema, bool validate) {
  policy::Request request{question.principal, question.action, question.resource,
                          policy::Value::Record({})};
  if (question.context != nullptr) {
    Result<policy::Value> context =
        schema == nullptr ? policy::ContextFromJson(*question.context)
                          : policy::ContextFromJson(*question.context, *schema, question.action);
    if (!context) return Refuse(Stage::kRequest, context.error().message);
    request.context = *std::move(context);
  }
  if (schema != nullptr && validate) {
    const Result<void> valid = policy::ValidateRequest(request, *schema);
    if (!valid) return Refuse(Stage::kRequest, valid.error().message);
  }
  return request;
}

std::expected<Answer, Refusal> Setting::Ask(const Question& question) const {
  const std::expected<policy::Request, Refusal> request = MakeRequest(question, schema(), true);
  if (!request) return std::unexpected(request.error());
  const policy::Response response = indexed_->authorizer.Authorize(*request, entities_);
  Answer answer{.decision = response.decision, .reasons = {}, .errors = {}};
  for (const size_t index : response.reasons) answer.reasons.push_back(policies()[index].id);
  for (const auto& error : response.errors) answer.errors.push_back(policies()[error.policy].id);
  return answer;
}

}  // namespace palyra::cli
