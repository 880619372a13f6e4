#include "policy/validate/validator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/policy/schema_helpers.h"

namespace palyra::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kSchema = R"(
  type R = {x: Long, y?: String, n?: {z?: Bool, u?: User}};
  entity User in [Group] {
    age: Long, name?: String, mgr?: User, best: User, rec: R, ip: ipaddr, when: datetime,
    set: Set<String>, ok: Bool, color: Color,
  } tags String;
  entity Group in [Group] { owner: User } tags Set<Long>;
  entity Color enum ["red", "green"];
  entity Doc in [Folder] { owner: User, name?: Long };
  entity Folder;
  namespace N { entity Thing; action go appliesTo { principal: [Thing], resource: [Thing] }; }
  action all;
  action view, edit in all appliesTo {
    principal: User, resource: [Doc, Folder], context: { ip?: ipaddr, n: Long, r: R, s: Set<User> }
  };
  action paint appliesTo { principal: [User, Group], resource: Color };
)";

const Schema& TheSchema() {
  static const Schema kResolved = MustResolve(kSchema);
  return kResolved;
}

ValidationReport ReportOf(const std::string& policies, const ValidationOptions& options = {}) {
  return Validate(MustParsePolicies(policies), TheSchema(), options);
}

// The codes of what is said without "validate-", each once, "" where nothing is.
std::string Codes(const std::vector<Diagnostic>& diagnostics) {
  std::string codes;
  for (const Diagnostic& diagnostic : diagnostics) {
    const std::string code = diagnostic.code.substr(std::string("validate-").size());
    if (codes.find(code) == std::string::npos) {
      codes += (codes.empty() ? "" : " ") + code;
    }
  }
  return codes;
}

std::string Errors(const std::string& policies, ValidationMode mode = ValidationMode::kStrict) {
  return Codes(ReportOf(policies, {.mode = mode}).errors);
}

std::string Warnings(const std::string& policies) { return Codes(ReportOf(policies).warnings); }

// Of a condition of requests to view.
std::string When(const std::string& condition, ValidationMode mode = ValidationMode::kStrict) {
  return Errors(
      R"(permit(principal, action == Action::"view", resource) when { )" + condition + " };", mode);
}

struct Case {
  const char* condition;
  const char* codes;
};

void ExpectCodes(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    EXPECT_EQ(When(c.condition), c.codes) << c.condition;
  }
}

TEST(Validator, OperatorsTakeTheirTypes) {
  ExpectCodes({
      {"principal.age + 1 < -context.n * 2", ""},
      {"principal.age + true == 1", "unexpected-type"},
      {"principal.age < \"1\"", "unexpected-type"},
      {"principal.when < datetime(\"2024-01-01\")", ""},
      {"principal.when < 1", "unexpected-type"},
      {"principal.ip < principal.ip", "unexpected-type"},
      {"principal.age", "unexpected-type"},
      {"!principal.age", "unexpected-type"},
      {"principal.ok || 1", "unexpected-type"},
      {"principal.set.isEmpty()", ""},
      {"principal.age.isEmpty()", "unexpected-type"},
      {"principal.set.contains(\"a\")", ""},
      {"principal.set.contains(1)", "incompatible-types"},
      {"principal.set.containsAll([1])", "incompatible-types"},
      {"principal.set.containsAny(\"a\")", "unexpected-type"},
      {"principal.rec.x like \"a*\"", "unexpected-type"},
      {"principal.age is User", "unexpected-type"},
      {"principal in principal.set", "unexpected-type"},
      {"principal in context.s", ""},
      {"principal.ip.isInRange(ip(\"10.0.0.0/8\"))", ""},
      {"principal.age.isLoopback()", "unexpected-type"},
      {"principal.ip.isInRange()", "argument-count"},
      {"ip(\"x\").isIpv4()", "bad-argument"},
      {"ip(principal.rec.y).isIpv4()", "computed-argument unsafe-attribute"},
  });
}

TEST(Validator, EqualTypesAreWantedWhereValuesMeet) {
  ExpectCodes({
      {"principal.age == 1", ""},
      {"principal.age == \"1\"", "incompatible-types"},
      {"principal == 1", "incompatible-types"},
      {"1 == \"a\" || principal.ok", ""},
      {"principal == resource || principal.ok", ""},
      {"[1, principal.age].contains(2)", ""},
      {"[1, \"a\"].isEmpty()", "incompatible-types"},
      {"[principal, resource].isEmpty()", "incompatible-types"},
      {"[].isEmpty()", "empty-set"},
      {"(if principal.ok then 1 else \"a\") == 1", "incompatible-types"},
      {"(if true then 1 else \"a\") == 1", ""},
      {"{a: true} == {a: principal.ok}", ""},
      {"{a: 1} == {b: 1}", "incompatible-types"},
      {"principal.rec == {x: 1}", "incompatible-types"},
  });
}

