#include "policy/partial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "policy/partial_authorizer.h"
#include "policy/schema/types.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

using testing::ElementsAre;

constexpr const char* kEntities = R"([
  {"uid": {"type": "U", "id": "alice"}, "parents": [{"type": "G", "id": "dev"}],
   "attrs": {"age": 40, "boss": {"__entity": {"type": "U", "id": "bob"}}}},
  {"uid": {"type": "U", "id": "bob"}, "parents": [], "attrs": {"age": 50, "level": 3}}
])";

// Alice does what she does to an R that comes with its data; the context's `port` is to come, and
// `user` may be; bob's level is to come.
const PartialRequest& TheRequest() {
  static const PartialRequest kRequest{
      .principal = {.uid = EntityUid("U", "alice")},
      .action = {},
      .resource = {.type = "R",
                   .shape = EntityShape{.attributes = {{.name = "owner", .required = true},
                                                       {.name = "label"}},
                                        .ancestor_types = {"Folder"}}},
      .context = RecordValue({{"now", Value::Long(12)}}),
      .open_context =
          {{.name = "port", .required = true, .type = &kLongType, .least = 0, .most = 65535},
           {.name = "user"}},
      .open_attrs = {{EntityUid("U", "bob"), "level"}}};
  return kRequest;
}

std::string ResidualOf(const std::string& text) {
  static const EntityStore kStore = *EntityStore::FromJson(SourceFile("entities.json", kEntities));
  const ExprPtr residual = PartialEvaluator(TheRequest(), kStore).Residual(MustParse(text));
  const auto* error = std::get_if<ErrorNode>(&residual->node);
  return error != nullptr ? "error: " + error->message : ToCedar(*residual);
}

TEST(Partial, LeavesWhatIsToComeAndNoMore) {
  const struct {
    std::string text;
    std::string residual;
  } cases[] = {
      {"principal.age < 41 && resource.owner == principal", "resource.owner == U::\"alice\""},
      {"principal.age > 41 && resource.owner == principal", "false"},
      {"resource.owner == principal || principal in G::\"dev\"",
       "resource.owner == U::\"alice\" || true"},
      {"if principal.age == 40 then context.port else context.user", "context.port"},
      {"if context.port == 1 then 1 + 1 else principal.boss.age",
       "if context.port == 1 then 2 else 50"},
      // Entities to come, by their type.
      {"resource == R::\"r\"", "resource == R::\"r\""},
      {"resource == U::\"alice\"", "false"},
      {"resource != 7", "true"},
      {"action == 7", "false"},
      {"action == U::\"alice\"", "action == U::\"alice\""},
      {"resource is R", "true"},
      {"resource is U in context.port", "false"},
      {"action is Action", "action is Action"},
      {"resource in Folder::\"f\"", "resource in Folder::\"f\""},
      {"resource in R::\"r\"", "resource in R::\"r\""},
      {"resource in [U::\"alice\", G::\"dev\"]", "false"},
      {"resource in [U::\"alice\", 7]",
       "error: type error: expected set of entities, an element of it, found long"},
      {"action in U::\"alice\"", "action in U::\"alice\""},
      // Attributes to come, by what is known of their presence.
      {"resource has owner", "true"},
      {"resource has label", "resource has label"},
      {"resource has other", "false"},
      {"resource has owner.age", "resource.owner has age"},
      {"context has now && context has port", "true"},
      {"context has user", "context has user"},
      {"context has user.age", "context has user.age"},
      {"context has other", "false"},
      {"context.now", "12"},
      {"context.other", "error: record has no attribute \"other\""},
      {"context == {now: 12}", "context == {now: 12}"},
      {"principal.boss.age", "50"},
      {"principal.boss.level > 2", "U::\"bob\".level > 2"},
      {"principal.boss has level", "U::\"bob\" has level"},
      {"U::\"nobody\" has level", "false"},
      // A named R may be the one that comes.
      {"R::\"r\".owner == principal", "R::\"r\".owner == U::\"alice\""},
      {"R::\"r\" in Folder::\"f\"", "R::\"r\" in Folder::\"f\""},
      // Failures stay where they can be reached.
      {"context.port + (1 + true)", "error: type error: expected long, found bool"},
      {"context.port == 1 && 1", "context.port == 1 && error(\"expected bool\")"},
      {"false && 1 + true == 2", "false"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ResidualOf(c.text), c.residual) << c.text;
  }
}

