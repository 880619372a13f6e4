#include "policy/schema/palyra_schema.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "policy/printer.h"
#include "policy/schema/text_parser.h"

namespace palyra::policy {
namespace {

// Entities that come with an event or a run; nobody else could give them an attribute.
constexpr std::array<std::string_view, 7> kEventTypes = {
    "Endpoint", "Socket", "Path", "Executable", "Process", "HttpRequest", "Tool"};

// A built-in schema that does not parse is a broken build.
SchemaFragment ParseOrAbort() {
  auto fragment =
      ParseSchemaText(std::make_shared<const SourceFile>("palyra.cedarschema", kPalyraSchemaText));
  if (!fragment) {
    std::abort();
  }
  return *std::move(fragment);
}

class Extender {
 public:
  explicit Extender(EngineAttributes attributes) : built_in_(ParseOrAbort()) {
    if (attributes == EngineAttributes::kThere) return;
    WrittenEntityType& tool = built_in_.namespaces.at(kPalyraNamespace).entity_types.at("Tool");
    std::map<std::string, WrittenAttribute> optional = tool.shape->attributes;
    for (auto& [name, attribute] : optional) attribute.required = false;
    tool.shape = MakeRecord(std::move(optional), tool.shape->span);
  }

  std::expected<Schema, std::vector<Diagnostic>> Resolve(std::vector<SchemaFragment> extensions) {
    for (SchemaFragment& extension : extensions) {
      const auto scope = extension.namespaces.find(kPalyraNamespace);
      if (scope != extension.namespaces.end()) {
        ExtendNamespace(extension, scope->second);
      }
    }
    if (!diagnostics_.empty()) {
      return std::unexpected(std::move(diagnostics_));
    }
    extensions.insert(extensions.begin(), std::move(built_in_));
    return Schema::Resolve(extensions);
  }

 private:
  void Report(const SchemaFragment& fragment, Span span, const std::string& message) {
    diagnostics_.push_back(
        {.severity = Severity::kError,
         .code = "schema-extension",
         .message = fragment.has_spans ? message : fragment.source->name() + ": " + message,
         .source = fragment.has_spans ? fragment.source : nullptr,
         .span = span,
         .policy_id = std::nullopt,
         .hint = std::nullopt});
  }

  // Leaves in `scope` what is new.
  void ExtendNamespace(const SchemaFragment& fragment, WrittenNamespace& scope) {
    for (const auto& [id, action] : scope.actions) {
      Report(fragment, action.span,
             "the actions of the namespace Palyra are those of the engine; \"" + id +
                 "\" is for another namespace");
    }
    auto& own = built_in_.namespaces.at(kPalyraNamespace).entity_types;
    for (auto type = scope.entity_types.begin(); type != scope.entity_types.end();) {
      const auto known = own.find(type->first);
      if (known == own.end()) {
        ++type;
        continue;
      }
      ExtendType(fragment, type->first, type->second, known->second);
      type = scope.entity_types.erase(type);
    }
  }

  void ExtendType(const SchemaFragment& fragment, const std::string& name,
                  const WrittenEntityType& added, WrittenEntityType& own) {
    const std::string full = "`Palyra::" + name + '`';
    const bool is_event = std::ranges::find(kEventTypes, name) != kEventTypes.end();
    if (!added.enum_ids.empty() || added.shape->kind != WrittenType::Kind::kRecord) {
      Report(fragment, added.span, full + " can only be given attributes, parents and tags");
      return;
    }
    std::map<std::string, WrittenAttribute> attributes = own.shape->attributes;
    for (const auto& [attr, attribute] : added.shape->attributes) {
      if (!attributes.emplace(attr, attribute).second) {
        Report(fragment, attribute.type->span,
               std::string(full)
                   .append(" has the attribute ")
                   .append(QuoteString(attr))
                   .append(" already"));
      } else if (is_event && attribute.required) {
        Report(fragment, attribute.type->span,
               "the engine makes entities of " + full + ": what is added must be optional");
      }
    }
    if (added.tags != nullptr && own.tags != nullptr) {
      Report(fragment, added.span, full + " has tags already");
    }
    own.shape = MakeRecord(std::move(attributes), own.shape->span);
    own.tags = own.tags == nullptr ? added.tags : own.tags;
    own.member_of.insert(own.member_of.end(), added.member_of.begin(), added.member_of.end());
  }

  SchemaFragment built_in_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

std::expected<Schema, std::vector<Diagnostic>> PalyraSchema(
    const std::vector<SchemaFragment>& extensions, EngineAttributes attributes) {
  return Extender(attributes).Resolve(extensions);
}

}  // namespace palyra::policy
