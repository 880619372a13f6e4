// Literals, names, calls, sets and records: what the operators of expression_parser.cc work on.

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "policy/expression_parser.h"
#include "policy/extension.h"
#include "policy/names.h"
#include "policy/text.h"

namespace palyra::policy {
namespace {

std::string_view Unquoted(const Token& token) {
  return token.text.substr(1, token.text.size() - 2);
}

// Where in the source the error of a string token is.
Span EscapeSpan(const Token& token, const EscapeError& error) {
  return {.offset = token.span.offset + 1 + static_cast<uint32_t>(error.offset),
          .length = static_cast<uint32_t>(error.length)};
}

}  // namespace

ExprPtr ExpressionParser::ParseMethodCall(Span start, ExprPtr receiver, const Token& name) {
  const std::optional<Function> function = FindFunction(name.text);
  const std::optional<BinaryOp> op = FindMethodOperator(name.text);
  const bool is_empty = name.text == "isEmpty";
  if (!(function && IsMethod(*function)) && !op && !is_empty) {
    ReportUnknownFunction(name.text, name.span, true);
    return nullptr;
  }
  tokens_.Take();
  std::optional<std::vector<ExprPtr>> args =
      ParseList(TokenKind::kCloseParen, " after the arguments");
  if (!args) {
    return nullptr;
  }
  const Span span = tokens_.SpanFrom(start);
  if (function) {
    args->insert(args->begin(), std::move(receiver));
    return Make(span, Call{.function = *function, .args = *std::move(args)});
  }
  const size_t arity = op ? 1 : 0;
  if (args->size() != arity) {
    tokens_.Report("parse-arity", tokens_.SpanFrom(name.span),
                   "`" + std::string(name.text) + "` takes " +
                       (arity == 1 ? "one argument" : "no argument") + ", not " +
                       std::to_string(args->size()));
    return nullptr;
  }
  return op ? Make(span, Binary{*op, std::move(receiver), args->front()})
            : Make(span, Unary{UnaryOp::kIsEmpty, std::move(receiver)});
}

void ExpressionParser::ReportUnknownFunction(std::string_view name, Span span, bool as_method) {
  const std::optional<Function> function = FindFunction(name);
  if (as_method && function) {
    tokens_.Report("parse-function", span, "\"" + std::string(name) + "\" is not a method",
                   "write it as a function: " + std::string(name) + "(…)");
  } else if (!as_method && (function || FindMethodOperator(name) || name == "isEmpty")) {
    tokens_.Report("parse-function", span, "\"" + std::string(name) + "\" is a method",
                   "write the value first: x." + std::string(name) + "(…)");
  } else {
    tokens_.Report("parse-function", span,
                   "there is no " + std::string(as_method ? "method" : "function") + " \"" +
                       std::string(name) + "\"");
  }
}

ExprPtr ExpressionParser::ParsePrimary() {
  const Token& token = tokens_.current();
  switch (token.kind) {
    case TokenKind::kIdentifier:
      return ParseWord();
    case TokenKind::kNumber:
      return ParseNumber(token.span, false);
    case TokenKind::kString: {
      const Span span = token.span;
      std::optional<std::string> text = ParseString("a string");
      return text ? Make(span, Literal{Value::String(*std::move(text))}) : nullptr;
    }
    case TokenKind::kOpenParen: {
      tokens_.Take();
      ExprPtr inner = ParseExpr();
      if (inner != nullptr && !tokens_.Expect(TokenKind::kCloseParen, "")) inner = nullptr;
      return inner;
    }
    case TokenKind::kOpenBracket:
      return ParseSet();
    case TokenKind::kOpenBrace:
      return ParseRecord();
    case TokenKind::kSlot:
      tokens_.Report("parse-slot", token.span, "a slot cannot stand in a condition",
                     "slots stand in the scope, as in principal == ?principal");
      return nullptr;
    default:
      tokens_.ReportUnexpected("an expression");
      return nullptr;
  }
}

ExprPtr ExpressionParser::ParseWord() {
  const Token word = tokens_.current();
  if (tokens_.next().kind != TokenKind::kColonColon) {
    if (word.text == "true" || word.text == "false") {
      tokens_.Take();
      return Make(word.span, Literal{Value::Bool(word.text == "true")});
    }
    if (word.text == "if") {
      tokens_.Report("parse-unexpected", word.span, "`if` cannot be an operand as it stands",
                     "put parentheses around the whole `if … then … else …`");
      return nullptr;
    }
  }
  std::optional<Name> name = ParseName();
  if (!name) {
    return nullptr;
  }
  if (name->is_entity) {
    return Make(name->span,
                Literal{Value::Entity(EntityUid(std::move(name->path), std::move(name->id)))});
  }
  if (tokens_.At(TokenKind::kOpenParen)) {
    return ParseFunctionCall(*name);
  }
  if (const std::optional<Variable> variable = FindVariable(name->path)) {
    return Make(name->span, VariableRef{*variable});
  }
  tokens_.Report("parse-variable", name->span, "there is no variable \"" + name->path + "\"",
                 "variables are principal, action, resource and context; a string needs quotes");
  return nullptr;
}

ExprPtr ExpressionParser::ParseFunctionCall(const Name& name) {
  const std::optional<Function> function = FindFunction(name.path);
  if (!function || IsMethod(*function)) {
    ReportUnknownFunction(name.path, name.span, false);
    return nullptr;
  }
  tokens_.Take();
  std::optional<std::vector<ExprPtr>> args =
      ParseList(TokenKind::kCloseParen, " after the arguments");
  if (!args) {
    return nullptr;
  }
  return Make(tokens_.SpanFrom(name.span), Call{.function = *function, .args = *std::move(args)});
}

ExprPtr ExpressionParser::ParseNumber(Span start, bool negative) {
  const Token token = tokens_.Take();
  const Span span = Cover(start, token.span);
  uint64_t magnitude = 0;
  const auto parsed =
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), magnitude);
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (parsed.ec != std::errc() || magnitude > kMax + (negative ? 1 : 0)) {
    tokens_.Report("parse-number", span,
                   "this number is outside the range of 64-bit signed integers");
    return nullptr;
  }
  const auto value = static_cast<int64_t>(negative ? uint64_t{0} - magnitude : magnitude);
  return Make(span, Literal{Value::Long(value)});
}

