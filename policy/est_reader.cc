#include "policy/est_reader.h"

#include <algorithm>
#include <utility>

#include "policy/extension.h"
#include "policy/names.h"
#include "policy/parser.h"
#include "policy/printer.h"

namespace palyra::policy {
namespace {

std::optional<BinaryOp> FindBinary(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(BinaryOp::kHasTag); ++i) {
    if (NameOf(static_cast<BinaryOp>(i)) == name) {
      return static_cast<BinaryOp>(i);
    }
  }
  return std::nullopt;
}

std::optional<UnaryOp> FindUnary(std::string_view name) {
  return name == "!"         ? std::optional(UnaryOp::kNot)
         : name == "neg"     ? std::optional(UnaryOp::kNegate)
         : name == "isEmpty" ? std::optional(UnaryOp::kIsEmpty)
                             : std::nullopt;
}

// The only member of an object, where that has this name.
const JsonNode* OnlyMember(const JsonNode& node, std::string_view name) {
  const JsonNode::Object* object = node.AsObject();
  return object != nullptr && object->members.size() == 1 ? node.Find(name) : nullptr;
}

// {"word": null} is how Cedar's own reader lets a word of a fixed list be written, too.
const std::string* FindWord(const JsonNode& node) {
  const JsonNode::Object* object = node.AsObject();
  if (object == nullptr) return node.AsString();
  const bool is_word = object->members.size() == 1 &&
                       std::holds_alternative<std::monostate>(object->members.front().data);
  return is_word ? &object->members.front().key : nullptr;
}

}  // namespace

std::string EstPath::Text() const {
  if (parent_ == nullptr) {
    return std::string(step_);
  }
  const std::string before = parent_->Text();
  if (index_) {
    return before + '[' + std::to_string(*index_) + ']';
  }
  return before + (parent_->parent_ == nullptr ? ": " : ".") + std::string(step_);
}

std::nullptr_t EstReader::Report(const EstPath& path, const std::string& why) {
  return Report(Error{
      .code = ErrorCode::kInvalidArgument, .system_errno = 0, .message = path.Text() + ": " + why});
}

std::nullptr_t EstReader::Report(Error error) {
  if (!error_) {
    error_ = std::move(error);
  }
  return nullptr;
}

const JsonNode* EstReader::Member(const JsonNode& node, const EstPath& path,
                                  std::string_view name) {
  const JsonNode* member = node.Find(name);
  return member != nullptr ? member
                           : Report(path, "expected an object with a member " + QuoteString(name));
}

const std::string* EstReader::String(const JsonNode& node, const EstPath& path) {
  const std::string* text = node.AsString();
  return text != nullptr ? text : Report(path, "expected a string");
}

const JsonNode::Array* EstReader::Array(const JsonNode& node, const EstPath& path) {
  const JsonNode::Array* array = node.AsArray();
  return array != nullptr ? array : Report(path, "expected a list");
}

const JsonNode::Object* EstReader::Object(const JsonNode& node, const EstPath& path) {
  const JsonNode::Object* object = node.AsObject();
  return object != nullptr ? object : Report(path, "expected an object");
}

const std::string* EstReader::TypeName(const JsonNode& node, const EstPath& path) {
  const std::string* name = String(node, path);
  if (name != nullptr && !IsTypeName(*name)) {
    return Report(path, QuoteString(*name) +
                            " is not an entity type; write names joined by :: without spaces");
  }
  return name;
}

const std::string* EstReader::StringMember(const JsonNode& node, const EstPath& path,
                                           std::string_view name) {
  const JsonNode* member = Member(node, path, name);
  return member == nullptr ? nullptr : String(*member, EstPath(path, name));
}

const std::string* EstReader::Word(const JsonNode& node, const EstPath& path) {
  const std::string* word = FindWord(node);
  return word != nullptr ? word : Report(path, "expected a string");
}

const std::string* EstReader::WordMember(const JsonNode& node, const EstPath& path,
                                         std::string_view name) {
  const JsonNode* member = Member(node, path, name);
  return member == nullptr ? nullptr : Word(*member, EstPath(path, name));
}

std::optional<EntityUid> EstReader::Uid(const JsonNode& node, const EstPath& path) {
  Result<EntityUid> uid = UidFromJson(node, path.Text());
  if (!uid) {
    Report(std::move(uid).error());
    return std::nullopt;
  }
  return *std::move(uid);
}

bool EstReader::Only(const JsonNode& node, const EstPath& path,
                     std::initializer_list<std::string_view> names) {
  const JsonNode::Object* object = Object(node, path);
  if (object == nullptr) {
    return false;
  }
  const auto other = std::ranges::find_if(object->members, [&](const JsonNode& member) {
    return std::ranges::find(names, member.key) == names.end();
  });
  if (other != object->members.end()) {
    Report(EstPath(path, other->key), "there is no such member here");
    return false;
  }
  return true;
}

