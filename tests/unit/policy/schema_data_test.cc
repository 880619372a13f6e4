#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policy/schema/data.h"
#include "tests/unit/policy/schema_helpers.h"

namespace palyra::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSchema = R"(
  entity G;
  entity U in [G] {
    l?: Long, b?: Bool, s?: String, e?: G, ip?: ipaddr, d?: decimal, t?: datetime, u?: duration,
    set?: Set<G>, ips?: Set<ipaddr>, r?: {x: Long, g?: G, ip?: ipaddr}, k?: K, a?: Action,
    escape?: {__entity: Long}
  } tags Set<Long>;
  entity K enum ["a", "b"];
  entity Strict in [K] {q: Long};
  action v in w appliesTo {principal: [U, K], resource: [U, K], context: {x?: Long, g?: G, k?: K}};
  action w in z;
  action z;
)";

const Schema& TheSchema() {
  static const Schema kResolved = MustResolve(kSchema);
  return kResolved;
}

std::string LoadError(const std::string& json) {
  const auto store = EntitiesFromJson(SourceFile("e.json", json), TheSchema());
  return store ? "" : store.error().message;
}

// The attribute of a U, or what is said of it.
std::string Attribute(const std::string& name, const std::string& json) {
  const auto store = EntitiesFromJson(
      SourceFile("e.json", R"([{"uid": {"type": "U", "id": "u"}, "parents": [], "attrs": {")" +
                               name + "\": " + json + "}}]"),
      TheSchema());
  return store ? ToCedar(*store->Find(EntityUid("U", "u"))->attrs.Find(name))
               : store.error().message;
}

TEST(SchemaEntities, ShortFormsAreReadByTheirType) {
  const struct {
    const char* name;
    const char* json;
    const char* value;
  } cases[] = {
      {"e", R"({"type": "G", "id": "x"})", R"(G::"x")"},
      {"e", R"({"__entity": {"type": "G", "id": "x"}, "y": 1})", R"(G::"x")"},
      {"e", R"(["G", "x"])", R"(G::"x")"},
      {"e", R"({"__expr": 1, "type": "G", "id": "x"})", R"(G::"x")"},
      {"ip", R"("1.1.1.1")", R"(ip("1.1.1.1"))"},
      {"ip", R"({"fn": "ip", "arg": "1.1.1.1", "x": 1})", R"(ip("1.1.1.1"))"},
      {"ip", R"({"__extn": {"fn": "ip", "arg": "1.1.1.1"}, "x": 1})", R"(ip("1.1.1.1"))"},
      {"d", R"("1.50")", R"(decimal("1.5"))"},
      {"u", R"("1d")", R"(duration("1d"))"},
      {"t", R"({"fn": "offset", "args": ["2024-01-01", "1d"]})",
       R"(datetime("2024-01-02T00:00:00.000Z"))"},
      {"set", R"([{"type": "G", "id": "x"}, {"__entity": {"type": "G", "id": "y"}}])",
       R"([G::"x", G::"y"])"},
      {"ips", R"(["::1", {"fn": "ip", "arg": "::1"}])", R"([ip("::1")])"},
      {"r", R"({"x": 1, "g": {"type": "G", "id": "q"}, "ip": "::1"})",
       R"({g: G::"q", ip: ip("::1"), x: 1})"},
      {"l", R"({"__extn": {"fn": "toDays", "arg": {"__extn": {"fn": "duration", "arg": "2d"}}}})",
       "2"},
      {"escape", R"({"__entity": 1})", "{__entity: 1}"},
      {"a", R"({"type": "Action", "id": "v"})", R"(Action::"v")"},
      {"k", R"({"type": "K", "id": "b"})", R"(K::"b")"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Attribute(c.name, c.json), c.value) << c.json;
  }
}

