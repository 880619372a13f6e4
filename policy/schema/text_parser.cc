#include "policy/schema/text_parser.h"

#include <algorithm>
#include <utility>

#include "policy/expression_parser.h"
#include "policy/names.h"
#include "policy/parser.h"
#include "policy/printer.h"
#include "policy/token_stream.h"

namespace palyra::policy {
namespace {

constexpr size_t kMaxErrors = 20;

// The lexer of policies has no `=`: it gives it as an invalid character.
bool AtEquals(const TokenStream& tokens) {
  return tokens.At(TokenKind::kInvalid) && tokens.current().text == "=";
}

class SchemaParser {
 public:
  SchemaParser(const SourcePtr& source, TokenStream& tokens)
      : tokens_(tokens), expressions_(tokens) {
    fragment_.source = source;
    fragment_.has_spans = true;
  }

  SchemaFragment Parse();

 private:
  using Attributes = std::map<std::string, WrittenAttribute>;

  // Each takes what it parses, or reports and returns false, nothing or null.
  bool ParseItem();
  bool ParseNamespace(std::vector<Annotation> annotations);
  bool ParseDeclaration(WrittenNamespace& scope, std::vector<Annotation> annotations);
  bool ParseEntity(WrittenNamespace& scope, std::vector<Annotation> annotations);
  bool ParseEntityBody(WrittenEntityType& entity);
  bool ParseCommonType(WrittenNamespace& scope, std::vector<Annotation> annotations);
  bool ParseAction(WrittenNamespace& scope, std::vector<Annotation> annotations);
  bool ParseActionBody(WrittenAction& action, const std::string& name, Span name_span);
  bool ParseAppliesTo(WrittenAction& action, const std::string& name, Span name_span);
  bool ParseTarget(std::optional<std::vector<WrittenName>>& types, const std::string& action);
  bool ParseContext(WrittenTypePtr& context, const std::string& action);
  bool CheckTarget(const std::optional<std::vector<WrittenName>>& types, std::string_view word,
                   const std::string& action, Span span);

  std::optional<std::vector<Annotation>> ParseAnnotations();
  WrittenTypePtr ParseType();
  WrittenTypePtr ParseRecord();
  bool ParseAttribute(Attributes& attributes);
  WrittenTypePtr ParseNamedType(WrittenType::Kind kind);

  std::optional<WrittenName> ParseIdentifier(std::string_view what);
  std::optional<WrittenName> ParseNameOrString(std::string_view what);
  std::optional<WrittenName> ParsePath(std::string_view what);
  std::optional<WrittenActionRef> ParseActionRef();
  std::optional<std::vector<WrittenName>> ParseEntityTypes();

  // Items with commas between them and none behind the last.
  template <typename Item>
  std::optional<std::vector<Item>> ParseCommaList(auto parse_one);

  // Reports what is wrong with a name that is declared; `kind` names what it is.
  bool CheckDeclared(const WrittenName& name, bool stands_already, std::string_view kind);

