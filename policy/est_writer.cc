// ToEst of est.h.

#include <algorithm>
#include <string_view>
#include <utility>

#include "policy/est.h"
#include "policy/extension.h"
#include "policy/json_text.h"
#include "policy/names.h"
#include "policy/text.h"

namespace palyra::policy {
namespace {

// A longer chain of names stays a list: written out, it grows with the square of its length.
constexpr size_t kMaxWrittenOut = 64;

bool HoldsChain(const Expr& expr);

bool HoldsChain(const std::vector<ExprPtr>& exprs) {
  return std::ranges::any_of(exprs, [](const ExprPtr& e) { return HoldsChain(*e); });
}

// Whether a `has` with more than one name is in it.
bool HoldsChain(const Expr& expr) {
  struct Visitor {
    bool operator()(const Literal& /*n*/) { return false; }
    bool operator()(const VariableRef& /*n*/) { return false; }
    bool operator()(const ErrorNode& /*n*/) { return false; }
    bool operator()(const Unary& n) { return HoldsChain(*n.operand); }
    bool operator()(const Binary& n) { return HoldsChain(*n.left) || HoldsChain(*n.right); }
    bool operator()(const And& n) { return HoldsChain(n.operands); }
    bool operator()(const Or& n) { return HoldsChain(n.operands); }
    bool operator()(const If& n) {
      return HoldsChain(*n.condition) || HoldsChain(*n.then_branch) || HoldsChain(*n.else_branch);
    }
    bool operator()(const GetAttr& n) { return HoldsChain(*n.object); }
    bool operator()(const HasAttr& n) { return n.path.size() > 1 || HoldsChain(*n.object); }
    bool operator()(const Like& n) { return HoldsChain(*n.text); }
    bool operator()(const Is& n) {
      return HoldsChain(*n.object) || (n.ancestor != nullptr && HoldsChain(*n.ancestor));
    }
    bool operator()(const SetLiteral& n) { return HoldsChain(n.elements); }
    bool operator()(const RecordLiteral& n) {
      return std::ranges::any_of(n.fields, [](const auto& f) { return HoldsChain(*f.second); });
    }
    bool operator()(const Call& n) { return HoldsChain(n.args); }
  };
  return std::visit(Visitor{}, expr.node);
}

class EstWriter {
 public:
  std::string Take() { return std::move(out_); }

  void Write(const Policy& policy);
  void Write(const PolicySet& policies);
  void Write(const Expr& expr) { std::visit(*this, expr.node); }

  void operator()(const Literal& n) { Write(n.value); }
  void operator()(const VariableRef& n) { WriteLeaf("Var", NameOf(n.variable)); }
  void operator()(const Unary& n);
  void operator()(const Binary& n);
  void operator()(const And& n) { WriteChain("&&", n.operands); }
  void operator()(const Or& n) { WriteChain("||", n.operands); }
  void operator()(const If& n);
  void operator()(const GetAttr& n);
  void operator()(const HasAttr& n);
  void operator()(const Like& n);
  void operator()(const Is& n);
  void operator()(const SetLiteral& n);
  void operator()(const RecordLiteral& n);
  void operator()(const Call& n);
  void operator()(const ErrorNode& /*n*/) { out_ += "{\"error\":[]}"; }

 private:
  void Write(const Value& value);
  void Write(const EntityUid& uid);
  void WriteCall(std::string_view function, std::string_view text);
  void WriteScope(std::string_view name, const Scope& scope);
  void WriteEntityOrSlot(std::string_view name, const Scope& scope);
  void WriteMember(const PlacedPolicy& policy, std::string_view& separator);
  void WriteLink(const PlacedPolicy& policy);
  void WriteSlotValue(std::string_view slot, const std::optional<EntityUid>& value,
                      std::string_view& separator);
  // `object` and what is got of it by the first `depth` names of `path`.
  void WriteAccess(const Expr& object, const std::vector<std::string>& path, size_t depth);

