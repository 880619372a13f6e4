#include "policy/formatter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

std::string Format(const std::string& text, const FormatOptions& options = {}) {
  const auto formatted = FormatPolicies(Source(text), options);
  return formatted ? *formatted : "errors:\n" + Render(formatted.error());
}

TEST(Formatter, WritesTheHouseForm) {
  const struct {
    const char* text;
    const char* formatted;
  } cases[] = {
      {"", ""},
      {" \n ", ""},
      {"permit(principal,action,resource);", "permit (principal, action, resource);\n"},
      {"@a@b(\"c\")forbid\n(principal==A::\"x\",action in[Action::\"y\"],resource is B in "
       "?resource,)"
       "when{1+2*-3==context.x}unless{!principal.a[\"b c\"].contains(ip(\"::1\"))};",
       "@a\n"
       "@b(\"c\")\n"
       "forbid (\n"
       "  principal == A::\"x\",\n"
       "  action in [Action::\"y\"],\n"
       "  resource is B in ?resource,\n"
       ")\n"
       "when { 1 + 2 * -3 == context.x }\n"
       "unless { !principal.a[\"b c\"].contains(ip(\"::1\")) };\n"},
      {"permit(principal,action,resource);forbid(principal,action,resource);",
       "permit (principal, action, resource);\n"
       "\n"
       "forbid (principal, action, resource);\n"},
      {"permit(principal in Group::\"a group with a long name\",action in [Action::\"view\", "
       "Action::\"edit\"],resource);",
       "permit (\n"
       "  principal in Group::\"a group with a long name\",\n"
       "  action in [Action::\"view\", Action::\"edit\"],\n"
       "  resource\n"
       ");\n"},
      {"permit(principal,action,resource) when { resource.owner == principal && (context.mfa || "
       "principal in Group::\"trusted\") && !resource.private };",
       "permit (principal, action, resource)\n"
       "when {\n"
       "  resource.owner == principal &&\n"
       "  (context.mfa || principal in Group::\"trusted\") &&\n"
       "  !resource.private\n"
       "};\n"},
      {"permit(principal,action,resource) when { if principal has level.a then principal.level.a < "
       "5 else context.long_name like \"a*\" };",
       "permit (principal, action, resource)\n"
       "when {\n"
       "  if\n"
       "    principal has level.a\n"
       "  then\n"
       "    principal.level.a < 5\n"
       "  else\n"
       "    context.long_name like \"a*\"\n"
       "};\n"},
      {"permit(principal,action,resource) when { {a:1,\"b\":[]} == {} };",
       "permit (principal, action, resource)\n"
       "when { {a: 1, \"b\": []} == {} };\n"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Format(c.text, {.line_width = 80}), c.formatted) << c.text;
  }
}

TEST(Formatter, KeepsEveryComment) {
  EXPECT_EQ(Format("// the file\n"
                   "\n"
                   "\n"
                   "// the policy  \n"
                   "permit(principal, // who\r\n"
                   "// what\r"
                   "action,resource) // behind\n"
                   "when { // inside\n"
                   "true\n"
                   "// last\n"
                   "};// after\n"
                   "\n"
                   "// end"),
            "// the file\n"
            "\n"
            "// the policy\n"
            "permit (\n"
            "  principal, // who\n"
            "  // what\n"
            "  action,\n"
            "  resource\n"
            ") // behind\n"
            "when { // inside\n"
            "  true\n"
            "  // last\n"
            "}; // after\n"
            "\n"
            "// end\n");
}

TEST(Formatter, TakesWidthAndIndentation) {
  const std::string text = "permit(principal,action,resource)when{true||false};";
  EXPECT_EQ(Format(text, {.line_width = 20, .indent_width = 4}),
            "permit (\n"
            "    principal,\n"
            "    action,\n"
            "    resource\n"
            ")\n"
            "when {\n"
            "    true || false\n"
            "};\n");
  EXPECT_EQ(Format(text, {.line_width = 10, .indent_width = 0}),
            "permit (\n"
            "principal,\n"
            "action,\n"
            "resource\n"
            ")\n"
            "when {\n"
            "true ||\n"
            "false\n"
            "};\n");
}

TEST(Formatter, GivesTheErrorsOfTheParser) {
  EXPECT_EQ(Format("permit (principal);"), "errors:\n" + PolicyErrors("permit (principal);"));
}

// Policies with comments and line breaks wherever white space may stand.
std::string Sprinkled(std::mt19937& random) {
  static const char* const kPolicies[] = {
      "@id ( \"a // b\" ) permit ( principal == A::\"x\" , action in [ Action::\"y\" , "
      "Action::\"z\" ] , resource is B in ?resource ) ;",
      "forbid ( principal , action , resource ) when { if context . a then ! ( 1 + 2 * 3 - 4 < - 5 "
      ") else [ 1 , { a : 2 , \"b\" : 3 } ] . contains ( principal [ \"c d\" ] ) } ;",
      "permit ( principal , action , resource ) unless { context has a . b && \"x\n y\" like "
      "\"a*\" "
      "|| principal is A :: B in C :: \"d\" && ip ( \"::1\" ) . isLoopback ( ) } ;",
  };
  static const char* const kBlanks[] = {" ",        "\n",         "\n\n\n",  " // a\n",
                                        "\n// b\n", "\n\n// c\r", " //\r\n", "\n// d\n\n// e \n"};
  std::string out;
  for (size_t policy = 0; policy < 2; ++policy) {
    bool in_string = false;
    for (const char c : std::string_view(kPolicies[random() % std::size(kPolicies)])) {
      in_string = in_string != (c == '"');
      if (c == ' ' && !in_string) {
        out += random() % 4 == 0 ? kBlanks[random() % std::size(kBlanks)] : " ";
      } else {
        out += c;
      }
    }
    out += '\n';
  }
  return out;
}

TEST(Formatter, KeepsTheTreeAndIsAFixpoint) {
  std::mt19937 random(7);
  for (int i = 0; i < 1000; ++i) {
    const std::string text = Sprinkled(random);
    const FormatOptions options{.line_width = 10 + random() % 90, .indent_width = random() % 5};
    const std::string once = Format(text, options);
    EXPECT_EQ(Format(once, options), once) << text;
    const auto before = ParsePolicies(Source(text));
    const auto after = ParsePolicies(Source(once));
    ASSERT_TRUE(before && after) << once;
    ASSERT_EQ(before->size(), after->size());
    for (size_t policy = 0; policy < before->size(); ++policy) {
      EXPECT_TRUE(SamePolicy((*before)[policy], (*after)[policy])) << text << "\n=>\n" << once;
    }
  }
}

}  // namespace
}  // namespace palyra::policy
