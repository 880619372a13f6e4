#include "policy/formatter.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "policy/lexer.h"
#include "policy/parser.h"

namespace palyra::policy {
namespace {

struct Comment {
  std::string_view text;
  bool blank_before;  // An empty line stands before it.
};

// A token with the comments around it: on lines of their own before it, and on its line behind it.
struct CommentedToken {
  Token token;
  std::vector<Comment> before;
  std::string_view behind;
  bool blank_before;  // An empty line stands right before it.
};

std::string_view TrimEnd(std::string_view text) {
  const size_t end = text.find_last_not_of(" \t");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

// Distributes the comments of the white space `gap` before `next`; `last` is the token before the
// gap, null at the beginning.
void TakeComments(std::string_view gap, CommentedToken* last, CommentedToken& next) {
  size_t lines = last == nullptr ? 1 : 0;  // Line breaks since a token or comment.
  for (size_t at = 0; at < gap.size();) {
    if (!gap.substr(at).starts_with("//")) {
      const bool line_end =
          gap[at] == '\n' || (gap[at] == '\r' && !gap.substr(at + 1).starts_with('\n'));
      lines += line_end ? 1 : 0;
      ++at;
      continue;
    }
    const size_t end = std::min(gap.find_first_of("\r\n", at), gap.size());
    const std::string_view text = TrimEnd(gap.substr(at, end - at));
    if (lines == 0) {
      last->behind = text;
    } else {
      next.before.push_back({.text = text, .blank_before = lines > 1});
    }
    lines = 0;
    at = end;
  }
  next.blank_before = lines > 1;
}

// `text` has valid tokens. The last one is kEnd.
std::vector<CommentedToken> Tokenize(std::string_view text) {
  std::vector<CommentedToken> tokens;
  Lexer lexer(text);
  size_t at = 0;
  do {
    const Token token = lexer.Next();
    CommentedToken next{.token = token, .before = {}, .behind = "", .blank_before = false};
    TakeComments(text.substr(at, token.span.offset - at), tokens.empty() ? nullptr : &tokens.back(),
                 next);
    tokens.push_back(std::move(next));
    at = token.span.end();
  } while (tokens.back().token.kind != TokenKind::kEnd);
  return tokens;
}

// Walks over the tokens of policies that are known to parse, by the grammar, and lays them out.
class Walker {
 public:
  explicit Walker(const std::vector<CommentedToken>& tokens) : tokens_(tokens) {}

  Layout Walk() {
    while (!At(TokenKind::kEnd)) {
      Policy();
    }
    CommentsBefore(/*keep_blank=*/true);
    return std::move(layout_);
  }

 private:
  [[nodiscard]] const CommentedToken& current() const { return tokens_[at_]; }
  [[nodiscard]] bool At(TokenKind kind) const { return current().token.kind == kind; }
  [[nodiscard]] bool AtWord(std::string_view word) const {
    return At(TokenKind::kIdentifier) && current().token.text == word;
  }

  void CommentsBefore(bool keep_blank) {
    for (const Comment& comment : current().before) {
      if (keep_blank && comment.blank_before) {
        layout_.BlankLine();
      }
      layout_.CommentLine(comment.text);
    }
    if (keep_blank && current().blank_before && !current().before.empty()) {
      layout_.BlankLine();
    }
  }

  void Token(bool keep_blank = false) {
    if (!std::exchange(comments_done_, false)) {
      CommentsBefore(keep_blank);
    }
    layout_.Text(current().token.text);
    if (!current().behind.empty()) {
      layout_.CommentBehind(current().behind);
    }
    ++at_;
  }

  // The end of what is indented. Comments before the closing bracket belong to what it closes.
  void DedentBeforeClosing() {
    CommentsBefore(/*keep_blank=*/false);
    comments_done_ = true;
    layout_.Dedent();
  }

  // The operator or word at hand with spaces around it.
  void Infix() {
    layout_.Space();
    Token();
    layout_.Space();
  }

  void Policy() {
    if (at_ > 0) {
      layout_.BlankLine();
    }
    bool first = true;
    while (At(TokenKind::kAt)) {
      Token(std::exchange(first, false));
      Token();
      if (At(TokenKind::kOpenParen)) {
        Token();
        Token();
        Token();
      }
      layout_.HardLine();
    }
    Token(first);
    layout_.Space();
    Head();
    while (!At(TokenKind::kSemicolon)) {
      layout_.HardLine();
      Condition();
    }
    Token();
  }

  void Head() {
    Bracketed(TokenKind::kCloseParen, [this] {
      Token();
      if (!At(TokenKind::kComma) && !At(TokenKind::kCloseParen)) {
        const bool is = AtWord("is");
        Infix();
        Sum();
        if (is && AtWord("in")) {
          Infix();
          Sum();
        }
      }
    });
  }

  void Condition() {
    layout_.OpenGroup();
    Token();
    layout_.Space();
    Token();
    layout_.Indent();
    layout_.SoftLine();
    Expr();
    DedentBeforeClosing();
    layout_.SoftLine();
    Token();
    layout_.CloseGroup();
  }

  // An opening bracket, items with commas, the closing one.
  template <typename Item>
  void Bracketed(TokenKind close, const Item& item) {
    layout_.OpenGroup();
    Token();
    if (!At(close)) {
      layout_.Indent();
      layout_.SoftBreak();
      while (true) {
        item();
        if (!At(TokenKind::kComma)) {
          break;
        }
        Token();
        if (At(close)) {
          break;
        }
        layout_.SoftLine();
      }
      DedentBeforeClosing();
      layout_.SoftBreak();
    }
    Token();
    layout_.CloseGroup();
  }

  void Expr() {
    if (!AtWord("if")) {
      Chain(TokenKind::kOrOr, [this] { Chain(TokenKind::kAndAnd, [this] { Relation(); }); });
      return;
    }
    layout_.OpenGroup();
    for (int part = 0; part < 3; ++part) {
      if (part > 0) {
        layout_.SoftLine();
      }
      Token();
      layout_.Indent();
      layout_.SoftLine();
      Expr();
      layout_.Dedent();
    }
    layout_.CloseGroup();
  }

  // Operands of && or ||, each on a line of its own where they do not fit on one.
  template <typename Operand>
  void Chain(TokenKind op, const Operand& operand) {
    layout_.OpenGroup();
    operand();
    while (At(op)) {
      layout_.Space();
      Token();
      layout_.SoftLine();
      operand();
    }
    layout_.CloseGroup();
  }

  [[nodiscard]] bool AtRelationOperator() const {
    switch (current().token.kind) {
      case TokenKind::kEqualEqual:
      case TokenKind::kBangEqual:
      case TokenKind::kLess:
      case TokenKind::kLessEqual:
      case TokenKind::kGreater:
      case TokenKind::kGreaterEqual:
        return true;
      default:
        return AtWord("in");
    }
  }

  void Relation() {
    layout_.OpenGroup();
    Sum();
    if (AtRelationOperator()) {
      Operation([this] { Sum(); });
    } else if (AtWord("has") || AtWord("like")) {
      Infix();
      Sum();
    } else if (AtWord("is")) {
      Infix();
      Sum();
      if (AtWord("in")) {
        Operation([this] { Sum(); });
      }
    }
    layout_.CloseGroup();
  }

  // An operator and its right operand.
  template <typename Operand>
  void Operation(const Operand& operand) {
    layout_.Space();
    Token();
    layout_.Indent();
    layout_.SoftLine();
    operand();
    layout_.Dedent();
  }

  void Sum() {
    layout_.OpenGroup();
    Product();
    while (At(TokenKind::kPlus) || At(TokenKind::kMinus)) {
      Operation([this] { Product(); });
    }
    layout_.CloseGroup();
  }

  void Product() {
    Unary();
    while (At(TokenKind::kStar)) {
      Operation([this] { Unary(); });
    }
  }

  void Unary() {
    while (At(TokenKind::kBang) || At(TokenKind::kMinus)) {
      Token();
    }
    Primary();
    while (true) {
      if (At(TokenKind::kDot)) {
        Token();
        Token();
      } else if (At(TokenKind::kOpenBracket)) {
        Token();
        Token();
        Token();
      } else if (At(TokenKind::kOpenParen)) {
        List(TokenKind::kCloseParen);
      } else {
        return;
      }
    }
  }

  void Primary() {
    switch (current().token.kind) {
      case TokenKind::kOpenParen:
        List(TokenKind::kCloseParen);
        return;
      case TokenKind::kOpenBracket:
        List(TokenKind::kCloseBracket);
        return;
      case TokenKind::kOpenBrace:
        Bracketed(TokenKind::kCloseBrace, [this] {
          Token();
          Token();
          layout_.Space();
          Expr();
        });
        return;
      default:
        Token();
        while (At(TokenKind::kColonColon)) {
          Token();
          Token();
        }
    }
  }

  void List(TokenKind close) {
    Bracketed(close, [this] { Expr(); });
  }

  const std::vector<CommentedToken>& tokens_;
  size_t at_ = 0;
  bool comments_done_ = false;  // Those before the token at hand.
  Layout layout_;
};

}  // namespace

std::expected<std::string, std::vector<Diagnostic>> FormatPolicies(const SourcePtr& source,
                                                                   const FormatOptions& options) {
  if (auto parsed = ParsePolicies(source); !parsed) {
    return std::unexpected(std::move(parsed).error());
  }
  const std::vector<CommentedToken> tokens = Tokenize(source->text());
  return Walker(tokens).Walk().Print(options);
}

}  // namespace palyra::policy
