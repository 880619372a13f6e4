#include "policy/est.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

using Json = nlohmann::json;

Policy MustParsePolicy(const std::string& text) {
  auto parsed = ParsePolicies(Source(text));
  EXPECT_TRUE(parsed) << Render(parsed.error());
  return parsed ? parsed->at(0) : Policy{};
}

Result<Policy> Read(const std::string& json) { return PolicyFromEst(SourceFile("p.json", json)); }

// A policy whose one condition is `body`.
std::string WithBody(const std::string& body) {
  return R"({"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"},
             "resource": {"op": "All"}, "conditions": [{"kind": "when", "body": )" +
         body + "}]}";
}

// The condition of such a policy as text, or why it is refused.
std::string ReadBody(const std::string& body) {
  const Result<Policy> policy = Read(WithBody(body));
  return policy ? ToCedar(*policy->conditions.at(0).body) : policy.error().message;
}

TEST(Est, WritesExpressionsAsCedarDoes) {
  const struct {
    const char* text;
    const char* json;
  } cases[] = {
      {"true", R"({"Value": true})"},
      {"-5", R"({"Value": -5})"},
      {"-(5)", R"({"neg": {"arg": {"Value": 5}}})"},
      {"--5", R"({"neg": {"arg": {"Value": -5}}})"},
      {"-9223372036854775808", R"({"Value": -9223372036854775808})"},
      {R"("\n\0\"\\é")", R"({"Value": "\n\u0000\"\\é"})"},
      {R"(A::B::"c")", R"({"Value": {"__entity": {"type": "A::B", "id": "c"}}})"},
      {"principal", R"({"Var": "principal"})"},
      {"!context.a", R"({"!": {"arg": {".": {"left": {"Var": "context"}, "attr": "a"}}}})"},
      {"[].isEmpty()", R"({"isEmpty": {"arg": {"Set": []}}})"},
      {"1 != 2", R"({"!=": {"left": {"Value": 1}, "right": {"Value": 2}}})"},
      {"1 >= 2", R"({">=": {"left": {"Value": 1}, "right": {"Value": 2}}})"},
      {"[1].contains(2)",
       R"({"contains": {"left": {"Set": [{"Value": 1}]}, "right": {"Value": 2}}})"},
      {"true && false && true",
       R"({"&&": {"left": {"&&": {"left": {"Value": true}, "right": {"Value": false}}},
                  "right": {"Value": true}}})"},
      {"true || (false || true)",
       R"({"||": {"left": {"Value": true},
                  "right": {"||": {"left": {"Value": false}, "right": {"Value": true}}}}})"},
      {"context has \"a b\"", R"({"has": {"left": {"Var": "context"}, "attr": "a b"}})"},
      {"context has a.b",
       R"({"&&": {"left": {"has": {"left": {"Var": "context"}, "attr": "a"}},
                  "right": {"has": {"left": {".": {"left": {"Var": "context"}, "attr": "a"}},
                                    "attr": "b"}}}})"},
      {R"("" like "é**\*")",
       R"({"like": {"left": {"Value": ""},
                    "pattern": [{"Literal": "é"}, "Wildcard", "Wildcard", {"Literal": "*"}]}})"},
      {R"("" like "")", R"({"like": {"left": {"Value": ""}, "pattern": []}})"},
      {"principal is A::B", R"({"is": {"left": {"Var": "principal"}, "entity_type": "A::B"}})"},
      {"principal is A in resource",
       R"({"is": {"left": {"Var": "principal"}, "entity_type": "A", "in": {"Var": "resource"}}})"},
      {"if true then 1 else 2",
       R"({"if-then-else": {"if": {"Value": true}, "then": {"Value": 1}, "else": {"Value": 2}}})"},
      {R"({a: 1, "b c": {}})", R"({"Record": {"a": {"Value": 1}, "b c": {"Record": {}}}})"},
      {R"(ip("::1").isInRange(ip()))",
       R"({"isInRange": [{"ip": [{"Value": "::1"}]}, {"ip": []}]})"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Json::parse(ToEst(*MustParse(c.text))), Json::parse(c.json)) << c.text;
    const Result<Policy> read = Read(WithBody(c.json));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(Json::parse(ToEst(*read->conditions[0].body)), Json::parse(c.json)) << c.text;
  }
}

