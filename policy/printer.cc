#include "policy/printer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>

#include "policy/extension.h"
#include "policy/names.h"
#include "policy/text.h"

namespace palyra::policy {
namespace {

// How tightly an expression holds together, after the levels of the grammar.
enum class Level : uint8_t { kExpr, kOr, kAnd, kRelation, kSum, kProduct, kUnary, kMember };

// The text as it stands between quotes; `star` is how a star is written.
std::string Escaped(std::string_view text, std::string_view star) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Character c = CharacterAt(text, at);
    switch (c.code_point) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\0':
        out += "\\0";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '"':
        out += "\\\"";
        break;
      case '*':
        out += star;
        break;
      default:
        if (IsUnsafeToShow(c.code_point)) {
          std::array<char, 8> digits{};
          const auto end =
              std::to_chars(digits.data(), digits.data() + digits.size(), c.code_point, 16);
          out += "\\u{" + std::string(digits.data(), end.ptr) + '}';
        } else {
          out += text.substr(at, c.length);
        }
    }
    at += c.length;
  }
  return out;
}

std::string QuotePattern(const Pattern& pattern) {
  std::string out = "\"";
  for (size_t i = 0; i < pattern.pieces.size(); ++i) {
    out += (i == 0 ? "" : "*") + Escaped(pattern.pieces[i], "\\*");
  }
  return out + '"';
}

std::string Key(std::string_view key) {
  return IsBareName(key) ? std::string(key) : QuoteString(key);
}

Level LevelOf(BinaryOp op) {
  if (op >= BinaryOp::kContains) {
    return Level::kMember;
  }
  if (op <= BinaryOp::kIn) {
    return Level::kRelation;
  }
  return op == BinaryOp::kMultiply ? Level::kProduct : Level::kSum;
}

struct LevelVisitor {
  Level operator()(const Literal& n) const {
    const int64_t* number = n.value.AsLong();
    return number != nullptr && *number < 0 ? Level::kUnary : Level::kMember;
  }
  Level operator()(const Unary& n) const {
    return n.op == UnaryOp::kIsEmpty ? Level::kMember : Level::kUnary;
  }
  Level operator()(const Binary& n) const { return LevelOf(n.op); }
  Level operator()(const And& /*n*/) const { return Level::kAnd; }
  Level operator()(const Or& /*n*/) const { return Level::kOr; }
  Level operator()(const If& /*n*/) const { return Level::kExpr; }
  Level operator()(const HasAttr& /*n*/) const { return Level::kRelation; }
  Level operator()(const Like& /*n*/) const { return Level::kRelation; }
  Level operator()(const Is& /*n*/) const { return Level::kRelation; }
  template <typename Node>
  Level operator()(const Node& /*n*/) const {
    return Level::kMember;
  }
};

class Printer {
 public:
  // `expr` where the grammar wants at least `level`.
  void Print(const Expr& expr, Level level) {
    const bool parentheses = std::visit(LevelVisitor{}, expr.node) < level;
    out_ += parentheses ? "(" : "";
    std::visit(*this, expr.node);
    out_ += parentheses ? ")" : "";
  }

  void Print(const Value& value);

  std::string Take() { return std::move(out_); }

  void operator()(const Literal& n) { Print(n.value); }
  void operator()(const VariableRef& n) { out_ += NameOf(n.variable); }
  void operator()(const Unary& n);
  void operator()(const Binary& n);
  void operator()(const And& n) { PrintList(n.operands, " && ", Level::kRelation); }
  void operator()(const Or& n) { PrintList(n.operands, " || ", Level::kAnd); }
  void operator()(const If& n);
  void operator()(const GetAttr& n);
  void operator()(const HasAttr& n);
  void operator()(const Like& n);
  void operator()(const Is& n);
  void operator()(const SetLiteral& n);
  void operator()(const RecordLiteral& n);
  void operator()(const Call& n);
  void operator()(const ErrorNode& n) { out_ += "error(" + QuoteString(n.message) + ')'; }

 private:
  void PrintList(std::span<const ExprPtr> items, std::string_view between, Level level) {
    std::string_view separator;
    for (const ExprPtr& item : items) {
      out_ += separator;
      Print(*item, level);
      separator = between;
    }
  }

  void PrintDatetime(Datetime datetime) {
    if (const std::optional<std::string> text = datetime.ToString()) {
      out_ += "datetime(\"" + *text + "\")";
    } else {
      out_ += R"(datetime("1970-01-01").offset(duration(")" +
              Duration(datetime.milliseconds()).ToString() + "\"))";
    }
  }

  std::string out_;
};

void Printer::Print(const Value& value) {
  std::string_view separator;
  switch (value.kind()) {
    case ValueKind::kBool:
      out_ += *value.AsBool() ? "true" : "false";
      break;
    case ValueKind::kLong:
      out_ += std::to_string(*value.AsLong());
      break;
    case ValueKind::kString:
      out_ += QuoteString(*value.AsString());
      break;
    case ValueKind::kEntity:
      out_ += ToCedar(*value.AsEntity());
      break;
    case ValueKind::kIp:
      out_ += "ip(\"" + value.AsIp()->ToString() + "\")";
      break;
    case ValueKind::kDecimal:
      out_ += "decimal(\"" + value.AsDecimal()->ToString() + "\")";
      break;
    case ValueKind::kDatetime:
      PrintDatetime(*value.AsDatetime());
      break;
    case ValueKind::kDuration:
      out_ += "duration(\"" + value.AsDuration()->ToString() + "\")";
      break;
    case ValueKind::kSet:
      out_ += '[';
      for (const Value& element : value.AsSet()->elements()) {
        out_ += std::exchange(separator, ", ");
        Print(element);
      }
      out_ += ']';
      break;
    case ValueKind::kRecord:
      out_ += '{';
      for (const auto& [key, field] : value.AsRecord()->fields()) {
        out_ += std::string(std::exchange(separator, ", ")) + Key(key) + ": ";
        Print(field);
      }
      out_ += '}';
      break;
  }
}

