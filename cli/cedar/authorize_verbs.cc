#include "cli/cedar/authorize_verbs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cli/cedar/verb_options.h"
#include "cli/cedar/verb_output.h"
#include "policy/authorizer.h"
#include "policy/evaluator.h"
#include "policy/parser.h"
#include "policy/partial_authorizer.h"
#include "policy/printer.h"
#include "policy/validate/validator.h"

namespace palyra::cli {
namespace {

struct AuthorizeOptions {
  RequestOptions request;
  bool validate_request = true;
  PolicyOptions policies;
  SchemaOptions schema;
  std::optional<std::string> entities;
  bool verbose = false;
  bool timing = false;
};

void PrintTime(std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  Print(fmt::format("Authorization Time (micro seconds) : {:.3f}\n", took.count()));
}

void PrintAnswer(const policy::PolicySet& policies, const policy::Response& response,
                 bool verbose) {
  Print(response.decision == policy::Decision::kAllow ? "ALLOW\n" : "DENY\n");
  for (const policy::PolicyError& error : response.errors) {
    Print(fmt::format("error while evaluating policy `{}`: {}\n", policies[error.policy].id,
                      error.error.message));
  }
  if (!verbose) return;
  if (response.reasons.empty()) {
    Print("\nnote: no policies applied to this request\n");
    return;
  }
  Print("\nnote: this decision was due to the following policies:\n");
  for (const size_t reason : response.reasons) Print(fmt::format("  {}\n", policies[reason].id));
}

int Authorize(const AuthorizeOptions& options) {
  const auto schema = ReadSchema(options.schema);
  if (!schema) return Complain(schema.error());
  const policy::Schema* law = *schema ? &**schema : nullptr;
  const auto request = ReadRequest(options.request, law, options.validate_request);
  if (!request) return Complain(request.error());
  const auto policies = ReadPolicies(options.policies);
  if (!policies) return Complain(policies.error());
  const auto entities = ReadEntities(options.entities, law);
  if (!entities) return Complain(entities.error());
  const auto start = std::chrono::steady_clock::now();
  const policy::Response response = policy::Authorize(*policies, *request, *entities);
  if (options.timing) PrintTime(start);
  PrintAnswer(*policies, response, options.verbose);
  return response.decision == policy::Decision::kAllow ? kStatusSuccess : kStatusDeny;
}

// A policy of which something is left, as the policy that asks just that.
void PrintResidual(const policy::PolicySet& policies, const policy::ResidualPolicy& residual) {
  const policy::PlacedPolicy& placed = policies[residual.policy];
  const bool permits = placed.policy.effect == policy::Effect::kPermit;
  Print(fmt::format("// {}{}\n{} (principal, action, resource)\nwhen {{ {} }};\n", placed.id,
                    residual.outcomes.may_error ? ", which may fail" : "",
                    permits ? "permit" : "forbid", policy::ToCedar(*residual.residual)));
}

int PartiallyAuthorize(const AuthorizeOptions& options) {
  const auto schema = ReadSchema(options.schema);
  if (!schema) return Complain(schema.error());
  const policy::Schema* law = *schema ? &**schema : nullptr;
  const auto request = ReadPartialRequest(options.request, law);
  if (!request) return Complain(request.error());
  const auto policies = ReadPolicies(options.policies);
  if (!policies) return Complain(policies.error());
  const auto entities = ReadEntities(options.entities, law);
  if (!entities) return Complain(entities.error());
  const auto start = std::chrono::steady_clock::now();
  const auto response = policy::PartiallyAuthorize(*policies, *request, *entities);
  if (options.timing) PrintTime(start);
  if (response.decision == policy::Decision::kAllow) {
    Print("ALLOW\n");
    return kStatusSuccess;
  }
  if (response.decision == policy::Decision::kDeny) {
    Print("DENY\n");
    return kStatusDeny;
  }
  Print("UNKNOWN\nAll policy residuals:\n");
  for (const policy::ResidualPolicy& residual : response.residuals) {
    PrintResidual(*policies, residual);
  }
  return kStatusSuccess;
}

struct EvaluateOptions {
  RequestOptions request;
  bool validate_request = true;
  SchemaOptions schema;
  std::optional<std::string> entities;
  std::string expression;
};

int Evaluate(const EvaluateOptions& options) {
  const auto schema = ReadSchema(options.schema);
  if (!schema) return Complain(schema.error());
  const policy::Schema* law = *schema ? &**schema : nullptr;
  const auto request = ReadRequest(options.request, law, options.validate_request);
  if (!request) return Complain(request.error());
  const auto source = std::make_shared<const policy::SourceFile>("expression", options.expression);
  const auto expression = policy::ParseExpression(source);
  if (!expression) return Complain(policy::ToError(expression.error()));
  const auto entities = ReadEntities(options.entities, law);
  if (!entities) return Complain(entities.error());
  const policy::EvalResult value = policy::Evaluator(*request, *entities).Evaluate(**expression);
  if (!value) {
    policy::Diagnostic failure;
    failure.code = "evaluation";
    failure.message = value.error().message;
    failure.source = source;
    failure.span = value.error().span;
    return Complain(policy::ToError({failure}));
  }
  Print(fmt::format("{}\n", policy::ToCedar(*value)));
  return kStatusSuccess;
}

struct ValidateOptions {
  SchemaOptions schema;
  PolicyOptions policies;
  bool deny_warnings = false;
  std::string mode = "strict";
  std::optional<uint32_t> level;
};

int Validate(const ValidateOptions& options) {
  const auto policies = ReadPolicies(options.policies);
  if (!policies) return Complain(policies.error());
  const auto schema = ReadSchema(options.schema);
  if (!schema) return Complain(schema.error());
  const policy::ValidationReport report =
      policy::Validate(*policies, **schema,
                       {.mode = options.mode == "strict" ? policy::ValidationMode::kStrict
                                                         : policy::ValidationMode::kPermissive,
                        .max_level = options.level});
  Print(policy::Render(report.errors) + policy::Render(report.warnings));
  const bool passed = report.valid() && (report.warnings.empty() || !options.deny_warnings);
  Print(passed ? "policy set validation passed\n" : "policy set validation failed\n");
  return passed ? kStatusSuccess : kStatusInvalid;
}

// clap takes true and false behind the option, so this does.
void AddRequestValidation(CLI::App& verb, bool& validate) {
  verb.add_option("--request-validation", validate, "hold the request to the schema (true)")
      ->type_name("BOOL");
}

void AddDecisionOptions(CLI::App& verb, AuthorizeOptions& options) {
  AddRequestOptions(verb, options.request);
  AddPolicyOptions(verb, options.policies);
  AddLinksOption(verb, options.policies);
  AddSchemaOptions(verb, options.schema);
  verb.add_option("--entities", options.entities, "entities, as JSON")
      ->type_name("FILE")
      ->required();
  verb.add_flag("-t,--timing", options.timing, "say how long the decision took");
}

void AddAuthorize(CLI::App& cedar, int& status) {
  auto options = std::make_shared<AuthorizeOptions>();
  CLI::App* verb = cedar.add_subcommand("authorize", "decide a request: ALLOW (0) or DENY (2)");
  AddDecisionOptions(*verb, *options);
  AddRequestValidation(*verb, options->validate_request);
  verb->add_flag("-v,--verbose", options->verbose, "say which policies decided");
  verb->callback([options, &status] { status = Authorize(*options); });
}

void AddPartiallyAuthorize(CLI::App& cedar, int& status) {
  auto options = std::make_shared<AuthorizeOptions>();
  CLI::App* verb = cedar.add_subcommand(
      "partially-authorize", "decide as far as the parts that are given do; UNKNOWN is 0");
  AddDecisionOptions(*verb, *options);
  verb->callback([options, &status] { status = PartiallyAuthorize(*options); });
}

void AddEvaluate(CLI::App& cedar, int& status) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* verb = cedar.add_subcommand("evaluate", "print the value of an expression");
  AddRequestOptions(*verb, options->request);
  AddRequestValidation(*verb, options->validate_request);
  AddSchemaOptions(*verb, options->schema);
  verb->add_option("--entities", options->entities, "entities, as JSON")->type_name("FILE");
  verb->add_option("EXPRESSION", options->expression, "in Cedar")->required();
  verb->callback([options, &status] { status = Evaluate(*options); });
}

void AddValidate(CLI::App& cedar, int& status) {
  auto options = std::make_shared<ValidateOptions>();
  CLI::App* verb =
      cedar.add_subcommand("validate", "hold policies to a schema; 3 if they do not fit");
  AddSchemaOptions(*verb, options->schema);
  verb->get_option("--schema")->required();
  AddPolicyOptions(*verb, options->policies);
  AddLinksOption(*verb, options->policies);
  verb->add_flag("--deny-warnings", options->deny_warnings, "warnings are failures, too");
  verb->add_option("--validation-mode", options->mode, "strict or permissive")
      ->check(CLI::IsMember({"strict", "permissive"}));
  verb->add_option("--level", options->level, "at most this many steps from entity to entity");
  verb->callback([options, &status] { status = Validate(*options); });
}

}  // namespace

void AddAuthorizeVerbs(CLI::App& cedar, int& status) {
  AddAuthorize(cedar, status);
  AddPartiallyAuthorize(cedar, status);
  AddEvaluate(cedar, status);
  AddValidate(cedar, status);
}

}  // namespace palyra::cli