TEST(Est, WritesPoliciesAsCedarDoes) {
  const struct {
    const char* text;
    const char* json;
  } cases[] = {
      {"permit (principal, action, resource);",
       R"({"effect": "permit", "principal": {"op": "All"}, "action": {"op": "All"},
           "resource": {"op": "All"}, "conditions": []})"},
      {R"(@a @b("") forbid (principal == A::"x", action in [Action::"y", Action::"z"],
          resource in A::"\"") unless { true } when { false };)",
       R"({"effect": "forbid", "principal": {"op": "==", "entity": {"type": "A", "id": "x"}},
           "action": {"op": "in", "entities": [{"type": "Action", "id": "y"},
                                               {"type": "Action", "id": "z"}]},
           "resource": {"op": "in", "entity": {"type": "A", "id": "\""}},
           "conditions": [{"kind": "unless", "body": {"Value": true}},
                          {"kind": "when", "body": {"Value": false}}],
           "annotations": {"a": null, "b": ""}})"},
      {R"(permit (principal is A::B, action in [Action::"y"], resource is A in B::"b");)",
       R"({"effect": "permit", "principal": {"op": "is", "entity_type": "A::B"},
           "action": {"op": "in", "entity": {"type": "Action", "id": "y"}},
           "resource": {"op": "is", "entity_type": "A",
                        "in": {"entity": {"type": "B", "id": "b"}}},
           "conditions": []})"},
      {"permit (principal == ?principal, action in [], resource is A in ?resource);",
       R"({"effect": "permit", "principal": {"op": "==", "slot": "?principal"},
           "action": {"op": "in", "entities": []},
           "resource": {"op": "is", "entity_type": "A", "in": {"slot": "?resource"}},
           "conditions": []})"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Json::parse(ToEst(MustParsePolicy(c.text))), Json::parse(c.json)) << c.text;
    const Result<Policy> read = Read(c.json);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(Json::parse(ToEst(*read)), Json::parse(c.json)) << c.text;
  }
}

TEST(Est, ReadsWhatCedarReads) {
  const struct {
    const char* json;
    const char* text;
  } cases[] = {
      {R"({"has": {"left": {"Var": "context"}, "attr": ["a", "b"]}})", "context has a.b"},
      {R"({"has": {"left": {"Var": "context"}, "attr": ["a b", "c"]}})",
       R"(context has "a b" && context["a b"] has c)"},
      {R"({"has": {"left": {"Var": "context"}, "attr": "a", "more": 1}})", "context has a"},
      {R"({"is": {"left": {"Var": "context"}, "entity_type": "A", "in": null}})", "context is A"},
      {R"({"like": {"left": {"Value": "a"}, "pattern": [{"Literal": "ab*"}, "Wildcard"]}})",
       R"("a" like "ab\**")"},
      {R"({"Value": [1, [true], {"a b": "c"}]})", R"([1, [true], {"a b": "c"}])"},
      {R"({"Value": {"__entity": {"type": "A", "id": "x", "more": 1}}})", R"(A::"x")"},
      {R"({"Value": {"__extn": {"fn": "ip", "arg": "no address"}}})", R"(ip("no address"))"},
      {R"({"Value": {"__extn": {"fn": "offset", "args": [1, 2, 3]}}})", "1.offset(2, 3)"},
      {R"({"Value": {"__entity": ["A", "x"]}})", R"({__entity: ["A", "x"]})"},
      {R"({"Value": {"__entity": "A", "b": 1}})", R"({__entity: "A", b: 1})"},
      {R"({"Value": {"__entity": "A"}})", R"({__entity: "A"})"},
      {R"({"Value": {"__extn": {"fn": 1}}})", "{__extn: {fn: 1}}"},
      {R"({"&&": {"left": {"&&": {"left": {"Value": 1}, "right": {"Value": 2}}},
                  "right": {"&&": {"left": {"Value": 3}, "right": {"Value": 4}}}}})",
       "1 && 2 && (3 && 4)"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ReadBody(c.json), c.text) << c.json;
  }
}

