#include "policy/schema/palyra_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "policy/compile/endpoint.h"
#include "policy/mandatory.h"
#include "policy/schema/data.h"
#include "policy/shorthand.h"
#include "policy/validate/engine_policies.h"
#include "tests/unit/policy/schema_helpers.h"

namespace palyra::policy {
namespace {

using ::testing::HasSubstr;

// What is said of policies under the built-in schema and one of the user's, "" where they load.
std::string LoadErrors(const PolicySet& policies, const std::string& extension = "") {
  const auto schema = PalyraSchema({*FragmentOf(extension)});
  if (!schema) {
    return Render(schema.error());
  }
  const auto valid = ValidateForEngine(policies, *schema);
  return valid ? Render(*valid) : Render(valid.error());
}

TEST(PalyraSchema, WhatIsShippedLoads) {
  EXPECT_EQ(LoadErrors(MandatoryPolicies()), "");
  for (const char* path :
       {"/examples/quickstart/policy.cedar", "/packaging/policy.d/50-tools.cedar"}) {
    std::ifstream file(PALYRA_SOURCE_DIR + std::string(path));
    ASSERT_TRUE(file.is_open()) << path;
    EXPECT_EQ(LoadErrors(MustParsePolicies({std::istreambuf_iterator<char>(file), {}})), "");
  }
  for (const char* option : {"*", "localhost:80", "10.0.0.0/8:1-1024", "[2001:db8::/32]:443"}) {
    const Result<std::string> text = NetShorthandToCedar(NetShorthand::kAllow, option);
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_EQ(LoadErrors(MustParsePolicies(*text)), "") << option;
  }
}

TEST(PalyraSchema, PoliciesThatCannotMeanWhatTheySayDoNotLoad) {
  const struct {
    const char* condition;
    const char* message;
  } cases[] = {
      {"resource.port == \"443\"", "equality of the types Long and String cannot hold"},
      {"resource.address == \"10.0.0.1\"", "equality of the types ipaddr and String"},
      {"resource.host == \"a\"", "there is no attribute \"host\" of Palyra::Endpoint"},
      {"resource.domain == \"a\"", "the optional attribute \"domain\" of Palyra::Endpoint may be"},
      {"context.tool.nope == 1", "there is no attribute \"nope\" of Palyra::Tool"},
      {"principal is Agent", "did you mean `Palyra::Agent`?"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(
        LoadErrors(MustParsePolicies(
            R"(permit(principal, action == Palyra::Action::"net.connect", resource) when { )" +
            std::string(c.condition) + " };")),
        HasSubstr(c.message))
        << c.condition;
  }
}

TEST(PalyraSchema, TheEnginesEndpointConforms) {
  const Schema schema = *PalyraSchema({});
  const Entity endpoint = EndpointEntity({.action = NetAction::kConnect,
                                          .protocol = Protocol::kTcp,
                                          .is_ipv6 = false,
                                          .address = {192, 0, 2, 1},
                                          .port = 443,
                                          .domain = "a.example"},
                                         EntityStore());
  EXPECT_EQ(Mismatch(Value::Record(endpoint.attrs.fields()),
                     *schema.FindEntityType(endpoint.uid.type())->shape, schema),
            std::nullopt);
  for (const NetAction action : {NetAction::kConnect, NetAction::kSend, NetAction::kAccept}) {
    EXPECT_NE(schema.FindAction(ActionUid(action)), nullptr);
  }
}

// The registry says what a tool is, so a file of entities need not.
TEST(PalyraSchema, ToolsHaveTheirAttributesUnlessInAFile) {
  const PolicySet policies = MustParsePolicies(R"(
    forbid (principal, action == Palyra::Action::"tool.execute", resource)
    when { resource.sensitivity == "high" && resource.capabilities.contains("secrets") };
    forbid (principal, action == Palyra::Action::"tool.execute", resource)
    when { context has limits && context.limits has memory && context.limits.memory > 1000 };
  )");
  EXPECT_EQ(LoadErrors(policies), "");
  const SourceFile file("e.json", R"([{"uid": {"type": "Palyra::Tool", "id": "git"}, "attrs": {},
      "parents": [{"type": "Palyra::ToolGroup", "id": "vcs"}]}])");
  EXPECT_TRUE(EntitiesFromJson(file, *PalyraSchema({}, EngineAttributes::kMayLack)));
  EXPECT_FALSE(EntitiesFromJson(file, *PalyraSchema({})));
}

TEST(PalyraSchema, AUserAddsToIt) {
  constexpr const char* kExtension = R"(
    namespace Palyra { entity Agent in [Acme::Team] { port?: Long } tags ipaddr; entity Cluster; }
    namespace Acme { entity Team; }
  )";
  const PolicySet policies = MustParsePolicies(R"(
    permit(principal in Acme::Team::"ci", action == Palyra::Action::"net.connect", resource)
    when { principal has port && resource.port == principal.port }
    when { principal.hasTag("home") && resource.address == principal.getTag("home") };
  )");
  EXPECT_EQ(LoadErrors(policies, kExtension), "");
  EXPECT_THAT(LoadErrors(policies), HasSubstr("the schema has no entity type `Acme::Team`"));
}

TEST(PalyraSchema, AUserCannotChangeIt) {
  const struct {
    const char* extension;
    const char* message;
  } cases[] = {
      {"namespace Palyra { entity Endpoint { port: String }; }",
       "`Palyra::Endpoint` has the attribute \"port\" already"},
      {"namespace Palyra { entity Endpoint { country: String }; }", "must be optional"},
      {"namespace Palyra { entity Tool { owner: String }; }", "must be optional"},
      {"namespace Palyra { entity Agent enum [\"a\"]; }", "can only be given attributes"},
      {"namespace Palyra { action \"net.fly\"; }", "are those of the engine"},
      {"entity Agent;", "`Palyra::Agent` hides `Agent` of the empty namespace"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(LoadErrors({}, c.extension), HasSubstr(c.message)) << c.extension;
  }
}

// Of all the types that have no address, one is told.
TEST(ValidateForEngine, TellsAPlaceThatIsWrongForManyTypesOnce) {
  const std::string errors = LoadErrors(MustParsePolicies(
      "permit (principal, action, resource) when { resource.address.isIpv4() };"));
  EXPECT_THAT(errors, HasSubstr("more like it"));
  EXPECT_THAT(errors, HasSubstr("hint: "));
  EXPECT_EQ(errors.find("error:"), errors.rfind("error:"));
}

}  // namespace
}  // namespace palyra::policy