ExprPtr EstReader::Make(const EstPath& path, Expr::Node node) {
  ExprPtr made = MakeExpr(Span{}, std::move(node));
  if (made->height > kMaxNesting) {
    return Report(path, "this is nested deeper than " + std::to_string(kMaxNesting) + " levels");
  }
  return made;
}

bool EstReader::Enter(const EstPath& path) {
  if (depth_ >= kMaxNesting) {
    Report(path, "this is nested deeper than " + std::to_string(kMaxNesting) + " levels");
    return false;
  }
  ++depth_;
  return true;
}

ExprPtr EstReader::ReadExpr(const JsonNode& node, const EstPath& path) {
  const JsonNode::Object* object = node.AsObject();
  if (object == nullptr || object->members.size() != 1) {
    return Report(path, R"(an expression is an object with one member, as {"Var": "principal"})");
  }
  if (!Enter(path)) {
    return nullptr;
  }
  const JsonNode& member = object->members.front();
  ExprPtr expr = ReadByName(member, EstPath(path, member.key), member.key);
  --depth_;
  return expr;
}

ExprPtr EstReader::ReadByName(const JsonNode& node, const EstPath& path, std::string_view name) {
  if (name == "Value") {
    return ReadConstant(node, path);
  }
  if (name == "Var") {
    return ReadVariable(node, path);
  }
  if (name == "Slot") {
    return Report(path, "a slot cannot stand in a condition");
  }
  if (name == "Set") {
    return ReadSet(node, path, &EstReader::ReadExpr);
  }
  if (name == "Record") {
    return ReadRecord(node, path, &EstReader::ReadExpr);
  }
  if (const std::optional<Function> function = FindFunction(name)) {
    return ReadCall(*function, node, path);
  }
  return ReadOperator(node, path, name);
}

ExprPtr EstReader::ReadOperator(const JsonNode& node, const EstPath& path, std::string_view name) {
  if (const std::optional<UnaryOp> unary = FindUnary(name)) {
    return ReadUnary(*unary, node, path);
  }
  if (const std::optional<BinaryOp> binary = FindBinary(name)) {
    return ReadBinary(*binary, node, path);
  }
  if (name == "&&" || name == "||") {
    return ReadChain(node, path, name);
  }
  if (name == ".") {
    return ReadGetAttr(node, path);
  }
  if (name == "has") {
    return ReadHas(node, path);
  }
  if (name == "like") {
    return ReadLike(node, path);
  }
  if (name == "is") {
    return ReadIs(node, path);
  }
  if (name == "if-then-else") {
    return ReadIf(node, path);
  }
  return Report(path, "there is no operator or function " + QuoteString(name));
}

ExprPtr EstReader::ReadOperand(const JsonNode& node, const EstPath& path, std::string_view name) {
  const JsonNode* operand = Member(node, path, name);
  return operand == nullptr ? nullptr : ReadExpr(*operand, EstPath(path, name));
}

ExprPtr EstReader::ReadVariable(const JsonNode& node, const EstPath& path) {
  const std::string* name = Word(node, path);
  if (name == nullptr) {
    return nullptr;
  }
  const std::optional<Variable> variable = FindVariable(*name);
  return variable ? Make(path, VariableRef{*variable})
                  : Report(path, "there is no variable " + QuoteString(*name));
}

ExprPtr EstReader::ReadUnary(UnaryOp op, const JsonNode& node, const EstPath& path) {
  ExprPtr operand = Only(node, path, {"arg"}) ? ReadOperand(node, path, "arg") : nullptr;
  return operand == nullptr ? nullptr : Make(path, Unary{op, std::move(operand)});
}

ExprPtr EstReader::ReadBinary(BinaryOp op, const JsonNode& node, const EstPath& path) {
  ExprPtr left = Only(node, path, {"left", "right"}) ? ReadOperand(node, path, "left") : nullptr;
  ExprPtr right = left == nullptr ? nullptr : ReadOperand(node, path, "right");
  return right == nullptr ? nullptr : Make(path, Binary{op, std::move(left), std::move(right)});
}

// The left spine becomes one chain, without recursion: it may be long.
ExprPtr EstReader::ReadChain(const JsonNode& node, const EstPath& path, std::string_view op) {
  std::vector<const JsonNode*> operands;  // From the last to the first.
  for (const JsonNode* at = &node; at != nullptr;) {
    const JsonNode* left = Only(*at, path, {"left", "right"}) ? Member(*at, path, "left") : nullptr;
    const JsonNode* right = left == nullptr ? nullptr : Member(*at, path, "right");
    if (right == nullptr) {
      return nullptr;
    }
    operands.push_back(right);
    at = OnlyMember(*left, op);
    if (at == nullptr) {
      operands.push_back(left);
    }
  }
  std::ranges::reverse(operands);
  std::vector<ExprPtr> exprs;
  exprs.reserve(operands.size());
  for (const JsonNode* operand : operands) {
    exprs.push_back(ReadExpr(*operand, EstPath(path, exprs.size())));
    if (exprs.back() == nullptr) {
      return nullptr;
    }
  }
  return op == "&&" ? Make(path, And{std::move(exprs)}) : Make(path, Or{std::move(exprs)});
}