  // {"name":"text"}
  void WriteLeaf(std::string_view name, std::string_view text) {
    Open(name);
    AppendJsonString(out_, text);
    out_ += '}';
  }

  // {"name":
  void Open(std::string_view name) {
    out_ += "{\"";
    out_ += name;
    out_ += "\":";
  }

  // {"op":{"left":(first),"right":(second)}}, to the left for each further operand.
  template <typename Count, typename WriteOperand>
  void WriteNested(std::string_view op, Count count, const WriteOperand& write) {
    for (Count i = 1; i < count; ++i) {
      Open(op);
      out_ += "{\"left\":";
    }
    write(0);
    for (Count i = 1; i < count; ++i) {
      out_ += ",\"right\":";
      write(i);
      out_ += "}}";
    }
  }

  void WriteChain(std::string_view op, const std::vector<ExprPtr>& operands) {
    WriteNested(op, operands.size(), [&](size_t i) { Write(*operands[i]); });
  }

  template <typename Items, typename WriteItem>
  void WriteList(char open, const Items& items, char close, const WriteItem& write) {
    out_ += open;
    std::string_view separator;
    for (const auto& item : items) {
      out_ += std::exchange(separator, ",");
      write(item);
    }
    out_ += close;
  }

  std::string out_;
};

void EstWriter::Write(const EntityUid& uid) {
  out_ += "{\"type\":";
  AppendJsonString(out_, uid.type());
  out_ += ",\"id\":";
  AppendJsonString(out_, uid.id());
  out_ += '}';
}

void EstWriter::WriteCall(std::string_view function, std::string_view text) {
  Open(function);
  out_ += '[';
  WriteLeaf("Value", text);
  out_ += "]}";
}

void EstWriter::Write(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
      out_ += *value.AsBool() ? "{\"Value\":true}" : "{\"Value\":false}";
      return;
    case ValueKind::kLong:
      Open("Value");
      out_ += std::to_string(*value.AsLong()) + '}';
      return;
    case ValueKind::kString:
      WriteLeaf("Value", *value.AsString());
      return;
    case ValueKind::kEntity:
      out_ += R"({"Value":{"__entity":)";
      Write(*value.AsEntity());
      out_ += "}}";
      return;
    case ValueKind::kSet:
      Open("Set");
      WriteList('[', value.AsSet()->elements(), ']', [&](const Value& v) { Write(v); });
      out_ += '}';
      return;
    case ValueKind::kRecord:
      Open("Record");
      WriteList('{', value.AsRecord()->fields(), '}', [&](const RecordValue::Field& field) {
        AppendJsonString(out_, field.first);
        out_ += ':';
        Write(field.second);
      });
      out_ += '}';
      return;
    case ValueKind::kIp:
      WriteCall("ip", value.AsIp()->ToString());
      return;
    case ValueKind::kDecimal:
      WriteCall("decimal", value.AsDecimal()->ToString());
      return;
    case ValueKind::kDatetime:
      // Not every instant has a text, but every one is so far from the epoch.
      out_ += "{\"offset\":[";
      WriteCall("datetime", "1970-01-01");
      out_ += ',';
      Write(Value::Of(Duration(value.AsDatetime()->milliseconds())));
      out_ += "]}";
      return;
    case ValueKind::kDuration:
      WriteCall("duration", value.AsDuration()->ToString());
      return;
  }
}

void EstWriter::operator()(const Unary& n) {
  Open(n.op == UnaryOp::kNot ? "!" : n.op == UnaryOp::kNegate ? "neg" : "isEmpty");
  out_ += "{\"arg\":";
  Write(*n.operand);
  out_ += "}}";
}

void EstWriter::operator()(const Binary& n) {
  WriteNested(NameOf(n.op), 2, [&](int i) { Write(i == 0 ? *n.left : *n.right); });
}

void EstWriter::operator()(const If& n) {
  out_ += R"({"if-then-else":{"if":)";
  Write(*n.condition);
  out_ += ",\"then\":";
  Write(*n.then_branch);
  out_ += ",\"else\":";
  Write(*n.else_branch);
  out_ += "}}";
}

void EstWriter::WriteAccess(const Expr& object, const std::vector<std::string>& path,
                            size_t depth) {
  for (size_t i = 0; i < depth; ++i) {
    out_ += R"({".":{"left":)";
  }
  Write(object);
  for (size_t i = 0; i < depth; ++i) {
    out_ += ",\"attr\":";
    AppendJsonString(out_, path[i]);
    out_ += "}}";
  }
}

void EstWriter::operator()(const GetAttr& n) { WriteAccess(*n.object, {n.attr}, 1); }

void EstWriter::operator()(const HasAttr& n) {
  const bool keep_list =
      n.path.size() > kMaxWrittenOut || (n.path.size() > 1 && HoldsChain(*n.object));
  WriteNested("&&", keep_list ? size_t{1} : n.path.size(), [&](size_t i) {
    out_ += R"({"has":{"left":)";
    WriteAccess(*n.object, n.path, i);
    out_ += ",\"attr\":";
    if (keep_list) {
      WriteList('[', n.path, ']', [&](const std::string& a) { AppendJsonString(out_, a); });
    } else {
      AppendJsonString(out_, n.path[i]);
    }
    out_ += "}}";
  });
}

void EstWriter::operator()(const Like& n) {
  out_ += R"({"like":{"left":)";
  Write(*n.text);
  out_ += ",\"pattern\":[";
  // One literal for each character.
  std::string_view separator;
  for (size_t piece = 0; piece < n.pattern.pieces.size(); ++piece) {
    if (piece > 0) {
      out_ += std::exchange(separator, ",");
      out_ += "\"Wildcard\"";
    }
    const std::string_view text = n.pattern.pieces[piece];
    for (size_t at = 0; at < text.size();) {
      const size_t length = CharacterAt(text, at).length;
      out_ += std::exchange(separator, ",");
      WriteLeaf("Literal", text.substr(at, length));
      at += length;
    }
  }
  out_ += "]}}";
}

void EstWriter::operator()(const Is& n) {
  out_ += R"({"is":{"left":)";
  Write(*n.object);
  out_ += ",\"entity_type\":";
  AppendJsonString(out_, n.type);
  if (n.ancestor != nullptr) {
    out_ += ",\"in\":";
    Write(*n.ancestor);
  }
  out_ += "}}";
}

void EstWriter::operator()(const SetLiteral& n) {
  Open("Set");
  WriteList('[', n.elements, ']', [&](const ExprPtr& e) { Write(*e); });
  out_ += '}';
}

void EstWriter::operator()(const RecordLiteral& n) {
  Open("Record");
  WriteList('{', n.fields, '}', [&](const auto& field) {
    AppendJsonString(out_, field.first);
    out_ += ':';
    Write(*field.second);
  });
  out_ += '}';
}

void EstWriter::operator()(const Call& n) {
  Open(NameOf(n.function));
  WriteList('[', n.args, ']', [&](const ExprPtr& e) { Write(*e); });
  out_ += '}';
}

void EstWriter::WriteEntityOrSlot(std::string_view name, const Scope& scope) {
  if (scope.slot) {
    out_ += R"("slot":"?)" + std::string(name) + '"';
  } else {
    out_ += "\"entity\":";
    Write(scope.entities.at(0));
  }
}

