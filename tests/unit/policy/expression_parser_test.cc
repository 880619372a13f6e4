#include <gtest/gtest.h>

#include <string>

#include "policy/parser.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

// What the text means, as the printer shows it with all grouping explicit.
TEST(ExpressionParser, GroupsByPrecedence) {
  const struct {
    const char* text;
    const char* same_as;
  } cases[] = {
      {"1 + 2 * 3", "1 + (2 * 3)"},
      {"1 - 2 - 3", "(1 - 2) - 3"},
      {"true || false && true", "true || (false && true)"},
      {"!true && false", "(!true) && false"},
      {"1 + 1 == 2 && true", "((1 + 1) == 2) && true"},
      {"-principal.a", "-(principal.a)"},
      {"!principal.a.b", "!((principal.a).b)"},
      {"if true then 1 else 2 + 3", "if true then 1 else (2 + 3)"},
      {"if true then false else if true then 1 else 2",
       "if true then false else (if true then 1 else 2)"},
      {"principal has a.b", "principal has a . b"},
      {"principal[\"a\"]", "principal.a"},
      {"principal has \"a\"", "principal has a"},
      {"1 + 2 in [3]", "(1 + 2) in [3]"},
      {"context.a like \"x\" || true", "(context.a like \"x\") || true"},
      {"principal is A in B::\"x\" && true", "(principal is A in B::\"x\") && true"},
      {"[1, 2,]", "[1, 2]"},
      {"{a: 1, \"b\": 2,}", "{\"a\": 1, b: 2}"},
      {"context.a.contains(1,)", "context.a.contains(1)"},
      {"A :: B // comment\r\n :: \"x\"", "A::B::\"x\""},
      {"1\u00a0+\u2003 2\u3000", "1 + 2"},
      {"007", "7"},
      {"\"a\nb\"", "\"a\\nb\""},
      {"context.a like \"\\x2a\\u{2a}\\*\"", "context.a like \"**\\*\""},
      {"--1", "-(-1)"},
  };
  for (const auto& c : cases) {
    const ExprPtr left = MustParse(c.text);
    const ExprPtr right = MustParse(c.same_as);
    ASSERT_TRUE(left && right) << c.text;
    EXPECT_TRUE(SameExpr(*left, *right)) << c.text << " is " << ToCedar(*left);
  }
}

TEST(ExpressionParser, KeepsApartWhatIsGroupedApart) {
  const struct {
    const char* text;
    const char* other;
  } cases[] = {
      {"(1 + 2) * 3", "1 + 2 * 3"},
      {"1 - (2 - 3)", "1 - 2 - 3"},
      {"-(1)", "-1"},
      {"(true && false) && true", "true && false && true"},
      {"!(true && false)", "!true && false"},
      {"[1, 2]", "[2, 1]"},
      {"context.a like \"a\\*\"", "context.a like \"a*\""},
  };
  for (const auto& c : cases) {
    EXPECT_FALSE(SameExpr(*MustParse(c.text), *MustParse(c.other))) << c.text;
  }
}

TEST(ExpressionParser, AcceptsTheEdgesOfTheLanguage) {
  for (const char* text : {"-9223372036854775808",
                           "9223372036854775807",
                           "----9223372036854775808",
                           "!!!!true",
                           "principal::\"a\"",
                           "action::A::\"b\"",
                           "permit::\"x\"",
                           "{principal: 1}",
                           "{permit: 1}",
                           "{\"if\": 1}.x",
                           "context[\"if\"]",
                           "context has \"then\"",
                           "context.principal",
                           "context has principal.action",
                           "ip()",
                           "ip(1, 2)",
                           "ip(\"nonsense\")",
                           "context.a.isInRange()",
                           "[]",
                           "{}"}) {
    EXPECT_EQ(ExpressionErrors(text), "") << text;
  }
}

TEST(ExpressionParser, RefusesWhatCedarRefuses) {
  for (const char* text : {"",
                           "()",
                           "1 < 2 < 3",
                           "1 == 1 == true",
                           "principal has a == true",
                           "1 in 2 in 3",
                           "principal is A in B::\"b\" in C::\"c\"",
                           "true && if true then true else false",
                           "!!!!!true",
                           "-----1",
                           "!-1",
                           "-!true",
                           "9223372036854775808",
                           "-(9223372036854775808)",
                           "-9223372036854775808.a",
                           "99999999999999999999999",
                           "1 / 2",
                           "1 % 2",
                           "1 = 2",
                           "true & false",
                           "true | false",
                           "'a'",
                           "0x10",
                           "1.5",
                           "foo",
                           "foo(1)",
                           "principal.foo()",
                           "isIpv4(principal)",
                           "principal.ip(\"1.2.3.4\")",
                           "contains(1)",
                           "[1].contains()",
                           "[1].contains(1, 2)",
                           "[].isEmpty(1)",
                           "A::ip(\"1.2.3.4\")",
                           "{a: 1, a: 2}",
                           "{a: 1, \"a\": 2}",
                           "{if: 1}",
                           "{1: 2}",
                           "{a: 1",
                           "[1 2]",
                           "(1",
                           "1)",
                           "context.if",
                           "context has if",
                           "context has a.in",
                           "context.__cedar",
                           "if::\"a\"",
                           "in::\"a\"",
                           "A::true::\"a\"",
                           "__cedar::A::\"a\"",
                           "A::__cedar::\"a\"",
                           "is::\"a\"",
                           "principal is A::\"a\"",
                           "principal is \"A\"",
                           "principal is [A]",
                           "context.a like context.b",
                           "context.a like (\"b\")",
                           "context has (a)",
                           "context has \"a\".b",
                           "context[1]",
                           "context[a]",
                           "context.\"a\"",
                           "\"a",
                           "\"a\\\nb\"",
                           "\"\\q\"",
                           "\"\\x80\"",
                           "\"\\x8\"",
                           "\"\\u{}\"",
                           "\"\\u{d800}\"",
                           "\"\\u{110000}\"",
                           "\"\\u{1234567}\"",
                           "\"\\u{_1}\"",
                           "\"\\u12\"",
                           "\"a\\*\"",
                           "\"a\rb\"",
                           "context.a like \"\\q\"",
                           "context.a like \"a\rb\"",
                           "?principal",
                           "? 1",
                           "@a",
                           "1 2",
                           "true true",
                           "if true then 1",
                           "then",
                           "\xEF\xBB\xBF"
                           "1",
                           "principal.a.",
                           "A::",
                           "#",
                           "1 +",
                           "&& true",
                           "[,]",
                           "{,}",
                           "ip(,)",
                           "\u00e9"}) {
    EXPECT_NE(ExpressionErrors(text), "") << text;
  }
}

