// The options that verbs of `palyra cedar` share, named as those of the official command line, and
// the files behind them.

#ifndef PALYRA_CLI_CEDAR_VERB_OPTIONS_H_
#define PALYRA_CLI_CEDAR_VERB_OPTIONS_H_

#include <CLI/App.hpp>
#include <optional>
#include <string>

#include "cli/cedar/setting.h"
#include "policy/partial.h"

namespace palyra::cli {

// Exit statuses of the official command line.
inline constexpr int kStatusSuccess = 0;
inline constexpr int kStatusFailure = 1;
inline constexpr int kStatusDeny = 2;
inline constexpr int kStatusInvalid = 3;

struct PolicyOptions {
  std::optional<std::string> file;  // Else standard input.
  std::string format = "cedar";
  std::optional<std::string> links;
};

struct SchemaOptions {
  std::optional<std::string> file;
  std::string format = "cedar";
};

struct RequestOptions {
  std::optional<std::string> principal;
  std::optional<std::string> action;
  std::optional<std::string> resource;
  std::optional<std::string> context;  // A file.
  std::optional<std::string> request;  // A file with all four.
};

void AddPolicyOptions(CLI::App& verb, PolicyOptions& options);
void AddLinksOption(CLI::App& verb, PolicyOptions& options);
void AddSchemaOptions(CLI::App& verb, SchemaOptions& options);
void AddRequestOptions(CLI::App& verb, RequestOptions& options);

// Reads `path`, standard input where there is none. At most 64 MiB.
Result<policy::SourcePtr> ReadInput(const std::optional<std::string>& path);

// The policies of a file, named by @id where they have one. A file of links that is not there, or
// empty, has none.
Result<policy::PolicySet> ReadPolicies(const PolicyOptions& options);

// Nothing where no schema was named.
Result<std::optional<policy::Schema>> ReadSchema(const SchemaOptions& options);

Result<policy::EntityStore> ReadEntities(const std::optional<std::string>& path,
                                         const policy::Schema* schema);

// `schema` may be null; else the context is read with it, and the request held to it if `validate`.
Result<policy::Request> ReadRequest(const RequestOptions& options, const policy::Schema* schema,
                                    bool validate);

// As ReadRequest without validation, but principal, action and resource are to come where they are
// not given. A schema types the context only where the action is given.
Result<policy::PartialRequest> ReadPartialRequest(const RequestOptions& options,
                                                  const policy::Schema* schema);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_VERB_OPTIONS_H_
