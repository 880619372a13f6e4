// Tokens with two of look-ahead, and the diagnostics of one parse.

#ifndef PALYRA_POLICY_TOKEN_STREAM_H_
#define PALYRA_POLICY_TOKEN_STREAM_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/lexer.h"
#include "policy/source.h"

namespace palyra::policy {

class TokenStream {
 public:
  // The source's text must be well-formed UTF-8.
  explicit TokenStream(SourcePtr source);

  [[nodiscard]] const Token& current() const { return current_; }
  [[nodiscard]] const Token& next() const { return next_; }
  [[nodiscard]] bool At(TokenKind kind) const { return current_.kind == kind; }
  [[nodiscard]] bool AtWord(std::string_view word) const {
    return At(TokenKind::kIdentifier) && current_.text == word;
  }

  // The span from `start` to the end of the last token that was taken.
  [[nodiscard]] Span SpanFrom(Span start) const { return Cover(start, taken_); }

  Token Take() {
    const Token taken = current_;
    Advance();
    return taken;
  }
  bool TakeIf(TokenKind kind) {
    if (!At(kind)) {
      return false;
    }
    Advance();
    return true;
  }
  bool TakeIfWord(std::string_view word) {
    if (!AtWord(word)) {
      return false;
    }
    Advance();
    return true;
  }

  // Takes a token of this kind, or reports what stands there instead and returns false. `place`
  // ends the message: " after the scope".
  bool Expect(TokenKind kind, std::string_view place);
  bool ExpectWord(std::string_view word, std::string_view place);

  // "expected WHAT, found …" at the current token, or what the lexer says of an invalid one.
  void ReportUnexpected(std::string_view what);
  void Report(std::string_view code, Span span, std::string message,
              std::optional<std::string> hint = std::nullopt);

  // Goes behind the next `;`, or to the end.
  void SkipPastSemicolon();

  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  std::vector<Diagnostic> TakeDiagnostics() { return std::move(diagnostics_); }

 private:
  void Advance();

  SourcePtr source_;
  Lexer lexer_;
  Token current_;
  Token next_;
  std::string_view current_error_;  // Of the lexer; stale where the token is not kInvalid.
  std::string_view next_error_;
  Span taken_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_TOKEN_STREAM_H_