TEST(ExpressionParser, UnescapesLikeRust) {
  const struct {
    const char* text;
    std::string value;
  } cases[] = {
      {R"("\n\r\t\\\0\'\"")", std::string("\n\r\t\\\0'\"", 7)},   {R"("\x41\x7f")", "A\x7f"},
      {R"("\u{41}\u{1F512}\u{00_e9}")", "A\U0001F512\u00e9"},     {R"("\\*")", "\\*"},
      {"\"caf\u00e9 // no comment\"", "caf\u00e9 // no comment"},
  };
  for (const auto& c : cases) {
    const ExprPtr expr = MustParse(c.text);
    ASSERT_NE(expr, nullptr) << c.text;
    EXPECT_EQ(*ConstantOf(*expr)->AsString(), c.value) << c.text;
  }
}

TEST(ExpressionParser, BoundsNestingOfEveryKind) {
  const struct {
    const char* open;
    const char* middle;
    const char* close;
  } cases[] = {
      {"(", "1", ")"},       {"[", "1", "]"},
      {"{a: ", "1", "}"},    {"!(", "true", ")"},
      {"-(", "1", ")"},      {"if ", "true", " then 1 else 2"},
      {"ip(", "1", ")"},     {"if true then 1 else ", "2", ""},
      {"", "context", ".a"}, {"", "1", " + 1"},
      {"", "1", " * 1"},     {"[].contains(", "1", ")"},
  };
  for (const auto& c : cases) {
    const auto nested = [&](int depth) {
      return Repeat(c.open, depth) + c.middle + Repeat(c.close, depth);
    };
    EXPECT_EQ(ExpressionErrors(nested(120)), "") << c.open << c.close;
    EXPECT_NE(ExpressionErrors(nested(kMaxNesting + 1)).find("nested deeper than 256 levels"),
              std::string::npos)
        << c.open << c.close;
    EXPECT_NE(ExpressionErrors(nested(10000)).find("nested deeper"), std::string::npos);
  }
}

TEST(ExpressionParser, ChainsOfAndOrHaveNoLimit) {
  const ExprPtr expr = MustParse("true" + Repeat(" && true", 20000));
  ASSERT_NE(expr, nullptr);
  EXPECT_EQ(expr->height, 2);
  EXPECT_EQ(std::get<And>(expr->node).operands.size(), 20001U);
}

TEST(ExpressionParser, SpansCoverTheText) {
  const ExprPtr expr = MustParse("  1 + context.a.contains( 2 ) ");
  ASSERT_NE(expr, nullptr);
  EXPECT_EQ(expr->span, (Span{2, 27}));
  EXPECT_EQ(std::get<Binary>(expr->node).right->span, (Span{6, 23}));
}

TEST(ExpressionParser, SpansBeginAtTheParenthesisOfTheLeftOperand) {
  for (const std::string text :
       {"(1 + 2) == 3", "(1) + 2", "(1) * 2", "(1) - 2 - 3", "((context)).a", "(context)[\"a\"]",
        "(context.s).contains((1))", "([]).isEmpty()", "(context) has a.b",
        "(context.s) like \"x\"", "(context.a) is A in (B::\"b\")", "(context.ip).isIpv4()",
        "(true) && (false)", "(true) || (false)", "(context.a) in (context.b)"}) {
    EXPECT_EQ(MustParse(text)->span, (Span{0, static_cast<uint32_t>(text.size())})) << text;
  }
}

TEST(ExpressionParser, FoldsConstantsOnce) {
  EXPECT_EQ(*ConstantOf(*MustParse("[ip(\"1.2.3.4\"), {a: [1, 1]}]")),
            Value::Set({Value::Ip(*IpAddress::Parse("1.2.3.4")),
                        Value::Record({{"a", Value::Set({Value::Long(1)})}})}));
  EXPECT_EQ(ConstantOf(*MustParse("[1, context.a]")), nullptr);
  EXPECT_EQ(ConstantOf(*MustParse("ip(\"1.2.3\")")), nullptr);
  EXPECT_EQ(ConstantOf(*MustParse("1 + 1")), nullptr);
}

TEST(TypeName, IsIdentifiersWithoutSpaces) {
  EXPECT_TRUE(IsTypeName("A"));
  EXPECT_TRUE(IsTypeName("A::_b::C1"));
  for (const char* name : {"", "A::", "::A", "A:B", "A :: B", "A::if", "1A", "A::__cedar", "A.b"}) {
    EXPECT_FALSE(IsTypeName(name)) << name;
  }
}

}  // namespace
}  // namespace palyra::policy