constexpr const char* kYes = "permit (principal, action, resource);";
constexpr const char* kNo = "forbid (principal, action, resource);";
constexpr const char* kMaybeYes =
    "permit (principal, action, resource) when { context.port == 1 };";
constexpr const char* kMaybeNo = "forbid (principal, action, resource) when { context.port == 1 };";
constexpr const char* kFailsOrNot =
    "forbid (principal, action, resource) when { context.port == 1 && 1 };";
constexpr const char* kFailsOrNotYes =
    "permit (principal, action, resource) when { context.port == 1 && 1 };";
constexpr const char* kAlways =
    "permit (principal, action, resource) when { context.port < 70000 };";
constexpr const char* kFails = "forbid (principal, action, resource) when { 1 };";

TEST(PartialAuthorizer, DecidesAsSoonAsNothingToComeCanChangeIt) {
  const struct {
    std::string policies;
    std::optional<Decision> decision;
  } cases[] = {
      {"", Decision::kDeny},
      {kYes, Decision::kAllow},
      {kNo, Decision::kDeny},
      {kMaybeYes, std::nullopt},
      {kMaybeNo, Decision::kDeny},
      {std::string(kYes) + kMaybeYes, Decision::kAllow},
      {std::string(kYes) + kMaybeNo, std::nullopt},
      {std::string(kMaybeYes) + kMaybeNo, std::nullopt},
      {std::string(kMaybeYes) + kNo, Decision::kDeny},
      {std::string(kMaybeYes) + kFails, std::nullopt},
      {std::string(kYes) + kFails, Decision::kAllow},
      // Residuals that fail for some of what is to come, and hold for nothing.
      {std::string(kYes) + kFailsOrNot, Decision::kAllow},
      {kFailsOrNotYes, Decision::kDeny},
      {std::string(kMaybeYes) + kAlways, Decision::kAllow},
  };
  for (const auto& c : cases) {
    const PolicySet policies = MustParsePolicies(c.policies);
    EXPECT_EQ(PartiallyAuthorize(policies, TheRequest(), EntityStore()).decision, c.decision)
        << c.policies;
  }
}

TEST(PartialAuthorizer, ListsEachPolicyOnce) {
  const PolicySet policies =
      MustParsePolicies(std::string(kFails) + kYes + kMaybeYes + kMaybeNo + kNo +
                        "permit (principal == U::\"other\", action, resource);");
  const PartialResponse response = PartiallyAuthorize(policies, TheRequest(), EntityStore());
  EXPECT_THAT(response.satisfied, ElementsAre(1, 4));
  ASSERT_EQ(response.errors.size(), 1U);
  EXPECT_EQ(response.errors[0].policy, 0U);
  ASSERT_EQ(response.residuals.size(), 2U);
  EXPECT_EQ(response.residuals[0].policy, 2U);
  EXPECT_EQ(ToCedar(*response.residuals[0].residual), "context.port == 1");
  EXPECT_EQ(response.residuals[1].policy, 3U);
}

// The types of the attributes of a Split.
const Type* TypeOf(std::string_view name) {
  static TypeArena arena;
  static const Type kEntity(TypeKind::kEntity);
  static const Type* const kRecord = arena.AddRecord({{"n", &kLongType, true}});
  return name == "n" ? &kLongType : name == "e" ? &kEntity : kRecord;
}

// Random conditions, a request, and what of it is to come.
class Split {
 public:
  explicit Split(unsigned seed) : engine_(seed) {
    for (int i = 0; i < 12; ++i) {
      text += Below(3) == 0 ? "forbid (principal" : "permit (principal";
      text += Below(3) == 0 ? " in U::\"" + Id() + "\"" : "";
      text += Below(3) == 0 ? ", action, resource is R) when { " : ", action, resource) unless { ";
      text += Condition(3) + " };\n";
    }
    MakeEntities();
    MakeContext();
    request.principal = EntityUid("U", Id());
    Open(partial.principal, request.principal);
    Open(partial.action, request.action);
    Open(partial.resource, request.resource);
    if (partial.resource.type && Below(2) == 0) {
      BringResource();
    }
  }

  std::string text;
  EntityStore entities;
  EntityStore partial_entities;  // Where open attributes have a value that is never asked for.
  Request request{EntityUid("U", "0"), EntityUid("Action", "0"), EntityUid("R", "0"),
                  Value::Record({})};
  PartialRequest partial;

 private:
  std::mt19937 engine_;

