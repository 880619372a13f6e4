// Links of templates, as the official command line reads them from a file.

#ifndef PALYRA_CLI_CEDAR_LINKS_H_
#define PALYRA_CLI_CEDAR_LINKS_H_

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/json_tree.h"
#include "policy/policy_set.h"
#include "policy/source.h"

namespace palyra::cli {

struct LinkRequest {
  std::string id;
  policy::Link link;
};

// An array of {"template_id", "link_id", "args": {"?principal": "T::\"id\"", "?resource": …}}.
Result<std::vector<LinkRequest>> ReadLinks(const policy::SourceFile& source);

// Adds those to a set that has their templates.
Result<void> AddLinks(const policy::SourceFile& source, policy::PolicySet& policies);

// The object {"?principal": "T::\"id\"", "?resource": …}, either or both.
Result<policy::SlotValues> ReadSlotValues(const policy::JsonNode& node);

// The array that ReadLinks reads, on one line.
std::string WriteLinks(const std::vector<LinkRequest>& links);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_LINKS_H_