TEST(Est, SaysWhereAnExpressionIsWrong) {
  const struct {
    const char* json;
    const char* said;
  } cases[] = {
      {"true", ": an expression is an object with one member, as {\"Var\": \"principal\"}"},
      {"{}", ": an expression is an object with one member, as {\"Var\": \"principal\"}"},
      {R"({"Value": 1, "Var": "principal"})",
       ": an expression is an object with one member, as {\"Var\": \"principal\"}"},
      {R"({"Var": "subject"})", ".Var: there is no variable \"subject\""},
      {R"({"Slot": "?principal"})", ".Slot: a slot cannot stand in a condition"},
      {R"({"foo": []})", ".foo: there is no operator or function \"foo\""},
      {R"({"error": []})", ".error: there is no operator or function \"error\""},
      {R"({"==": {"left": {"Value": 1}}})", ".==: expected an object with a member \"right\""},
      {R"({"==": {"left": {"Value": 1}, "right": {"Value": 1}, "x": 1}})",
       ".==.x: there is no such member here"},
      {R"({"==": [{"Value": 1}, {"Value": 1}]})", ".==: expected an object"},
      {R"({"!": {"arg": {"!": {"arg": {"Var": 1}}}}})", ".!.arg.!.arg.Var: expected a string"},
      {R"({"ip": {"Value": "::1"}})", ".ip: expected a list"},
      {R"({"Set": [{"Value": 1}, {"Value": null}]})", ".Set[1].Value: null is not a Cedar value"},
      {R"({"Record": {"a": {"Value": {"__expr": "1"}}}})",
       ".Record.a.Value: the escape \"__expr\" is no longer part of Cedar; use \"__entity\" or "
       "\"__extn\""},
      {R"({"Value": {"__extn": {"fn": "foo", "arg": 1}}})",
       ".Value.__extn: there is no function \"foo\""},
      {R"({"Value": {"__entity": {"type": "A b", "id": ""}}})",
       ".Value.__entity: \"A b\" is not an entity type; write names joined by :: without "
       "spaces"},
      {R"({"has": {"left": {"Var": "context"}, "attr": []}})",
       ".has.attr: expected a name, or a list of at least one"},
      {R"({"like": {"left": {"Value": ""}, "pattern": ["wildcard"]}})",
       ".like.pattern: expected a list of \"Wildcard\" and {\"Literal\": \"…\"}"},
      {R"({"is": {"left": {"Value": ""}, "entity_type": "if"}})",
       ".is.entity_type: \"if\" is not an entity type; write names joined by :: without spaces"},
      {R"({"&&": {"left": {"Value": 1}, "right": {"Value": 1, "x": 1}}})",
       ".&&[1]: an expression is an object with one member, as {\"Var\": \"principal\"}"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ReadBody(c.json), std::string("p.json: conditions[0].body") + c.said) << c.json;
  }
  EXPECT_EQ(ReadBody(R"({"Value": 1.5})"),
            "p.json: at conditions[0].body.Value: 1.5 is not an integer; Cedar has no others");
}

TEST(Est, SaysWhereAPolicyIsWrong) {
  const struct {
    const char* pointer;
    const char* value;
    const char* said;
  } cases[] = {
      {"/effect", R"("Permit")", "effect: expected \"permit\" or \"forbid\""},
      {"/more", "1", "more: there is no such member here"},
      {"/principal", "1", "principal: expected an object with a member \"op\""},
      {"/principal/op", R"("is in")", "principal.op: there is no such constraint on principal"},
      {"/principal", R"({"op": "=="})",
       "principal: expected an object with a member \"entity\" or \"slot\""},
      {"/principal", R"({"op": "==", "slot": "?resource"})",
       "principal.slot: expected the slot \"?principal\""},
      {"/principal", R"({"op": "==", "entity": "A::\"x\""})",
       "principal.entity: an entity is written {\"type\": \"…\", \"id\": \"…\"}"},
      {"/resource", R"({"op": "is", "entity_type": "A", "x": 1})",
       "resource.x: there is no such member here"},
      {"/action", R"({"op": "is", "entity_type": "Action"})",
       "action.op: there is no such constraint on action"},
      {"/action", R"({"op": "==", "slot": "?action"})",
       "action: expected an object with a member \"entity\""},
      {"/action", R"({"op": "in", "entities": [{"type": "Action", "id": "a"},
                                               {"type": "A", "id": "a"}]})",
       "action.entities[1]: expected an action, found an entity of type A"},
      {"/conditions", "{}", "conditions: expected a list"},
      {"/conditions", R"([{"kind": "if", "body": {"Value": true}}])",
       "conditions[0].kind: expected \"when\" or \"unless\""},
      {"/annotations", R"({"a b": "c"})",
       "annotations.a b: the name of an annotation must be an identifier"},
      {"/annotations", R"({"a": 1})", "annotations.a: expected a string"},
  };
  for (const auto& c : cases) {
    Json json = Json::parse(WithBody(R"({"Value": true})"));
    json[Json::json_pointer(c.pointer)] = Json::parse(c.value);
    const Result<Policy> policy = Read(json.dump());
    ASSERT_FALSE(policy) << json;
    EXPECT_EQ(policy.error().message, std::string("p.json: ") + c.said);
  }
}

TEST(Est, DepthIsBoundedAndChainsAreNot) {
  const std::string deep =
      Repeat(R"({"!": {"arg": )", kMaxNesting) + R"({"Value": true})" + Repeat("}}", kMaxNesting);
  EXPECT_TRUE(ReadBody(deep).ends_with("this is nested deeper than 256 levels"));
  const std::string list = Repeat("[", kMaxNesting) + "1" + Repeat("]", kMaxNesting);
  EXPECT_TRUE(ReadBody("{\"Value\": " + list + "}").ends_with("deeper than 256 levels"));
  const std::string chain = "true" + Repeat(" && true", 2000);
  EXPECT_EQ(ReadBody(ToEst(*MustParse(chain))), chain);
}

