#include "cli/cedar/verb_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>
#include <vector>

#include "base/file.h"
#include "cli/cedar/links.h"
#include "cli/cedar/raw_json.h"
#include "cli/cedar/uid.h"
#include "policy/schema/data.h"

namespace palyra::cli {
namespace {

constexpr size_t kMaxInput = size_t{64} << 20;

template <typename T>
Result<T> OrError(std::expected<T, Refusal> loaded) {
  if (loaded) return *std::move(loaded);
  return Fail(ErrorCode::kInvalidArgument, loaded.error().message);
}

// The official command line calls a policy by its @id.
Result<policy::PolicySet> NameById(const policy::PolicySet& policies) {
  policy::PolicySet named;
  for (const auto* list : {&policies.policies(), &policies.templates()}) {
    for (const policy::PlacedPolicy& placed : *list) {
      const std::string* id = placed.policy.FindAnnotation("id");
      if (placed.link) continue;
      Result<void> added = named.Add(id == nullptr ? placed.id : *id, placed.source, placed.policy);
      if (!added) return std::unexpected(added.error());
    }
  }
  for (const policy::PlacedPolicy& placed : policies.policies()) {
    if (!placed.link) continue;
    const policy::PlacedPolicy* origin = policies.FindTemplate(placed.link->template_id);
    const std::string* id = origin->policy.FindAnnotation("id");
    Result<void> added =
        named.AddLink(placed.id, {id == nullptr ? origin->id : *id, placed.link->values});
    if (!added) return std::unexpected(added.error());
  }
  return named;
}

Result<policy::EntityUid> ReadUid(std::string_view name, const std::optional<std::string>& text) {
  if (text) return ParseUid(name, *text);
  return Fail(ErrorCode::kInvalidArgument, fmt::format("--{} is missing", name));
}

// The four parts of a request out of one file.
Result<RequestOptions> SplitRequest(const policy::SourcePtr& source, policy::SourcePtr& context) {
  Result<std::vector<RawMember>> members = SplitObject(source->text());
  if (!members) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {}", source->name(), members.error().message));
  }
  RequestOptions parts;
  for (const RawMember& member : *members) {
    std::optional<std::string>* part = member.key == "principal"  ? &parts.principal
                                       : member.key == "action"   ? &parts.action
                                       : member.key == "resource" ? &parts.resource
                                                                  : nullptr;
    if (member.key == "context") {
      context =
          std::make_shared<const policy::SourceFile>(source->name(), std::string(member.value));
    } else if (part != nullptr) {
      Result<std::string> text = ReadJsonString(member.value);
      if (!text) return std::unexpected(text.error());
      *part = *std::move(text);
    }
  }
  return parts;
}

struct RequestParts {
  RequestOptions texts;
  policy::SourcePtr context;  // Null: not given.
};

Result<RequestParts> ReadParts(const RequestOptions& options) {
  RequestParts parts{.texts = options, .context = nullptr};
  if (!options.request && !options.context) return parts;
  Result<policy::SourcePtr> source = ReadInput(options.request ? options.request : options.context);
  if (!source) return std::unexpected(source.error());
  if (!options.request) {
    parts.context = *std::move(source);
    return parts;
  }
  Result<RequestOptions> split = SplitRequest(*source, parts.context);
  if (!split) return std::unexpected(split.error());
  parts.texts = *std::move(split);
  return parts;
}

}  // namespace

void AddPolicyOptions(CLI::App& verb, PolicyOptions& options) {
  verb.add_option("-p,--policies", options.file, "policies and templates; else standard input")
      ->type_name("FILE");
  verb.add_option("--policy-format", options.format, "cedar or json")
      ->check(CLI::IsMember({"cedar", "json"}));
}

void AddLinksOption(CLI::App& verb, PolicyOptions& options) {
  verb.add_option("-k,--template-linked", options.links, "links of templates, as JSON")
      ->type_name("FILE");
}

void AddSchemaOptions(CLI::App& verb, SchemaOptions& options) {
  verb.add_option("-s,--schema", options.file, "the schema")->type_name("FILE");
  verb.add_option("--schema-format", options.format, "cedar or json")
      ->check(CLI::IsMember({"cedar", "json"}));
}

