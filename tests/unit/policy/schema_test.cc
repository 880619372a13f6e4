#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policy/schema/printer.h"
#include "tests/unit/policy/schema_helpers.h"

namespace palyra::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Schema, TextThatCedarAcceptsHoldsTogether) {
  const char* const texts[] = {
      "",
      "// only a comment",
      "\u00a0entity\u2003A;",
      "entity A; type A = Long;",
      "entity A {a: Long, a: String};",
      "entity A { __cedar: Long, \"in\": Long, \"a b\"?: Set<Set<{}>> };",
      "entity A in [] = {} tags Long;",
      "entity A in [A, A];",
      "entity A in B; entity B in A;",
      "entity A enum [\"a\", \"a\"]; entity B in A;",
      "entity entity, Set, Record, principal, type, enum, appliesTo;",
      "entity Long { a: Long, b: __cedar::Long };",
      "type EntityOrCommon = Long; type Action = Long; type ipaddr = String;",
      "type T = {a: decimal, b: datetime, c: duration, d: ipaddr, e: __cedar::ipaddr,};",
      "namespace A { type ipaddr = Long; type T = {a: ipaddr, b: __cedar::ipaddr}; }",
      "namespace A { type Foo = Long; } type T = A::Foo;",
      "namespace N { entity A { x: Action }; } action a;",
      "namespace N { entity A; } namespace N::M { entity A; }",
      "namespace N { action a in b; } action b;",
      "namespace N { action a in Action::\"b\"; action b; }",
      "action a in N::Action::\"b\"; namespace N { action b; }",
      "action \"\", principal, \"in\"; action x in [\"in\", principal] attributes {};",
      "entity A; action a appliesTo {context: {}, resource: A, principal: [A, A],};",
      "entity A; type T = {}; action a appliesTo {principal: A, resource: A, context: T};",
      "@in(\"x\") @a entity A { @b c: Long }; @q namespace N {} @r action a;",
  };
  for (const char* text : texts) {
    EXPECT_THAT(SchemaErrors(FragmentOf(text)), IsEmpty()) << text;
  }
}

TEST(Schema, TextThatBreaksTheGrammarIsRefusedWhereItDoes) {
  const struct {
    const char* text;
    const char* place;
    const char* message;
  } cases[] = {
      {"entity A", "1:9", "expected `;` after the entity type, found the end of the text"},
      {"entity A;;", "1:10", "expected `namespace`, `entity`, `action` or `type`, found `;`"},
      {"entity in;", "1:8", "`in` is reserved"},
      {"entity \"A\";", "1:8", "expected the name of an entity type"},
      {"entity A {in: Long};", "1:11", "`in` is reserved"},
      {"entity A in [A,];", "1:16", "expected an entity type, found `]`"},
      {"entity A enum [];", "1:16", "expected an entity id"},
      {"entity A enum [\"a\"] tags Long;", "1:21", "expected `;`"},
      {"entity A = tags Long;", "1:12", "expected `{`"},
      {"entity A { \"\\x\": Long };", "1:13", "\\x takes two hexadecimal digits"},
      {"entity A { b: @x Long };", "1:15", "expected a type"},
      {"type T = Set<>;", "1:14", "expected a type"},
      {"type T = {,};", "1:11", "expected the name of an attribute"},
      {"type A::B = Long;", "1:7", "expected `=` after the name of the type"},
      {"action a in [];", "1:14", "expected an action"},
      {"action a in a::b;", "1:17", "expected `::` after the type of the action"},
      {"action a in \"N\"::\"b\";", "1:16", "expected `;`"},
      {"action a attributes {a: Long};", "1:22", "actions have no attributes"},
      {"entity A; action a appliesTo {};", "1:31", "expected `principal`, `resource` or `context`"},
      {"entity A; action a appliesTo {principal: A resource: A};", "1:44", "expected `}`"},
      {"namespace A { namespace B {} }", "1:15", "expected `entity`, `action` or `type`"},
      {"namespace A { entity B;", "1:24", "expected `}`"},
      {"\ufeffentity A;", "1:1", "a byte order mark is not allowed"},
      {"@a(\"x\") @a entity A;", "1:9", "the annotation `@a` stands twice"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(SchemaErrors(FragmentOf(c.text)),
                HasSubstr("s.cedarschema:" + std::string(c.place) + ": error: "))
        << c.text;
    EXPECT_THAT(SchemaErrors(FragmentOf(c.text)), HasSubstr(c.message)) << c.text;
  }
}

TEST(Schema, DeclarationsThatCannotBeAreRefused) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"entity A, A;", "the entity type `A` is declared twice"},
      {"type A = Long; type A = Long;", "the common type `A` is declared twice"},
      {"action a; action a;", "the action `a` is declared twice"},
      {"namespace A {} namespace A {}", "the namespace `A` stands twice"},
      {"namespace A::__cedar {}", "names with `__cedar` in them are reserved"},
      {"entity __cedar;", "`__cedar` is reserved"},
      {"namespace N { entity Action; }", "`Action` is reserved and cannot be an entity type"},
      {"type Long = String;", "`Long` is reserved and cannot be the name of a common type"},
      {"type Boolean = String;", "`Boolean` is reserved"},
      {"entity A; action a appliesTo {principal: A};", "the action `a` names no resource type"},
      {"entity A; action a appliesTo {principal: [], resource: A};", "names no principal type"},
      {"entity A; action a appliesTo {principal: A, resource: A, principal: A};",
       "two lists of `principal` types"},
      {"entity A; action a appliesTo {context: {}, context: {}};", "two contexts"},
      {"entity A; namespace B { entity A; }", "`B::A` hides `A` of the empty namespace"},
      {"type A = Long; namespace B { entity A; }", "`B::A` hides `A`"},
      {"action a; namespace N { action a; }", "`N::Action::\"a\"` hides `Action::\"a\"`"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(SchemaErrors(FragmentOf(c.text)), HasSubstr(c.message)) << c.text;
  }
}

