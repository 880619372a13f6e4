#include "policy/evaluator.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

constexpr const char* kEntities = R"([
  {"uid": {"type": "U", "id": "alice"}, "parents": [{"type": "G", "id": "dev"}],
   "attrs": {"age": 40, "home": {"city": "Bern"}, "set": [1, 2],
             "ip": {"__extn": {"fn": "ip", "arg": "10.0.0.1"}}},
   "tags": {"team": "red"}},
  {"uid": {"type": "G", "id": "dev"}, "parents": [{"type": "G", "id": "all"}], "attrs": {}}
])";

// The value of `text` as Cedar text, or "error: …".
std::string Eval(const std::string& text) {
  static const EntityStore kStore = *EntityStore::FromJson(SourceFile("e.json", kEntities));
  static const Request kRequest{
      .principal = EntityUid("U", "alice"),
      .action = EntityUid("Action", "go"),
      .resource = EntityUid("R", "absent"),
      .context = *ContextFromJson(SourceFile("c.json", R"({"n": 7, "s": "path/to", "t": true})"))};
  const ExprPtr expr = MustParse(text);
  const EvalResult result = Evaluator(kRequest, kStore).Evaluate(*expr);
  return result ? ToCedar(*result) : "error: " + result.error().message;
}

struct Case {
  const char* text;
  const char* expected;
};

void ExpectAll(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(Eval(c.text), c.expected) << c.text;
  }
}

TEST(Evaluator, EqualityIsTotalAndStructural) {
  ExpectAll({{"1 == 1", "true"},
             {"1 == \"1\"", "false"},
             {"1 != true", "true"},
             {"[1, 2, 2] == [2, 1]", "true"},
             {"{a: 1, b: [2]} == {b: [2], a: 1}", "true"},
             {"{} == []", "false"},
             {"U::\"a\" == V::\"a\"", "false"},
             {"ip(\"10.0.0.1/8\") == ip(\"10.0.0.0/8\")", "false"},
             {"ip(\"1.2.3.4\") == ip(\"1.2.3.4/32\")", "true"},
             {"ip(\"1.2.3.4\") == \"1.2.3.4\"", "false"}});
}

TEST(Evaluator, LogicShortCircuitsAndWantsBoolOfWhatItEvaluates) {
  ExpectAll({{"false && 1", "false"},
             {"true || 1", "true"},
             {"true && 1", "error: type error: expected bool, found long"},
             {"false || 1", "error: type error: expected bool, found long"},
             {"1 && false", "error: type error: expected bool, found long"},
             {"false && principal.missing", "false"},
             {"true && true && principal.missing",
              "error: entity U::\"alice\" has no attribute \"missing\""},
             {"if true then 1 else principal.missing", "1"},
             {"if false then principal.missing else 2", "2"},
             {"if 1 then 2 else 3", "error: type error: expected bool, found long"},
             {"!1", "error: type error: expected bool, found long"},
             {"!!true", "true"}});
}

TEST(Evaluator, ArithmeticIsCheckedAt64Bits) {
  ExpectAll({{"9223372036854775807 + 0", "9223372036854775807"},
             {"9223372036854775807 + 1", "error: integer overflow: 9223372036854775807 + 1"},
             {"-9223372036854775808 - 1", "error: integer overflow: -9223372036854775808 - 1"},
             {"-9223372036854775808 * -1", "error: integer overflow: -9223372036854775808 * -1"},
             {"--9223372036854775808", "error: integer overflow: -(-9223372036854775808)"},
             {"4611686018427387904 * 2", "error: integer overflow: 4611686018427387904 * 2"},
             {"-4611686018427387904 * 2", "-9223372036854775808"},
             {"2 - 3 - 4", "-5"},
             {"1 + \"a\"", "error: type error: expected long, found string"},
             {"-true", "error: type error: expected long, found bool"}});
}