TEST(SchemaEntities, ValuesOfOtherTypesAreRefused) {
  const struct {
    const char* name;
    const char* json;
    const char* message;
  } cases[] = {
      {"l", "\"1\"", R"(U::"u": attribute "l": expected Long, found "1")"},
      {"b", "1", "expected Bool, found 1"},
      {"l", "null", "null is not a Cedar value"},
      {"e", R"({"type": "U", "id": "x"})", R"(expected G, found U::"x")"},
      {"e", R"("G::\"x\"")", "an entity is written"},
      {"e", R"({"__expr": "x", "type": "G", "id": "x"})", "no longer part of Cedar"},
      {"e", R"({"__extn": {"fn": "ip", "arg": "::1"}})", "an entity is written"},
      {"ip", R"("x")", "not an IP address or range"},
      {"ip", "1", "attribute \"ip\""},
      {"ip", R"({"fn": "decimal", "arg": "1.0"})", R"(expected ipaddr, found decimal("1.0"))"},
      {"ip", R"({"fn": "isIpv4", "arg": "1.1.1.1"})", "expected ipaddr, found true"},
      {"ip", R"({"fn": "nope", "arg": "1.1.1.1"})", "there is no function \"nope\""},
      {"t", R"({"fn": "offset", "args": ["2024-01-01"]})", "offset takes 2 arguments, not 1"},
      {"l", R"({"__extn": {"fn": "toDays", "arg": "1d"}})", "attribute \"l\""},
      {"set", R"([{"type": "U", "id": "x"}])", R"(an element: expected G, found U::"x")"},
      {"set", R"({"type": "G", "id": "x"})", "expected an array, Set<G>"},
      {"r", "{}", "attribute \"r\": the attribute \"x\" is missing"},
      {"r", R"({"x": 1, "y": 2})", "attribute \"y\": the schema has no such attribute here"},
      {"r", "[]", "expected an object"},
      {"k", R"({"type": "K", "id": "z"})", "is not one of the entities that its type lists"},
      {"a", R"({"type": "Action", "id": "q"})", "is not declared as an action"},
      {"nope", "1", "the schema has no such attribute here"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Attribute(c.name, c.json), HasSubstr(c.message)) << c.json;
  }
}

TEST(SchemaEntities, TheHierarchyAndTheDeclarationsAreHeldTo) {
  const auto entity = [](const std::string& uid, const std::string& rest) {
    return R"([{"uid": )" + uid + R"(, "attrs": {}, )" + rest + "}]";
  };
  const std::string u = R"({"type": "U", "id": "u"})";
  const struct {
    std::string json;
    const char* message;  // "": accepted.
  } cases[] = {
      {entity(u, R"("parents": [{"type": "G", "id": "g"}])"), ""},
      {entity(u, R"("parents": [{"type": "K", "id": "a"}])"), "allows no ancestor of type K"},
      {entity(u, R"("parents": [{"type": "X", "id": "a"}])"), "allows no ancestor of type X"},
      {entity(R"({"type": "X", "id": "u"})", R"("parents": [])"), "no entity type X"},
      {entity(u, R"("parents": [], "tags": {"a": [1]})"), ""},
      {entity(u, R"("parents": [], "tags": {"a": 1})"), "tag \"a\": expected an array, Set<Long>"},
      {entity(u, R"("parents": [], "tags": {"a": ["x"]})"), "tag \"a\": an element: expected Long"},
      {entity(R"({"type": "G", "id": "g"})", R"("parents": [], "tags": {"a": 1})"), "no tags"},
      {entity(R"({"type": "G", "id": "g"})", R"("parents": [], "tags": {})"), ""},
      {entity(R"({"type": "Strict", "id": "s"})", R"("parents": [])"), "\"q\" is missing"},
      {entity(R"({"type": "K", "id": "a"})", R"("parents": [])"), ""},
      {entity(R"({"type": "K", "id": "z"})", R"("parents": [])"), "its type lists"},
      {R"([{"uid": {"type": "Strict", "id": "s"}, "attrs": {"q": 1},
            "parents": [{"type": "K", "id": "z"}]}])",
       "ancestor K::\"z\" is not one of the entities"},
      {entity(R"({"type": "Action", "id": "q"})", R"("parents": [])"), "not declared as an action"},
      {entity(R"({"type": "Action", "id": "v"})", R"("parents": [])"), "as the schema declares it"},
      {entity(R"({"type": "Action", "id": "v"})", R"("parents": [{"type": "Action", "id": "w"}])"),
       "with all of its ancestors"},
      {entity(R"({"type": "Action", "id": "v"})",
              R"("parents": [{"type": "Action", "id": "w"}, {"type": "Action", "id": "z"}])"),
       ""},
      {R"([[{"type": "U", "id": "u"}, {}, [], {"t": []}]])", ""},
  };
  for (const auto& c : cases) {
    if (*c.message == '\0') {
      EXPECT_THAT(LoadError(c.json), IsEmpty()) << c.json;
    } else {
      EXPECT_THAT(LoadError(c.json), HasSubstr(c.message)) << c.json;
    }
  }
}

