#include <algorithm>
#include <string_view>
#include <utility>

#include "policy/names.h"
#include "policy/printer.h"
#include "policy/schema/printer.h"

namespace palyra::policy {
namespace {

using Kind = WrittenType::Kind;

std::string NameOrString(const std::string& name) {
  return IsIdentifier(name) && !IsReserved(name) ? name : QuoteString(name);
}

class TextPrinter {
 public:
  std::string Print(const SchemaFragment& fragment) {
    for (const auto& [name, scope] : fragment.namespaces) {
      Separate();
      first_ = true;
      if (name.empty()) {
        PrintScope(scope);
      } else {
        PrintAnnotations(scope.annotations);
        Line("namespace " + name + " {");
        indent_ = 2;
        PrintScope(scope);
        indent_ = 0;
        Line("}");
      }
      first_ = false;
    }
    return std::move(out_);
  }

 private:
  void Line(const std::string& text) {
    out_.append(static_cast<size_t>(indent_), ' ').append(text).append("\n");
  }

  // An empty line between declarations.
  void Separate() {
    if (!std::exchange(first_, false)) {
      out_ += '\n';
    }
  }

  void PrintAnnotations(const std::vector<Annotation>& annotations) {
    for (const Annotation& annotation : annotations) {
      Line('@' + annotation.key + '(' + QuoteString(annotation.value) + ')');
    }
  }

  void PrintScope(const WrittenNamespace& scope) {
    for (const auto& [name, common] : scope.common_types) {
      Separate();
      PrintAnnotations(common.annotations);
      Line("type " + name + " = " + TypeText(*common.type) + ';');
    }
    for (const auto& [name, entity] : scope.entity_types) {
      Separate();
      PrintAnnotations(entity.annotations);
      Line("entity " + name + EntityText(entity) + ';');
    }
    for (const auto& [name, action] : scope.actions) {
      Separate();
      PrintAnnotations(action.annotations);
      Line("action " + QuoteString(name) + ActionText(action) + ';');
    }
  }

  std::string EntityText(const WrittenEntityType& entity) {
    if (!entity.enum_ids.empty()) {
      return " enum " + ListText(entity.enum_ids, QuoteString);
    }
    std::string text;
    if (!entity.member_of.empty()) {
      text += " in " + ListText(entity.member_of, [](const auto& name) { return name.name; });
    }
    if (!entity.shape->is_empty_record()) {
      text += " = " + TypeText(*entity.shape);
    }
    if (entity.tags != nullptr) {
      text += " tags " + TypeText(*entity.tags);
    }
    return text;
  }

  std::string ActionText(const WrittenAction& action) {
    std::string text;
    if (action.member_of && !action.member_of->empty()) {
      text += " in " + ListText(*action.member_of, [](const WrittenActionRef& ref) {
                return ref.type.value_or("Action") + "::" + QuoteString(ref.id);
              });
    }
    const auto name = [](const WrittenName& written) { return written.name; };
    if (action.applies_to && !action.applies_to->principals.empty() &&
        !action.applies_to->resources.empty()) {
      indent_ += 2;
      const std::string line = '\n' + std::string(static_cast<size_t>(indent_), ' ');
      text += " appliesTo {" + line +
              "principal: " + ListText(action.applies_to->principals, name) + ',' + line +
              "resource: " + ListText(action.applies_to->resources, name) + ',' + line +
              "context: " + TypeText(*action.applies_to->context);
      indent_ -= 2;
      text += '\n' + std::string(static_cast<size_t>(indent_), ' ') + '}';
    }
    return text;
  }

  static std::string ListText(const auto& items, const auto& text_of) {
    std::string text = "[";
    for (const auto& item : items) {
      text += (text.size() > 1 ? ", " : "") + text_of(item);
    }
    return text + ']';
  }

  std::string TypeText(const WrittenType& type) {
    switch (type.kind) {
      case Kind::kString:
        return "__cedar::String";
      case Kind::kLong:
        return "__cedar::Long";
      case Kind::kBool:
        return "__cedar::Bool";
      case Kind::kSet:
        return "Set<" + TypeText(*type.element) + '>';
      case Kind::kRecord:
        return RecordText(type);
      case Kind::kExtension:
        return "__cedar::" + type.name;
      case Kind::kEntity:
      case Kind::kCommon:
      case Kind::kEntityOrCommon:
        return type.name;
    }
    std::unreachable();
  }

  std::string RecordText(const WrittenType& type) {
    if (type.attributes.empty()) {
      return "{}";
    }
    // Nested types are printed apart from out_, so their lines are made here.
    std::string text = "{\n";
    indent_ += 2;
    const std::string margin(static_cast<size_t>(indent_), ' ');
    size_t left = type.attributes.size();
    for (const auto& [name, attribute] : type.attributes) {
      std::swap(text, out_);
      PrintAnnotations(attribute.annotations);
      std::swap(text, out_);
      text += margin + NameOrString(name) + (attribute.required ? ": " : "?: ") +
              TypeText(*attribute.type) + (--left > 0 ? ",\n" : "\n");
    }
    indent_ -= 2;
    return text + std::string(static_cast<size_t>(indent_), ' ') + '}';
  }

  std::string out_;
  int indent_ = 0;
  bool first_ = true;
};

// Why a namespace has no text, "" where it has one.
std::string Unprintable(const std::string& name, const WrittenNamespace& scope) {
  const auto full = [&](const std::string& type) {
    return '`' + (name.empty() ? type : name + "::" + type) + '`';
  };
  for (const auto& [type, entity] : scope.entity_types) {
    if (!name.empty() && scope.common_types.contains(type)) {
      return full(type) +
             " is both an entity type and a common type; Cedar text cannot tell them apart";
    }
    if (entity.shape->kind != Kind::kRecord) {
      return "the shape of " + full(type) +
             " is a common type; in Cedar text it must be a record in place";
    }
  }
  return "";
}

}  // namespace

Result<std::string> ToSchemaText(const SchemaFragment& fragment) {
  for (const auto& [name, scope] : fragment.namespaces) {
    const std::string why = Unprintable(name, scope);
    if (!why.empty()) {
      return Fail(ErrorCode::kInvalidArgument, fragment.source->name() + ": " + why);
    }
  }
  return TextPrinter().Print(fragment);
}

}  // namespace palyra::policy
