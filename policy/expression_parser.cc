#include "policy/expression_parser.h"

#include <utility>

#include "policy/names.h"

namespace palyra::policy {
namespace {

constexpr int kMaxUnaryOperators = 4;

std::optional<BinaryOp> RelationOperator(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEqualEqual:
      return BinaryOp::kEqual;
    case TokenKind::kBangEqual:
      return BinaryOp::kNotEqual;
    case TokenKind::kLess:
      return BinaryOp::kLess;
    case TokenKind::kLessEqual:
      return BinaryOp::kLessEqual;
    case TokenKind::kGreater:
      return BinaryOp::kGreater;
    case TokenKind::kGreaterEqual:
      return BinaryOp::kGreaterEqual;
    case TokenKind::kIdentifier:
      return token.text == "in" ? std::optional(BinaryOp::kIn) : std::nullopt;
    default:
      return std::nullopt;
  }
}

bool IsRelationWord(const Token& token) {
  return token.kind == TokenKind::kIdentifier &&
         (token.text == "has" || token.text == "like" || token.text == "is");
}

std::string NestingMessage() {
  return "this is nested deeper than " + std::to_string(kMaxNesting) + " levels";
}

}  // namespace

ExprPtr ExpressionParser::CheckNesting(ExprPtr made) {
  if (made->height > kMaxNesting) {
    tokens_.Report("parse-nesting", made->span, NestingMessage());
    return nullptr;
  }
  return made;
}

ExprPtr ExpressionParser::ParseExpr() {
  if (nesting_ >= kMaxNesting) {
    tokens_.Report("parse-nesting", tokens_.current().span, NestingMessage());
    return nullptr;
  }
  ++nesting_;
  ExprPtr parsed =
      tokens_.AtWord("if") && tokens_.next().kind != TokenKind::kColonColon ? ParseIf() : ParseOr();
  --nesting_;
  return parsed;
}

ExprPtr ExpressionParser::ParseIf() {
  const Span start = tokens_.Take().span;
  ExprPtr condition = ParseExpr();
  if (condition == nullptr || !tokens_.ExpectWord("then", " after the condition of `if`")) {
    return nullptr;
  }
  ExprPtr then_branch = ParseExpr();
  if (then_branch == nullptr || !tokens_.ExpectWord("else", " after the `then` branch")) {
    return nullptr;
  }
  ExprPtr else_branch = ParseExpr();
  if (else_branch == nullptr) {
    return nullptr;
  }
  return Make(tokens_.SpanFrom(start),
              If{std::move(condition), std::move(then_branch), std::move(else_branch)});
}

ExprPtr ExpressionParser::ParseOr() {
  const Span start = tokens_.current().span;
  ExprPtr first = ParseAnd();
  if (first == nullptr || !tokens_.At(TokenKind::kOrOr)) {
    return first;
  }
  std::vector<ExprPtr> operands{std::move(first)};
  while (tokens_.TakeIf(TokenKind::kOrOr)) {
    operands.push_back(ParseAnd());
    if (operands.back() == nullptr) {
      return nullptr;
    }
  }
  return Make(tokens_.SpanFrom(start), Or{std::move(operands)});
}

ExprPtr ExpressionParser::ParseAnd() {
  const Span start = tokens_.current().span;
  ExprPtr first = ParseRelation();
  if (first == nullptr || !tokens_.At(TokenKind::kAndAnd)) {
    return first;
  }
  std::vector<ExprPtr> operands{std::move(first)};
  while (tokens_.TakeIf(TokenKind::kAndAnd)) {
    operands.push_back(ParseRelation());
    if (operands.back() == nullptr) {
      return nullptr;
    }
  }
  return Make(tokens_.SpanFrom(start), And{std::move(operands)});
}

ExprPtr ExpressionParser::ParseRelation() {
  const Span start = tokens_.current().span;
  ExprPtr left = ParseSum();
  if (left == nullptr ||
      (!RelationOperator(tokens_.current()) && !IsRelationWord(tokens_.current()))) {
    return left;
  }
  ExprPtr relation = ParseRelationTail(start, std::move(left));
  if (relation != nullptr &&
      (RelationOperator(tokens_.current()) || IsRelationWord(tokens_.current()))) {
    tokens_.Report("parse-chain", tokens_.current().span, "comparisons do not chain",
                   "put parentheses around one of them, or join them with `&&`");
    return nullptr;
  }
  return relation;
}

ExprPtr ExpressionParser::ParseRelationTail(Span start, ExprPtr left) {
  const Token op = tokens_.Take();
  if (op.text == "has") {
    return ParseHas(start, std::move(left));
  }
  if (op.text == "like") {
    return ParseLike(start, std::move(left));
  }
  if (op.text == "is") {
    return ParseIs(start, std::move(left));
  }
  ExprPtr right = ParseSum();
  if (right == nullptr) {
    return nullptr;
  }
  return Make(tokens_.SpanFrom(start),
              Binary{*RelationOperator(op), std::move(left), std::move(right)});
}

ExprPtr ExpressionParser::ParseHas(Span start, ExprPtr object) {
  std::vector<std::string> path;
  const bool quoted = tokens_.At(TokenKind::kString);
  do {
    std::optional<std::string> attr =
        quoted ? ParseString("an attribute name") : ParseAttributeName("an attribute name");
    if (!attr) {
      return nullptr;
    }
    path.push_back(*std::move(attr));
  } while (!quoted && tokens_.TakeIf(TokenKind::kDot));
  return Make(tokens_.SpanFrom(start), HasAttr{std::move(object), std::move(path)});
}

