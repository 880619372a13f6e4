// The indexed authorizer gives the answers of the plain one, which asks every policy.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "policy/authorizer.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

// Requests and policies over a universe so small that they meet often.
class Generator {
 public:
  explicit Generator(unsigned seed) : engine_(seed) {}

  std::string Policies(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      text += (Below(4) == 0 ? "forbid (" : "permit (") + Scope("principal", "U") + ", " +
              ActionScope() + ", " + Scope("resource", "R") + ")" + Condition() + ";\n";
    }
    return text;
  }

  // Some names of Uid() are of no entity.
  EntityStore Entities() {
    std::vector<Entity> entities;
    for (const char* type : {"U", "R", "Action"}) {
      for (int id = 0; id < 3; ++id) {
        std::unordered_set<EntityUid> parents;
        for (int parent = 0; parent < id; ++parent) {
          if (Below(3) == 0) {
            parents.emplace(type, std::to_string(parent));
          }
        }
        entities.push_back({.uid = EntityUid(type, std::to_string(id)),
                            .attrs = RecordValue({{"n", Value::Long(id)}}),
                            .tags = {},
                            .ancestors = std::move(parents)});
      }
    }
    return *EntityStore::Create(std::move(entities));
  }

  Request NextRequest() {
    Request request{.principal = Uid("U"),
                    .action = EntityUid("Action", Id()),
                    .resource = Uid("R"),
                    .context = Value::Record({})};
    if (Below(3) == 0) {
      request.event_entity = std::make_shared<const Entity>(
          Entity{.uid = request.resource,
                 .attrs = RecordValue({{"n", Value::Long(7)}}),
                 .tags = {},
                 .ancestors = {EntityUid("R", Id()), request.resource}});
    }
    return request;
  }

 private:
  std::mt19937 engine_;

  unsigned Below(unsigned bound) { return static_cast<unsigned>(engine_() % bound); }
  std::string Id() { return std::to_string(Below(4)); }
  // Mostly of the type that fits.
  std::string Type(const char* usual) { return Below(12) == 0 ? "Other" : usual; }
  EntityUid Uid(const char* usual) { return {Type(usual), Id()}; }
  std::string UidText(const std::string& type) { return type + "::\"" + Id() + '"'; }

  std::string Scope(const std::string& variable, const char* type) {
    switch (Below(5)) {
      case 0:
        return variable;
      case 1:
        return variable + " == " + UidText(Type(type));
      case 2:
        return variable + " in " + UidText(Type(type));
      case 3:
        return variable + " is " + Type(type);
      default:
        return variable + " is " + Type(type) + " in " + UidText(type);
    }
  }

  std::string ActionScope() {
    switch (Below(4)) {
      case 0:
        return "action";
      case 1:
        return "action == " + UidText("Action");
      case 2:
        return "action in " + UidText("Action");
      default: {
        std::string list;
        for (unsigned i = Below(4); i > 0; --i) {
          list += (list.empty() ? "" : ", ") + UidText("Action");
        }
        return "action in [" + list + "]";
      }
    }
  }

  std::string Condition() {
    static constexpr const char* kConditions[] = {
        "",
        "",
        " when { principal.n > 1 }",
        " unless { resource.n == 7 }",
        " when { 1 }",
        " unless { \"no bool\" }",
        " when { principal has n && principal.n < 3 } unless { context.missing }",
    };
    return kConditions[Below(std::size(kConditions))];
  }
};

TEST(AuthorizerIndex, GivesTheAnswersOfAskingEveryPolicy) {
  size_t reasons = 0;
  size_t errors = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    Generator generator(seed);
    const std::string text = generator.Policies(60);
    const PolicySet policies = MustParsePolicies(text);
    const EntityStore entities = generator.Entities();
    const Authorizer authorizer(policies);
    for (int i = 0; i < 30; ++i) {
      const Request request = generator.NextRequest();
      const Response expected = Authorize(policies, request, entities);
      const Response actual = authorizer.Authorize(request, entities);
      ASSERT_EQ(actual.decision, expected.decision) << text;
      ASSERT_EQ(actual.reasons, expected.reasons) << text;
      ASSERT_EQ(actual.errors, expected.errors) << text;
      const Judgement strict = Judge(policies, request, entities);
      const Judgement judged = authorizer.Judge(request, entities);
      ASSERT_EQ(judged.verdict, strict.verdict) << text;
      ASSERT_EQ(judged.reasons, strict.reasons) << text;
      ASSERT_EQ(judged.errors, strict.errors) << text;
      reasons += expected.reasons.size();
      errors += expected.errors.size();
    }
  }
  EXPECT_GT(reasons, 10'000U) << "hardly any scope holds, so little was compared";
  EXPECT_GT(errors, 5'000U);
}

TEST(AuthorizerIndex, AnActionInSeveralEntitiesOfASetCountsOnce) {
  const PolicySet policies = MustParsePolicies(
      "permit (principal, action in [Action::\"b\", Action::\"a\", Action::\"b\"], resource) "
      "when { context.missing };");
  const EntityStore entities =
      *EntityStore::Create({{.uid = EntityUid("Action", "x"),
                             .attrs = {},
                             .tags = {},
                             .ancestors = {EntityUid("Action", "a"), EntityUid("Action", "b")}}});
  const Request request{EntityUid("U", "u"), EntityUid("Action", "x"), EntityUid("R", "r"),
                        Value::Record({})};
  EXPECT_EQ(Authorizer(policies).Authorize(request, entities).errors.size(), 1U);
}

TEST(AuthorizerIndex, AnEmptyListOfActionsHoldsForNone) {
  const PolicySet policies = MustParsePolicies("permit (principal, action in [], resource);");
  const Request request{EntityUid("U", "u"), EntityUid("Action", "x"), EntityUid("R", "r"),
                        Value::Record({})};
  EXPECT_EQ(Authorizer(policies).Authorize(request, EntityStore()).decision, Decision::kDeny);
}

}  // namespace
}  // namespace palyra::policy
