// Entities and contexts, with and without a schema.

#include "policy/entities.h"
#include "policy/schema/data.h"
#include "policy/schema/schema.h"
#include "policy/schema/text_parser.h"
#include "tests/fuzz/targets/target.h"

namespace policy = palyra::policy;
using palyra::tests::InputSource;
using palyra::tests::Require;

namespace {

constexpr const char* kSchema = R"(
entity User in [Group] = { name: String, level?: Long, ip?: ipaddr, friends?: Set<User>,
  info?: { since: datetime, share: decimal, idle?: duration } } tags Set<String>;
entity Group in [Group];
entity Color enum ["red", "green"];
action go appliesTo { principal: User, resource: [User, Color],
  context: { n: Long, who?: User, list?: Set<Long>, when?: datetime } };
)";

const policy::Schema& TestSchema() {
  static const policy::Schema kResolved = [] {
    const auto fragment = policy::ParseSchemaText(
        std::make_shared<const policy::SourceFile>("schema", std::string(kSchema)));
    return *policy::Schema::Resolve({&*fragment, 1});
  }();
  return kResolved;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const policy::SourcePtr source = InputSource(data, size);
  const auto entities = policy::EntityStore::FromJson(*source);
  Require(entities.has_value() || !entities.error().message.empty());
  const auto lawful = policy::EntitiesFromJson(*source, TestSchema());
  Require(lawful.has_value() || !lawful.error().message.empty());
  (void)policy::ContextFromJson(*source);
  const policy::EntityUid action("Action", "go");
  const auto context = policy::ContextFromJson(*source, TestSchema(), action);
  if (context) {
    (void)policy::ValidateRequest(
        {policy::EntityUid("User", "a"), action, policy::EntityUid("Color", "red"), *context},
        TestSchema());
  }
  return 0;
}