ExprPtr ExpressionParser::ParseLike(Span start, ExprPtr text) {
  std::optional<Pattern> pattern = ParsePattern();
  return pattern ? Make(tokens_.SpanFrom(start), Like{std::move(text), *std::move(pattern)})
                 : nullptr;
}

ExprPtr ExpressionParser::ParseIs(Span start, ExprPtr object) {
  std::optional<std::string> type = ParseTypeName();
  if (!type) {
    return nullptr;
  }
  ExprPtr ancestor;
  if (tokens_.TakeIfWord("in")) {
    ancestor = ParseSum();
    if (ancestor == nullptr) {
      return nullptr;
    }
  }
  return Make(tokens_.SpanFrom(start),
              Is{std::move(object), *std::move(type), std::move(ancestor)});
}

ExprPtr ExpressionParser::ParseSum() {
  const Span start = tokens_.current().span;
  ExprPtr sum = ParseProduct();
  while (sum != nullptr && (tokens_.At(TokenKind::kPlus) || tokens_.At(TokenKind::kMinus))) {
    const bool plus = tokens_.Take().kind == TokenKind::kPlus;
    ExprPtr right = ParseProduct();
    if (right == nullptr) {
      return nullptr;
    }
    sum = Make(tokens_.SpanFrom(start), Binary{plus ? BinaryOp::kAdd : BinaryOp::kSubtract,
                                               std::move(sum), std::move(right)});
  }
  return sum;
}

ExprPtr ExpressionParser::ParseProduct() {
  const Span start = tokens_.current().span;
  ExprPtr product = ParseUnary();
  while (product != nullptr && tokens_.TakeIf(TokenKind::kStar)) {
    ExprPtr right = ParseUnary();
    if (right == nullptr) {
      return nullptr;
    }
    product = Make(tokens_.SpanFrom(start),
                   Binary{BinaryOp::kMultiply, std::move(product), std::move(right)});
  }
  if (product != nullptr && (tokens_.At(TokenKind::kSlash) || tokens_.At(TokenKind::kPercent))) {
    tokens_.Report("parse-operator", tokens_.current().span,
                   "Cedar has no operator " + Describe(tokens_.current()));
    return nullptr;
  }
  return product;
}

ExprPtr ExpressionParser::ParseUnary() {
  const TokenKind kind = tokens_.current().kind;
  if (kind != TokenKind::kBang && kind != TokenKind::kMinus) {
    return ParseMember();
  }
  std::vector<Span> operators;
  while (tokens_.At(kind)) {
    operators.push_back(tokens_.Take().span);
  }
  if (operators.size() > kMaxUnaryOperators) {
    tokens_.Report("parse-operator", tokens_.SpanFrom(operators.front()),
                   "at most four `!` or `-` may stand in a row");
    return nullptr;
  }
  if (tokens_.At(TokenKind::kBang) || tokens_.At(TokenKind::kMinus)) {
    tokens_.Report("parse-operator", tokens_.current().span, "`!` and `-` do not mix",
                   "put parentheses around the inner one");
    return nullptr;
  }
  ExprPtr operand;
  const bool has_access =
      tokens_.next().kind == TokenKind::kDot || tokens_.next().kind == TokenKind::kOpenBracket;
  if (kind == TokenKind::kMinus && tokens_.At(TokenKind::kNumber) && !has_access) {
    // The sign next to a number belongs to it, or the smallest number could not be written.
    operand = ParseNumber(operators.back(), true);
    operators.pop_back();
  } else {
    operand = ParseMember();
  }
  const UnaryOp op = kind == TokenKind::kBang ? UnaryOp::kNot : UnaryOp::kNegate;
  while (operand != nullptr && !operators.empty()) {
    operand = Make(tokens_.SpanFrom(operators.back()), Unary{op, std::move(operand)});
    operators.pop_back();
  }
  return operand;
}

ExprPtr ExpressionParser::ParseMember() {
  const Span start = tokens_.current().span;
  ExprPtr member = ParsePrimary();
  while (member != nullptr) {
    if (tokens_.TakeIf(TokenKind::kDot)) {
      member = ParseDot(start, std::move(member));
    } else if (tokens_.TakeIf(TokenKind::kOpenBracket)) {
      member = ParseIndex(start, std::move(member));
    } else {
      break;
    }
  }
  return member;
}

ExprPtr ExpressionParser::ParseDot(Span start, ExprPtr object) {
  const Token name = tokens_.current();
  std::optional<std::string> attr = ParseAttributeName("an attribute or method name after `.`");
  if (!attr) {
    return nullptr;
  }
  if (tokens_.At(TokenKind::kOpenParen)) {
    return ParseMethodCall(start, std::move(object), name);
  }
  return Make(tokens_.SpanFrom(start), GetAttr{std::move(object), *std::move(attr)});
}

ExprPtr ExpressionParser::ParseIndex(Span start, ExprPtr object) {
  std::optional<std::string> attr = ParseString("an attribute name as a string");
  if (!attr || !tokens_.Expect(TokenKind::kCloseBracket, " after the attribute name")) {
    return nullptr;
  }
  return Make(tokens_.SpanFrom(start), GetAttr{std::move(object), *std::move(attr)});
}

}  // namespace palyra::policy