  unsigned Below(unsigned bound) { return static_cast<unsigned>(engine_() % bound); }
  std::string Id() { return std::to_string(Below(3)); }
  template <size_t kCount>
  std::string OneOf(const char* const (&texts)[kCount]) {
    return texts[Below(kCount)];
  }

  // Mostly Bool, so that not everything fails.
  std::string Condition(int depth) {
    if (depth == 0) {
      return OneOf({"true", "false", "principal has n", "context has e", "resource is R",
                    "principal == U::\"1\"", "context.n == 1", "resource.n < 2"});
    }
    const std::string a = "(" + Condition(depth - 1) + ")";
    switch (Below(9)) {
      case 0:
      case 1:
        return a + " && (" + Condition(depth - 1) + ")";
      case 2:
      case 3:
        return a + " || (" + Condition(depth - 1) + ")";
      case 4:
        return "if " + a + " then " + Condition(depth - 1) + " else (" + Condition(depth - 1) + ")";
      case 5:
        return "!" + a;
      default:
        return Expression(depth - 1);
    }
  }

  // Of any kind.
  std::string Expression(int depth) {
    if (depth == 0 || Below(6) == 0) {
      return OneOf({"principal", "resource", "action", "context", "context.n", "context.e",
                    "context.r.n", "principal.n", "resource.n", "resource.e", "U::\"1\"",
                    "R::\"0\".n", "1", "2", "true", "\"a\"", "[1, 2]", "[U::\"1\", R::\"1\"]"});
    }
    const std::string a = "(" + Expression(depth - 1) + ")";
    const std::string b = "(" + Expression(depth - 1) + ")";
    switch (Below(10)) {
      case 0:
        return Condition(depth - 1);
      case 1:
        return OneOf({"principal", "resource", "context", "principal.e", "context.r"}) + " has " +
               OneOf({"n", "e", "e.n", "r.n", "other"});
      case 2:
        return OneOf({"principal", "resource", "context.e"}) +
               OneOf({" is U", " is R in U::\"1\"", " is Action in context.e"});
      case 3:
        return a + OneOf({" < ", " + "}) + b;
      case 4:
        return OneOf({"principal", "resource", "context.e", "U::\"1\""}) + " in " +
               OneOf({"U::\"0\"", "context.e", "[U::\"0\", resource]", "[action, context.n]"});
      case 5:
        return "[" + a + ", " + b + "].contains(context.n)";
      case 6:
        return "{a: " + a + ", n: " + b + "}" + OneOf({".n", " has a.n"});
      case 7:
        return OneOf({"principal", "resource", "R::\"1\"", "context.e"}) + ".getTag(\"t\") == 1";
      default:
        return a + OneOf({" == ", " != "}) + b;
    }
  }

  const Type* MaybeType(std::string_view name) { return Below(3) == 0 ? nullptr : TypeOf(name); }

  RecordValue Attrs() {
    std::vector<RecordValue::Field> fields;
    for (const char* name : {"n", "e", "r"}) {
      if (Below(4) != 0) {
        fields.emplace_back(name, *name == 'n'   ? Value::Long(Below(3))
                                  : *name == 'e' ? Value::Entity(EntityUid("U", Id()))
                                                 : Value::Record({{"n", Value::Long(1)}}));
      }
    }
    return RecordValue(std::move(fields));
  }

  // An attribute to come has any value, or none, in the store at hand.
  void MakeEntities() {
    std::vector<Entity> real;
    std::vector<Entity> at_hand;
    for (const char* type : {"U", "R"}) {
      for (int id = 0; id < 3; ++id) {
        Entity entity{.uid = EntityUid(type, std::to_string(id)),
                      .attrs = Attrs(),
                      .tags = RecordValue({{"t", Value::Long(1)}}),
                      .ancestors = {}};
        if (id > 0 && Below(2) == 0) {
          entity.ancestors = {EntityUid("U", "0")};
        }
        real.push_back(entity);
        if (Below(3) == 0) {
          const RecordValue other = Attrs();
          std::vector<RecordValue::Field> fields;
          for (const RecordValue::Field& field : entity.attrs.fields()) {
            if (field.first != "n") {
              fields.push_back(field);
            }
          }
          if (const Value* n = other.Find("n")) {
            fields.emplace_back("n", *n);
          }
          entity.attrs = RecordValue(std::move(fields));
          partial.open_attrs.emplace_back(entity.uid, "n");
        }
        at_hand.push_back(std::move(entity));
      }
    }
    entities = *EntityStore::Create(std::move(real));
    partial_entities = *EntityStore::Create(std::move(at_hand));
  }

