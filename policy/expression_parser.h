// The expression half of the grammar, as recursive descent. Used by parser.cc.

#ifndef PALYRA_POLICY_EXPRESSION_PARSER_H_
#define PALYRA_POLICY_EXPRESSION_PARSER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/ast.h"
#include "policy/token_stream.h"

namespace palyra::policy {

// Each Parse function takes what it parses from the stream, or reports at least one diagnostic and
// returns nothing; then the stream stands anywhere before the next `;`.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExprPtr ParseExpr();

  // Type::"id"
  std::optional<EntityUid> ParseEntityUid();

  // Identifiers joined by `::`, none of them reserved.
  std::optional<std::string> ParseTypeName();

  // The string that the string token at hand stands for.
  std::optional<std::string> ParseString(std::string_view what);

 private:
  // A name, and the string behind it where it is an entity.
  struct Name {
    std::string path;
    bool is_entity = false;
    std::string id;
    Span span;
  };

  ExprPtr ParseIf();
  ExprPtr ParseOr();
  ExprPtr ParseAnd();
  ExprPtr ParseRelation();
  // `start` is where the left operand begins, its parentheses included.
  ExprPtr ParseRelationTail(Span start, ExprPtr left);
  ExprPtr ParseHas(Span start, ExprPtr object);
  ExprPtr ParseLike(Span start, ExprPtr text);
  ExprPtr ParseIs(Span start, ExprPtr object);
  ExprPtr ParseSum();
  ExprPtr ParseProduct();
  ExprPtr ParseUnary();
  ExprPtr ParseMember();
  ExprPtr ParseDot(Span start, ExprPtr object);
  ExprPtr ParseIndex(Span start, ExprPtr object);
  ExprPtr ParseMethodCall(Span start, ExprPtr receiver, const Token& name);
  ExprPtr ParsePrimary();
  ExprPtr ParseWord();
  ExprPtr ParseFunctionCall(const Name& name);
  ExprPtr ParseNumber(Span start, bool negative);
  ExprPtr ParseSet();
  ExprPtr ParseRecord();

  std::optional<Name> ParseName();
  std::optional<Pattern> ParsePattern();
  std::optional<std::string> ParseAttributeName(std::string_view what);
  // The same, as it stands in the source.
  std::optional<std::string_view> ParseBareName(std::string_view what);
  std::optional<std::vector<ExprPtr>> ParseList(TokenKind close, std::string_view place);

  bool CheckIdentifier(const Token& token);
  void ReportUnknownFunction(std::string_view name, Span span, bool as_method);

  // MakeExpr with the nesting limit; null past it.
  template <typename OneNode>
  ExprPtr Make(Span span, OneNode node) {
    return CheckNesting(MakeExpr(span, std::move(node)));
  }
  ExprPtr CheckNesting(ExprPtr made);

  TokenStream& tokens_;
  int nesting_ = 0;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EXPRESSION_PARSER_H_