TEST(Validator, AnOptionalAttributeIsTestedBeforeItIsUsed) {
  ExpectCodes({
      {"principal.name == \"a\"", "unsafe-attribute"},
      {"principal has name && principal.name == \"a\"", ""},
      {"principal has \"name\" && principal[\"name\"] == \"a\"", ""},
      {"if principal has name then principal.name == \"a\" else false", ""},
      {"if principal has name then true else principal.name == \"a\"", "unsafe-attribute"},
      {"principal has name || principal.name == \"a\"", "unsafe-attribute"},
      {"principal.name == \"a\" && principal has name", "unsafe-attribute"},
      {"!(!(principal has name)) && principal.name == \"a\"", "unsafe-attribute"},
      {"(principal has name || principal has mgr) && principal.name == \"a\"", "unsafe-attribute"},
      {"(principal has name || principal has name) && principal.name == \"a\"", ""},
      {"(principal has name && principal.ok) && principal.name == \"a\"", ""},
      {"principal has mgr && principal.mgr has name && principal.mgr.name == \"a\"", ""},
      {"principal has mgr.name && principal.mgr.name == \"a\"", ""},
      {"principal has mgr.name && principal.mgr.mgr == principal", "unsafe-attribute"},
      {"context.r has n.u.name && context.r.n.u.name == \"a\"", ""},
      {"context has r.n && context.r.n.z", "unsafe-attribute"},
      {"resource has name && principal.name == \"a\"", "unsafe-attribute"},
      {"principal.nope == 1", "unknown-attribute"},
      {"principal has nope && principal.nope == 1", ""},
      {"principal.best.best.age == 1", ""},
      {"action.foo == 1", "unknown-attribute"},
  });
}

TEST(Validator, ConditionsKnowWhatThoseBeforeThemTested) {
  EXPECT_EQ(Errors(R"(permit(principal, action == Action::"view", resource)
                      when { principal has name } when { true } unless { principal.name == "a" };)"),
            "");
  EXPECT_EQ(Errors(R"(permit(principal, action == Action::"view", resource)
                      unless { principal has name } when { principal.name == "a" };)"),
            "unsafe-attribute");
}

TEST(Validator, LongChainsOfTestsTakeLittleTime) {
  std::string condition = "principal has name";
  for (int i = 0; i < 1000; ++i) {
    condition += " && !(principal.hasTag(\"" + std::to_string(i) + "\") && principal.getTag(\"" +
                 std::to_string(i) + "\") == \"x\") && principal.hasTag(\"" + std::to_string(i) +
                 "\")";
  }
  EXPECT_EQ(When(condition + " && principal.name == \"a\""), "");
}

TEST(Validator, ATagIsTestedBeforeItIsUsed) {
  ExpectCodes({
      {"principal.hasTag(\"a\") && principal.getTag(\"a\") like \"x*\"", ""},
      {"principal.hasTag(\"a\") && principal.getTag(\"b\") like \"x*\"", "unsafe-tag"},
      {"principal.hasTag(principal.rec.y) && principal.ok", "unsafe-attribute"},
      {"principal.getTag(\"a\") == \"x\"", "unsafe-tag"},
      {"resource.hasTag(\"a\") && resource.getTag(\"a\") == \"x\"", ""},
      {"(resource.hasTag(\"a\") || true) && resource.getTag(\"a\") == \"x\"", "unsafe-tag"},
      {"principal.hasTag(1)", "unexpected-type"},
  });
}

TEST(Validator, PartsThatAreNeverReachedAreNotChecked) {
  ExpectCodes({
      {"false && principal.nope", ""},
      {"true || principal.nope", ""},
      {"(if false then principal.nope else true)", ""},
      {"principal is Doc && principal.nope", ""},
      {"principal is User || principal.nope", ""},
      {"action == Action::\"edit\" && principal.nope", ""},
      {"action in Action::\"all\" || principal.nope", ""},
      {"principal in Doc::\"d\" && principal.nope", ""},
      {"false && Nope::\"x\" == principal", "unknown-entity-type"},
  });
}