void Printer::operator()(const Unary& n) {
  if (n.op == UnaryOp::kIsEmpty) {
    Print(*n.operand, Level::kMember);
    out_ += ".isEmpty()";
    return;
  }
  out_ += n.op == UnaryOp::kNot ? '!' : '-';
  // A minus next to a number would become a part of it.
  const auto* literal = std::get_if<Literal>(&n.operand->node);
  const bool number = literal != nullptr && literal->value.AsLong() != nullptr;
  out_ += number ? "(" : "";
  Print(*n.operand, number ? Level::kExpr : Level::kMember);
  out_ += number ? ")" : "";
}

void Printer::operator()(const Binary& n) {
  const Level level = LevelOf(n.op);
  if (level == Level::kMember) {
    Print(*n.left, Level::kMember);
    out_ += '.' + std::string(NameOf(n.op)) + '(';
    Print(*n.right, Level::kExpr);
    out_ += ')';
    return;
  }
  // Sums and products group to the left, relations not at all.
  const auto above = static_cast<Level>(static_cast<int>(level) + 1);
  Print(*n.left, level == Level::kRelation ? above : level);
  out_ += ' ' + std::string(NameOf(n.op)) + ' ';
  Print(*n.right, above);
}

void Printer::operator()(const If& n) {
  out_ += "if ";
  Print(*n.condition, Level::kExpr);
  out_ += " then ";
  Print(*n.then_branch, Level::kExpr);
  out_ += " else ";
  Print(*n.else_branch, Level::kExpr);
}

void Printer::operator()(const GetAttr& n) {
  Print(*n.object, Level::kMember);
  out_ += IsBareName(n.attr) ? '.' + n.attr : '[' + QuoteString(n.attr) + ']';
}

void Printer::operator()(const HasAttr& n) {
  Print(*n.object, Level::kSum);
  std::string_view separator = " has ";
  for (const std::string& attr : n.path) {
    out_ += std::exchange(separator, ".");
    out_ += Key(attr);
  }
}

void Printer::operator()(const Like& n) {
  Print(*n.text, Level::kSum);
  out_ += " like " + QuotePattern(n.pattern);
}

void Printer::operator()(const Is& n) {
  Print(*n.object, Level::kSum);
  out_ += " is " + n.type;
  if (n.ancestor != nullptr) {
    out_ += " in ";
    Print(*n.ancestor, Level::kSum);
  }
}

void Printer::operator()(const SetLiteral& n) {
  out_ += '[';
  PrintList(n.elements, ", ", Level::kExpr);
  out_ += ']';
}

void Printer::operator()(const RecordLiteral& n) {
  out_ += '{';
  std::string_view separator;
  for (const auto& [key, value] : n.fields) {
    out_ += std::string(std::exchange(separator, ", ")) + Key(key) + ": ";
    Print(*value, Level::kExpr);
  }
  out_ += '}';
}

void Printer::operator()(const Call& n) {
  std::span<const ExprPtr> args = n.args;
  if (IsMethod(n.function) && !args.empty()) {
    Print(*args.front(), Level::kMember);
    out_ += '.';
    args = args.subspan(1);
  }
  out_ += std::string(NameOf(n.function)) + '(';
  PrintList(args, ", ", Level::kExpr);
  out_ += ')';
}

std::string ScopeText(Variable variable, const Scope& scope) {
  std::string out(NameOf(variable));
  const auto entity = [&] {
    return scope.slot ? '?' + std::string(NameOf(variable)) : ToCedar(scope.entities.at(0));
  };
  switch (scope.kind) {
    case Scope::Kind::kAny:
      return out;
    case Scope::Kind::kEqual:
      return out + " == " + entity();
    case Scope::Kind::kIn:
      return out + " in " + entity();
    case Scope::Kind::kInSet: {
      out += " in [";
      std::string_view separator;
      for (const EntityUid& uid : scope.entities) {
        out += std::string(std::exchange(separator, ", ")) + ToCedar(uid);
      }
      return out + ']';
    }
    case Scope::Kind::kIs:
      return out + " is " + scope.type;
    case Scope::Kind::kIsIn:
      return out + " is " + scope.type + " in " + entity();
  }
  std::unreachable();
}

}  // namespace

std::string QuoteString(std::string_view text) { return '"' + Escaped(text, "*") + '"'; }

std::string ToCedar(const EntityUid& uid) { return uid.type() + "::" + QuoteString(uid.id()); }

std::string ToCedar(const Value& value) {
  Printer printer;
  printer.Print(value);
  return printer.Take();
}

std::string ToCedar(const Expr& expr) {
  Printer printer;
  printer.Print(expr, Level::kExpr);
  return printer.Take();
}

std::string ToCedar(const Policy& policy) {
  std::string out;
  for (const Annotation& annotation : policy.annotations) {
    out += '@' + annotation.key;
    out += annotation.has_value ? '(' + QuoteString(annotation.value) + ")\n" : "\n";
  }
  out += policy.effect == Effect::kPermit ? "permit (" : "forbid (";
  out += ScopeText(Variable::kPrincipal, policy.principal) + ", " +
         ScopeText(Variable::kAction, policy.action) + ", " +
         ScopeText(Variable::kResource, policy.resource) + ')';
  for (const Condition& condition : policy.conditions) {
    out += condition.kind == Condition::Kind::kWhen ? "\nwhen { " : "\nunless { ";
    out += ToCedar(*condition.body) + " }";
  }
  return out + ';';
}

}  // namespace palyra::policy
