#include "policy/printer.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>

#include "policy/extension.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

// Trees of every kind of node, also such as no text parses to at once (constants in odd places).
class RandomTree {
 public:
  explicit RandomTree(unsigned seed) : random_(seed) {}

  ExprPtr Make(int depth) { return MakeExpr({}, Node(depth)); }

 private:
  size_t Below(size_t limit) { return random_() % limit; }

  std::string Name() {
    static const char* const kNames[] = {
        "a", "b1",    "_c",     "principal",        "if", "two words",
        "",  "\"q\\", "\n\t\r", "\u00e9\U0001F512", "*",  "\u202e"};
    return kNames[Below(std::size(kNames))];
  }

  std::string Identifier() {
    static const char* const kNames[] = {"a", "b1", "_c", "principal", "permit", "ip"};
    return kNames[Below(std::size(kNames))];
  }

  Value Constant() {
    static const int64_t kNumbers[] = {
        0, 1, -1, 443, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()};
    switch (Below(4)) {
      case 0:
        return Value::Bool(Below(2) == 0);
      case 1:
        return Value::Long(kNumbers[Below(std::size(kNumbers))]);
      case 2:
        return Value::String(Name());
      default:
        return Value::Entity(EntityUid("A::" + Identifier(), Name()));
    }
  }

  std::vector<ExprPtr> Several(int depth, size_t least) {
    std::vector<ExprPtr> several;
    const size_t count = least + Below(3);
    while (several.size() < count) {
      several.push_back(Make(depth - 1));
    }
    return several;
  }

  Expr::Node Node(int depth) {
    if (depth == 0) {
      return Below(3) == 0 ? Expr::Node(VariableRef{static_cast<Variable>(Below(4))})
                           : Expr::Node(Literal{Constant()});
    }
    switch (Below(12)) {
      case 0:
        return Unary{static_cast<UnaryOp>(Below(3)), Make(depth - 1)};
      case 1:
      case 2:
        return Binary{static_cast<BinaryOp>(Below(15)), Make(depth - 1), Make(depth - 1)};
      case 3:
        return And{Several(depth, 2)};
      case 4:
        return Or{Several(depth, 2)};
      case 5:
        return If{Make(depth - 1), Make(depth - 1), Make(depth - 1)};
      case 6:
        return GetAttr{Make(depth - 1), Name()};
      case 7:
        return Below(2) == 0 ? HasAttr{Make(depth - 1), {Name()}}
                             : HasAttr{Make(depth - 1), {Identifier(), Identifier()}};
      case 8:
        return Like{Make(depth - 1), Pattern{{Name(), "x" + Name(), ""}}};
      case 9:
        return Is{Make(depth - 1), "A::B", Below(2) == 0 ? nullptr : Make(depth - 1)};
      case 10:
        return Below(2) == 0
                   ? Expr::Node(SetLiteral{.elements = Several(depth, 0)})
                   : Expr::Node(RecordLiteral{.fields = {{Name() + "1", Make(depth - 1)},
                                                         {Name() + "2", Make(depth - 1)}}});
      default: {
        const auto function = static_cast<Function>(Below(22));
        return Call{.function = function, .args = Several(depth, IsMethod(function) ? 1 : 0)};
      }
    }
  }

  std::mt19937 random_;
};

TEST(Printer, EveryTreeParsesBackToItself) {
  RandomTree trees(42);
  for (int i = 0; i < 5000; ++i) {
    const ExprPtr tree = trees.Make(i % 5);
    const std::string text = ToCedar(*tree);
    const auto parsed = ParseExpression(Source(text));
    ASSERT_TRUE(parsed) << text << '\n' << Render(parsed.error());
    ASSERT_TRUE(SameExpr(*tree, **parsed)) << text << '\n' << ToCedar(**parsed);
  }
}

TEST(Printer, WritesAsAPersonWould) {
  for (const char* text :
       {"resource.address.isInRange(ip(\"10.0.0.0/8\")) && resource.port == 443",
        "!(principal in Palyra::AgentGroup::\"ops\") || context has a.b",
        "if true then -1 else -(-1)", "-(1)", "1 - (2 - 3) * 4", "1 - 2 - 3 == 4",
        "(true && false) && true", "(if true then {} else []).isEmpty()", "!(!true)",
        "principal is A in [B::\"c\"]", "context[\"two words\"].if_", "{a: 1, \"if\": [2]}",
        "context.s like \"*a\\*\\\"b*\"", "[1].contains(1)"}) {
    EXPECT_EQ(ToCedar(*MustParse(text)), text);
  }
}

TEST(Printer, ValuesAreTheExpressionsThatMakeThem) {
  const Value value =
      Value::Record({{"ip", Value::Ip(*IpAddress::Parse("fd00::1/8"))},
                     {"set", Value::Set({Value::Long(2), Value::Bool(true), Value::Long(-1)})},
                     {"two words", Value::Entity(EntityUid("A::B", "x\"y"))}});
  EXPECT_EQ(ToCedar(value),
            "{ip: ip(\"fd00::1/8\"), set: [true, -1, 2], \"two words\": A::B::\"x\\\"y\"}");
  EXPECT_EQ(*ConstantOf(*MustParse(ToCedar(value))), value);
}

TEST(Printer, ErrorsAreMarked) {
  EXPECT_EQ(ToCedar(*MakeExpr({}, ErrorNode{"integer overflow"})), "error(\"integer overflow\")");
}

TEST(Printer, EscapesWhatATerminalMustNotSee) {
  EXPECT_EQ(QuoteString("a\x1b\u202e\u200b\u0085"), R"("a\u{1b}\u{202e}\u{200b}\u{85}")");
}

TEST(Printer, PoliciesKeepTheirForm) {
  const std::string text =
      "@id(\"git\")\n@bare\nforbid (principal is A in B::\"c\", action in [Action::\"x\", "
      "Action::\"y\"], resource == R::\"z\")\nwhen { context.a == 1 }\nunless { false };";
  EXPECT_EQ(ToCedar(MustParsePolicies(text)[0].policy), text);
}

}  // namespace
}  // namespace palyra::policy