TEST(Est, LongHasChainsStayLists) {
  const std::string text = "context has a" + Repeat(".a", 20000);
  const std::string json = ToEst(*MustParse(text));
  EXPECT_LT(json.size(), 100'000U);
  EXPECT_EQ(ReadBody(json), text);
}

TEST(Est, NestedHasChainsDoNotExplode) {
  const std::string text = Repeat("(", 60) + "context" + Repeat(" has a.b)", 60);
  const std::string json = ToEst(*MustParse(text));
  EXPECT_LT(json.size(), 10'000U);
  const Result<Policy> read = Read(WithBody(json));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_LT(ToEst(*read->conditions[0].body).size(), 10'000U);
}

TEST(Est, PolicySetsGoBothWays) {
  PolicySet set = MustParsePolicies(R"(
    permit (principal, action, resource);
    @id("t") permit (principal == ?principal, action, resource);
    forbid (principal in ?principal, action, resource in ?resource);)");
  const EntityUid ann("U", "ann");
  ASSERT_TRUE(set.AddLink("a", {"policy1", {.principal = ann}}));
  ASSERT_TRUE(set.AddLink("b", {"policy2", {.principal = ann, .resource = EntityUid("F", "\"")}}));
  const std::string json = ToEst(set);
  EXPECT_EQ(Json::parse(json)["templateLinks"], Json::parse(R"([
    {"templateId": "policy1", "newId": "a", "values": {"?principal": {"type": "U", "id": "ann"}}},
    {"templateId": "policy2", "newId": "b", "values": {"?principal": {"type": "U", "id": "ann"},
                                                       "?resource": {"type": "F", "id": "\""}}}
  ])"));
  const Result<PolicySet> read = PolicySetFromEst(Source(json, "set.json"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ToEst(*read), json);
  EXPECT_EQ(read->templates().size(), 2U);
  EXPECT_EQ(ToCedar(read->Find("b")->policy),
            "forbid (principal in U::\"ann\", action, resource in F::\"\\\"\");");
}

TEST(Est, SaysWhereAPolicySetIsWrong) {
  const std::string policy = WithBody(R"({"Value": true})");
  Json template_json = Json::parse(policy);
  template_json["principal"] = Json::parse(R"({"op": "==", "slot": "?principal"})");
  const std::string slots = template_json.dump();
  const std::string value = R"({"?principal": {"type": "A", "id": "x"}})";
  const auto set = [](const std::string& templates, const std::string& policies,
                      const std::string& links) {
    return "{\"templates\": {" + templates + "}, \"staticPolicies\": {" + policies +
           "}, \"templateLinks\": [" + links + "]}";
  };
  const auto link = [](const std::string& from, const std::string& id, const std::string& values) {
    return "{\"templateId\": \"" + from + "\", \"newId\": \"" + id + "\", \"values\": " + values +
           "}";
  };
  const struct {
    std::string json;
    const char* said;
  } cases[] = {
      {"{}", "s.json: expected an object with a member \"templates\""},
      {R"({"links": []})", "s.json: links: there is no such member here"},
      {set("\"t\": " + policy, "", ""), "s.json: templates.t: a template needs a slot"},
      {set("", "\"p\": " + slots, ""),
       "s.json: staticPolicies.p: a static policy cannot have a slot"},
      {set("\"t\": " + slots, "\"t\": " + policy, ""),
       "s.json: staticPolicies.t: the policy set already has a policy or template \"t\""},
      {set("", "\"p\": " + policy + ", \"p\": " + policy, ""),
       "s.json: at staticPolicies.p: this key stands twice in its object"},
      {set("\"t\": " + slots, "", link("u", "a", value)),
       "s.json: templateLinks[0]: cannot link \"a\": there is no template \"u\""},
      {set("\"t\": " + slots, "", link("t", "t", value)),
       "s.json: templateLinks[0]: the policy set already has a policy or template \"t\""},
      {set("\"t\": " + slots, "", link("t", "a", "{}")),
       "s.json: templateLinks[0]: cannot link \"a\" to template \"t\": there is no value for the "
       "slot ?principal"},
      {set("\"t\": " + slots, "", link("t", "a", R"({"?action": {"type": "A", "id": "x"}})")),
       "s.json: templateLinks[0].values.?action: there is no such member here"},
  };
  for (const auto& c : cases) {
    const Result<PolicySet> read = PolicySetFromEst(Source(c.json, "s.json"));
    ASSERT_FALSE(read) << c.json;
    EXPECT_EQ(read.error().message, c.said);
  }
}

}  // namespace
}  // namespace palyra::policy
