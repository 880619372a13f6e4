#include "policy/entities.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

std::string LoadError(const std::string& json) {
  const auto store = EntityStore::FromJson(SourceFile("e.json", json));
  return store ? "" : store.error().message;
}

// The value of the attribute "a" of one entity, or what is said of it.
std::string Attribute(const std::string& json) {
  const auto store = EntityStore::FromJson(SourceFile(
      "e.json",
      R"([{"uid": {"type": "T", "id": "x"}, "parents": [], "attrs": {"a": )" + json + "}}]"));
  return store ? ToCedar(*store->Find(EntityUid("T", "x"))->attrs.Find("a"))
               : store.error().message;
}

TEST(Entities, ReadEveryFormOfValue) {
  const struct {
    const char* json;
    const char* value;
  } cases[] = {
      {"true", "true"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"9223372036854775807", "9223372036854775807"},
      {R"("a\u00e9")", "\"a\u00e9\""},
      {"[1, 1, [2]]", "[1, [2]]"},
      {R"({"b": 1, "a": {}})", "{a: {}, b: 1}"},
      {R"({"__entity": {"type": "A::B", "id": "c"}})", "A::B::\"c\""},
      {R"({"__extn": {"fn": "ip", "arg": "10.0.0.0/8"}})", "ip(\"10.0.0.0/8\")"},
      {R"({"__extn": {"fn": "ip", "args": ["::1"]}})", "ip(\"::1\")"},
      {R"({"__extn": {"fn": "isIpv4", "arg": {"__extn": {"fn": "ip", "arg": "::1"}}}})", "false"},
      {R"({"__extn": {"fn": "decimal", "arg": "-0.5"}})", "decimal(\"-0.5\")"},
      {R"({"__extn": {"fn": "duration", "arg": "90m"}})", "duration(\"1h30m\")"},
      {R"({"__extn": {"fn": "offset",
                      "args": [{"__extn": {"fn": "datetime", "arg": "2024-01-01"}},
                               {"__extn": {"fn": "duration", "arg": "1d"}}]}})",
       "datetime(\"2024-01-02T00:00:00.000Z\")"},
      // Without a schema this is a record, and so is an escape with a key beside it.
      {R"({"type": "A", "id": "b"})", "{id: \"b\", type: \"A\"}"},
      {R"({"__entity": {"type": "A", "id": "b"}, "x": 1})",
       "{__entity: {id: \"b\", type: \"A\"}, x: 1}"},
      {R"({"fn": "ip", "arg": "::1"})", "{arg: \"::1\", fn: \"ip\"}"},
      // So is an escape with something else behind it than what belongs there.
      {R"({"__entity": "A::\"b\""})", R"({__entity: "A::\"b\""})"},
      {R"({"__extn": {"fn": "ip"}})", R"({__extn: {fn: "ip"}})"},
      {R"({"__expr": 1})", "{__expr: 1}"},
      // Cedar's reader takes the two strings in a row, and the first of two ways to give arguments.
      {R"({"__entity": ["A", "b"]})", R"({__entity: ["A", "b"]})"},
      {R"({"__extn": {"fn": "ip", "arg": "::1", "args": []}})", R"(ip("::1"))"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Attribute(c.json), c.value) << c.json;
  }
}

// As the official implementation does.
TEST(Entities, DoNotReadMembersOfNoEntity) {
  for (const char* extra : {"1.5", "-9223372036854776000", R"({"a": [1, 99999999999999999999]})"}) {
    const std::string text =
        std::string(R"([{"uid": {"type": "T", "id": "x"}, "attrs": {"a": 1}, )") +
        R"("parents": [], "more": )" + extra + "}]";
    const auto entities = EntityStore::FromJson(SourceFile("e.json", text));
    EXPECT_TRUE(entities) << extra;
  }
}