TEST(Validator, NamesMustBeThoseOfTheSchema) {
  const struct {
    const char* policy;
    const char* codes;
  } cases[] = {
      {"permit(principal == Nope::\"x\", action, resource);", "unknown-entity-type never-applies"},
      {"permit(principal is Nope, action, resource);", "unknown-entity-type never-applies"},
      {"permit(principal, action == Action::\"nope\", resource);", "unknown-action never-applies"},
      {"permit(principal, action in [Action::\"view\", Action::\"nope\"], resource);",
       "unknown-action never-applies"},
      {"permit(principal, action, resource == Color::\"blue\");", "unlisted-entity"},
      {"permit(principal, action, resource == Color::\"red\");", ""},
      {"permit(principal, action, resource) when { principal is Nope };", "unknown-entity-type"},
      {"permit(principal, action, resource) when { action == N::Action::\"x\" };",
       "unknown-action"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Errors(c.policy), c.codes) << c.policy;
  }
  EXPECT_THAT(Render(ReportOf("permit(principal is Thing, action, resource);").errors),
              HasSubstr("hint: did you mean `N::Thing`?"));
}

TEST(Validator, SomeActionMustApplyToTheScope) {
  const struct {
    const char* policy;
    const char* codes;
  } cases[] = {
      {"permit(principal, action == Action::\"all\", resource);", "never-applies"},
      {"permit(principal is Group, action == Action::\"view\", resource);", "never-applies"},
      {"permit(principal is Group, action in Action::\"all\", resource);", "never-applies"},
      {"permit(principal in Group::\"g\", action == Action::\"view\", resource);", ""},
      {"permit(principal in Doc::\"d\", action, resource);", "never-applies"},
      {"permit(principal, action == Action::\"view\", resource is Doc in Folder::\"f\");", ""},
      {"permit(principal, action == Action::\"view\", resource is Doc in Group::\"g\");",
       "never-applies"},
      {"permit(principal, action in [], resource);", "never-applies empty-set"},
      {"permit(principal, action in [Action::\"view\", N::Action::\"go\"], resource);",
       "incompatible-types"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Errors(c.policy), c.codes) << c.policy;
  }
}

TEST(Validator, WarnsOfPoliciesThatCanNeverHold) {
  EXPECT_EQ(Warnings("permit(principal, action, resource) when { false };"), "impossible-policy");
  EXPECT_EQ(Warnings("permit(principal, action, resource) when { action has foo };"),
            "impossible-policy");
  EXPECT_EQ(Warnings(R"(permit(principal, action == Action::"all", resource);)"),
            "impossible-policy");
  EXPECT_EQ(Warnings("permit(principal, action, resource) when { resource is Doc };"), "");
  EXPECT_EQ(Warnings("permit(principal, action, resource) unless { true } when { principal.x };"),
            "impossible-policy");
}