TEST(Schema, NamesThatDoNotResolveAreRefused) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"entity A in B;", "`B` is not declared as an entity type"},
      {"entity A in B; type B = A;", "`B` is not declared as an entity type"},
      {"entity A in Action; action a;", "`Action` is not declared"},
      {"entity A tags Foo;", "`Foo` is not declared as a common type or entity type"},
      {"type T = Boolean;", "`Boolean` is not declared"},
      {"type T = Set;", "`Set` is not declared"},
      {"type T = __cedar::Set;", "`__cedar::Set` is not declared"},
      {"namespace N { type T = M::U; } namespace M { type U = N::V; }", "`N::V` is not declared"},
      {"namespace N { entity A { x: N::Action }; }", "`N::Action` is not declared"},
      {"type T = T;", "the common type `T` contains itself"},
      {"type T = Set<U>; type U = {a: T};", "contains itself"},
      {"action a in Foo::\"b\"; action b;", "Foo::\"b\" is not declared as an action"},
      {"action a in a;", "form a cycle"},
      {"action a in b; action b in c; action c in a;", "form a cycle"},
      {"entity A; action a appliesTo {principal: A, resource: A, context: A};",
       "`A` is not declared as a common type"},
      {"entity A; type T = Long; action a appliesTo {principal: A, resource: A, context: T};",
       "the context of Action::\"a\" is not a record"},
      {"entity A; action a appliesTo {principal: Action, resource: A};",
       "`Action` is not declared"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(SchemaErrors(FragmentOf(c.text)), HasSubstr(c.message)) << c.text;
  }
}

TEST(Schema, TypesAreBounded) {
  const auto chain = [](int count, bool twice) {
    std::string text = "type T0 = Long;";
    for (int i = 1; i <= count; ++i) {
      const std::string name = "T" + std::to_string(i - 1);
      text += "type T" + std::to_string(i) + " = {a: ";
      text.append(name).append(", b: ").append(twice ? name : "Long");
      text += "};\n";
    }
    return text;
  };
  EXPECT_EQ(SchemaErrors(FragmentOf(chain(200, false))), "");
  EXPECT_THAT(SchemaErrors(FragmentOf(chain(300, false))), HasSubstr("nested deeper than"));
  EXPECT_THAT(SchemaErrors(FragmentOf(chain(20000, false))), HasSubstr("nested deeper than"));
  EXPECT_EQ(SchemaErrors(FragmentOf(chain(15, true))), "");
  EXPECT_THAT(SchemaErrors(FragmentOf(chain(60, true))), HasSubstr("more than 1048576 parts"));
  EXPECT_THAT(SchemaErrors(FragmentOf("type T = " + Repeat("Set<", 5000) + "Long")),
              HasSubstr("types are nested deeper than 256 levels"));
  const Schema schema = MustResolve(chain(15, true) + "entity E { t: T15 };");
  EXPECT_LT(ToText(*schema.FindEntityType("E")->shape).size(), 400U);
}

TEST(Schema, EveryUndeclaredNameIsReported) {
  EXPECT_EQ(SchemaErrors(FragmentOf("entity A { a: X };\ntype T = Y;\naction a in z;")),
            "s.cedarschema:2:10: error: `Y` is not declared as a common type or entity type\n"
            "type T = Y;\n"
            "         ^\n"
            "s.cedarschema:1:15: error: `X` is not declared as a common type or entity type\n"
            "entity A { a: X };\n"
            "              ^\n"
            "s.cedarschema:3:13: error: Action::\"z\" is not declared as an action\n"
            "action a in z;\n"
            "            ^\n");
}

