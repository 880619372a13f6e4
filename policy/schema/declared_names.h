// What the names in a schema mean where they stand.
// https://docs.cedarpolicy.com/schema/human-readable-schema.html#schema-namespace

#ifndef PALYRA_POLICY_SCHEMA_DECLARED_NAMES_H_
#define PALYRA_POLICY_SCHEMA_DECLARED_NAMES_H_

#include <cstdint>
#include <expected>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "policy/schema/fragment.h"
#include "policy/schema/types.h"
#include "policy/source.h"
#include "policy/value.h"

namespace palyra::policy {

// Where a declaration or a reference stands.
struct SchemaPlace {
  const SchemaFragment* fragment;
  const std::string* scope;  // The name of the namespace.
};

// `A::B` of scope A and name B.
std::string QualifyName(const std::string& scope, const std::string& name);

Diagnostic SchemaError(const SchemaFragment& fragment, Span span, std::string_view code,
                       const std::string& message, std::optional<std::string> hint = std::nullopt);

// The names that some fragments declare together. Whether they may be declared is not asked.
class DeclaredNames {
 public:
  enum class Wanted : uint8_t { kCommon, kEntity, kEither };
  enum class Kind : uint8_t { kCommon, kBuiltIn, kEntity, kAction };
  struct Meaning {
    Kind kind;
    std::string name;                // In full; of a built-in type as it was written.
    const Type* built_in = nullptr;  // Null but for kBuiltIn.
  };

  explicit DeclaredNames(std::span<const SchemaFragment> fragments);

  // A name goes to its own namespace, then to the empty one; there to a common type before an
  // entity type, before the type of the namespace's actions. The built-in types are common types of
  // the empty namespace that any declaration there hides, and of `__cedar`.
  [[nodiscard]] std::expected<Meaning, Diagnostic> Find(const WrittenName& name, Wanted wanted,
                                                        const SchemaPlace& place) const;
  [[nodiscard]] std::expected<EntityUid, Diagnostic> FindAction(const WrittenActionRef& ref,
                                                                const SchemaPlace& place) const;

  // What Find says where there is nothing.
  static Diagnostic Undeclared(const WrittenName& name, Wanted wanted, const SchemaPlace& place);

 private:
  [[nodiscard]] std::optional<Meaning> Declared(const std::string& full_name, Wanted wanted) const;

  std::set<std::string> common_types_;
  std::set<std::string> entity_types_;
  std::set<std::string> action_types_;
  std::set<EntityUid> actions_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SCHEMA_DECLARED_NAMES_H_
