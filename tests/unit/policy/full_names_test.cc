#include "policy/schema/full_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "policy/schema/printer.h"
#include "tests/unit/policy/schema_helpers.h"

namespace palyra::policy {
namespace {

using ::testing::HasSubstr;

// The JSON of a schema with full names, or what is wrong with it.
std::string Full(const FragmentResult& fragment) {
  if (!fragment) return Render(fragment.error());
  const auto full = WithFullNames(*fragment);
  return full ? ToSchemaJson(*full) : Render(full.error());
}

std::string Entity(const std::string& name) {
  return R"({"type":"Entity","name":")" + name + "\"}";
}

TEST(FullNames, AReferenceIsDecidedWhereItStands) {
  const struct {
    const char* claim;
    const char* text;     // With one attribute `x`.
    std::string decided;  // The JSON of its type.
  } cases[] = {
      {"an entity type", "entity A { x: A };", Entity("A")},
      {"a common type", "type T = Long; entity A { x: T };", R"({"type":"T"})"},
      {"in a set", "entity A { x: Set<A> };", R"({"type":"Set","element":)" + Entity("A") + "}"},
      {"in a record", "entity A { x: {} };", R"({"type":"Record","attributes":{}})"},
      {"in a common type", "type T = { x: A }; entity A;", Entity("A")},
      {"in tags", "entity A tags { x: A };", Entity("A")},
      {"in a context",
       "entity A; action a appliesTo { principal: A, resource: A, context: { x: A } };",
       Entity("A")},
      {"in its namespace", "namespace N { entity A { x: A }; }", Entity("N::A")},
      {"in the empty one", "namespace N { entity A { x: B }; } entity B;", Entity("B")},
      {"in its namespace first", "namespace N { entity A { x: A }; } entity A;", Entity("N::A")},
      {"in another by its full name",
       "namespace N { entity A { x: M::B }; } namespace M { entity B; }", Entity("M::B")},
      {"a common type before an entity type", "type A = Long; entity A { x: A };",
       R"({"type":"A"})"},
      {"a near entity type before a far common type",
       "type A = Long; namespace N { entity A { x: A }; }", Entity("N::A")},
      {"a built-in type", "entity A { x: Bool };", R"({"type":"Bool"})"},
      {"an extension type", "namespace N { entity A { x: ipaddr }; }", R"({"type":"ipaddr"})"},
      {"a built-in type of __cedar", "entity A { x: __cedar::Long };",
       R"({"type":"__cedar::Long"})"},
      {"an entity type that hides a built-in one", "entity Long { x: Long };", Entity("Long")},
      {"also from a namespace", "entity Long; namespace N { entity A { x: Long }; }",
       Entity("Long")},
      {"never the one of __cedar", "entity Long { x: __cedar::Long };",
       R"({"type":"__cedar::Long"})"},
      {"a common type that hides an extension type", "type ipaddr = Long; entity A { x: ipaddr };",
       R"({"type":"ipaddr"})"},
      {"the same in a namespace", "namespace N { type ipaddr = Long; entity A { x: ipaddr }; }",
       R"({"type":"N::ipaddr"})"},
      {"the type of actions", "namespace N { entity A { x: Action }; action a; }",
       Entity("N::Action")},
      {"of far actions", "namespace N { entity A { x: Action }; } action a;", Entity("Action")},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Full(FragmentOf(c.text)), HasSubstr("\"x\":" + c.decided)) << c.claim;
  }
}

TEST(FullNames, ListsAndGroupsHaveThem) {
  const struct {
    const char* claim;
    const char* text;
    const char* json;
  } cases[] = {
      {"parents", "namespace N { entity A in [B, A]; } entity B;",
       R"("memberOfTypes":["B","N::A"])"},
      {"parents beside a common type of their name",
       "namespace N { entity A in A; type A = Long; }", R"("memberOfTypes":["N::A"])"},
      {"principals in their order",
       "namespace N { entity A, B; action a appliesTo { principal: [B, A, B], resource: A }; }",
       R"("resourceTypes":["N::A"],"principalTypes":["N::B","N::A","N::B"])"},
      {"a common context",
       "namespace N { entity A; type T = {}; action a appliesTo "
       "{ principal: A, resource: A, context: T }; }",
       R"("context":{"type":"N::T"})"},
      {"a group without a type", "namespace N { action a in b; action b; }",
       R"("memberOf":[{"id":"b","type":"N::Action"}])"},
      {"a far group", "namespace N { action a in b; } action b;",
       R"("memberOf":[{"id":"b","type":"Action"}])"},
      {"a near group before a far one", "namespace N { action a in Action::\"b\"; action b; }",
       R"("memberOf":[{"id":"b","type":"N::Action"}])"},
      {"a group of another namespace",
       "namespace N { action a in M::Action::\"b\"; } namespace M { action b; }",
       R"("memberOf":[{"id":"b","type":"M::Action"}])"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Full(FragmentOf(c.text)), HasSubstr(c.json)) << c.claim;
  }
}

