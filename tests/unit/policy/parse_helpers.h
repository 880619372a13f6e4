// Short ways from text to trees for the tests of this folder.

#ifndef PALYRA_TESTS_UNIT_POLICY_PARSE_HELPERS_H_
#define PALYRA_TESTS_UNIT_POLICY_PARSE_HELPERS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "policy/entities.h"
#include "policy/evaluator.h"
#include "policy/parser.h"
#include "policy/policy_set.h"
#include "policy/printer.h"

namespace palyra::policy {

inline SourcePtr Source(std::string text, std::string name = "test.cedar") {
  return std::make_shared<const SourceFile>(std::move(name), std::move(text));
}

// Null, and a failure of the test, where the text does not parse.
inline ExprPtr MustParse(const std::string& text) {
  auto parsed = ParseExpression(Source(text));
  EXPECT_TRUE(parsed) << Render(parsed.error());
  return parsed ? *parsed : nullptr;
}

// What is said of an expression, "" where it parses.
inline std::string ExpressionErrors(const std::string& text) {
  auto parsed = ParseExpression(Source(text));
  return parsed ? "" : Render(parsed.error());
}

// What is said of policies, "" where they parse.
inline std::string PolicyErrors(const std::string& text) {
  auto parsed = ParsePolicies(Source(text));
  return parsed ? "" : Render(parsed.error());
}

inline PolicySet MustParsePolicies(const std::string& text) {
  auto parsed = PolicySet::Parse({Source(text)});
  EXPECT_TRUE(parsed) << Render(parsed.error());
  return parsed ? *parsed : PolicySet();
}

// `piece` `count` times.
inline std::string Repeat(const std::string& piece, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    out += piece;
  }
  return out;
}

}  // namespace palyra::policy

#endif  // PALYRA_TESTS_UNIT_POLICY_PARSE_HELPERS_H_
