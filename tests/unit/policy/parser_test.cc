#include "policy/parser.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

TEST(Parser, ReadsEveryFormOfScope) {
  for (const char* text : {
           "permit (principal, action, resource);",
           "permit(principal,action,resource,);",
           "forbid (principal == A::\"a\", action == Action::\"b\", resource == C::\"c\");",
           "forbid (principal in A::\"a\", action in N::Action::\"b\", resource in C::\"c\");",
           "permit (principal is A, action in [], resource is B::C);",
           "permit (principal is A in B::\"b\", action in [Action::\"a\", Action::\"b\",], "
           "resource is A in B::\"b\");",
           "@id(\"x\") @note @if(\"y\") permit (principal, action, resource) when { true } "
           "unless { false } when { 1 == 1 };",
           "",
           "// nothing",
           "permit(principal,action,resource);forbid(principal,action,resource);",
           "permit (principal == (A::\"a\"), action in ([(Action::\"b\"),]), resource in "
           "((C::\"c\")));",
           "@__cedar permit (principal is principal, action == (Action::\"b\"), resource);",
       }) {
    EXPECT_EQ(PolicyErrors(text), "") << text;
  }
}

TEST(Parser, RefusesEveryOtherPolicy) {
  for (const char* text : {
           "permit",
           "permit;",
           "permit();",
           "permit (principal);",
           "permit (principal, action);",
           "permit (action, principal, resource);",
           "permit (principal, action, resource)",
           "Permit (principal, action, resource);",
           "permit (principal, action, resource,,);",
           "permit (principal, action, resource, context);",
           "permit (principal in [A::\"a\"], action, resource);",
           "permit (principal == A, action, resource);",
           "permit (principal is A == A::\"a\", action, resource);",
           "permit (principal is A::\"a\", action, resource);",
           "permit (principal != A::\"a\", action, resource);",
           "permit (principal, action == [Action::\"a\"], resource);",
           "permit (principal, action is Action, resource);",
           "permit (principal, action == Verb::\"a\", resource);",
           "permit (principal, action in [Action::\"a\", B::\"c\"], resource);",
           "permit (principal, action in [[Action::\"a\"]], resource);",
           "permit (principal, action == ([Action::\"a\"]), resource);",
           "permit (principal is (A), action, resource);",
           "permit (principal == (A::\"a\", action, resource);",
           "permit (principal is __cedar, action, resource);",
           "permit (principal : A, action, resource);",
           "permit (principal, action == Actions::\"a\", resource);",
           "permit (principal, action, resource == A::\"a\" in B::\"b\");",
           "permit (principal, action, resource) when true;",
           "permit (principal, action, resource) when {};",
           "permit (principal, action, resource) if { true };",
           "permit (principal, action, resource) when { true } { true };",
           "@id(\"a\") @id(\"b\") permit (principal, action, resource);",
           "@id(a) permit (principal, action, resource);",
           "@id() permit (principal, action, resource);",
           "@\"id\" permit (principal, action, resource);",
           "@id(\"a\");",
           ";",
           "permit (principal, action, resource) advice { \"a\" };",
       }) {
    EXPECT_NE(PolicyErrors(text), "") << text;
  }
}

TEST(Parser, ReadsTemplates) {
  const struct {
    const char* text;
    bool principal;
    bool resource;
  } cases[] = {
      {"permit (principal == ?principal, action, resource);", true, false},
      {"permit (principal in ?principal, action, resource in ?resource);", true, true},
      {"permit (principal, action, resource is A::B in ?resource);", false, true},
      {"permit (principal is A in (?principal), action, resource == ((?resource)));", true, true},
      {"permit (principal, action, resource);", false, false},
  };
  for (const auto& c : cases) {
    const auto parsed = ParsePolicies(Source(c.text));
    ASSERT_TRUE(parsed) << Render(parsed.error());
    const Policy& policy = parsed->at(0);
    EXPECT_EQ(policy.principal.slot, c.principal) << c.text;
    EXPECT_EQ(policy.resource.slot, c.resource) << c.text;
    EXPECT_EQ(policy.is_template(), c.principal || c.resource) << c.text;
    const auto again = ParsePolicies(Source(ToCedar(policy)));
    ASSERT_TRUE(again) << ToCedar(policy);
    EXPECT_TRUE(SamePolicy(policy, again->at(0))) << ToCedar(policy);
  }
}

TEST(Parser, RefusesSlotsAnywhereElse) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"permit (principal == ?resource, action, resource);",
       "expected an entity or the slot ?principal, found ?resource"},
      {"permit (principal, action, resource in ?principal);",
       "expected an entity or the slot ?resource, found ?principal"},
      {"permit (principal == ?user, action, resource);",
       "expected an entity or the slot ?principal, found ?user"},
      {"permit (principal == ? principal, action, resource);",
       "expected an entity or the slot ?principal, found ?"},
      {"permit (principal is ?principal, action, resource);",
       "expected a name, found a template slot"},
      {"permit (principal, action == ?action, resource);",
       "the action of a policy cannot be a slot"},
      {"permit (principal, action in [?principal], resource);",
       "the action of a policy cannot be a slot"},
      {"permit (principal, action, resource) when { principal == ?principal };",
       "a slot cannot stand in a condition"},
  };
  for (const auto& c : cases) {
    EXPECT_NE(PolicyErrors(c.text).find(std::string("error: ") + c.message + "\n"),
              std::string::npos)
        << PolicyErrors(c.text);
  }
}

