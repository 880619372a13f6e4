#include "policy/outcomes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "policy/schema/types.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

const Type& EntityType() {
  static const Type kType(TypeKind::kEntity);
  return kType;
}

const Type& SetOf(const Type& element) {
  static TypeArena arena;
  return *arena.AddSet(&element);
}

const Type& HomeType() {
  static TypeArena arena;
  static const Type* const kType = arena.AddRecord(
      {{"city", &kStringType, true}, {"floor", &kLongType, false}, {"owner", &EntityType(), true}});
  return *kType;
}

OpenAttr Attr(std::string name, const Type* type, bool required = true) {
  return {.name = std::move(name), .required = required, .type = type};
}

// The principal is a U of the store, the resource brings its data; of the context nothing is known
// but types.
const PartialRequest& TheRequest() {
  static const PartialRequest kRequest = [] {
    PartialRequest request;
    request.principal.type = "U";
    request.action.uid = EntityUid("Action", "go");
    request.resource.type = "R";
    OpenAttr port = Attr("port", &kLongType);
    port.least = 0;
    port.most = 65535;
    request.resource.shape = EntityShape{
        .attributes = {port, Attr("owner", &EntityType()), Attr("label", &kStringType, false),
                       Attr("home", &HomeType()), Attr("cellar", &HomeType(), false)},
        .ancestor_types = {"F"}};
    request.open_context = {Attr("n", &kLongType),
                            Attr("m", &kLongType, false),
                            Attr("b", &kBoolType),
                            Attr("friends", &SetOf(EntityType())),
                            Attr("words", &SetOf(kStringType)),
                            Attr("now", &ExtensionTypeOf(ExtensionType::kDatetime)),
                            Attr("ip", &ExtensionTypeOf(ExtensionType::kIpaddr)),
                            Attr("d", &ExtensionTypeOf(ExtensionType::kDecimal)),
                            Attr("span", &ExtensionTypeOf(ExtensionType::kDuration)),
                            Attr("text", &kStringType),
                            Attr("any", nullptr)};
    return request;
  }();
  return kRequest;
}

// "T", "F" and "E" for what the residual of `text` may come to.
std::string OutcomesOf(const std::string& text) {
  const EntityStore store;
  const ExprPtr residual = PartialEvaluator(TheRequest(), store).Residual(MustParse(text));
  const Outcomes outcomes = OutcomesOf(*residual, TheRequest());
  EXPECT_EQ(MayError(*residual, TheRequest()), outcomes.may_error);
  return std::string(outcomes.may_be_true ? "T" : "") + (outcomes.may_be_false ? "F" : "") +
         (outcomes.may_error ? "E" : "");
}

struct Row {
  const char* text;
  const char* outcomes;
};

void ExpectAll(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    EXPECT_EQ(OutcomesOf(row.text), row.outcomes) << row.text;
  }
}

TEST(Outcomes, ComeFromPresenceAsItWasTested) {
  ExpectAll({
      {"resource.owner == principal", "TF"},
      {"resource.label == \"x\"", "TFE"},
      {"resource has label && resource.label == \"x\"", "TF"},
      {"!(resource has label) || resource.label == \"x\"", "TF"},
      {"if resource has label then resource.label == \"x\" else context.b", "TF"},
      {"if !(resource has label) then context.b else resource.label == \"x\"", "TF"},
      {"resource has label || resource.label == \"x\"", "TFE"},
      {"(resource has label || context.b) && resource.label == \"x\"", "TFE"},
      {"(resource has label && context.b) && resource.label == \"x\"", "TF"},
      {"resource.label == \"x\" && resource has label", "TFE"},
      {"context has m && context.m == 1", "TF"},
      {"context.b && context has m && context.m == 1", "TF"},
      {"resource.home.city == \"x\"", "TF"},
      {"resource.home.floor == 1", "TFE"},
      {"resource.home has floor && resource.home.floor == 1", "TF"},
      {"resource has home.floor && resource.home.floor == 1", "TF"},
      {"resource has cellar.floor && resource.cellar.floor == 1", "TF"},
      {"resource has cellar.floor && resource.cellar.city == \"x\"", "TF"},
      {"resource has cellar && resource.cellar.floor == 1", "TFE"},
      {"resource has cellar.none", "F"},
      {"resource.home.none == 1", "E"},
      {"resource.none == 1", "E"},
      {"resource has none && resource.none == 1", "F"},
      {"resource has cellar.city", "TF"},
      {"resource has port.x", "E"},
      {"resource has label.x", "FE"},
      {"resource has home.owner.age", "TF"},
      // Entities of the store may lack anything.
      {"principal.age == 1", "TFE"},
      {"principal has age && principal.age == 1", "TF"},
      {"principal has age && principal.age < 1", "TFE"},
      {"resource.owner has age && resource.owner.age == 1", "TF"},
      {"principal has home.city && principal.home.city == \"x\"", "TFE"},
      {"principal.getTag(\"t\") == 1", "TFE"},
      {"principal.hasTag(\"t\") && principal.getTag(\"t\") == 1", "TF"},
      {"principal.hasTag(context.text) && principal.getTag(context.text) == 1", "TF"},
      {"principal.hasTag(\"t\") && principal.getTag(\"u\") == 1", "TFE"},
      {"!principal.hasTag(\"t\") || !principal.hasTag(\"t\")", "TF"},
      {"{a: resource.label, b: 1}.b == 1", "TFE"},
      {"{a: context.n, b: 1}.a == 1", "TF"},
      {"{a: context.n}.b == 1", "E"},
      {"{a: context.n} has a", "T"},
      {"{a: context.n} has b", "F"},
      {"{a: resource.home} has a.floor", "TF"},
  });
}