ExprPtr ExpressionParser::ParseSet() {
  const Span start = tokens_.Take().span;
  std::optional<std::vector<ExprPtr>> elements =
      ParseList(TokenKind::kCloseBracket, " after the elements of the set");
  if (!elements) {
    return nullptr;
  }
  return Make(tokens_.SpanFrom(start), SetLiteral{.elements = *std::move(elements)});
}

ExprPtr ExpressionParser::ParseRecord() {
  const Span start = tokens_.Take().span;
  std::vector<std::pair<std::string, ExprPtr>> fields;
  std::vector<std::pair<std::string, Span>> keys;
  while (!tokens_.At(TokenKind::kCloseBrace)) {
    const Span key_span = tokens_.current().span;
    std::optional<std::string> key = tokens_.At(TokenKind::kString)
                                         ? ParseString("a key")
                                         : ParseAttributeName("a key of the record");
    if (!key || !tokens_.Expect(TokenKind::kColon, " after the key")) {
      return nullptr;
    }
    ExprPtr value = ParseExpr();
    if (value == nullptr) {
      return nullptr;
    }
    keys.emplace_back(*key, key_span);
    fields.emplace_back(*std::move(key), std::move(value));
    if (!tokens_.TakeIf(TokenKind::kComma)) {
      break;
    }
  }
  if (!tokens_.Expect(TokenKind::kCloseBrace, " after the fields of the record")) {
    return nullptr;
  }
  std::ranges::sort(keys, {}, [](const auto& key) {
    return std::pair(std::string_view(key.first), key.second.offset);
  });
  const auto twice = std::ranges::adjacent_find(keys, {}, &std::pair<std::string, Span>::first);
  if (twice != keys.end()) {
    tokens_.Report("parse-duplicate", (twice + 1)->second,
                   "the record already has the key \"" + twice->first + "\"");
    return nullptr;
  }
  return Make(tokens_.SpanFrom(start), RecordLiteral{.fields = std::move(fields)});
}