TEST(Evaluator, ComparisonIsForWhatHasAnOrder) {
  ExpectAll(
      {{"1 < 2", "true"},
       {"2 <= 1", "false"},
       {"2 > 1", "true"},
       {"1 >= 2", "false"},
       {"-9223372036854775808 < 9223372036854775807", "true"},
       {"\"a\" < \"b\"", "error: type error: expected long, datetime or duration, found string"},
       {"ip(\"::1\") < 1", "error: type error: expected long, datetime or duration, found ipaddr"},
       // Both sides are evaluated before their kinds are looked at.
       {"\"a\" < principal.missing", "error: entity U::\"alice\" has no attribute \"missing\""}});
}

TEST(Evaluator, MembershipIsReflexiveAndTransitive) {
  ExpectAll(
      {{"principal in G::\"dev\"", "true"},
       {"principal in G::\"all\"", "true"},
       {"principal in U::\"alice\"", "true"},
       {"G::\"all\" in G::\"dev\"", "false"},
       {"resource in R::\"absent\"", "true"},
       {"resource in G::\"all\"", "false"},
       {"principal in [R::\"x\", G::\"all\"]", "true"},
       {"principal in []", "false"},
       {"1 in G::\"all\"", "error: type error: expected entity, found long"},
       {"principal in 1", "error: type error: expected entity or set of entities, found long"},
       // All elements must be entities, also behind one that decides.
       {"principal in [U::\"alice\", 1]",
        "error: type error: expected set of entities, an element of it, found long"}});
}

TEST(Evaluator, AttributesOfTheAbsentAreAbsent) {
  ExpectAll({{"principal.age", "40"},
             {"principal.home.city", "\"Bern\""},
             {"principal has age", "true"},
             {"principal has home.city", "true"},
             {"principal has home.street", "false"},
             {"principal has nothing.at.all", "false"},
             {"principal has age.x", "error: type error: expected record or entity, found long"},
             {"{a: 1} has a.b", "error: type error: expected record or entity, found long"},
             {"{\"two words\": 1} has \"two words\"", "true"},
             {"resource has x", "false"},
             {"resource.x", "error: entity R::\"absent\" does not exist"},
             {"{a: 1}.b", "error: record has no attribute \"b\""},
             {"1 has a", "error: type error: expected record or entity, found long"},
             {"[1].a", "error: type error: expected record or entity, found set"}});
}

TEST(Evaluator, TagsAreApartFromAttributes) {
  ExpectAll({{"principal.getTag(\"team\")", "\"red\""},
             {"principal.hasTag(\"team\")", "true"},
             {"principal.hasTag(\"age\")", "false"},
             {"principal has team", "false"},
             {"principal.getTag(\"none\")", "error: entity U::\"alice\" has no tag \"none\""},
             {"resource.hasTag(\"team\")", "false"},
             {"resource.getTag(\"team\")", "error: entity R::\"absent\" does not exist"},
             {"principal.hasTag(1)", "error: type error: expected string, found long"},
             {"{}.hasTag(\"a\")", "error: type error: expected entity, found record"}});
}

TEST(Evaluator, SetsKnowTheirMembers) {
  ExpectAll({{"[1, 2].contains(2)", "true"},
             {"[1, 2].contains(\"2\")", "false"},
             {"[[1, 2]].contains([2, 1])", "true"},
             {"[1, 2].containsAll([2])", "true"},
             {"[1].containsAll([])", "true"},
             {"[].containsAny([])", "false"},
             {"[1, 2].containsAny([3, 2])", "true"},
             {"[1].containsAny([2, 3])", "false"},
             {"[].isEmpty()", "true"},
             {"[1].isEmpty()", "false"},
             {"principal.set.contains(context.n - 6)", "true"},
             {"1.contains(1)", "error: type error: expected set, found long"},
             {"[1].containsAll(1)", "error: type error: expected set, found long"},
             {"{}.isEmpty()", "error: type error: expected set, found record"}});
}

