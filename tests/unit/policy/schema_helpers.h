// Short ways from text to schemas for the tests of this folder.

#ifndef PALYRA_TESTS_UNIT_POLICY_SCHEMA_HELPERS_H_
#define PALYRA_TESTS_UNIT_POLICY_SCHEMA_HELPERS_H_

#include <gtest/gtest.h>

#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "policy/schema/json_reader.h"
#include "policy/schema/schema.h"
#include "policy/schema/text_parser.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {

using FragmentResult = std::expected<SchemaFragment, std::vector<Diagnostic>>;

inline FragmentResult FragmentOf(const std::string& text) {
  return ParseSchemaText(Source(text, "s.cedarschema"));
}

inline FragmentResult JsonFragmentOf(const std::string& json) {
  return ParseSchemaJson(Source(json, "s.json"));
}

inline std::expected<Schema, std::vector<Diagnostic>> ResolveOne(const FragmentResult& fragment) {
  return fragment ? Schema::Resolve(std::span(&*fragment, 1)) : std::unexpected(fragment.error());
}

// What is said of a schema, "" where it holds together.
inline std::string SchemaErrors(const FragmentResult& fragment) {
  const auto schema = ResolveOne(fragment);
  return schema ? "" : Render(schema.error());
}

inline Schema MustResolve(const std::string& text) {
  auto schema = ResolveOne(FragmentOf(text));
  EXPECT_TRUE(schema) << Render(schema.error());
  return schema ? *std::move(schema) : *Schema::Resolve({});
}

}  // namespace palyra::policy

#endif  // PALYRA_TESTS_UNIT_POLICY_SCHEMA_HELPERS_H_
