#include "cli/cedar/links.h"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "cli/cedar/uid.h"
#include "policy/json_text.h"
#include "policy/printer.h"

namespace palyra::cli {
namespace {

using policy::JsonNode;

std::unexpected<Error> Wrong(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message));
}

Result<std::string> ReadText(const JsonNode& object, std::string_view key) {
  const JsonNode* node = object.Find(key);
  if (node != nullptr && node->AsString() != nullptr) return *node->AsString();
  return Wrong(fmt::format("a link has no text \"{}\"", key));
}

Result<LinkRequest> ReadLink(const JsonNode& node) {
  Result<std::string> id = ReadText(node, "link_id");
  if (!id) return std::unexpected(id.error());
  Result<std::string> template_id = ReadText(node, "template_id");
  if (!template_id) return std::unexpected(template_id.error());
  const JsonNode* args = node.Find("args");
  if (args == nullptr) return Wrong(fmt::format(R"(link "{}" has no "args")", *id));
  Result<policy::SlotValues> values = ReadSlotValues(*args);
  if (!values) return Wrong(fmt::format("link \"{}\": {}", *id, values.error().message));
  return LinkRequest{*std::move(id), {*std::move(template_id), *std::move(values)}};
}

void AppendSlot(std::string& out, std::string_view slot,
                const std::optional<policy::EntityUid>& value) {
  if (!value) return;
  if (!out.ends_with('{')) out += ',';
  policy::AppendJsonString(out, slot);
  out += ':';
  policy::AppendJsonString(out, policy::ToCedar(*value));
}

}  // namespace

Result<policy::SlotValues> ReadSlotValues(const JsonNode& node) {
  if (node.AsObject() == nullptr) return Wrong("slots and their values must be an object");
  policy::SlotValues values;
  for (const JsonNode& member : node.AsObject()->members) {
    if (member.key != "?principal" && member.key != "?resource") {
      return Wrong(
          fmt::format("\"{}\" is no slot; there are ?principal and ?resource", member.key));
    }
    if (member.AsString() == nullptr) {
      return Wrong(fmt::format(R"({}: write the entity as a string, TYPE::"ID")", member.key));
    }
    Result<policy::EntityUid> uid = ParseUid(member.key, *member.AsString());
    if (!uid) return std::unexpected(uid.error());
    (member.key == "?principal" ? values.principal : values.resource) = *std::move(uid);
  }
  return values;
}

Result<std::vector<LinkRequest>> ReadLinks(const policy::SourceFile& source) {
  const Result<JsonNode> root = policy::ParseJson(source);
  if (!root) return std::unexpected(root.error());
  if (root->AsArray() == nullptr)
    return Wrong(fmt::format("{}: links must be an array", source.name()));
  std::vector<LinkRequest> links;
  for (const JsonNode& node : *root->AsArray()) {
    Result<LinkRequest> link = ReadLink(node);
    if (!link) return Wrong(fmt::format("{}: {}", source.name(), link.error().message));
    links.push_back(*std::move(link));
  }
  return links;
}

Result<void> AddLinks(const policy::SourceFile& source, policy::PolicySet& policies) {
  const Result<std::vector<LinkRequest>> links = ReadLinks(source);
  if (!links) return std::unexpected(links.error());
  for (const LinkRequest& request : *links) {
    Result<void> added = policies.AddLink(request.id, request.link);
    if (!added) return added;
  }
  return {};
}

std::string WriteLinks(const std::vector<LinkRequest>& links) {
  std::string out = "[";
  for (const LinkRequest& request : links) {
    if (out.size() > 1) out += ',';
    out += R"({"template_id":)";
    policy::AppendJsonString(out, request.link.template_id);
    out += R"(,"link_id":)";
    policy::AppendJsonString(out, request.id);
    out += R"(,"args":{)";
    AppendSlot(out, "?principal", request.link.values.principal);
    AppendSlot(out, "?resource", request.link.values.resource);
    out += "}}";
  }
  return out + ']';
}

}  // namespace palyra::cli