  void MakeContext() {
    const RecordValue all = Attrs();
    request.context = Value::Record(all.fields());
    std::vector<RecordValue::Field> known;
    for (const char* name : {"n", "e", "r"}) {
      const Value* value = all.Find(name);
      if (Below(3) == 0) {
        partial.open_context.push_back(
            {.name = name, .required = value != nullptr && Below(2) == 0, .type = MaybeType(name)});
      } else if (value != nullptr) {
        known.emplace_back(name, *value);
      }
    }
    partial.context = RecordValue(std::move(known));
  }

  void Open(PartialEntity& entity, const EntityUid& uid) {
    const unsigned choice = Below(4);
    if (choice < 2) {
      entity.uid = uid;
    } else if (choice == 2) {
      entity.type = uid.type();
    }
  }

  void BringResource() {
    const RecordValue attrs = Attrs();
    EntityShape shape{.attributes = {}, .ancestor_types = {"U"}};
    for (const char* name : {"n", "e", "r"}) {
      const bool there = attrs.Find(name) != nullptr;
      if (there || Below(2) == 0) {
        shape.attributes.push_back(
            {.name = name, .required = there && Below(2) == 0, .type = MaybeType(name)});
      }
    }
    partial.resource.shape = std::move(shape);
    request.event_entity = std::make_shared<const Entity>(Entity{
        .uid = request.resource, .attrs = attrs, .tags = {}, .ancestors = {EntityUid("U", Id())}});
  }
};

enum class Outcome : uint8_t { kUnsatisfied, kSatisfied, kError };

Outcome OutcomeOf(const Expr& expr, const Request& request, const EntityStore& entities) {
  const EvalResult result = Evaluator(request, entities).Evaluate(expr);
  if (!result) {
    return Outcome::kError;
  }
  return *result == Value::Bool(true) ? Outcome::kSatisfied : Outcome::kUnsatisfied;
}

// What the partial response, completed, says of each policy.
std::vector<Outcome> Completed(const PartialResponse& response, const Split& split, size_t count) {
  std::vector<Outcome> outcomes(count, Outcome::kUnsatisfied);
  for (const size_t policy : response.satisfied) {
    outcomes[policy] = Outcome::kSatisfied;
  }
  for (const PolicyError& error : response.errors) {
    outcomes[error.policy] = Outcome::kError;
  }
  for (const ResidualPolicy& residual : response.residuals) {
    outcomes[residual.policy] = OutcomeOf(*residual.residual, split.request, split.entities);
  }
  return outcomes;
}

TEST(PartialAuthorizer, ResidualsOnTheRestGiveTheWholeAnswer) {
  size_t decided = 0;
  size_t residuals = 0;
  size_t sure = 0;
  size_t outcomes[3] = {};
  for (unsigned seed = 0; seed < 4000; ++seed) {
    const Split split(seed);
    const PolicySet policies = MustParsePolicies(split.text);
    const PartialResponse partial =
        PartiallyAuthorize(policies, split.partial, split.partial_entities);
    const std::vector<Outcome> completed = Completed(partial, split, policies.size());
    for (size_t i = 0; i < policies.size(); ++i) {
      const Outcome whole =
          OutcomeOf(*WholeCondition(policies[i].policy), split.request, split.entities);
      ASSERT_EQ(completed[i], whole) << "seed " << seed << ", policy " << i << "\n" << split.text;
      ++outcomes[static_cast<size_t>(whole)];
    }
    if (partial.decision) {
      const Response response = Authorize(policies, split.request, split.entities);
      ASSERT_EQ(*partial.decision, response.decision) << "seed " << seed << '\n' << split.text;
      ++decided;
    }
    residuals += partial.residuals.size();
    for (const ResidualPolicy& residual : partial.residuals) {
      const Outcome outcome = completed[residual.policy];
      ASSERT_TRUE(outcome == Outcome::kError       ? residual.outcomes.may_error
                  : outcome == Outcome::kSatisfied ? residual.outcomes.may_be_true
                                                   : residual.outcomes.may_be_false)
          << "seed " << seed << ": " << ToCedar(*residual.residual);
      sure += residual.outcomes.may_error ? 0 : 1;
    }
  }
  EXPECT_GT(decided, 400U);
  EXPECT_GT(residuals, 4000U);
  EXPECT_GT(sure, 1000U) << "of the residuals that cannot fail";
  EXPECT_THAT(outcomes, testing::Each(testing::Gt(2000U)));
}

}  // namespace
}  // namespace palyra::policy
