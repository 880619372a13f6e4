// JSON nodes to expressions, and what est.cc needs to do the same for policies.

#ifndef PALYRA_POLICY_EST_READER_H_
#define PALYRA_POLICY_EST_READER_H_

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/ast.h"
#include "policy/json_tree.h"
#include "policy/json_value.h"

namespace palyra::policy {

// Where in a JSON text a node is, as a chain on the stack.
class EstPath {
 public:
  explicit EstPath(std::string_view source) : step_(source) {}
  EstPath(const EstPath& parent, std::string_view key) : parent_(&parent), step_(key) {}
  EstPath(const EstPath& parent, size_t index) : parent_(&parent), index_(index) {}

  // "p.json: conditions[0].body"
  [[nodiscard]] std::string Text() const;

 private:
  const EstPath* parent_ = nullptr;
  std::string_view step_;
  std::optional<size_t> index_;
};

// Reads parts of a JSON text. What fails returns null or false, and the first failure is kept.
class EstReader {
 public:
  // An expression: an object with one member.
  ExprPtr ReadExpr(const JsonNode& node, const EstPath& path);

  const JsonNode* Member(const JsonNode& node, const EstPath& path, std::string_view name);
  const std::string* String(const JsonNode& node, const EstPath& path);
  const JsonNode::Array* Array(const JsonNode& node, const EstPath& path);
  const JsonNode::Object* Object(const JsonNode& node, const EstPath& path);
  // A name such as "A::B", as the type of an entity.
  const std::string* TypeName(const JsonNode& node, const EstPath& path);
  // The member `name` as a string.
  const std::string* StringMember(const JsonNode& node, const EstPath& path, std::string_view name);
  // One word of a fixed list, such as "permit": a string, or, as Cedar reads it too, an object
  // whose one member is null and named by it.
  const std::string* Word(const JsonNode& node, const EstPath& path);
  // The member `name` as a word.
  const std::string* WordMember(const JsonNode& node, const EstPath& path, std::string_view name);
  // As UidFromJson.
  std::optional<EntityUid> Uid(const JsonNode& node, const EstPath& path);
  // Whether this is an object without members other than these.
  bool Only(const JsonNode& node, const EstPath& path,
            std::initializer_list<std::string_view> names);

  // "PATH: WHY"
  std::nullptr_t Report(const EstPath& path, const std::string& why);
  std::nullptr_t Report(Error error);

  // Call after a failure.
  [[nodiscard]] const Error& error() const { return *error_; }

 private:
  // Reads an expression, or a constant.
  using ReadNode = ExprPtr (EstReader::*)(const JsonNode&, const EstPath&);

  ExprPtr ReadByName(const JsonNode& node, const EstPath& path, std::string_view name);
  ExprPtr ReadOperator(const JsonNode& node, const EstPath& path, std::string_view name);
  ExprPtr ReadOperand(const JsonNode& node, const EstPath& path, std::string_view name);
  ExprPtr ReadConstant(const JsonNode& node, const EstPath& path);
  ExprPtr ReadCompound(const JsonNode& node, const EstPath& path);
  ExprPtr ReadConstantCall(const CallJson& call, const EstPath& path);
  ExprPtr ReadVariable(const JsonNode& node, const EstPath& path);
  ExprPtr ReadUnary(UnaryOp op, const JsonNode& node, const EstPath& path);
  ExprPtr ReadBinary(BinaryOp op, const JsonNode& node, const EstPath& path);
  ExprPtr ReadChain(const JsonNode& node, const EstPath& path, std::string_view op);
  ExprPtr ReadGetAttr(const JsonNode& node, const EstPath& path);
  ExprPtr ReadHas(const JsonNode& node, const EstPath& path);
  ExprPtr ReadLike(const JsonNode& node, const EstPath& path);
  ExprPtr ReadIs(const JsonNode& node, const EstPath& path);
  ExprPtr ReadIf(const JsonNode& node, const EstPath& path);
  ExprPtr ReadSet(const JsonNode& node, const EstPath& path, ReadNode read);
  ExprPtr ReadRecord(const JsonNode& node, const EstPath& path, ReadNode read);
  ExprPtr ReadCall(Function function, const JsonNode& node, const EstPath& path);
  std::optional<std::vector<std::string>> ReadNames(const JsonNode& node, const EstPath& path);
  std::optional<Pattern> ReadPattern(const JsonNode& node, const EstPath& path);
  std::optional<std::vector<ExprPtr>> ReadList(const JsonNode& node, const EstPath& path,
                                               ReadNode read);

  // MakeExpr with the nesting limit.
  ExprPtr Make(const EstPath& path, Expr::Node node);
  bool Enter(const EstPath& path);

  std::optional<Error> error_;
  int depth_ = 0;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_EST_READER_H_