TEST(FullNames, EverythingElseStays) {
  EXPECT_EQ(Full(FragmentOf(
                "@n namespace N { @e entity A enum [\"b\", \"a\"]; entity B { @a(\"b\") x?: A "
                "}; }")),
            R"({"N":{"entityTypes":{"A":{"enum":["b","a"],"annotations":{"e":""}},"B":{"shape":)"
            R"({"type":"Record","attributes":{"x":{"type":"Entity","name":"N::A","required":false,)"
            R"("annotations":{"a":"b"}}}}}},"actions":{},"annotations":{"n":""}}})");
}

TEST(FullNames, JsonKeepsWhatItTellsApart) {
  const auto full = [](const std::string& type) {
    return Full(JsonFragmentOf(R"({"N": {"commonTypes": {"T": {"type": "String"}, "X": )" + type +
                               R"(}, "entityTypes": {"T": {}}, "actions": {}}})"));
  };
  const struct {
    const char* written;
    const char* decided;
  } cases[] = {
      {R"({"type": "EntityOrCommon", "name": "T"})", R"("X":{"type":"N::T"})"},
      {R"({"type": "Entity", "name": "T"})", R"("X":{"type":"Entity","name":"N::T"})"},
      {R"({"type": "Extension", "name": "ipaddr"})", R"("X":{"type":"Extension","name":"ipaddr"})"},
      {R"({"type": "Boolean"})", R"("X":{"type":"Boolean"})"},
      {R"({"type": "Set", "element": {"type": "Long"}})",
       R"("X":{"type":"Set","element":{"type":"Long"}})"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(full(c.written), HasSubstr(c.decided)) << c.written;
  }
}

// What such a schema means is asked by Schema::Resolve alone.
TEST(FullNames, ASchemaThatDoesNotHoldTogetherHasThem) {
  const char* const texts[] = {
      "type T = T;",
      "action a in a;",
      "entity A; namespace N { entity A; }",
      "entity A; action a appliesTo { principal: Action, resource: A };",
      "entity A; type T = Long; action a appliesTo { principal: A, resource: A, context: T };",
  };
  for (const char* text : texts) {
    EXPECT_NE(SchemaErrors(FragmentOf(text)), "") << text;
    EXPECT_TRUE(Full(FragmentOf(text)).starts_with("{")) << text;
  }
}

TEST(FullNames, NamesThatAreNotDeclaredAreRefused) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"entity A { x: B };",
       "s.cedarschema:1:15: error: `B` is not declared as a common type or entity type"},
      {"entity A tags Set<B>;", "1:19: error: `B` is not declared"},
      {"entity A in B; type B = Long;", "1:13: error: `B` is not declared as an entity type"},
      {"namespace N { type T = U; } namespace M { type U = Long; }", "`U` is not declared"},
      {"namespace N { type T = N::Long; }", "`N::Long` is not declared"},
      {"type T = __cedar::Set;", "`__cedar::Set` is not declared"},
      {"entity A { x: Action };", "`Action` is not declared"},
      {"action a appliesTo { principal: A, resource: B };",
       "`A` is not declared as an entity type"},
      {"action a appliesTo { principal: A, resource: B };",
       "`B` is not declared as an entity type"},
      {"entity A; action a appliesTo { principal: A, resource: A, context: A };",
       "`A` is not declared as a common type"},
      {"action a in b;", "Action::\"b\" is not declared as an action"},
      {"action a in Action::\"b\"; namespace N { action b; }", "is not declared as an action"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Full(FragmentOf(c.text)), HasSubstr(c.message)) << c.text;
  }
}

TEST(FullNames, ErrorsAreBounded) {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "entity A" + std::to_string(i) + " in B;";
  const auto full = WithFullNames(*FragmentOf(text));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().size(), 20U);
}

// Full names are names, too: they mean the same in either syntax.
TEST(FullNames, LeadBackToTheSameSchema) {
  const std::string text =
      "entity A; namespace N { type T = { x: A, y?: Set<B> }; entity B in [A, B] tags T; action a "
      "appliesTo { principal: B, resource: A, context: T }; action b in a; }";
  const auto full = WithFullNames(*FragmentOf(text));
  ASSERT_TRUE(full);
  const std::string json = ToSchemaJson(*full);
  EXPECT_EQ(SchemaErrors(JsonFragmentOf(json)), "");
  EXPECT_EQ(Full(JsonFragmentOf(json)), json);
  EXPECT_EQ(Full(FragmentOf(*ToSchemaText(*full))), json);
}

}  // namespace
}  // namespace palyra::policy