TEST(Entities, SayWhereAValueIsWrong) {
  const std::string at = "e.json: entity 0, T::\"x\": attribute \"a\"";
  const struct {
    const char* json;
    std::string message;
  } cases[] = {
      {"null", at + ": null is not a Cedar value; leave the attribute out"},
      {R"([1, {"b": null}])",
       at + ": element 1: attribute \"b\": null is not a Cedar value; leave the attribute out"},
      {"1.0", "e.json: at [0].attrs.a: 1.0 is not an integer; Cedar has no others"},
      {"1e2", "e.json: at [0].attrs.a: 1e2 is not an integer; Cedar has no others"},
      {"[0, 9223372036854775808]",
       "e.json: at [0].attrs.a[1]: 9223372036854775808 is outside the range of 64-bit signed "
       "integers"},
      {"-9223372036854775809",
       "e.json: at [0].attrs.a: -9223372036854775809 is outside the range of 64-bit signed "
       "integers"},
      {"99999999999999999999999999",
       "e.json: at [0].attrs.a: 99999999999999999999999999 is outside the range of 64-bit signed "
       "integers"},
      {R"({"b": 1, "c": 2, "b": 3})",
       "e.json: at [0].attrs.a.b: this key stands twice in its object"},
      {R"({"__entity": {"type": "A :: B", "id": "c"}})",
       at + ": \"A :: B\" is not an entity type; write names joined by :: without spaces"},
      {R"({"__extn": {"fn": "decimal", "arg": "1"}})",
       at + ": not a decimal number with one to four digits behind the point: \"1\""},
      {R"({"__extn": {"fn": "foo", "arg": "1.0"}})", at + ": there is no function \"foo\""},
      {R"({"__extn": {"fn": "ip", "arg": "1.2.3"}})",
       at + ": not an IP address or range: \"1.2.3\""},
      {R"({"__expr": "1"})",
       at + ": the escape \"__expr\" is no longer part of Cedar; use \"__entity\" or \"__extn\""},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Attribute(c.json), c.message) << c.json;
  }
}

TEST(Entities, RefuseBrokenJson) {
  for (const char* json : {"", "[", "{}", "1", "[1]", "[] []", "[,]", "[{]", "nul", R"(["\ud800"])",
                           "[\"\xff\"]", "[\"a\nb\"]", "[01]", "[//\n]"}) {
    EXPECT_NE(LoadError(json), "") << json;
  }
  EXPECT_EQ(LoadError("[\n  {\"uid\" 1}]").find("e.json:2:10: "), 0U)
      << LoadError("[\n  {\"uid\" 1}]");
}

TEST(Entities, BoundNesting) {
  EXPECT_EQ(LoadError(Repeat("[", 100000)), "e.json: at " + Repeat("[0]", kMaxNesting + 1) +
                                                ": this is nested deeper than 256 levels");
  EXPECT_EQ(Attribute(Repeat("[", 100) + Repeat("]", 100)).size(), 200U);
}

TEST(Entities, NeedUidAttrsAndParents) {
  EXPECT_EQ(LoadError(R"([{"attrs": {}, "parents": []}])"), "e.json: entity 0: \"uid\" is missing");
  EXPECT_EQ(LoadError(R"([{"uid": {"type": "A", "id": "b"}, "parents": []}])"),
            "e.json: entity 0: \"attrs\" is missing");
  EXPECT_EQ(LoadError(R"([{"uid": {"type": "A", "id": "b"}, "attrs": {}}])"),
            "e.json: entity 0: \"parents\" is missing");
  EXPECT_EQ(LoadError(R"([{"uid": "A::\"b\"", "attrs": {}, "parents": []}])"),
            "e.json: entity 0: \"uid\": an entity is written {\"type\": \"…\", \"id\": \"…\"}");
  EXPECT_EQ(LoadError(R"([{"uid": {"type": "A", "id": "b"}, "attrs": [], "parents": []}])"),
            "e.json: entity 0, A::\"b\": expected an object");
  EXPECT_EQ(LoadError(R"([{"uid": {"__entity": {"type": "A", "id": "b"}}, "attrs": {}, "other": 1,
                           "parents": [{"__entity": {"type": "A", "id": "c"}}]}])"),
            "");
}