TEST(SchemaEntities, ActionsAreAdded) {
  const auto store = EntitiesFromJson(SourceFile("e.json", "[]"), TheSchema());
  ASSERT_TRUE(store);
  EXPECT_EQ(store->entities().size(), 3U);
  EXPECT_TRUE(store->Find(EntityUid("Action", "v"))->ancestors.contains(EntityUid("Action", "z")));
}

std::string ContextError(const std::string& json, const std::string& action = "v") {
  const auto context =
      ContextFromJson(SourceFile("c.json", json), TheSchema(), EntityUid("Action", action));
  return context ? "" : context.error().message;
}

TEST(SchemaContext, IsReadAsTheActionsRecord) {
  EXPECT_THAT(ContextError(R"({"x": 1, "g": {"type": "G", "id": "x"}})"), IsEmpty());
  EXPECT_EQ(ContextError(R"({"y": 1})"),
            "c.json: attribute \"y\": the schema has no such attribute here");
  EXPECT_EQ(ContextError(R"({"x": 1})", "z"),
            "c.json: attribute \"x\": the schema has no such attribute here");
  EXPECT_EQ(ContextError("[]"), "c.json: expected an object, {g?: G, k?: K, x?: Long}");
  EXPECT_EQ(ContextError("{}", "q"), "action: Action::\"q\" is not declared as an action");
}

TEST(SchemaRequest, MustFitTheDeclarationOfItsAction) {
  const auto error = [](const EntityUid& principal, const std::string& action,
                        const EntityUid& resource, const std::string& context) {
    const Result<void> valid =
        ValidateRequest({.principal = principal,
                         .action = EntityUid("Action", action),
                         .resource = resource,
                         .context = *ContextFromJson(SourceFile("c.json", context), TheSchema(),
                                                     EntityUid("Action", "v"))},
                        TheSchema());
    return valid ? "" : valid.error().message;
  };
  const EntityUid u("U", "u");
  const EntityUid k("K", "z");
  EXPECT_EQ(error(u, "v", u, "{}"), "");
  EXPECT_EQ(error(EntityUid("X", "x"), "v", u, "{}"), "principal: the schema has no entity type X");
  EXPECT_EQ(error(u, "v", EntityUid("G", "x"), "{}"),
            "resource: Action::\"v\" does not apply to a resource of type G");
  EXPECT_EQ(error(u, "z", u, "{}"),
            "principal: Action::\"z\" does not apply to a principal of type U");
  EXPECT_EQ(error(u, "q", u, "{}"), "action: Action::\"q\" is not declared as an action");
  EXPECT_EQ(error(k, "v", u, "{}"),
            "principal: K::\"z\" is not one of the entities that its type lists");
  EXPECT_EQ(error(u, "v", u, R"({"x": "1"})"),
            "context: attribute \"x\": expected Long, found \"1\"");
  EXPECT_EQ(error(u, "v", u, R"({"k": {"type": "K", "id": "z"}})"),
            "context: attribute \"k\": K::\"z\" is not one of the entities that its type lists");
}

}  // namespace
}  // namespace palyra::policy