TEST(Schema, JsonThatCedarRefusesIsRefusedWithItsPlace) {
  const struct {
    const char* json;  // What stands in the empty namespace.
    const char* message;
  } cases[] = {
      {R"("entityTypes": {})", "namespace: the objects \"entityTypes\" and \"actions\" must"},
      {R"("entityTypes": {"A": null}, "actions": {})", "entity type \"A\": expected an object"},
      {R"("entityTypes": {"A": {"foo": 1}}, "actions": {})", "the key \"foo\" means nothing here"},
      {R"("entityTypes": {"A": {"enum": []}}, "actions": {})", "at least one string"},
      {R"("entityTypes": {"A": {"enum": ["a"], "tags": {"type": "Long"}}}, "actions": {})",
       "the key \"tags\" means nothing here"},
      {R"("entityTypes": {"A::B": {}}, "actions": {})", "this is not a name that can be declared"},
      {R"("entityTypes": {"Action": {}}, "actions": {})", "`Action` is reserved"},
      {R"("entityTypes": {"A": {"shape": {"type": "Record"}}}, "actions": {})",
       "entity type \"A\": \"shape\": the object \"attributes\" is missing"},
      {R"("entityTypes": {"A": {"shape": {"type": "Long"}}}, "actions": {})",
       "s.json: the shape of the entity type `A` is not a record"},
      {R"("entityTypes": {"A": {"shape": {"type": "Record", "attributes":
          {"x": {"type": "Long", "required": null}}}}}, "actions": {})",
       "attribute \"x\": \"required\" must be true or false"},
      {R"("entityTypes": {"A": {"shape": {"type": "Record", "attributes": {},
          "additionalAttributes": true}}}, "actions": {})",
       "\"additionalAttributes\" can only be false"},
      {R"("entityTypes": {}, "actions": {"a": {"attributes": {}}})", "actions have no attributes"},
      {R"("entityTypes": {}, "actions": {"a": {"appliesTo": {"principalTypes": []}}})",
       "action \"a\": \"appliesTo\": the array \"resourceTypes\" is missing"},
      {R"("entityTypes": {}, "actions": {"a": {"memberOf": [{"id": "a", "x": 1}]}})",
       "the key \"x\" means nothing here"},
      {R"("entityTypes": {}, "actions": {}, "annotations": {"a": "b"})",
       "the empty namespace has no annotations"},
      {R"("entityTypes": {}, "actions": {}, "commonTypes": {"Entity": {"type": "Long"}})",
       "this name is reserved"},
      {R"("entityTypes": {}, "actions": {}, "commonTypes": {"T": {"type": "Set"}})",
       "common type \"T\": \"element\": this is missing"},
      {R"("entityTypes": {}, "actions": {}, "commonTypes": {"T": {"type": "Long", "name": "x"}})",
       "the key \"name\" means nothing here"},
      {R"("entityTypes": {}, "actions": {},
          "commonTypes": {"T": {"type": "Extension", "name": "foo"}})",
       "there is no extension type `foo`"},
      {R"("entityTypes": {}, "actions": {},
          "commonTypes": {"T": {"type": "Entity", "name": "foo"}})",
       "`foo` is not declared as an entity type"},
      {R"("entityTypes": {}, "actions": {}, "commonTypes": {"T": {"type": "a b"}})",
       "\"a b\" is not a type"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(SchemaErrors(JsonFragmentOf("{\"\": {" + std::string(c.json) + "}}")),
                HasSubstr(c.message))
        << c.json;
  }
  EXPECT_THAT(SchemaErrors(JsonFragmentOf("[]")), HasSubstr("expected an object"));
  EXPECT_THAT(SchemaErrors(JsonFragmentOf(R"({"A ::B": {"entityTypes": {}, "actions": {}}})")),
              HasSubstr("this is not a name that can be declared"));
}

TEST(Schema, NamesGoToTheOwnNamespaceFirstAndThereToACommonType) {
  const Schema schema = MustResolve(R"(
    entity U; type V = U; entity W { a: V };
    namespace N { entity T; type T = Long; type M = String; entity A { t: T, m: M, u: U }; }
  )");
  EXPECT_EQ(ToText(*schema.FindEntityType("N::A")->shape), "{m: String, t: Long, u: U}");
  EXPECT_EQ(ToText(*schema.FindEntityType("W")->shape), "{a: U}");
  EXPECT_EQ(schema.FindEntityType("A"), nullptr);
}

