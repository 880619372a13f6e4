// Policies, schema and entities as they come from a file or a line of JSON, and requests put to
// them: what every `palyra cedar` verb and every comparison with other implementations begins with.

#ifndef PALYRA_CLI_CEDAR_SETTING_H_
#define PALYRA_CLI_CEDAR_SETTING_H_

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/authorizer.h"
#include "policy/entities.h"
#include "policy/policy_set.h"
#include "policy/schema/schema.h"
#include "policy/source.h"
#include "policy/validate/validator.h"

namespace palyra::cli {

// The part of the input that is at fault.
enum class Stage : uint8_t { kPolicies, kSchema, kEntities, kRequest };

// "policies", "schema", "entities", "request".
std::string_view NameOf(Stage stage);

struct Refusal {
  Stage stage;
  std::string message;
};

// A request whose context is not read yet: what it must be depends on the schema.
struct Question {
  policy::EntityUid principal;
  policy::EntityUid action;
  policy::EntityUid resource;
  policy::SourcePtr context;  // A JSON object; null: an empty context.
};

struct Text {
  policy::SourcePtr source;  // Null: not given.
  bool is_json = false;      // Else Cedar's own syntax.
};

struct SettingTexts {
  Text policies;            // Needed.
  policy::SourcePtr links;  // As ReadLinks takes them; null: none.
  Text schema;
  policy::SourcePtr entities;  // JSON; null: none.
};

// Ids in the order in which the set has its policies.
struct Answer {
  policy::Decision decision;
  std::vector<std::string> reasons;
  std::vector<std::string> errors;
};

// What Load gives is held to the schema, where there is one. Immutable once made; Ask may be called
// from any thread.
class Setting {
 public:
  static std::expected<Setting, Refusal> Load(const SettingTexts& texts);

  [[nodiscard]] const policy::PolicySet& policies() const { return indexed_->policies; }
  [[nodiscard]] const policy::EntityStore& entities() const { return entities_; }
  // Null where none was given.
  [[nodiscard]] const policy::Schema* schema() const { return schema_ ? &*schema_ : nullptr; }

  [[nodiscard]] std::expected<Answer, Refusal> Ask(const Question& question) const;

  // Only with a schema.
  [[nodiscard]] policy::ValidationReport Validate() const {
    return policy::Validate(policies(), *schema_);
  }

 private:
  Setting() = default;

  // The authorizer borrows the policies, so both stay where they are.
  struct Indexed {
    explicit Indexed(policy::PolicySet set) : policies(std::move(set)), authorizer(policies) {}
    policy::PolicySet policies;
    policy::Authorizer authorizer;
  };

  std::unique_ptr<const Indexed> indexed_;
  std::optional<policy::Schema> schema_;
  policy::EntityStore entities_;
};

// The parts of which Load is made.
//
// Policies in JSON are a policy set, or one policy alone, which gets the id policy0. `links` may be
// null.
std::expected<policy::PolicySet, Refusal> LoadPolicies(const Text& text,
                                                       const policy::SourcePtr& links = nullptr);
std::expected<policy::Schema, Refusal> LoadSchema(const Text& text);
// `schema` may be null. Without `source` the store holds the actions of the schema.
std::expected<policy::EntityStore, Refusal> LoadEntities(const policy::SourcePtr& source,
                                                         const policy::Schema* schema);

// The request that a question is; refused, with stage kRequest, where its context cannot be read.
// With a schema, which may be null, the context is read by the type of the action, and if
// `validate` requests that the schema does not know are refused.
std::expected<policy::Request, Refusal> MakeRequest(const Question& question,
                                                    const policy::Schema* schema, bool validate);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CEDAR_SETTING_H_
