#include "policy/token_stream.h"

#include <utility>

namespace palyra::policy {

TokenStream::TokenStream(SourcePtr source) : source_(std::move(source)), lexer_(source_->text()) {
  Advance();
  Advance();
  taken_ = {};
}

void TokenStream::Advance() {
  taken_ = current_.span;
  if (next_.kind == TokenKind::kInvalid) {
    current_error_ = next_error_;
  }
  current_ = next_;
  next_ = lexer_.Next();
  if (next_.kind == TokenKind::kInvalid) {
    next_error_ = lexer_.error();
  }
}

bool TokenStream::Expect(TokenKind kind, std::string_view place) {
  if (TakeIf(kind)) {
    return true;
  }
  ReportUnexpected(Describe(kind) + std::string(place));
  return false;
}

bool TokenStream::ExpectWord(std::string_view word, std::string_view place) {
  if (TakeIfWord(word)) {
    return true;
  }
  ReportUnexpected('`' + std::string(word) + '`' + std::string(place));
  return false;
}

void TokenStream::ReportUnexpected(std::string_view what) {
  if (At(TokenKind::kInvalid)) {
    Report("parse-token", current_.span, std::string(current_error_));
    return;
  }
  Report("parse-unexpected", current_.span,
         "expected " + std::string(what) + ", found " + Describe(current_));
}

void TokenStream::Report(std::string_view code, Span span, std::string message,
                         std::optional<std::string> hint) {
  diagnostics_.push_back({.severity = Severity::kError,
                          .code = std::string(code),
                          .message = std::move(message),
                          .source = source_,
                          .span = span,
                          .policy_id = std::nullopt,
                          .hint = std::move(hint)});
}

void TokenStream::SkipPastSemicolon() {
  while (!At(TokenKind::kEnd) && !TakeIf(TokenKind::kSemicolon)) {
    Advance();
  }
}

}  // namespace palyra::policy
