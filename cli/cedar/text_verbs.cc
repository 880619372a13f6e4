#include "cli/cedar/text_verbs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "cli/cedar/links.h"
#include "cli/cedar/verb_options.h"
#include "cli/cedar/verb_output.h"
#include "policy/est.h"
#include "policy/formatter.h"
#include "policy/json_tree.h"
#include "policy/parser.h"
#include "policy/printer.h"
#include "policy/schema/full_names.h"
#include "policy/schema/json_reader.h"
#include "policy/schema/printer.h"
#include "policy/schema/text_parser.h"

namespace palyra::cli {
namespace {

constexpr const char* kToJson = "cedar-to-json";
constexpr const char* kToResolvedJson = "cedar-to-json-with-resolved-types";
constexpr const char* kToCedar = "json-to-cedar";

Result<void> WriteFile(const std::string& path, std::string_view text) {
  const Result<UniqueFd> file = base::OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (!file) return std::unexpected(file.error());
  return base::WriteAll(file->get(), text, path);
}

struct CheckOptions {
  PolicyOptions policies;
  SchemaOptions schema;
  std::optional<std::string> entities;
  std::optional<std::string> expression;
};

int CheckParse(const CheckOptions& options) {
  const bool only_policies = !options.schema.file && !options.entities && !options.expression;
  if (options.expression) {
    const auto parsed = policy::ParseExpression(
        std::make_shared<const policy::SourceFile>("expression", *options.expression));
    if (!parsed) return Complain(policy::ToError(parsed.error()));
  }
  const auto schema = ReadSchema(options.schema);
  if (!schema) return Complain(schema.error());
  if (options.entities) {
    const auto entities = ReadEntities(options.entities, *schema ? &**schema : nullptr);
    if (!entities) return Complain(entities.error());
  }
  if (options.policies.file || only_policies) {
    const auto policies = ReadPolicies(options.policies);
    if (!policies) return Complain(policies.error());
  }
  return kStatusSuccess;
}

struct FormatVerbOptions {
  std::optional<std::string> file;
  policy::FormatOptions format;
  bool write = false;
  bool check = false;
};

int Format(const FormatVerbOptions& options) {
  const auto source = ReadInput(options.file);
  if (!source) return Complain(source.error());
  const auto formatted = policy::FormatPolicies(*source, options.format);
  if (!formatted) return Complain(policy::ToError(formatted.error()));
  const bool same = *formatted == (*source)->text();
  if (options.write) {
    const Result<void> written = same ? Result<void>() : WriteFile(*options.file, *formatted);
    if (!written) return Complain(written.error());
  } else {
    Print(*formatted);
  }
  return options.check && !same ? kStatusFailure : kStatusSuccess;
}

struct TranslateOptions {
  std::string direction;
  std::optional<std::string> file;
};

std::string AllToCedar(const policy::PolicySet& policies) {
  std::string text;
  for (const auto* list : {&policies.policies(), &policies.templates()}) {
    for (const policy::PlacedPolicy& placed : *list) {
      text += policy::ToCedar(placed.policy) + "\n\n";
    }
  }
  if (!text.empty()) text.pop_back();
  return text;
}

int TranslatePolicy(const TranslateOptions& options) {
  PolicyOptions input;
  input.file = options.file;
  input.format = options.direction == kToJson ? "cedar" : "json";
  const auto policies = ReadPolicies(input);
  if (!policies) return Complain(policies.error());
  Print(options.direction == kToJson ? policy::ToEst(*policies) + "\n" : AllToCedar(*policies));
  return kStatusSuccess;
}

int SchemaToJson(const policy::SourcePtr& source, bool with_resolved_types) {
  auto fragment = policy::ParseSchemaText(source);
  if (fragment && with_resolved_types) fragment = policy::WithFullNames(*fragment);
  if (!fragment) return Complain(policy::ToError(fragment.error()));
  Print(policy::ToSchemaJson(*fragment) + "\n");
  return kStatusSuccess;
}

int SchemaToCedar(const policy::SourcePtr& source) {
  const auto fragment = policy::ParseSchemaJson(source);
  if (!fragment) return Complain(policy::ToError(fragment.error()));
  const Result<std::string> text = policy::ToSchemaText(*fragment);
  if (!text) return Complain(text.error());
  Print(*text);
  return kStatusSuccess;
}

int TranslateSchema(const TranslateOptions& options) {
  const auto source = ReadInput(options.file);
  if (!source) return Complain(source.error());
  if (options.direction == kToCedar) return SchemaToCedar(*source);
  return SchemaToJson(*source, options.direction == kToResolvedJson);
}

struct LinkOptions {
  PolicyOptions policies;  // With the file of links, which grows.
  std::string template_id;
  std::string new_id;
  std::string arguments;
};

// The links of the file, none where it is not there or empty.
Result<std::vector<LinkRequest>> KnownLinks(const std::string& path) {
  const Result<policy::SourcePtr> source = ReadInput(path);
  if (!source && source.error().code != ErrorCode::kNotFound)
    return std::unexpected(source.error());
  if (!source || (*source)->text().empty()) return std::vector<LinkRequest>();
  return ReadLinks(**source);
}

int Link(const LinkOptions& options) {
  Result<policy::PolicySet> policies = ReadPolicies(options.policies);
  if (!policies) return Complain(policies.error());
  const auto node = policy::ParseJson(policy::SourceFile("--arguments", options.arguments));
  if (!node) return Complain(node.error());
  Result<policy::SlotValues> values = ReadSlotValues(*node);
  if (!values) return Complain(values.error());
  const policy::Link link{options.template_id, *std::move(values)};
  if (const Result<void> added = policies->AddLink(options.new_id, link); !added) {
    return Complain(added.error());
  }
  Result<std::vector<LinkRequest>> links = KnownLinks(*options.policies.links);
  if (!links) return Complain(links.error());
  links->push_back({options.new_id, link});
  const Result<void> written = WriteFile(*options.policies.links, WriteLinks(*links));
  if (!written) return Complain(written.error());
  Print(fmt::format("Template-linked policy added: {}\n",
                    policy::ToCedar(policies->Find(options.new_id)->policy)));
  return kStatusSuccess;
}

void AddCheckParse(CLI::App& cedar, int& status) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* verb = cedar.add_subcommand("check-parse", "say whether these parse");
  AddPolicyOptions(*verb, options->policies);
  AddLinksOption(*verb, options->policies);
  AddSchemaOptions(*verb, options->schema);
  verb->add_option("--entities", options->entities, "entities, as JSON")->type_name("FILE");
  verb->add_option("--expression", options->expression, "one expression")->type_name("TEXT");
  verb->callback([options, &status] { status = CheckParse(*options); });
}

void AddFormat(CLI::App& cedar, int& status) {
  auto options = std::make_shared<FormatVerbOptions>();
  CLI::App* verb = cedar.add_subcommand("format", "print policies in the house form");
  auto* file = verb->add_option("-p,--policies", options->file, "else standard input");
  file->type_name("FILE");
  verb->add_option("-l,--line-width", options->format.line_width, "characters a line (80)");
  verb->add_option("-i,--indent-width", options->format.indent_width, "characters a level (2)");
  auto* write = verb->add_flag("-w,--write", options->write, "write to the file itself");
  write->needs(file);
  verb->add_flag("-c,--check", options->check, "fail if the text is not in that form already")
      ->excludes(write);
  verb->callback([options, &status] { status = Format(*options); });
}

void AddTranslate(CLI::App& cedar, const std::string& name, const std::string& input,
                  const std::vector<std::string>& directions, int (*run)(const TranslateOptions&),
                  int& status) {
  auto options = std::make_shared<TranslateOptions>();
  CLI::App* verb = cedar.add_subcommand(name, "print it in the other syntax");
  verb->add_option("--direction", options->direction)
      ->description(fmt::format("{}", fmt::join(directions, ", ")))
      ->check(CLI::IsMember(directions))
      ->required();
  verb->add_option(input, options->file, "else standard input")->type_name("FILE");
  verb->callback([options, run, &status] { status = run(*options); });
}

void AddLink(CLI::App& cedar, int& status) {
  auto options = std::make_shared<LinkOptions>();
  CLI::App* verb = cedar.add_subcommand("link", "make a policy of a template");
  AddPolicyOptions(*verb, options->policies);
  AddLinksOption(*verb, options->policies);
  verb->get_option("--template-linked")->required();
  verb->add_option("--template-id", options->template_id, "of the template")->required();
  verb->add_option("-n,--new-id", options->new_id, "of the new policy")->required();
  verb->add_option("-a,--arguments", options->arguments)
      ->description(R"({"?principal": "User::\"alice\""})")
      ->required();
  verb->callback([options, &status] { status = Link(*options); });
}

}  // namespace

void AddTextVerbs(CLI::App& cedar, int& status) {
  AddCheckParse(cedar, status);
  AddFormat(cedar, status);
  AddLink(cedar, status);
  AddTranslate(cedar, "translate-policy", "-p,--policies", {kToJson, kToCedar}, TranslatePolicy,
               status);
  AddTranslate(cedar, "translate-schema", "-s,--schema", {kToJson, kToCedar, kToResolvedJson},
               TranslateSchema, status);
}

}  // namespace palyra::cli