ExprPtr EstReader::ReadConstant(const JsonNode& node, const EstPath& path) {
  if (const bool* value = node.AsBool()) {
    return Make(path, Literal{Value::Bool(*value)});
  }
  if (const int64_t* value = node.AsLong()) {
    return Make(path, Literal{Value::Long(*value)});
  }
  if (const std::string* value = node.AsString()) {
    return Make(path, Literal{Value::String(*value)});
  }
  if (node.is_null()) {
    return Report(path, "null is not a Cedar value");
  }
  if (!Enter(path)) {
    return nullptr;
  }
  ExprPtr expr = ReadCompound(node, path);
  --depth_;
  return expr;
}

// A list or an object in a constant. An escape that is not formed as one is an ordinary record.
ExprPtr EstReader::ReadCompound(const JsonNode& node, const EstPath& path) {
  if (node.AsArray() != nullptr) {
    return ReadSet(node, path, &EstReader::ReadConstant);
  }
  if (const JsonNode* escaped = OnlyMember(node, "__extn")) {
    if (const std::optional<CallJson> call = FindCall(*escaped)) {
      return ReadConstantCall(*call, EstPath(path, "__extn"));
    }
  }
  const JsonNode* entity = OnlyMember(node, "__entity");
  if (entity != nullptr && entity->AsObject() != nullptr && IsTypeAndId(*entity)) {
    const std::string* type = TypeName(*entity->Find("type"), EstPath(path, "__entity"));
    return type == nullptr
               ? nullptr
               : Make(path,
                      Literal{Value::Entity(EntityUid(*type, *entity->Find("id")->AsString()))});
  }
  if (OnlyMember(node, "__expr") != nullptr) {
    if (std::optional<Error> error = CheckNoExprEscape(node, path.Text())) {
      return Report(*std::move(error));
    }
  }
  return ReadRecord(node, path, &EstReader::ReadConstant);
}

// What the call makes, or why it fails, is found out by evaluation.
ExprPtr EstReader::ReadConstantCall(const CallJson& call, const EstPath& path) {
  const std::optional<Function> function = FindFunction(*call.function);
  if (!function) {
    return Report(path, "there is no function " + QuoteString(*call.function));
  }
  std::vector<ExprPtr> args;
  for (const JsonNode* arg : call.args) {
    args.push_back(ReadConstant(*arg, EstPath(path, args.size())));
    if (args.back() == nullptr) {
      return nullptr;
    }
  }
  return Make(path, Call{.function = *function, .args = std::move(args)});
}

ExprPtr EstReader::ReadGetAttr(const JsonNode& node, const EstPath& path) {
  const std::string* attr =
      Only(node, path, {"left", "attr"}) ? StringMember(node, path, "attr") : nullptr;
  ExprPtr object = attr == nullptr ? nullptr : ReadOperand(node, path, "left");
  return object == nullptr ? nullptr : Make(path, GetAttr{std::move(object), *attr});
}

ExprPtr EstReader::ReadHas(const JsonNode& node, const EstPath& path) {
  const JsonNode* attr = Member(node, path, "attr");
  std::optional<std::vector<std::string>> names =
      attr == nullptr ? std::nullopt : ReadNames(*attr, EstPath(path, "attr"));
  ExprPtr object = names ? ReadOperand(node, path, "left") : nullptr;
  if (object == nullptr) {
    return nullptr;
  }
  if (names->size() == 1 || std::ranges::all_of(*names, IsBareName)) {
    return Make(path, HasAttr{std::move(object), *std::move(names)});
  }
  // Text has no chain with names that need quotes.
  std::vector<ExprPtr> steps;
  for (std::string& name : *names) {
    steps.push_back(Make(path, HasAttr{object, {name}}));
    object = Make(path, GetAttr{object, std::move(name)});
    if (object == nullptr) {
      return nullptr;
    }
  }
  return Make(path, And{std::move(steps)});
}

// One name, or a list of at least one.
std::optional<std::vector<std::string>> EstReader::ReadNames(const JsonNode& node,
                                                             const EstPath& path) {
  if (const std::string* name = node.AsString()) {
    return std::vector{*name};
  }
  std::vector<std::string> names;
  if (const JsonNode::Array* list = node.AsArray()) {
    for (const JsonNode& item : *list) {
      const std::string* name = String(item, EstPath(path, names.size()));
      if (name == nullptr) {
        return std::nullopt;
      }
      names.push_back(*name);
    }
  }
  if (names.empty()) {
    Report(path, "expected a name, or a list of at least one");
    return std::nullopt;
  }
  return names;
}

