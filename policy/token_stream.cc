#include "policy/token_stream.h"

#include <utility>

namespace palyra::policy {

TokenStream::TokenStream(SourcePtr source) : source_(std::move(source)), lexer_(source_->text()) {
  Take();
  Take();
  taken_ = {};
}

Token TokenStream::Take() {
  const Token taken = current_;
  taken_ = taken.span;
  current_ = next_;
  current_error_ = next_error_;
  next_ = lexer_.Next();
  next_error_ = lexer_.error();
  return taken;
}

bool TokenStream::TakeIf(TokenKind kind) {
  if (!At(kind)) {
    return false;
  }
  Take();
  return true;
}

bool TokenStream::TakeIfWord(std::string_view word) {
  if (!AtWord(word)) {
    return false;
  }
  Take();
  return true;
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
    Take();
  }
}

}  // namespace palyra::policy