TEST(Validator, WarnsOfTextThatIsNotWhatItLooksLike) {
  const auto warnings = [](const std::string& condition) {
    return Warnings(R"(permit(principal, action == Action::"view", resource) when { )" + condition +
                    " };");
  };
  const struct {
    const char* condition;
    const char* codes;
  } cases[] = {
      {"principal.rec.x == 1", ""},
      {"principal.color == Color::\"red\"", ""},
      {"principal.set.contains(\"paßwort, пароль\")", "mixed-scripts"},
      {"principal.set.contains(\"пароль 1!\")", ""},
      {"principal.set.contains(\"日本語のテキスト\")", ""},
      {"principal.set.contains(\"日本語 text\")", "mixed-scripts"},
      {"principal.set.contains(\"say_\u04bbello\")", "mixed-scripts"},
      {"principal.set.contains(\"user\u202e && x\u2066\")", "bidirectional-text"},
      {"principal.set.contains(\"new\\nline \\0\")", ""},
      {"principal has \"is\u200bAdmin\" || principal.ok", "confusable-identifier"},
      {"principal has \"new\\nline\" || principal.ok", "confusable-identifier"},
      {"principal has \"a b+c@d{e}\" || principal.ok", ""},
      {"principal has \"\u04bbello\" || principal.ok", "mixed-scripts"},
      {"principal == User::\"\U0001F34C\"", "confusable-identifier"},
      {"principal has name && principal.name like \"*_\u04bbello\"", "mixed-scripts"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(warnings(c.condition), c.codes) << c.condition;
  }
}

TEST(Validator, PermissiveModeTakesMixedTypes) {
  const auto permissive = [](const std::string& condition) {
    return When(condition, ValidationMode::kPermissive);
  };
  EXPECT_EQ(permissive("principal.age == \"1\""), "");
  EXPECT_EQ(permissive("[].isEmpty() && [principal, resource].contains(principal)"), "");
  EXPECT_EQ(permissive("[1, \"a\"].isEmpty()"), "incompatible-types");
  EXPECT_EQ(permissive("(if principal.ok then principal.best else principal).age == 1"), "");
  EXPECT_EQ(permissive("(if principal.ok then principal else resource) has age"), "");
  EXPECT_EQ(permissive("(if principal.ok then principal else resource).age == 1"),
            "unknown-attribute");
  EXPECT_EQ(permissive("(if principal.ok then {a: 1} else {b: 1}) has a"), "");
  EXPECT_EQ(permissive("principal.age < \"1\""), "unexpected-type");
}

TEST(Validator, TemplatesAndLinksAreChecked) {
  PolicySet policies = MustParsePolicies(
      R"(permit(principal in ?principal, action == Action::"view", resource == ?resource)
         when { principal.age == "1" };)");
  EXPECT_EQ(Codes(Validate(policies, TheSchema()).errors), "incompatible-types");

  policies =
      MustParsePolicies(R"(permit(principal in ?principal, action == Action::"view", resource);)");
  EXPECT_EQ(Codes(Validate(policies, TheSchema()).errors), "");
  const auto link = [&](const std::string& id, const std::string& type) {
    PolicySet linked = policies;
    EXPECT_TRUE(linked.AddLink(
        id, {.template_id = "policy0", .values = {.principal = EntityUid(type, "x")}}));
    return Codes(Validate(linked, TheSchema()).errors);
  };
  EXPECT_EQ(link("a", "Group"), "");
  EXPECT_EQ(link("b", "Doc"), "never-applies");
  EXPECT_EQ(link("c", "Nope"), "unknown-entity-type never-applies");
}

TEST(Validator, SaysEachThingOnceWithItsPlace) {
  EXPECT_EQ(Render(ReportOf("permit(principal, action in Action::\"all\", resource)\n"
                            "when { resource has owner && principal.nope == 1 };")
                       .errors),
            "test.cedar:2:30: error: there is no attribute \"nope\" of User\n"
            "when { resource has owner && principal.nope == 1 };\n"
            "                             ^^^^^^^^^^^^^^\n"
            "policy: policy0\n");
}

std::string Level(const std::string& condition, uint32_t level) {
  const ValidationReport report = ReportOf(
      "permit(principal, action == Action::\"view\", resource) when { " + condition + " };",
      {.max_level = level});
  EXPECT_EQ(
      Errors("permit(principal, action == Action::\"view\", resource) when { " + condition + " };"),
      "");
  return Codes(report.errors);
}

TEST(Levels, CountTheStepsFromTheRequest) {
  const struct {
    const char* condition;
    uint32_t level;  // The lowest one that is enough.
  } cases[] = {
      {"context.n == 1", 0},
      {"principal == resource || action == Action::\"view\"", 0},
      {"principal is User", 0},
      {"context.r has n.z", 0},
      {"principal.ok", 1},
      {"principal has name", 1},
      {"principal in Group::\"g\"", 1},
      {"principal is User in Group::\"g\"", 1},
      {"principal.hasTag(\"a\")", 1},
      {"context.s.contains(principal.best)", 1},
      {"principal.best.ok", 2},
      {"principal.best in Group::\"g\"", 2},
      {"principal has mgr.name", 2},
      {"context.r has n.u.name && context.r.n.u.name == \"a\"", 1},
      {"{a: principal}.a.ok", 1},
      {"{a: principal.best, b: principal.best.best.ok}.a.ok", 3},
      {"(if principal.ok then principal else principal.best).ok", 2},
      {"(if true then principal else principal.best).ok", 1},
      {"false && principal.best.best.ok", 0},
      {"principal.best.best.best.age + 1 == 2", 4},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Level(c.condition, c.level), IsEmpty()) << c.condition;
    if (c.level > 0) {
      EXPECT_EQ(Level(c.condition, c.level - 1), "level-exceeded") << c.condition;
    }
  }
}

TEST(Levels, NoStepBeginsAtANamedEntity) {
  EXPECT_EQ(Level("User::\"a\".ok", 9), "literal-dereference");
  EXPECT_EQ(Level("(if principal.ok then principal else User::\"a\").ok", 9),
            "literal-dereference");
  EXPECT_EQ(Level("principal.best == User::\"a\"", 1), "");
  EXPECT_EQ(Level("Action::\"view\" in Action::\"all\"", 1), "");
}

TEST(Levels, CountTheScopeToo) {
  const auto errors = [](const std::string& scope, uint32_t level) {
    return Codes(ReportOf("permit(" + scope + ");", {.max_level = level}).errors);
  };
  EXPECT_EQ(errors("principal in Group::\"g\", action, resource", 0), "level-exceeded");
  EXPECT_EQ(errors("principal in Group::\"g\", action, resource", 1), "");
  EXPECT_EQ(errors("principal == User::\"u\", action, resource is Doc", 0), "");
}

}  // namespace
}  // namespace palyra::policy
