// Cedar policies as trees. Everything is immutable once made, so trees share parts freely.
//
// A residual, what partial evaluation leaves of an expression, is a tree of the same nodes: known
// parts have become Literal nodes, parts that are known to error ErrorNode.

#ifndef PALYRA_POLICY_AST_H_
#define PALYRA_POLICY_AST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/source.h"
#include "policy/value.h"

namespace palyra::policy {

// The deepest tree and the deepest bracket nesting that the parser accepts; deeper policies are
// refused as a whole, so depth never changes a decision and recursion over trees is bounded. JSON
// values are held to the same limit. Chains of && and || are one node of any width.
inline constexpr int kMaxNesting = 256;

struct Expr;
using ExprPtr = std::shared_ptr<const Expr>;

enum class Variable : uint8_t { kPrincipal, kAction, kResource, kContext };

enum class UnaryOp : uint8_t { kNot, kNegate, kIsEmpty };

enum class BinaryOp : uint8_t {
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kAdd,
  kSubtract,
  kMultiply,
  kContains,
  kContainsAll,
  kContainsAny,
  kGetTag,
  kHasTag,
};

// Of the extension types ipaddr, decimal, datetime and duration: of each its constructor, then its
// methods with the receiver as first argument.
enum class Function : uint8_t {
  kIp,
  kIsIpv4,
  kIsIpv6,
  kIsLoopback,
  kIsMulticast,
  kIsInRange,
  kDecimal,
  kLessThan,
  kLessThanOrEqual,
  kGreaterThan,
  kGreaterThanOrEqual,
  kDatetime,
  kOffset,
  kDurationSince,
  kToDate,
  kToTime,
  kDuration,
  kToMilliseconds,
  kToSeconds,
  kToMinutes,
  kToHours,
  kToDays,
};

// `like` pattern: literal pieces with one `*` between neighbours, so "a*b" is {"a", "b"}, "*" is
// {"", ""}, "**" is {"", "", ""}, and a pattern without `*` is one piece. Never empty.
struct Pattern {
  std::vector<std::string> pieces;
  bool operator==(const Pattern&) const = default;
};

// Whether `text` matches: `*` stands for any run of characters, everything else for itself.
bool Matches(const Pattern& pattern, std::string_view text);

struct Literal {
  Value value;
};
struct VariableRef {
  Variable variable;
};
struct Unary {
  UnaryOp op;
  ExprPtr operand;
};
struct Binary {
  BinaryOp op;
  ExprPtr left;
  ExprPtr right;
};
// Two or more operands, left to right; the chain of one source level, so `(a && b) && c` is two
// nodes. Each operand that is evaluated must be Bool.
struct And {
  std::vector<ExprPtr> operands;
};
struct Or {
  std::vector<ExprPtr> operands;
};
struct If {
  ExprPtr condition;
  ExprPtr then_branch;
  ExprPtr else_branch;
};
struct GetAttr {
  ExprPtr object;
  std::string attr;
};
// `object has a.b.c` is `(object has a) && (object.a has b) && (object.a.b has c)`. Never empty.
struct HasAttr {
  ExprPtr object;
  std::vector<std::string> path;
};
struct Like {
  ExprPtr text;
  Pattern pattern;
};
// `object is type`, or `object is type in ancestor`, which is `(object is type) && (object in
// ancestor)`; `ancestor` is null in the first form.
struct Is {
  ExprPtr object;
  std::string type;
  ExprPtr ancestor;
};
// `constant` is set by MakeExpr where all parts are constant, so that a long list is built once.
struct SetLiteral {
  std::vector<ExprPtr> elements;
  std::optional<Value> constant = std::nullopt;
};
struct RecordLiteral {
  std::vector<std::pair<std::string, ExprPtr>> fields;  // In source order, keys unique.
  std::optional<Value> constant = std::nullopt;
};
// A wrong number or kind of arguments is an error of evaluation, as in Cedar. `constant` is set by
// MakeExpr for a constructor of a literal that it takes, as in ip("10.0.0.0/8").
struct Call {
  Function function;
  std::vector<ExprPtr> args;
  std::optional<Value> constant = std::nullopt;
};
// A residual that errors whenever it is evaluated. Not part of Cedar text.
struct ErrorNode {
  std::string message;
};

struct Expr {
  using Node = std::variant<Literal, VariableRef, Unary, Binary, And, Or, If, GetAttr, HasAttr,
                            Like, Is, SetLiteral, RecordLiteral, Call, ErrorNode>;
  template <typename OneNode>
  Expr(Span place, int tree_height, OneNode made)
      : span(place), height(tree_height), node(std::move(made)) {}

  Span span;
  int height;  // 1 for a leaf.
  Node node;
};

// Makes a node; children are not null (but Is::ancestor). Computes height and constants.
// Instantiated for each alternative of Expr::Node.
template <typename OneNode>
ExprPtr MakeExpr(Span span, OneNode node);
ExprPtr MakeExpr(Span span, Expr::Node node);
ExprPtr MakeLiteral(Span span, Value value);

// The value of an expression that is one whatever the request: literals, and sets, records and
// constructed extension values of such. Null for every other expression, although it might fold.
const Value* ConstantOf(const Expr& expr);

// Structural equality; spans do not count.
bool SameExpr(const Expr& a, const Expr& b);

enum class Effect : uint8_t { kPermit, kForbid };

struct Annotation {
  std::string key;
  std::string value;      // Empty for `@key`.
  bool has_value = true;  // False for `@key`.
  Span span;
};

// What the head of a policy says of principal, action or resource.
struct Scope {
  enum class Kind : uint8_t {
    kAny,
    kEqual,  // == entities[0], or == the slot
    kIn,     // in entities[0], or in the slot
    kInSet,  // in [entities], action only; may be empty
    kIs,     // is type
    kIsIn,   // is type in entities[0], or in the slot
  };
  Kind kind = Kind::kAny;
  // The template's slot, ?principal or ?resource, stands where an entity would; then `entities` is
  // empty.
  bool slot = false;
  std::string type;
  std::vector<EntityUid> entities;
  Span span;
};

struct Condition {
  enum class Kind : uint8_t { kWhen, kUnless };
  Kind kind;
  ExprPtr body;
  Span span;
};

// A policy, or, where its scope has a slot, the template of one.
struct Policy {
  Effect effect;
  std::vector<Annotation> annotations;  // In source order, keys unique.
  Scope principal;
  Scope action;
  Scope resource;
  std::vector<Condition> conditions;
  // The conditions as one expression, which Join makes.
  ExprPtr condition;
  Span span;

  [[nodiscard]] bool is_template() const { return principal.slot || resource.slot; }
  // The value of @key, null where the policy has no such annotation.
  [[nodiscard]] const std::string* FindAnnotation(std::string_view key) const;
  // A permit with @ask: satisfied, it asks a person.
  [[nodiscard]] bool asks() const;
  // A permit with @verify: satisfied, it allows what is checked on the way to hold.
  [[nodiscard]] bool verifies() const;
};

// What is left to ask of a policy, whose place is `span`, where its scope holds: it is satisfied if
// this evaluates to true, and errors if this fails or is no Bool. Null for no conditions.
ExprPtr Join(Span span, const std::vector<Condition>& conditions);

// Scope and conditions as one expression, in Cedar's order, which evaluates to a Bool or fails. Not
// for templates, which decide nothing.
ExprPtr WholeCondition(const Policy& policy);

// Structural equality; spans do not count.
bool SamePolicy(const Policy& a, const Policy& b);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_AST_H_
