// A version of the operator's policies as one piece of bytes: what is stored, and has a digest.
//
//     palyra-policy 1
//     policy 123 10-base.cedar
//     …123 bytes, and a newline…
//     entities 45 entities.json
//     …
//     schema 67 schema.cedarschema
//     …
//
// Policies come in the order in which they are numbered; entities and schema at most once each.

#ifndef PALYRA_ENGINE_POLICY_BUNDLE_H_
#define PALYRA_ENGINE_POLICY_BUNDLE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

struct PolicyFile {
  std::string name;  // As messages call it; without newlines.
  std::string text;
  bool operator==(const PolicyFile&) const = default;
};

struct PolicyBundle {
  std::vector<PolicyFile> policies;
  std::optional<PolicyFile> entities;
  std::optional<PolicyFile> schema;
  bool operator==(const PolicyBundle&) const = default;
};

// Equal bundles have equal bytes. kInvalidArgument: a name with a newline.
Result<std::string> BundleBytes(const PolicyBundle& bundle);

// kInvalidArgument for anything that BundleBytes does not write.
Result<PolicyBundle> ParseBundle(std::string_view bytes);

// SHA-256 in hexadecimal.
std::string BundleDigest(std::string_view bytes);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_POLICY_BUNDLE_H_