  TokenStream& tokens_;
  ExpressionParser expressions_;
  SchemaFragment fragment_;
  int nesting_ = 0;
};

SchemaFragment SchemaParser::Parse() {
  while (!tokens_.At(TokenKind::kEnd) && tokens_.diagnostics().size() < kMaxErrors) {
    if (!ParseItem()) {
      tokens_.SkipPastSemicolon();
      // What is left of a namespace whose beginning was given up.
      tokens_.TakeIf(TokenKind::kCloseBrace);
    }
  }
  return std::move(fragment_);
}

bool SchemaParser::ParseItem() {
  std::optional<std::vector<Annotation>> annotations = ParseAnnotations();
  if (!annotations) {
    return false;
  }
  if (tokens_.AtWord("namespace")) {
    return ParseNamespace(*std::move(annotations));
  }
  return ParseDeclaration(fragment_.namespaces[""], *std::move(annotations));
}

bool SchemaParser::ParseNamespace(std::vector<Annotation> annotations) {
  tokens_.Take();
  const std::optional<WrittenName> name = ParsePath("the name of a namespace");
  if (!name) {
    return false;
  }
  if (NamesReserved(name->name)) {
    tokens_.Report("schema-reserved", name->span,
                   "names with `__cedar` in them are reserved for Cedar itself");
  }
  if (fragment_.namespaces.contains(name->name)) {
    tokens_.Report("schema-duplicate", name->span,
                   "the namespace `" + name->name + "` stands twice in this file",
                   "put all declarations of a namespace into one block");
  }
  if (!tokens_.Expect(TokenKind::kOpenBrace, " after the name of the namespace")) {
    return false;
  }
  WrittenNamespace& scope = fragment_.namespaces[name->name];
  scope.annotations = std::move(annotations);
  while (!tokens_.At(TokenKind::kCloseBrace) && !tokens_.At(TokenKind::kEnd) &&
         tokens_.diagnostics().size() < kMaxErrors) {
    std::optional<std::vector<Annotation>> inner = ParseAnnotations();
    if (!inner || !ParseDeclaration(scope, *std::move(inner))) {
      tokens_.SkipPastSemicolon();
    }
  }
  return tokens_.Expect(TokenKind::kCloseBrace, " after the declarations of the namespace");
}

bool SchemaParser::ParseDeclaration(WrittenNamespace& scope, std::vector<Annotation> annotations) {
  if (tokens_.TakeIfWord("entity")) {
    return ParseEntity(scope, std::move(annotations));
  }
  if (tokens_.TakeIfWord("type")) {
    return ParseCommonType(scope, std::move(annotations));
  }
  if (tokens_.TakeIfWord("action")) {
    return ParseAction(scope, std::move(annotations));
  }
  tokens_.ReportUnexpected(&scope == &fragment_.namespaces[""]
                               ? "`namespace`, `entity`, `action` or `type`"
                               : "`entity`, `action` or `type`");
  return false;
}

bool SchemaParser::CheckDeclared(const WrittenName& name, bool stands_already,
                                 std::string_view kind) {
  if (stands_already) {
    tokens_.Report("schema-duplicate", name.span,
                   "the " + std::string(kind) + " `" + name.name + "` is declared twice");
    return false;
  }
  return true;
}

bool SchemaParser::ParseEntity(WrittenNamespace& scope, std::vector<Annotation> annotations) {
  const auto names =
      ParseCommaList<WrittenName>([&] { return ParseIdentifier("the name of an entity type"); });
  if (!names) {
    return false;
  }
  WrittenEntityType entity;
  entity.annotations = std::move(annotations);
  if (!ParseEntityBody(entity)) {
    return false;
  }
  for (const WrittenName& name : *names) {
    if (name.name == "__cedar" || name.name == "Action") {
      tokens_.Report("schema-reserved", name.span,
                     "`" + name.name + "` is reserved and cannot be an entity type");
    } else if (CheckDeclared(name, scope.entity_types.contains(name.name), "entity type")) {
      entity.span = name.span;
      scope.entity_types.emplace(name.name, entity);
    }
  }
  return true;
}

bool SchemaParser::ParseEntityBody(WrittenEntityType& entity) {
  if (tokens_.TakeIfWord("enum")) {
    if (!tokens_.Expect(TokenKind::kOpenBracket, " after `enum`")) {
      return false;
    }
    auto ids =
        ParseCommaList<std::string>([&] { return expressions_.ParseString("an entity id"); });
    if (!ids || !tokens_.Expect(TokenKind::kCloseBracket, " after the entity ids") ||
        !tokens_.Expect(TokenKind::kSemicolon, " after the entity type")) {
      return false;
    }
    entity.enum_ids = *std::move(ids);
    entity.shape = MakeRecord({}, {});
    return true;
  }
  if (tokens_.TakeIfWord("in")) {
    std::optional<std::vector<WrittenName>> parents = ParseEntityTypes();
    if (!parents) {
      return false;
    }
    entity.member_of = *std::move(parents);
  }
  const bool equals = AtEquals(tokens_);
  if (equals) {
    tokens_.Take();
  }
  if (equals || tokens_.At(TokenKind::kOpenBrace)) {
    entity.shape = ParseRecord();
    if (entity.shape == nullptr) {
      return false;
    }
  } else {
    entity.shape = MakeRecord({}, {});
  }
  if (tokens_.TakeIfWord("tags")) {
    entity.tags = ParseType();
    if (entity.tags == nullptr) {
      return false;
    }
  }
  return tokens_.Expect(TokenKind::kSemicolon, " after the entity type");
}

bool SchemaParser::ParseCommonType(WrittenNamespace& scope, std::vector<Annotation> annotations) {
  const std::optional<WrittenName> name = ParseIdentifier("the name of a type");
  if (!name) {
    return false;
  }
  if (!AtEquals(tokens_)) {
    tokens_.ReportUnexpected("`=` after the name of the type");
    return false;
  }
  tokens_.Take();
  WrittenTypePtr type = ParseType();
  if (type == nullptr || !tokens_.Expect(TokenKind::kSemicolon, " after the type")) {
    return false;
  }
  if (name->name == "__cedar" || IsReservedTypeName(name->name)) {
    tokens_.Report("schema-reserved", name->span,
                   "`" + name->name + "` is reserved and cannot be the name of a common type");
  } else if (CheckDeclared(*name, scope.common_types.contains(name->name), "common type")) {
    scope.common_types.emplace(name->name, WrittenCommonType{.type = std::move(type),
                                                             .annotations = std::move(annotations),
                                                             .span = name->span});
  }
  return true;
}

bool SchemaParser::ParseAction(WrittenNamespace& scope, std::vector<Annotation> annotations) {
  const auto names =
      ParseCommaList<WrittenName>([&] { return ParseNameOrString("the name of an action"); });
  if (!names) {
    return false;
  }
  WrittenAction action;
  action.annotations = std::move(annotations);
  if (!ParseActionBody(action, names->front().name, names->front().span)) {
    return false;
  }
  for (const WrittenName& name : *names) {
    if (CheckDeclared(name, scope.actions.contains(name.name), "action")) {
      action.span = name.span;
      scope.actions.emplace(name.name, action);
    }
  }
  return true;
}

bool SchemaParser::ParseActionBody(WrittenAction& action, const std::string& name, Span name_span) {
  if (tokens_.TakeIfWord("in")) {
    const bool is_list = tokens_.TakeIf(TokenKind::kOpenBracket);
    std::optional<std::vector<WrittenActionRef>> parents;
    if (is_list) {
      parents = ParseCommaList<WrittenActionRef>([&] { return ParseActionRef(); });
    } else if (std::optional<WrittenActionRef> one = ParseActionRef()) {
      parents = std::vector{*std::move(one)};
    }
    if (!parents ||
        (is_list && !tokens_.Expect(TokenKind::kCloseBracket, " after the action groups"))) {
      return false;
    }
    action.member_of = std::move(parents);
  }
  if (tokens_.TakeIfWord("appliesTo")) {
    if (!ParseAppliesTo(action, name, name_span)) {
      return false;
    }
  } else {
    action.applies_to =
        WrittenAppliesTo{.principals = {}, .resources = {}, .context = MakeRecord({}, {})};
  }
  if (tokens_.TakeIfWord("attributes") &&
      (!tokens_.Expect(TokenKind::kOpenBrace, " after `attributes`") ||
       !tokens_.Expect(TokenKind::kCloseBrace, ": actions have no attributes"))) {
    return false;
  }
  return tokens_.Expect(TokenKind::kSemicolon, " after the action");
}

bool SchemaParser::ParseAppliesTo(WrittenAction& action, const std::string& name, Span name_span) {
  if (!tokens_.Expect(TokenKind::kOpenBrace, " after `appliesTo`")) {
    return false;
  }
  std::optional<std::vector<WrittenName>> principals;
  std::optional<std::vector<WrittenName>> resources;
  WrittenTypePtr context;
  do {
    bool good = false;
    if (tokens_.AtWord("principal")) {
      good = ParseTarget(principals, name);
    } else if (tokens_.AtWord("resource")) {
      good = ParseTarget(resources, name);
    } else if (tokens_.AtWord("context")) {
      good = ParseContext(context, name);
    } else {
      tokens_.ReportUnexpected("`principal`, `resource` or `context`");
    }
    if (!good) {
      return false;
    }
  } while (tokens_.TakeIf(TokenKind::kComma) && !tokens_.At(TokenKind::kCloseBrace));
  if (!tokens_.Expect(TokenKind::kCloseBrace, " after what the action applies to") ||
      !CheckTarget(principals, "principal", name, name_span) ||
      !CheckTarget(resources, "resource", name, name_span)) {
    return false;
  }
  action.applies_to =
      WrittenAppliesTo{.principals = *std::move(principals),
                       .resources = *std::move(resources),
                       .context = context == nullptr ? MakeRecord({}, {}) : std::move(context)};
  return true;
}

bool SchemaParser::CheckTarget(const std::optional<std::vector<WrittenName>>& types,
                               std::string_view word, const std::string& action, Span span) {
  if (!types || types->empty()) {
    tokens_.Report("schema-applies-to", span,
                   "the action `" + action + "` names no " + std::string(word) + " type",
                   "leave `appliesTo` out for an action that is only a group");
    return false;
  }
  return true;
}

bool SchemaParser::ParseTarget(std::optional<std::vector<WrittenName>>& types,
                               const std::string& action) {
  const Token word = tokens_.Take();
  if (types) {
    tokens_.Report(
        "schema-duplicate", word.span,
        "the action `" + action + "` has two lists of `" + std::string(word.text) + "` types",
        "write one list: [A, B]");
    return false;
  }
  if (!tokens_.Expect(TokenKind::kColon, " after `" + std::string(word.text) + "`")) {
    return false;
  }
  types = ParseEntityTypes();
  return types.has_value();
}

bool SchemaParser::ParseContext(WrittenTypePtr& context, const std::string& action) {
  const Token word = tokens_.Take();
  if (context != nullptr) {
    tokens_.Report("schema-duplicate", word.span, "the action `" + action + "` has two contexts");
    return false;
  }
  if (!tokens_.Expect(TokenKind::kColon, " after `context`")) {
    return false;
  }
  context = tokens_.At(TokenKind::kOpenBrace) ? ParseRecord()
                                              : ParseNamedType(WrittenType::Kind::kCommon);
  return context != nullptr;
}

std::optional<std::vector<Annotation>> SchemaParser::ParseAnnotations() {
  std::vector<Annotation> annotations;
  while (tokens_.At(TokenKind::kAt)) {
    const Span start = tokens_.Take().span;
    if (!tokens_.At(TokenKind::kIdentifier)) {
      tokens_.ReportUnexpected("the name of an annotation");
      return std::nullopt;
    }
    Annotation annotation{.key = std::string(tokens_.Take().text), .value = "", .span = {}};
    if (tokens_.TakeIf(TokenKind::kOpenParen)) {
      std::optional<std::string> value =
          expressions_.ParseString("a string, the value of the annotation");
      if (!value || !tokens_.Expect(TokenKind::kCloseParen, " after the annotation's value")) {
        return std::nullopt;
      }
      annotation.value = *std::move(value);
    }
    annotation.span = tokens_.SpanFrom(start);
    if (std::ranges::find(annotations, annotation.key, &Annotation::key) != annotations.end()) {
      tokens_.Report("schema-duplicate", annotation.span,
                     "the annotation `@" + annotation.key + "` stands twice");
    } else {
      annotations.push_back(std::move(annotation));
    }
  }
  return annotations;
}

WrittenTypePtr SchemaParser::ParseType() {
  if (nesting_ >= kMaxNesting) {
    tokens_.Report("parse-nesting", tokens_.current().span,
                   "types are nested deeper than " + std::to_string(kMaxNesting) + " levels");
    return nullptr;
  }
  ++nesting_;
  WrittenTypePtr type;
  if (tokens_.At(TokenKind::kOpenBrace)) {
    type = ParseRecord();
  } else if (tokens_.AtWord("Set") && tokens_.next().kind == TokenKind::kLess) {
    const Span start = tokens_.Take().span;
    tokens_.Take();
    WrittenTypePtr element = ParseType();
    if (element != nullptr && tokens_.Expect(TokenKind::kGreater, " after the element type")) {
      type = MakeSet(std::move(element), tokens_.SpanFrom(start));
    }
  } else {
    type = ParseNamedType(WrittenType::Kind::kEntityOrCommon);
  }
  --nesting_;
  return type;
}

WrittenTypePtr SchemaParser::ParseNamedType(WrittenType::Kind kind) {
  std::optional<WrittenName> name = ParsePath("a type");
  return name ? MakeNamed(kind, std::move(name->name), name->span) : nullptr;
}

WrittenTypePtr SchemaParser::ParseRecord() {
  const Span start = tokens_.current().span;
  if (!tokens_.Expect(TokenKind::kOpenBrace, "")) {
    return nullptr;
  }
  Attributes attributes;
  while (!tokens_.At(TokenKind::kCloseBrace)) {
    if (!ParseAttribute(attributes)) {
      return nullptr;
    }
    if (!tokens_.TakeIf(TokenKind::kComma)) {
      break;
    }
  }
  if (!tokens_.Expect(TokenKind::kCloseBrace, " after the attributes")) {
    return nullptr;
  }
  return MakeRecord(std::move(attributes), tokens_.SpanFrom(start));
}

bool SchemaParser::ParseAttribute(Attributes& attributes) {
  std::optional<std::vector<Annotation>> annotations = ParseAnnotations();
  if (!annotations) {
    return false;
  }
  const std::optional<WrittenName> name = ParseNameOrString("the name of an attribute");
  if (!name) {
    return false;
  }
  const bool optional = tokens_.At(TokenKind::kSlot) && tokens_.current().text == "?";
  if (optional) {
    tokens_.Take();
  }
  if (!tokens_.Expect(TokenKind::kColon, " after the name of the attribute")) {
    return false;
  }
  WrittenTypePtr type = ParseType();
  if (type == nullptr) {
    return false;
  }
  attributes.insert_or_assign(name->name, WrittenAttribute{.type = std::move(type),
                                                           .required = !optional,
                                                           .annotations = *std::move(annotations)});
  return true;
}

std::optional<WrittenName> SchemaParser::ParseIdentifier(std::string_view what) {
  if (!tokens_.At(TokenKind::kIdentifier)) {
    tokens_.ReportUnexpected(what);
    return std::nullopt;
  }
  const Token token = tokens_.Take();
  if (token.text != "__cedar" && IsReserved(token.text)) {
    tokens_.Report("parse-reserved", token.span,
                   "`" + std::string(token.text) + "` is reserved and cannot be a name",
                   "an attribute or action of this name is written in quotes");
    return std::nullopt;
  }
  return WrittenName{.name = std::string(token.text), .span = token.span};
}

std::optional<WrittenName> SchemaParser::ParseNameOrString(std::string_view what) {
  if (!tokens_.At(TokenKind::kString)) {
    return ParseIdentifier(what);
  }
  const Span span = tokens_.current().span;
  std::optional<std::string> text = expressions_.ParseString(what);
  return text ? std::optional(WrittenName{.name = *std::move(text), .span = span}) : std::nullopt;
}

std::optional<WrittenName> SchemaParser::ParsePath(std::string_view what) {
  std::optional<WrittenName> path = ParseIdentifier(what);
  while (path && tokens_.TakeIf(TokenKind::kColonColon)) {
    const std::optional<WrittenName> part = ParseIdentifier("a name after `::`");
    if (!part) {
      return std::nullopt;
    }
    path->name += "::" + part->name;
    path->span = Cover(path->span, part->span);
  }
  return path;
}

std::optional<WrittenActionRef> SchemaParser::ParseActionRef() {
  const bool is_path = tokens_.At(TokenKind::kIdentifier);
  std::optional<WrittenName> name = ParseNameOrString("an action");
  if (!name) {
    return std::nullopt;
  }
  if (!is_path || !tokens_.At(TokenKind::kColonColon)) {
    return WrittenActionRef{.type = std::nullopt, .id = std::move(name->name), .span = name->span};
  }
  std::string type = std::move(name->name);
  while (tokens_.Expect(TokenKind::kColonColon, " after the type of the action")) {
    if (tokens_.At(TokenKind::kString)) {
      const Span end = tokens_.current().span;
      std::optional<std::string> id = expressions_.ParseString("the id of an action");
      return id ? std::optional(WrittenActionRef{.type = std::move(type),
                                                 .id = *std::move(id),
                                                 .span = Cover(name->span, end)})
                : std::nullopt;
    }
    const std::optional<WrittenName> part = ParseIdentifier("a name or the id of an action");
    if (!part) {
      return std::nullopt;
    }
    type += "::" + part->name;
  }
  return std::nullopt;
}

std::optional<std::vector<WrittenName>> SchemaParser::ParseEntityTypes() {
  if (!tokens_.TakeIf(TokenKind::kOpenBracket)) {
    std::optional<WrittenName> one = ParsePath("an entity type, or several in `[…]`");
    return one ? std::optional(std::vector{*std::move(one)}) : std::nullopt;
  }
  if (tokens_.TakeIf(TokenKind::kCloseBracket)) {
    return std::vector<WrittenName>();
  }
  auto types = ParseCommaList<WrittenName>([&] { return ParsePath("an entity type"); });
  if (!types || !tokens_.Expect(TokenKind::kCloseBracket, " after the entity types")) {
    return std::nullopt;
  }
  return types;
}

template <typename Item>
std::optional<std::vector<Item>> SchemaParser::ParseCommaList(auto parse_one) {
  std::vector<Item> items;
  do {
    std::optional<Item> item = parse_one();
    if (!item) {
      return std::nullopt;
    }
    items.push_back(*std::move(item));
  } while (tokens_.TakeIf(TokenKind::kComma));
  return items;
}

}  // namespace

std::expected<SchemaFragment, std::vector<Diagnostic>> ParseSchemaText(const SourcePtr& source) {
  if (std::optional<Diagnostic> bad = CheckText(source)) {
    return std::unexpected(std::vector{*std::move(bad)});
  }
  TokenStream tokens(source);
  SchemaFragment fragment = SchemaParser(source, tokens).Parse();
  if (!tokens.diagnostics().empty()) {
    return std::unexpected(tokens.TakeDiagnostics());
  }
  return fragment;
}

}  // namespace palyra::policy