void EstWriter::WriteScope(std::string_view name, const Scope& scope) {
  out_ += ",\"" + std::string(name) + R"(":{"op":)";
  switch (scope.kind) {
    case Scope::Kind::kAny:
      out_ += "\"All\"";
      break;
    case Scope::Kind::kEqual:
    case Scope::Kind::kIn:
      out_ += scope.kind == Scope::Kind::kIn ? "\"in\"," : "\"==\",";
      WriteEntityOrSlot(name, scope);
      break;
    case Scope::Kind::kInSet:
      if (scope.entities.size() == 1) {  // Cedar writes a list of one as its element.
        out_ += "\"in\",";
        WriteEntityOrSlot(name, scope);
        break;
      }
      out_ += R"("in","entities":)";
      WriteList('[', scope.entities, ']', [&](const EntityUid& uid) { Write(uid); });
      break;
    case Scope::Kind::kIs:
    case Scope::Kind::kIsIn:
      out_ += R"("is","entity_type":)";
      AppendJsonString(out_, scope.type);
      if (scope.kind == Scope::Kind::kIsIn) {
        out_ += ",\"in\":{";
        WriteEntityOrSlot(name, scope);
        out_ += '}';
      }
      break;
  }
  out_ += '}';
}

void EstWriter::Write(const Policy& policy) {
  Open("effect");
  out_ += policy.effect == Effect::kPermit ? "\"permit\"" : "\"forbid\"";
  WriteScope("principal", policy.principal);
  WriteScope("action", policy.action);
  WriteScope("resource", policy.resource);
  out_ += ",\"conditions\":";
  WriteList('[', policy.conditions, ']', [&](const Condition& condition) {
    out_ += condition.kind == Condition::Kind::kWhen ? R"({"kind":"when","body":)"
                                                     : R"({"kind":"unless","body":)";
    Write(*condition.body);
    out_ += '}';
  });
  if (!policy.annotations.empty()) {
    out_ += ",\"annotations\":";
    WriteList('{', policy.annotations, '}', [&](const Annotation& annotation) {
      AppendJsonString(out_, annotation.key);
      out_ += ':';
      if (annotation.has_value) {
        AppendJsonString(out_, annotation.value);
      } else {
        out_ += "null";
      }
    });
  }
  out_ += '}';
}