ExprPtr EstReader::ReadLike(const JsonNode& node, const EstPath& path) {
  const JsonNode* list =
      Only(node, path, {"left", "pattern"}) ? Member(node, path, "pattern") : nullptr;
  std::optional<Pattern> pattern =
      list == nullptr ? std::nullopt : ReadPattern(*list, EstPath(path, "pattern"));
  ExprPtr text = pattern ? ReadOperand(node, path, "left") : nullptr;
  return text == nullptr ? nullptr : Make(path, Like{std::move(text), *std::move(pattern)});
}

std::optional<Pattern> EstReader::ReadPattern(const JsonNode& node, const EstPath& path) {
  const JsonNode::Array* items = Array(node, path);
  if (items == nullptr) {
    return std::nullopt;
  }
  Pattern pattern{.pieces = {""}};
  for (const JsonNode& item : *items) {
    const std::string* word = FindWord(item);
    const JsonNode* literal = OnlyMember(item, "Literal");
    if (word != nullptr && *word == "Wildcard") {
      pattern.pieces.emplace_back();
    } else if (literal != nullptr && literal->AsString() != nullptr) {
      pattern.pieces.back() += *literal->AsString();
    } else {
      Report(path, "expected a list of \"Wildcard\" and {\"Literal\": \"…\"}");
      return std::nullopt;
    }
  }
  return pattern;
}

ExprPtr EstReader::ReadIs(const JsonNode& node, const EstPath& path) {
  const JsonNode* type_node =
      Only(node, path, {"left", "entity_type", "in"}) ? Member(node, path, "entity_type") : nullptr;
  const std::string* type =
      type_node == nullptr ? nullptr : TypeName(*type_node, EstPath(path, "entity_type"));
  ExprPtr object = type == nullptr ? nullptr : ReadOperand(node, path, "left");
  if (object == nullptr) {
    return nullptr;
  }
  ExprPtr ancestor;
  if (const JsonNode* in = node.Find("in"); in != nullptr && !in->is_null()) {
    ancestor = ReadExpr(*in, EstPath(path, "in"));
    if (ancestor == nullptr) {
      return nullptr;
    }
  }
  return Make(path, Is{std::move(object), *type, std::move(ancestor)});
}

ExprPtr EstReader::ReadIf(const JsonNode& node, const EstPath& path) {
  ExprPtr condition =
      Only(node, path, {"if", "then", "else"}) ? ReadOperand(node, path, "if") : nullptr;
  ExprPtr then_branch = condition == nullptr ? nullptr : ReadOperand(node, path, "then");
  ExprPtr else_branch = then_branch == nullptr ? nullptr : ReadOperand(node, path, "else");
  return else_branch == nullptr
             ? nullptr
             : Make(path, If{std::move(condition), std::move(then_branch), std::move(else_branch)});
}

ExprPtr EstReader::ReadCall(Function function, const JsonNode& node, const EstPath& path) {
  std::optional<std::vector<ExprPtr>> args = ReadList(node, path, &EstReader::ReadExpr);
  return args ? Make(path, Call{.function = function, .args = *std::move(args)}) : nullptr;
}

ExprPtr EstReader::ReadSet(const JsonNode& node, const EstPath& path, ReadNode read) {
  std::optional<std::vector<ExprPtr>> elements = ReadList(node, path, read);
  return elements ? Make(path, SetLiteral{.elements = *std::move(elements)}) : nullptr;
}

ExprPtr EstReader::ReadRecord(const JsonNode& node, const EstPath& path, ReadNode read) {
  const JsonNode::Object* object = Object(node, path);
  if (object == nullptr) {
    return nullptr;
  }
  std::vector<std::pair<std::string, ExprPtr>> fields;
  fields.reserve(object->members.size());
  for (const JsonNode& member : object->members) {
    fields.emplace_back(member.key, (this->*read)(member, EstPath(path, member.key)));
    if (fields.back().second == nullptr) {
      return nullptr;
    }
  }
  return Make(path, RecordLiteral{.fields = std::move(fields)});
}

std::optional<std::vector<ExprPtr>> EstReader::ReadList(const JsonNode& node, const EstPath& path,
                                                        ReadNode read) {
  const JsonNode::Array* array = Array(node, path);
  if (array == nullptr) {
    return std::nullopt;
  }
  std::vector<ExprPtr> items;
  items.reserve(array->size());
  for (const JsonNode& item : *array) {
    items.push_back((this->*read)(item, EstPath(path, items.size())));
    if (items.back() == nullptr) {
      return std::nullopt;
    }
  }
  return items;
}

}  // namespace palyra::policy