TEST(Outcomes, ComeFromTheBoundsOfNumbers) {
  ExpectAll({
      {"resource.port * 65536 > 7", "TF"},
      {"resource.port * 200000000000000 > 7", "TFE"},
      {"resource.port + 1 > 0", "T"},
      {"resource.port > 65535", "F"},
      {"resource.port >= 65535", "TF"},
      {"resource.port < 0", "F"},
      {"resource.port <= 65535", "T"},
      {"resource.port == 70000", "F"},
      {"resource.port != 70000", "T"},
      {"resource.port - 70000 < 0", "T"},
      {"-resource.port <= 0", "T"},
      {"-resource.port * -1 >= 0", "T"},
      {"context.n + 1 > 0", "TFE"},
      {"context.n - 1 > 0", "TFE"},
      {"context.n * 2 > 0", "TFE"},
      {"context.n * 0 == 0", "TF"},
      {"-context.n > 0", "TFE"},
      {"context.n > 0", "TF"},
      {"-resource.port - 9223372036854775807 < 0", "TE"},
      {"(if context.b then 1 else 2) + 9223372036854775805 > 0", "T"},
      {"(if context.b then 1 else 3) + 9223372036854775805 > 0", "TE"},
      // Where one unknown stands twice, each pair of values is taken for possible.
      {"context.n - context.n == 0", "TFE"},
      {"resource.port < 9 && resource.port > 70", "TF"},
  });
}

TEST(Outcomes, ComeFromKinds) {
  ExpectAll({
      {"context.b", "TF"},
      {"!context.b", "TF"},
      {"context.b && context.b", "TF"},
      {"context.n", "E"},
      {"context.any", "TFE"},
      {"!context.n", "E"},
      {"context.b || context.n", "TE"},
      {"context.b && context.n", "FE"},
      {"context.n && context.b", "E"},
      {"context.any && context.b", "TFE"},
      {"if context.b then context.b else context.n", "TFE"},
      {"if context.n then true else true", "E"},
      {"context.n < context.text", "E"},
      {"context.n < context.any", "TFE"},
      {"context.now < context.now", "TF"},
      {"context.span >= context.span", "TF"},
      {"context.now < context.span", "E"},
      {"context.n == context.text", "F"},
      {"context.n != context.text", "T"},
      {"context.text + 1 == 1", "E"},
      {"-context.text == 1", "E"},
      {"context.text like \"a*\"", "TF"},
      {"context.n like \"a*\"", "E"},
      {"context.any like \"a*\"", "TFE"},
      {"resource.owner is U", "TF"},
      {"context.any is U", "TFE"},
      {"context.n is U", "E"},
      {"principal in F::\"f\"", "TF"},
      {"resource.owner in context.friends", "TF"},
      {"resource.owner in context.words", "TFE"},
      {"resource.owner in [F::\"f\", principal]", "TF"},
      {"resource.owner in [F::\"f\", context.n]", "TFE"},
      {"resource.owner in context.n", "E"},
      {"context.n in context.friends", "E"},
      {"resource.owner is U in resource.owner", "TF"},
      {"resource.owner is U in context.any", "TFE"},
      {"context.words.contains(context.n)", "TF"},
      {"context.words.containsAll(context.friends)", "TF"},
      {"context.words.containsAny(context.n)", "E"},
      {"context.n.contains(1)", "E"},
      {"context.words.isEmpty()", "TF"},
      {"context.n.isEmpty()", "E"},
      {"[context.n, 1].contains(1)", "TF"},
      {"[resource.label].contains(\"x\")", "TFE"},
      {"context.n.hasTag(\"t\")", "E"},
      {"principal.hasTag(context.n)", "E"},
      {"context.n.x == 1", "E"},
      {"context.ip.isInRange(ip(\"10.0.0.0/8\"))", "TF"},
      {"context.n.isIpv4()", "E"},
      {"context.any.isIpv4()", "TFE"},
      {"context.ip.isInRange()", "E"},
      {"context.ip.isIpv4(context.n)", "E"},
      {"context.d.lessThan(decimal(\"1.0\"))", "TF"},
      {"ip(context.text).isIpv4()", "TFE"},
      {"context.now.offset(duration(\"1d\")) > context.now", "TFE"},
      {"context.now.toTime() == context.span", "TF"},
      {"context.now.toDate() == context.now", "TFE"},
      {"context.now.durationSince(context.now) == context.span", "TFE"},
      {"context.span.toDays() == 1", "TF"},
  });
}

TEST(Outcomes, WhatIsNeverReachedDoesNotCount) {
  ExpectAll({
      {"resource.port > 70000 && context.n + 1 == 1", "F"},
      {"resource.port < 70000 || context.n + 1 == 1", "T"},
      {"if resource.port < 70000 then context.b else context.n + 1 == 1", "TF"},
      {"if resource.port > 70000 then context.n + 1 == 1 else context.b", "TF"},
      {"context.b && 1", "FE"},
      {"context.b || 1", "TE"},
      {"context.b && (resource.none == 1 || context.b)", "FE"},
  });
}

}  // namespace
}  // namespace palyra::policy