void EstWriter::WriteMember(const PlacedPolicy& policy, std::string_view& separator) {
  out_ += std::exchange(separator, ",");
  AppendJsonString(out_, policy.id);
  out_ += ':';
  Write(policy.policy);
}

void EstWriter::WriteSlotValue(std::string_view slot, const std::optional<EntityUid>& value,
                               std::string_view& separator) {
  if (value) {
    out_ += std::exchange(separator, ",");
    AppendJsonString(out_, slot);
    out_ += ":";
    Write(*value);
  }
}

void EstWriter::WriteLink(const PlacedPolicy& policy) {
  Open("templateId");
  AppendJsonString(out_, policy.link->template_id);
  out_ += ",\"newId\":";
  AppendJsonString(out_, policy.id);
  out_ += ",\"values\":{";
  std::string_view separator;
  WriteSlotValue("?principal", policy.link->values.principal, separator);
  WriteSlotValue("?resource", policy.link->values.resource, separator);
  out_ += "}}";
}

void EstWriter::Write(const PolicySet& policies) {
  out_ += "{\"templates\":{";
  std::string_view separator;
  for (const PlacedPolicy& policy : policies.templates()) {
    WriteMember(policy, separator);
  }
  out_ += "},\"staticPolicies\":{";
  separator = "";
  for (const PlacedPolicy& policy : policies.policies()) {
    if (!policy.link) {
      WriteMember(policy, separator);
    }
  }
  out_ += "},\"templateLinks\":[";
  separator = "";
  for (const PlacedPolicy& policy : policies.policies()) {
    if (policy.link) {
      out_ += std::exchange(separator, ",");
      WriteLink(policy);
    }
  }
  out_ += "]}";
}

}  // namespace

std::string ToEst(const Policy& policy) {
  EstWriter writer;
  writer.Write(policy);
  return writer.Take();
}

std::string ToEst(const Expr& expr) {
  EstWriter writer;
  writer.Write(expr);
  return writer.Take();
}

std::string ToEst(const PolicySet& policies) {
  EstWriter writer;
  writer.Write(policies);
  return writer.Take();
}

}  // namespace palyra::policy