TEST(Schema, AncestorsAreComplete) {
  const Schema schema = MustResolve(R"(
    entity A in B; entity B in [C, B]; entity C;
    action x in y; action y in z; action z;
  )");
  const EntityTypeInfo& a = *schema.FindEntityType("A");
  const EntityTypeInfo& b = *schema.FindEntityType("B");
  const EntityTypeInfo& c = *schema.FindEntityType("C");
  EXPECT_TRUE(a.CanHaveAncestor(c));
  EXPECT_TRUE(b.CanHaveAncestor(b));
  EXPECT_FALSE(a.CanHaveAncestor(a));
  EXPECT_TRUE(a.CanBeIn(a));
  EXPECT_FALSE(c.CanBeIn(a));
  const ActionInfo& x = *schema.FindAction(EntityUid("Action", "x"));
  EXPECT_TRUE(x.IsIn(EntityUid("Action", "z")));
  EXPECT_FALSE(schema.FindAction(EntityUid("Action", "z"))->IsIn(x.uid));
}

TEST(Schema, FragmentsAreOneSchema) {
  std::vector<SchemaFragment> fragments;
  fragments.push_back(*FragmentOf("namespace N { entity A; }"));
  fragments.push_back(*FragmentOf("namespace N { entity B in A; }"));
  const auto both = Schema::Resolve(fragments);
  ASSERT_TRUE(both) << Render(both.error());
  EXPECT_TRUE(both->FindEntityType("N::B")->CanBeIn(*both->FindEntityType("N::A")));
  fragments.push_back(*FragmentOf("namespace N { entity A; }"));
  EXPECT_THAT(Render(Schema::Resolve(fragments).error()), HasSubstr("`N::A` is declared twice"));
}

constexpr const char* kText = R"(action "r" in [N::Action::"q"];

@doc("x")
namespace N {
  type T = {
    "in": decimal,
    @q("")
    k?: Set<E>
  };

  entity C enum ["a", "\"b\n"];

  entity E in [C, E] = {
    t: T
  } tags __cedar::Long;

  action "q" appliesTo {
    principal: [E],
    resource: [C, E],
    context: T
  };
}
)";

constexpr const char* kJson =
    R"({"":{"entityTypes":{},"actions":{"r":{"appliesTo":{"resourceTypes":[],"principalTypes":[]},)"
    R"("memberOf":[{"id":"q","type":"N::Action"}]}}},"N":{"commonTypes":{"T":{"type":"Record",)"
    R"("attributes":{"in":{"type":"EntityOrCommon","name":"decimal"},"k":{"type":"Set","element":)"
    R"({"type":"EntityOrCommon","name":"E"},"required":false,"annotations":{"q":""}}}}},)"
    R"("entityTypes":{"C":{"enum":["a","\"b\n"]},"E":{"memberOfTypes":["C","E"],"shape":)"
    R"({"type":"Record","attributes":{"t":{"type":"EntityOrCommon","name":"T"}}},"tags":)"
    R"({"type":"EntityOrCommon","name":"__cedar::Long"}}},"actions":{"q":{"appliesTo":)"
    R"({"resourceTypes":["C","E"],"principalTypes":["E"],"context":{"type":"T"}}}},)"
    R"("annotations":{"doc":"x"}}})";

TEST(SchemaPrinter, TextAndJsonAreOneSchema) {
  ASSERT_EQ(SchemaErrors(FragmentOf(kText)), "");
  EXPECT_EQ(ToSchemaJson(*FragmentOf(kText)), kJson);
  EXPECT_EQ(*ToSchemaText(*FragmentOf(kText)), kText);
  EXPECT_EQ(*ToSchemaText(*JsonFragmentOf(kJson)), kText);
  EXPECT_EQ(ToSchemaJson(*JsonFragmentOf(kJson)), kJson);
}

TEST(SchemaPrinter, RefusesWhatTextCannotSay) {
  const auto error = [](const std::string& json) {
    const Result<std::string> text = ToSchemaText(*JsonFragmentOf(json));
    return text ? *text : text.error().message;
  };
  EXPECT_EQ(error(R"({"N": {"entityTypes": {"A": {}}, "actions": {},
                     "commonTypes": {"A": {"type": "Long"}}}})"),
            "s.json: `N::A` is both an entity type and a common type; Cedar text cannot tell them "
            "apart");
  EXPECT_EQ(
      error(R"({"": {"entityTypes": {"A": {"shape": {"type": "T"}}}, "actions": {}}})"),
      "s.json: the shape of `A` is a common type; in Cedar text it must be a record in place");
}

}  // namespace
}  // namespace palyra::policy
