// Cedar policy text as tokens.

#ifndef PALYRA_POLICY_LEXER_H_
#define PALYRA_POLICY_LEXER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/source.h"

namespace palyra::policy {

enum class TokenKind : uint8_t {
  kEnd,
  kInvalid,     // Bytes that begin no token, or a string without an end; Lexer::error() says why.
  kIdentifier,  // Reserved words too.
  kNumber,
  kString,  // With its quotes, escapes as written.
  kSlot,    // ?principal, or `?` before any identifier.
  kOpenParen,
  kCloseParen,
  kOpenBracket,
  kCloseBracket,
  kOpenBrace,
  kCloseBrace,
  kComma,
  kSemicolon,
  kColon,
  kColonColon,
  kDot,
  kAt,
  kBang,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
  kEqualEqual,
  kBangEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAndAnd,
  kOrOr,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Span span;
  std::string_view text;  // Into the source.
};

// "`;`", "an identifier", "the end of the policy text": for messages.
std::string Describe(const Token& token);
std::string Describe(TokenKind kind);

// One pass over well-formed UTF-8, without allocation.
class Lexer {
 public:
  // `text` must outlive the lexer and the tokens, and be at most 4 GiB.
  explicit Lexer(std::string_view text) : text_(text) {}

  // The next token; kEnd for ever at the end. After kInvalid the lexer goes on behind the bytes
  // that were wrong.
  Token Next();

  // Why the last kInvalid token is one.
  [[nodiscard]] std::string_view error() const { return error_; }

 private:
  void SkipBlank();
  Token Make(TokenKind kind, size_t length);
  Token MakeString();
  Token MakeInvalid(size_t length, std::string_view error);
  Token MakeOperator();

  std::string_view text_;
  size_t at_ = 0;
  std::string_view error_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_LEXER_H_
