#include "policy/lexer.h"

#include <algorithm>
#include <array>

#include "policy/text.h"

namespace palyra::policy {
namespace {

struct Operator {
  std::string_view text;
  TokenKind kind;
};

// Longer ones before their prefixes.
constexpr std::array<Operator, 27> kOperators = {
    {{"::", TokenKind::kColonColon},   {"==", TokenKind::kEqualEqual},
     {"!=", TokenKind::kBangEqual},    {"<=", TokenKind::kLessEqual},
     {">=", TokenKind::kGreaterEqual}, {"&&", TokenKind::kAndAnd},
     {"||", TokenKind::kOrOr},         {"(", TokenKind::kOpenParen},
     {")", TokenKind::kCloseParen},    {"[", TokenKind::kOpenBracket},
     {"]", TokenKind::kCloseBracket},  {"{", TokenKind::kOpenBrace},
     {"}", TokenKind::kCloseBrace},    {",", TokenKind::kComma},
     {";", TokenKind::kSemicolon},     {":", TokenKind::kColon},
     {".", TokenKind::kDot},           {"@", TokenKind::kAt},
     {"!", TokenKind::kBang},          {"+", TokenKind::kPlus},
     {"-", TokenKind::kMinus},         {"*", TokenKind::kStar},
     {"/", TokenKind::kSlash},         {"%", TokenKind::kPercent},
     {"<", TokenKind::kLess},          {">", TokenKind::kGreater},
     {"?", TokenKind::kSlot}}};

// For each byte, the first operator that begins with it, or the number of operators.
constexpr std::array<uint8_t, 256> kFirstOperator = [] {
  std::array<uint8_t, 256> first{};
  first.fill(kOperators.size());
  for (size_t i = kOperators.size(); i-- > 0;) {
    first[static_cast<unsigned char>(kOperators[i].text[0])] = static_cast<uint8_t>(i);
  }
  return first;
}();

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsIdentifierStart(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr std::array<bool, 256> kIdentifierParts = [] {
  std::array<bool, 256> parts{};
  for (size_t byte = 0; byte < parts.size(); ++byte) {
    const char c = static_cast<char>(byte);
    parts[byte] = IsIdentifierStart(c) || IsDigit(c);
  }
  return parts;
}();

bool IsIdentifierPart(char c) { return kIdentifierParts[static_cast<unsigned char>(c)]; }

template <typename Predicate>
size_t RunLength(std::string_view text, Predicate predicate) {
  size_t length = 0;
  while (length < text.size() && predicate(text[length])) {
    ++length;
  }
  return length;
}

size_t CharacterLength(std::string_view text) {
  const size_t continuation =
      RunLength(text.substr(1), [](char c) { return (static_cast<unsigned char>(c) >> 6U) == 2; });
  return 1 + continuation;
}

}  // namespace

std::string Describe(TokenKind kind) {
  switch (kind) {
    case TokenKind::kEnd:
      return "the end of the text";
    case TokenKind::kInvalid:
      return "an invalid character";
    case TokenKind::kIdentifier:
      return "an identifier";
    case TokenKind::kNumber:
      return "a number";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kSlot:
      return "a template slot";
    default:
      const auto* found = std::ranges::find(kOperators, kind, &Operator::kind);
      return '`' + std::string(found->text) + '`';
  }
}

std::string Describe(const Token& token) {
  if (token.kind == TokenKind::kIdentifier || token.kind == TokenKind::kNumber) {
    return '`' + std::string(token.text) + '`';
  }
  return Describe(token.kind);
}

void Lexer::SkipBlank() {
  while (at_ < text_.size()) {
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte == ' ' || (byte >= '\t' && byte <= '\r')) {
      ++at_;
      continue;
    }
    if (byte == '/' && text_.substr(at_, 2) == "//") {
      at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
      continue;
    }
    const size_t length = byte < 0x80 ? 0 : WhiteSpaceLength(text_.substr(at_));
    if (length == 0) {
      return;
    }
    at_ += length;
  }
}

Token Lexer::Make(TokenKind kind, size_t length) {
  const Token token{
      .kind = kind,
      .span = {.offset = static_cast<uint32_t>(at_), .length = static_cast<uint32_t>(length)},
      .text = text_.substr(at_, length)};
  at_ += length;
  return token;
}

Token Lexer::MakeInvalid(size_t length, std::string_view error) {
  error_ = error;
  return Make(TokenKind::kInvalid, length);
}

Token Lexer::MakeString() {
  size_t end = at_ + 1;
  while (end < text_.size() && text_[end] != '"') {
    if (text_[end] == '\\') {
      ++end;
      if (end < text_.size() && text_[end] == '\n') {
        // Nothing says where such a string ends: the rest of the text is given up.
        return MakeInvalid(text_.size() - at_,
                           "a backslash cannot stand at the end of a line in a string");
      }
    }
    ++end;
  }
  if (end >= text_.size()) {
    return MakeInvalid(text_.size() - at_, "this string has no closing quote");
  }
  return Make(TokenKind::kString, end + 1 - at_);
}

Token Lexer::MakeOperator() {
  const std::string_view rest = text_.substr(at_);
  for (size_t i = kFirstOperator[static_cast<unsigned char>(rest[0])]; i < kOperators.size(); ++i) {
    const std::string_view text = kOperators[i].text;
    if (text[0] == rest[0] && (text.size() == 1 || (rest.size() > 1 && text[1] == rest[1]))) {
      return Make(kOperators[i].kind, text.size());
    }
  }
  switch (rest[0]) {
    case '=':
      return MakeInvalid(1, "`=` is not an operator; equality is `==`");
    case '&':
      return MakeInvalid(1, "`&` is not an operator; conjunction is `&&`");
    case '|':
      return MakeInvalid(1, "`|` is not an operator; disjunction is `||`");
    case '\'':
      return MakeInvalid(1, "strings are written in double quotes");
    default:
      break;
  }
  if (rest.starts_with("\xEF\xBB\xBF")) {
    return MakeInvalid(3, "a byte order mark is not allowed; save the file as UTF-8 without one");
  }
  return MakeInvalid(CharacterLength(rest), "this character is not allowed here");
}

Token Lexer::Next() {
  SkipBlank();
  if (at_ >= text_.size()) {
    return Make(TokenKind::kEnd, 0);
  }
  const std::string_view rest = text_.substr(at_);
  if (IsIdentifierStart(rest[0])) {
    return Make(TokenKind::kIdentifier, RunLength(rest, IsIdentifierPart));
  }
  if (IsDigit(rest[0])) {
    return Make(TokenKind::kNumber, RunLength(rest, IsDigit));
  }
  if (rest[0] == '"') {
    return MakeString();
  }
  if (rest[0] == '?') {
    return Make(TokenKind::kSlot, 1 + RunLength(rest.substr(1), IsIdentifierPart));
  }
  return MakeOperator();
}

}  // namespace palyra::policy