std::string Member(const std::string& id, const std::string& parents, const std::string& attrs) {
  return R"({"uid": {"type": "T", "id": ")" + id + R"("}, "parents": [)" + parents +
         R"(], "attrs": {)" + attrs + "}}";
}
std::string Parent(const std::string& id) { return R"({"type": "T", "id": ")" + id + "\"}"; }

TEST(Entities, AncestorsAreClosed) {
  const auto store = EntityStore::FromJson(SourceFile(
      "e.json", "[" + Member("a", Parent("b"), "") + "," + Member("c", Parent("absent"), "") + "," +
                    Member("b", Parent("c"), "") + "]"));
  ASSERT_TRUE(store) << store.error().message;
  const auto& ancestors = store->Find(EntityUid("T", "a"))->ancestors;
  EXPECT_EQ(ancestors, (std::unordered_set<EntityUid>{EntityUid("T", "b"), EntityUid("T", "c"),
                                                      EntityUid("T", "absent")}));
  EXPECT_EQ(store->Find(EntityUid("T", "absent")), nullptr);
}

TEST(Entities, RefuseCycles) {
  EXPECT_EQ(LoadError("[" + Member("a", Parent("a"), "") + "]"),
            "e.json: the parents of entities form a cycle: T::\"a\" in T::\"a\"");
  const std::string error =
      LoadError("[" + Member("a", Parent("b"), "") + "," + Member("b", Parent("c"), "") + "," +
                Member("c", Parent("a"), "") + "]");
  EXPECT_EQ(error.find("e.json: the parents of entities form a cycle: "), 0U) << error;
}

TEST(Entities, RefuseTwoThatDiffer) {
  const std::string once = Member("a", Parent("b"), R"("n": 1)");
  EXPECT_EQ(LoadError("[" + once + "," + once + "]"), "");
  EXPECT_EQ(LoadError("[" + once + "," + Member("a", Parent("b"), R"("n": 2)") + "]"),
            "e.json: entity T::\"a\" stands twice, and the two differ");
  EXPECT_EQ(LoadError("[" + once + "," + Member("a", "", R"("n": 1)") + "]"),
            "e.json: entity T::\"a\" stands twice, and the two differ");
}

TEST(Entities, ParentsOfActionsAreActions) {
  EXPECT_EQ(LoadError(R"([{"uid": {"type": "N::Action", "id": "a"}, "attrs": {},
                           "parents": [{"type": "T", "id": "b"}]}])"),
            "e.json: action N::Action::\"a\" cannot have the parent T::\"b\", which is no action");
}

TEST(Entities, LongChainsNeitherRecurseNorHang) {
  std::vector<Entity> entities;
  for (int i = 0; i < 500; ++i) {
    entities.push_back({.uid = EntityUid("T", std::to_string(i)),
                        .attrs = RecordValue(),
                        .tags = RecordValue(),
                        .ancestors = {EntityUid("T", std::to_string(i + 1))}});
  }
  const auto store = EntityStore::Create(std::move(entities));
  ASSERT_TRUE(store);
  EXPECT_EQ(store->Find(EntityUid("T", "0"))->ancestors.size(), 500U);
}

TEST(Context, IsARecord) {
  const auto context = ContextFromJson(SourceFile("c.json", R"({"tier": "cell", "n": 1})"));
  ASSERT_TRUE(context) << context.error().message;
  EXPECT_EQ(ToCedar(*context), "{n: 1, tier: \"cell\"}");
  EXPECT_FALSE(ContextFromJson(SourceFile("c.json", "[]")));
  EXPECT_FALSE(ContextFromJson(SourceFile("c.json", R"({"__entity": {"type": "A", "id": "b"}})")));
  EXPECT_EQ(ContextFromJson(SourceFile("c.json", R"({"n": null})")).error().message,
            "c.json: attribute \"n\": null is not a Cedar value; leave the attribute out");
}

}  // namespace
}  // namespace palyra::policy
