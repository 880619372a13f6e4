#include "policy/parser.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "policy/expression_parser.h"
#include "policy/names.h"
#include "policy/text.h"
#include "policy/token_stream.h"

namespace palyra::policy {
namespace {

constexpr size_t kMaxErrors = 20;
constexpr std::string_view kShortestPolicy = "permit(principal,action,resource);";

// What ParsePolicies is at work on: one file.
class PolicyParser {
 public:
  explicit PolicyParser(TokenStream& tokens) : tokens_(tokens), expressions_(tokens) {}

  // Fills `policy`, which is new; false after an error.
  bool Parse(Policy& policy);

 private:
  bool ParseAnnotation(std::vector<Annotation>& annotations);
  bool ParseEffect(Effect& effect);
  bool ParseScopes(Policy& policy);
  bool ParseScope(Variable variable, Scope& scope);
  bool ParseScopeEntity(Variable variable, Scope& scope);
  bool ParseSlot(Variable variable, Scope& scope);
  bool ParseActions(Scope& scope);
  bool ParseActionList(Scope& scope);
  bool ParseAction(Scope& scope);
  bool ParseCondition(std::vector<Condition>& conditions);

  // What `parse` takes, in parentheses or none.
  template <typename Parse>
  bool InParentheses(const Parse& parse) {
    int open = 0;
    while (open < kMaxNesting && tokens_.TakeIf(TokenKind::kOpenParen)) {
      ++open;
    }
    bool good = parse();
    for (; good && open > 0; --open) {
      good = tokens_.Expect(TokenKind::kCloseParen, "");
    }
    return good;
  }