TEST(Evaluator, LikeKnowsOnlyTheStar) {
  ExpectAll({{"\"\" like \"\"", "true"},
             {"\"\" like \"*\"", "true"},
             {"\"a\" like \"\"", "false"},
             {"\"abc\" like \"a*c\"", "true"},
             {"\"ac\" like \"a*c\"", "true"},
             {"\"a\" like \"a*a\"", "false"},
             {"\"abcbc\" like \"a*bc\"", "true"},
             {"\"aXbXc\" like \"*X*X*\"", "true"},
             {"\"aXbc\" like \"*X*X*\"", "false"},
             {"\"a*c\" like \"a\\*c\"", "true"},
             {"\"abc\" like \"a\\*c\"", "false"},
             {"\"abc\" like \"ABC\"", "false"},
             {"\"a?c\" like \"a?c\"", "true"},
             {"\"abc\" like \"a?c\"", "false"},
             {"\"a\u00e9\nz\" like \"a*z\"", "true"},
             {"\"evilexample.com\" like \"*example.com\"", "true"},
             {"\"example.com\" like \"*.example.com\"", "false"},
             {"1 like \"*\"", "error: type error: expected string, found long"}});
}

TEST(Evaluator, IsLooksAtTheTypeThenAtTheAncestor) {
  ExpectAll({{"principal is U", "true"},
             {"principal is G", "false"},
             {"N::U::\"a\" is U", "false"},
             {"principal is U in G::\"all\"", "true"},
             {"principal is G in principal.missing", "false"},
             {"principal is U in G::\"none\"", "false"},
             {"1 is U", "error: type error: expected entity, found long"}});
}

TEST(Evaluator, IpFunctionsFailWhenCalledWrongly) {
  ExpectAll(
      {{"principal.ip.isInRange(ip(\"10.0.0.0/8\"))", "true"},
       {"ip(\"::1\").isLoopback()", "true"},
       {"ip(\"1.2.3.4\").isIpv4()", "true"},
       {"ip(\"1.2.3.4\").isIpv6()", "false"},
       {"ip(\"ff02::1\").isMulticast()", "true"},
       {"ip(context.s)", "error: not an IP address or range: \"path/to\""},
       {"ip(\"::ffff:1.2.3.4\")", "error: not an IP address or range: \"::ffff:1.2.3.4\""},
       {"ip(1)", "error: type error: expected string, found long"},
       {"ip()", "error: wrong number of arguments for \"ip\": expected 1, found 0"},
       {"ip(\"::1\").isInRange()",
        "error: wrong number of arguments for \"isInRange\": expected 2, found 1"},
       {"ip(\"::1\").isInRange(\"::/0\")", "error: type error: expected ipaddr, found string"},
       {"1.isIpv4()", "error: type error: expected ipaddr, found long"}});
}

TEST(Evaluator, ErrorsCarryTheSpanOfWhatFailed) {
  const ExprPtr expr = MustParse("true && 1 + principal.missing > 2");
  const Request request{EntityUid("U", "x"), EntityUid("Action", "a"), EntityUid("R", "r"),
                        Value::Record({})};
  const EvalResult result = Evaluator(request, EntityStore()).Evaluate(*expr);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().span, (Span{12, 17}));
}

TEST(Evaluator, TheEventsEntityStandsBeforeTheStores) {
  const EntityUid uid("U", "alice");
  const auto event =
      std::make_shared<const Entity>(Entity{.uid = uid,
                                            .attrs = RecordValue({{"age", Value::Long(1)}}),
                                            .tags = RecordValue(),
                                            .ancestors = {EntityUid("G", "new")}});
  const EntityStore store = *EntityStore::FromJson(SourceFile("e.json", kEntities));
  const Request request{uid, EntityUid("Action", "a"), uid, Value::Record({}), event};
  const EvalResult result =
      Evaluator(request, store)
          .Evaluate(*MustParse("principal.age == 1 && principal in G::\"new\" && "
                               "!(principal in G::\"dev\") && !(principal has home)"));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, Value::Bool(true));
}

}  // namespace
}  // namespace palyra::policy
