// Authorizing allocates the response and nothing else. The whole test program counts its calls of
// operator new.

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "policy/authorizer.h"
#include "tests/unit/policy/parse_helpers.h"

namespace {

thread_local size_t allocations = 0;

void* Count(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);  // NOLINT(cppcoreguidelines-no-malloc): is operator new.
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

}  // namespace

void* operator new(size_t size) { return Count(size); }
void* operator new[](size_t size) { return Count(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*size*/) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t /*size*/) noexcept { std::free(memory); }

namespace palyra::policy {
namespace {

constexpr const char* kEntities = R"([
  {"uid": {"type": "U", "id": "alice"}, "parents": [{"type": "G", "id": "dev"}],
   "attrs": {"age": 40, "ip": {"__extn": {"fn": "ip", "arg": "10.0.0.1"}},
             "home": {"city": "Bern"}, "friends": [{"__entity": {"type": "U", "id": "bob"}}]},
   "tags": {"team": "a name that is too long for any small string"}},
  {"uid": {"type": "G", "id": "dev"}, "parents": [{"type": "G", "id": "all"}], "attrs": {}},
  {"uid": {"type": "Action", "id": "read"}, "parents": [{"type": "Action", "id": "any"}],
   "attrs": {}}
])";

struct Counted {
  Response response;
  size_t allocations;
};

Counted CountedAuthorize(const std::string& policies) {
  static const EntityStore kStore = *EntityStore::FromJson(SourceFile("entities.json", kEntities));
  static const Request kRequest{EntityUid("U", "alice"), EntityUid("Action", "read"),
                                EntityUid("R", "a name that is too long for any small string"),
                                Value::Record({{"now", Value::Long(12)}})};
  const PolicySet set = MustParsePolicies(policies);
  const Authorizer authorizer(set);
  const size_t before = allocations;
  Response response = authorizer.Authorize(kRequest, kStore);
  return {.response = std::move(response), .allocations = allocations - before};
}

constexpr const char* kTrueConditions[] = {
    "principal.age + context.now * 2 == 64 && -principal.age < 0",
    "principal in G::\"all\" && principal is U in G::\"dev\" && action in Action::\"any\"",
    "principal.getTag(\"team\") like \"a*string\" && !principal.hasTag(\"none\")",
    "principal.home.city == \"Bern\" && principal has home.city && !(resource has home)",
    "principal.friends.contains(U::\"bob\") && !principal.friends.isEmpty()",
    "principal.ip.isInRange(ip(\"10.0.0.0/8\")) && principal.ip.isIpv4()",
    "datetime(\"2024-10-15\").offset(duration(\"1d\")) > datetime(\"2024-10-15\")",
    "decimal(\"1.5\").lessThan(decimal(\"2.5\"))",
    "if principal.age > 18 then principal == U::\"alice\" else false",
    "[principal.age, context.now, 3].contains(12)",
    "[principal, resource].containsAll([principal]) && [1, context.now].containsAny([12])",
    "![principal].isEmpty() && principal in [resource, G::\"dev\", action]",
    "{here: principal.home.city, now: context.now}.here == \"Bern\"",
    "{here: principal.home} has here.city && !({here: principal.home} has here.street)",
};

TEST(Allocation, ADenialAllocatesNothing) {
  std::string policies;
  for (const std::string condition : kTrueConditions) {
    policies.append("permit (principal, action, resource) when { !(").append(condition);
    policies.append(") };\n");
  }
  const Counted counted = CountedAuthorize(policies);
  EXPECT_EQ(counted.response.decision, Decision::kDeny);
  EXPECT_TRUE(counted.response.errors.empty());
  EXPECT_EQ(counted.allocations, 0U);
}

TEST(Allocation, AnAnswerAllocatesItsListOfReasons) {
  for (const std::string condition : kTrueConditions) {
    const Counted counted =
        CountedAuthorize("permit (principal, action, resource) when { " + condition + " };");
    EXPECT_EQ(counted.response.decision, Decision::kAllow) << condition;
    EXPECT_EQ(counted.allocations, 1U) << condition;
  }
}

TEST(Allocation, TheCountCounts) {
  EXPECT_GT(CountedAuthorize("permit (principal, action, resource) when { context.missing };")
                .allocations,
            0U);
}

}  // namespace
}  // namespace palyra::policy