  TokenStream& tokens_;
  ExpressionParser expressions_;
};

bool PolicyParser::Parse(Policy& policy) {
  const Span start = tokens_.current().span;
  while (tokens_.At(TokenKind::kAt)) {
    if (!ParseAnnotation(policy.annotations)) {
      return false;
    }
  }
  if (!ParseEffect(policy.effect) || !ParseScopes(policy)) {
    return false;
  }
  while (tokens_.AtWord("when") || tokens_.AtWord("unless")) {
    if (!ParseCondition(policy.conditions)) {
      return false;
    }
  }
  if (!tokens_.At(TokenKind::kSemicolon)) {
    tokens_.ReportUnexpected("`when`, `unless` or `;`");
    return false;
  }
  tokens_.Take();
  policy.span = tokens_.SpanFrom(start);
  policy.condition = Join(policy.span, policy.conditions);
  return true;
}

bool PolicyParser::ParseAnnotation(std::vector<Annotation>& annotations) {
  const Span start = tokens_.Take().span;
  if (!tokens_.At(TokenKind::kIdentifier)) {
    tokens_.ReportUnexpected("the name of an annotation");
    return false;
  }
  const Token key = tokens_.Take();
  Annotation annotation{.key = std::string(key.text), .value = "", .has_value = false, .span = {}};
  if (tokens_.TakeIf(TokenKind::kOpenParen)) {
    std::optional<std::string> value =
        expressions_.ParseString("a string, the value of the annotation");
    if (!value || !tokens_.Expect(TokenKind::kCloseParen, " after the annotation's value")) {
      return false;
    }
    annotation.value = *std::move(value);
    annotation.has_value = true;
  }
  annotation.span = tokens_.SpanFrom(start);
  if (std::ranges::find(annotations, annotation.key, &Annotation::key) != annotations.end()) {
    tokens_.Report("parse-duplicate", annotation.span,
                   "the policy already has an annotation `@" + annotation.key + "`");
    return false;
  }
  annotations.push_back(std::move(annotation));
  return true;
}

bool PolicyParser::ParseEffect(Effect& effect) {
  if (!tokens_.AtWord("permit") && !tokens_.AtWord("forbid")) {
    tokens_.ReportUnexpected("`permit` or `forbid`");
    return false;
  }
  effect = tokens_.Take().text == "permit" ? Effect::kPermit : Effect::kForbid;
  return true;
}

bool PolicyParser::ParseScopes(Policy& policy) {
  if (!tokens_.Expect(TokenKind::kOpenParen, " after the effect") ||
      !ParseScope(Variable::kPrincipal, policy.principal) ||
      !tokens_.Expect(TokenKind::kComma, " after the principal") ||
      !ParseScope(Variable::kAction, policy.action) ||
      !tokens_.Expect(TokenKind::kComma, " after the action") ||
      !ParseScope(Variable::kResource, policy.resource)) {
    return false;
  }
  tokens_.TakeIf(TokenKind::kComma);
  return tokens_.Expect(TokenKind::kCloseParen, " after the resource");
}

bool PolicyParser::ParseScope(Variable variable, Scope& scope) {
  const Span start = tokens_.current().span;
  const bool is_action = variable == Variable::kAction;
  if (!tokens_.ExpectWord(NameOf(variable), ", in the order principal, action, resource")) {
    return false;
  }
  const auto entity = [&] { return ParseScopeEntity(variable, scope); };
  bool good = true;
  if (tokens_.TakeIf(TokenKind::kEqualEqual)) {
    scope.kind = Scope::Kind::kEqual;
    good = InParentheses(entity);
  } else if (tokens_.TakeIfWord("in")) {
    scope.kind = Scope::Kind::kIn;
    good = is_action ? InParentheses([&] { return ParseActions(scope); }) : InParentheses(entity);
  } else if (!is_action && tokens_.TakeIfWord("is")) {
    scope.kind = Scope::Kind::kIs;
    std::optional<std::string> type = expressions_.ParseTypeName();
    good = type.has_value();
    scope.type = std::move(type).value_or("");
    if (good && tokens_.TakeIfWord("in")) {
      scope.kind = Scope::Kind::kIsIn;
      good = InParentheses(entity);
    }
  }
  scope.span = tokens_.SpanFrom(start);
  return good;
}

bool PolicyParser::ParseScopeEntity(Variable variable, Scope& scope) {
  if (variable == Variable::kAction) {
    return ParseAction(scope);
  }
  if (tokens_.At(TokenKind::kSlot)) {
    return ParseSlot(variable, scope);
  }
  if (tokens_.At(TokenKind::kOpenBracket)) {
    tokens_.Report("parse-scope", tokens_.current().span,
                   "`" + std::string(NameOf(variable)) + " in` takes one entity, not a list",
                   "put the list into a `when` clause");
    return false;
  }
  std::optional<EntityUid> uid = expressions_.ParseEntityUid();
  if (!uid) return false;
  scope.entities.push_back(*std::move(uid));
  return true;
}

bool PolicyParser::ParseSlot(Variable variable, Scope& scope) {
  const Token slot = tokens_.Take();
  const std::string wanted = '?' + std::string(NameOf(variable));
  if (slot.text != wanted) {
    tokens_.Report(
        "parse-slot", slot.span,
        "expected an entity or the slot " + wanted + ", found " + std::string(slot.text));
    return false;
  }
  scope.slot = true;
  return true;
}

bool PolicyParser::ParseActions(Scope& scope) {
  return tokens_.TakeIf(TokenKind::kOpenBracket) ? ParseActionList(scope) : ParseAction(scope);
}

bool PolicyParser::ParseActionList(Scope& scope) {
  scope.kind = Scope::Kind::kInSet;
  while (!tokens_.At(TokenKind::kCloseBracket)) {
    if (!InParentheses([&] { return ParseAction(scope); })) {
      return false;
    }
    if (!tokens_.TakeIf(TokenKind::kComma)) {
      break;
    }
  }
  return tokens_.Expect(TokenKind::kCloseBracket, " after the list of actions");
}

bool PolicyParser::ParseAction(Scope& scope) {
  if (tokens_.At(TokenKind::kSlot)) {
    tokens_.Report("parse-slot", tokens_.current().span, "the action of a policy cannot be a slot",
                   "only principal and resource can, as ?principal and ?resource");
    return false;
  }
  const Span start = tokens_.current().span;
  std::optional<EntityUid> uid = expressions_.ParseEntityUid();
  if (!uid) {
    return false;
  }
  if (!IsActionType(uid->type())) {
    tokens_.Report("parse-scope", tokens_.SpanFrom(start),
                   "expected an action, found an entity of type " + uid->type(),
                   "the type of an action ends with Action, as in Palyra::Action::\"net.connect\"");
    return false;
  }
  scope.entities.push_back(*std::move(uid));
  return true;
}

bool PolicyParser::ParseCondition(std::vector<Condition>& conditions) {
  const Token word = tokens_.Take();
  const bool is_when = word.text == "when";
  if (!tokens_.Expect(TokenKind::kOpenBrace, is_when ? " after `when`" : " after `unless`")) {
    return false;
  }
  ExprPtr body = expressions_.ParseExpr();
  if (body == nullptr || !tokens_.Expect(TokenKind::kCloseBrace, " after the condition")) {
    return false;
  }
  conditions.push_back({.kind = is_when ? Condition::Kind::kWhen : Condition::Kind::kUnless,
                        .body = std::move(body),
                        .span = tokens_.SpanFrom(word.span)});
  return true;
}

size_t CountSemicolons(std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(';'); at != std::string_view::npos; at = text.find(';', at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace

std::optional<Diagnostic> CheckText(const SourcePtr& source) {
  Diagnostic diagnostic{.severity = Severity::kError,
                        .code = "parse-encoding",
                        .message = "",
                        .source = source,
                        .span = {},
                        .policy_id = std::nullopt,
                        .hint = std::nullopt};
  if (source->text().size() > std::numeric_limits<uint32_t>::max() / 2) {
    diagnostic.message = "the text is larger than 2 GiB";
    return diagnostic;
  }
  if (const std::optional<size_t> at = FindInvalidUtf8(source->text())) {
    diagnostic.message = "the text is not UTF-8 here";
    diagnostic.span = {.offset = static_cast<uint32_t>(*at), .length = 1};
    return diagnostic;
  }
  return std::nullopt;
}

std::expected<std::vector<Policy>, std::vector<Diagnostic>> ParsePolicies(const SourcePtr& source) {
  if (std::optional<Diagnostic> bad = CheckText(source)) {
    return std::unexpected(std::vector{*std::move(bad)});
  }
  TokenStream tokens(source);
  std::vector<Policy> policies;
  // Growing step by step would move all policies again and again.
  policies.reserve(
      std::min(CountSemicolons(source->text()), source->text().size() / kShortestPolicy.size()));
  while (!tokens.At(TokenKind::kEnd) && tokens.diagnostics().size() < kMaxErrors) {
    if (!PolicyParser(tokens).Parse(policies.emplace_back())) {
      policies.pop_back();
      tokens.SkipPastSemicolon();
    }
  }
  if (!tokens.diagnostics().empty()) {
    return std::unexpected(tokens.TakeDiagnostics());
  }
  return policies;
}

std::expected<ExprPtr, std::vector<Diagnostic>> ParseExpression(const SourcePtr& source) {
  if (std::optional<Diagnostic> bad = CheckText(source)) {
    return std::unexpected(std::vector{*std::move(bad)});
  }
  TokenStream tokens(source);
  ExprPtr expr = ExpressionParser(tokens).ParseExpr();
  if (expr != nullptr && !tokens.At(TokenKind::kEnd)) {
    tokens.ReportUnexpected("the end of the expression");
  }
  if (!tokens.diagnostics().empty()) {
    return std::unexpected(tokens.TakeDiagnostics());
  }
  return expr;
}

bool IsTypeName(std::string_view name) {
  while (true) {
    const size_t colons = name.find("::");
    const std::string_view part = name.substr(0, colons);
    if (!IsBareName(part)) {
      return false;
    }
    if (colons == std::string_view::npos) {
      return true;
    }
    name.remove_prefix(colons + 2);
  }
}

}  // namespace palyra::policy