TEST(Parser, SaysWhereAndWhat) {
  const struct {
    const char* text;
    const char* rendering;
  } cases[] = {
      {"permit (principal, action, resource)\nwhen { resource.port = 443 };",
       "test.cedar:2:22: error: `=` is not an operator; equality is `==`\n"
       "when { resource.port = 443 };\n"
       "                     ^\n"},
      {"permit (principal, action resource);",
       "test.cedar:1:27: error: expected `,` after the action, found `resource`\n"
       "permit (principal, action resource);\n"
       "                          ^^^^^^^^\n"},
      {"permit (principal, action, resource) when { 1 < 2 < 3 };",
       "test.cedar:1:51: error: comparisons do not chain\n"
       "permit (principal, action, resource) when { 1 < 2 < 3 };\n"
       "                                                  ^\n"
       "hint: put parentheses around one of them, or join them with `&&`\n"},
      {"permit (principal, action, resource) when { \"a\\qb\" == context.x };",
       "test.cedar:1:47: error: unknown escape; a backslash itself is written \\\\\n"
       "permit (principal, action, resource) when { \"a\\qb\" == context.x };\n"
       "                                              ^\n"},
      {"permit (principal, action, resource) when { port == 1 };",
       "test.cedar:1:45: error: there is no variable \"port\"\n"
       "permit (principal, action, resource) when { port == 1 };\n"
       "                                            ^^^^\n"
       "hint: variables are principal, action, resource and context; a string needs quotes\n"},
      {"permit (principal, action, resource)",
       "test.cedar:1:37: error: expected `when`, `unless` or `;`, found the end of the text\n"
       "permit (principal, action, resource)\n"
       "                                    ^\n"},
      {"permit (principal, action, resource) when { \"open };",
       "test.cedar:1:45: error: this string has no closing quote\n"
       "permit (principal, action, resource) when { \"open };\n"
       "                                            ^^^^^^^^\n"},
      {"permit (principal, action, resource) when { context.a.contains() };",
       "test.cedar:1:55: error: `contains` takes one argument, not 0\n"
       "permit (principal, action, resource) when { context.a.contains() };\n"
       "                                                      ^^^^^^^^^^\n"},
      {"permit (principal, action == User::\"a\", resource);",
       "test.cedar:1:30: error: expected an action, found an entity of type User\n"
       "permit (principal, action == User::\"a\", resource);\n"
       "                             ^^^^^^^^^\n"
       "hint: the type of an action ends with Action, as in Palyra::Action::\"net.connect\"\n"},
      {"permit (principal, action, resource) when { 9223372036854775808 == 1 };",
       "test.cedar:1:45: error: this number is outside the range of 64-bit signed integers\n"
       "permit (principal, action, resource) when { 9223372036854775808 == 1 };\n"
       "                                            ^^^^^^^^^^^^^^^^^^^\n"},
      {"a\xff", "test.cedar:1:2: error: the text is not UTF-8 here\na \n ^\n"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(PolicyErrors(c.text), c.rendering);
  }
}

TEST(Parser, GoesOnBehindTheSemicolonOfABadPolicy) {
  const auto parsed =
      ParsePolicies(Source("permit (principal);\n"
                           "permit (principal, action, resource);\n"
                           "forbid (principal, action, resource) when { \";\" = 1 };\n"
                           "permit (principal, action, resource) when { foo };"));
  ASSERT_FALSE(parsed);
  ASSERT_EQ(parsed.error().size(), 3U);
  EXPECT_EQ(parsed.error()[0].span.offset, 17U);
  EXPECT_EQ(parsed.error()[1].code, "parse-token");
  EXPECT_EQ(parsed.error()[2].code, "parse-variable");
}

TEST(Parser, GivesUpAfterTwentyErrors) {
  const auto parsed = ParsePolicies(Source(Repeat("nonsense;\n", 500)));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().size(), 20U);
}

TEST(Parser, KeepsAnnotationsAndPlaces) {
  const auto parsed =
      ParsePolicies(Source("\n@id(\"a \\u{62}\")\n@bare\npermit (principal, action, resource);"));
  ASSERT_TRUE(parsed);
  const Policy& policy = parsed->at(0);
  EXPECT_EQ(*policy.FindAnnotation("id"), "a b");
  EXPECT_EQ(*policy.FindAnnotation("bare"), "");
  EXPECT_EQ(policy.FindAnnotation("ask"), nullptr);
  EXPECT_FALSE(policy.asks());
  EXPECT_EQ(policy.span, (Span{1, 59}));
}

// No text may crash the parser, whatever it is; what parses prints to what parses to the same.
TEST(Parser, SurvivesBrokenPolicies) {
  const std::string whole =
      "@id(\"\\u{41}\") forbid (principal is A::B in C::\"d\", action in [Action::\"e\"], "
      "resource)\n"
      "when { if context has a.b then [1, -2].containsAny({x: ip(\"::1/64\")}.x) else !true }\n"
      "unless { context.s like \"a\\*b*\" || 1 + 2 * 3 <= -9223372036854775808 && [] == {} };";
  std::mt19937 random(7);
  const std::string pieces = "\"\\{}[]()<>=!&|;:,.*+-?@/ \n\rai0\x80\xff";
  int accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text = whole;
    const int edits = 1 + static_cast<int>(random() % 4);
    for (int edit = 0; edit < edits; ++edit) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = pieces[random() % pieces.size()];
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        default:
          text.insert(at, 1, pieces[random() % pieces.size()]);
      }
    }
    const auto parsed = ParsePolicies(Source(text));
    if (!parsed) {
      ASSERT_FALSE(parsed.error().empty());
      ASSERT_NE(Render(parsed.error()), "");
      continue;
    }
    for (const Policy& policy : *parsed) {
      ++accepted;
      const auto again = ParsePolicies(Source(ToCedar(policy)));
      ASSERT_TRUE(again) << ToCedar(policy);
      ASSERT_TRUE(SamePolicy(policy, again->at(0))) << ToCedar(policy);
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace palyra::policy