std::optional<std::vector<ExprPtr>> ExpressionParser::ParseList(TokenKind close,
                                                                std::string_view place) {
  std::vector<ExprPtr> items;
  while (!tokens_.At(close)) {
    items.push_back(ParseExpr());
    if (items.back() == nullptr) {
      return std::nullopt;
    }
    if (!tokens_.TakeIf(TokenKind::kComma)) {
      break;
    }
  }
  if (!tokens_.Expect(close, place)) {
    return std::nullopt;
  }
  return items;
}

bool ExpressionParser::CheckIdentifier(const Token& token) {
  if (IsReserved(token.text)) {
    tokens_.Report("parse-reserved", token.span,
                   "`" + std::string(token.text) + "` is reserved and cannot be a name");
    return false;
  }
  return true;
}

std::optional<std::string_view> ExpressionParser::ParseBareName(std::string_view what) {
  if (!tokens_.At(TokenKind::kIdentifier)) {
    tokens_.ReportUnexpected(what);
    return std::nullopt;
  }
  const Token token = tokens_.Take();
  return CheckIdentifier(token) ? std::optional(token.text) : std::nullopt;
}

std::optional<std::string> ExpressionParser::ParseAttributeName(std::string_view what) {
  const std::optional<std::string_view> name = ParseBareName(what);
  return name ? std::optional<std::string>(*name) : std::nullopt;
}

std::optional<ExpressionParser::Name> ExpressionParser::ParseName() {
  Name name{.path = "", .is_entity = false, .id = "", .span = tokens_.current().span};
  while (true) {
    const std::optional<std::string_view> part = ParseBareName("a name");
    if (!part) {
      return std::nullopt;
    }
    name.path += *part;
    if (!tokens_.TakeIf(TokenKind::kColonColon)) {
      break;
    }
    if (tokens_.At(TokenKind::kString)) {
      std::optional<std::string> id = ParseString("an entity id");
      if (!id) {
        return std::nullopt;
      }
      name.is_entity = true;
      name.id = *std::move(id);
      break;
    }
    name.path += "::";
  }
  name.span = tokens_.SpanFrom(name.span);
  return name;
}

std::optional<std::string> ExpressionParser::ParseTypeName() {
  std::optional<Name> name = ParseName();
  if (name && name->is_entity) {
    tokens_.Report("parse-type", name->span, "expected an entity type, found an entity",
                   "write `is " + name->path + "`, or compare with `==`");
    return std::nullopt;
  }
  return name ? std::optional(std::move(name->path)) : std::nullopt;
}

std::optional<EntityUid> ExpressionParser::ParseEntityUid() {
  if (tokens_.At(TokenKind::kIdentifier)) {
    std::optional<Name> name = ParseName();
    if (!name) {
      return std::nullopt;
    }
    if (name->is_entity) {
      return EntityUid(std::move(name->path), std::move(name->id));
    }
    tokens_.Report("parse-entity", name->span, "expected an entity, found `" + name->path + "`",
                   "an entity is written Type::\"id\"");
    return std::nullopt;
  }
  tokens_.ReportUnexpected("an entity, written Type::\"id\"");
  return std::nullopt;
}

std::optional<std::string> ExpressionParser::ParseString(std::string_view what) {
  if (!tokens_.At(TokenKind::kString)) {
    tokens_.ReportUnexpected(what);
    return std::nullopt;
  }
  const Token token = tokens_.Take();
  std::expected<std::string, EscapeError> text = Unescape(Unquoted(token));
  if (!text) {
    tokens_.Report("parse-string", EscapeSpan(token, text.error()), text.error().message);
    return std::nullopt;
  }
  return *std::move(text);
}

std::optional<Pattern> ExpressionParser::ParsePattern() {
  if (!tokens_.At(TokenKind::kString)) {
    tokens_.ReportUnexpected("a string, the pattern of `like`");
    return std::nullopt;
  }
  const Token token = tokens_.Take();
  std::expected<Pattern, EscapeError> pattern = UnescapePattern(Unquoted(token));
  if (!pattern) {
    tokens_.Report("parse-string", EscapeSpan(token, pattern.error()), pattern.error().message);
    return std::nullopt;
  }
  return *std::move(pattern);
}

}  // namespace palyra::policy