void AddRequestOptions(CLI::App& verb, RequestOptions& options) {
  auto* principal = verb.add_option("-l,--principal", options.principal, "who: User::\"alice\"");
  auto* action = verb.add_option("-a,--action", options.action, "does what: Action::\"view\"");
  auto* resource = verb.add_option("-r,--resource", options.resource, "to what: File::\"x\"");
  auto* context = verb.add_option("-c,--context", options.context, "a JSON object");
  context->type_name("FILE");
  verb.add_option("--request-json", options.request,
                  R"(all four: {"principal", "action", "resource", "context"})")
      ->type_name("FILE")
      ->excludes(principal)
      ->excludes(action)
      ->excludes(resource)
      ->excludes(context);
}

Result<policy::SourcePtr> ReadInput(const std::optional<std::string>& path) {
  Result<std::string> text =
      path ? base::ReadFile(*path) : base::ReadAll(STDIN_FILENO, kMaxInput, "standard input");
  if (!text) return std::unexpected(text.error());
  return std::make_shared<const policy::SourceFile>(path.value_or("standard input"),
                                                    *std::move(text));
}

Result<policy::PolicySet> ReadPolicies(const PolicyOptions& options) {
  Result<policy::SourcePtr> source = ReadInput(options.file);
  if (!source) return std::unexpected(source.error());
  Result<policy::PolicySet> policies = OrError(LoadPolicies({*source, options.format == "json"}));
  if (!policies) return policies;
  Result<policy::PolicySet> named = NameById(*policies);
  if (!named || !options.links) return named;
  Result<policy::SourcePtr> links = ReadInput(options.links);
  if (!links && links.error().code == ErrorCode::kNotFound) return named;
  if (!links) return std::unexpected(links.error());
  if ((*links)->text().empty()) return named;
  if (const Result<void> added = AddLinks(**links, *named); !added) {
    return std::unexpected(added.error());
  }
  return named;
}

Result<std::optional<policy::Schema>> ReadSchema(const SchemaOptions& options) {
  if (!options.file) return std::nullopt;
  Result<policy::SourcePtr> source = ReadInput(options.file);
  if (!source) return std::unexpected(source.error());
  Result<policy::Schema> schema = OrError(LoadSchema({*source, options.format == "json"}));
  if (!schema) return std::unexpected(schema.error());
  return *std::move(schema);
}

Result<policy::EntityStore> ReadEntities(const std::optional<std::string>& path,
                                         const policy::Schema* schema) {
  policy::SourcePtr source;
  if (path) {
    Result<policy::SourcePtr> read = ReadInput(path);
    if (!read) return std::unexpected(read.error());
    source = *std::move(read);
  }
  return OrError(LoadEntities(source, schema));
}

Result<policy::Request> ReadRequest(const RequestOptions& options, const policy::Schema* schema,
                                    bool validate) {
  Result<RequestParts> parts = ReadParts(options);
  if (!parts) return std::unexpected(parts.error());
  Result<policy::EntityUid> principal = ReadUid("principal", parts->texts.principal);
  if (!principal) return std::unexpected(principal.error());
  Result<policy::EntityUid> action = ReadUid("action", parts->texts.action);
  if (!action) return std::unexpected(action.error());
  Result<policy::EntityUid> resource = ReadUid("resource", parts->texts.resource);
  if (!resource) return std::unexpected(resource.error());
  return OrError(MakeRequest({*principal, *action, *resource, parts->context}, schema, validate));
}

Result<policy::PartialRequest> ReadPartialRequest(const RequestOptions& options,
                                                  const policy::Schema* schema) {
  Result<RequestParts> parts = ReadParts(options);
  if (!parts) return std::unexpected(parts.error());
  policy::PartialRequest request;
  const auto read = [](std::string_view name, const std::optional<std::string>& text,
                       policy::PartialEntity& entity) -> Result<void> {
    if (!text) return {};
    Result<policy::EntityUid> uid = ParseUid(name, *text);
    if (!uid) return std::unexpected(uid.error());
    entity.uid = *std::move(uid);
    return {};
  };
  for (const Result<void>& done : {read("principal", parts->texts.principal, request.principal),
                                   read("action", parts->texts.action, request.action),
                                   read("resource", parts->texts.resource, request.resource)}) {
    if (!done) return std::unexpected(done.error());
  }
  if (parts->context == nullptr) {
    request.context_unknown = true;
    return request;
  }
  const bool typed = schema != nullptr && request.action.uid;
  Result<policy::Value> context =
      typed ? policy::ContextFromJson(*parts->context, *schema, *request.action.uid)
            : policy::ContextFromJson(*parts->context);
  if (!context) return std::unexpected(context.error());
  request.context = *context->AsRecord();
  return request;
}

}  // namespace palyra::cli
