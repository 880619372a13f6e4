// The type of a condition for one kind of request.
// Normative text: cedar-spec, Cedar/Validation/Typechecker.lean.

#ifndef PALYRA_POLICY_VALIDATE_TYPECHECKER_H_
#define PALYRA_POLICY_VALIDATE_TYPECHECKER_H_

#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/ast.h"
#include "policy/schema/schema.h"
#include "policy/schema/types.h"
#include "policy/validate/capability.h"
#include "policy/validate/findings.h"

namespace palyra::policy {

// All requests of one action whose principal and resource have these types.
struct RequestEnv {
  const ActionInfo* action;
  const EntityTypeInfo* principal;
  const EntityTypeInfo* resource;
};

// The types of the parts of an expression that can be evaluated at all; parts that are never
// reached, as in `false && …`, are missing.
using TypeMap = std::unordered_map<const Expr*, const Type*>;

class Typechecker {
 public:
  struct Answer {
    const Type* type = nullptr;  // Null where none could be found.
    // No error was found in the expression, and no name that is reported elsewhere.
    bool good = true;
    CapabilitySet capabilities = {};  // Hold where the expression is true.
  };

  // Borrows all. Errors go to `findings`; new types into `arena`, which outlives the answers. With
  // `types` it notes the type of every part.
  Typechecker(const Schema& schema, ValidationMode mode, const RequestEnv& env, TypeArena& arena,
              Findings& findings, TypeMap* types = nullptr)
      : schema_(schema),
        mode_(mode),
        env_(env),
        arena_(arena),
        findings_(findings),
        types_(types) {}

  // All conditions of a policy as one. Its type is kFalse where the policy can never hold.
  Answer CheckConditions(const std::vector<Condition>& conditions);

 private:
  using Known = CapabilitySet;
  enum class Wanted : uint8_t { kBool, kLong, kString, kEntity, kSet, kEntityOrRecord, kEntities };

  Answer Check(const Expr& expr, const Known& known);
  // As Check, with an error where the type is another than the wanted one.
  Answer Expect(const Expr& expr, const Known& known, Wanted wanted);

  [[nodiscard]] Answer CheckNode(const Expr& expr, const Literal& node, const Known& known) const;
  [[nodiscard]] Answer CheckNode(const Expr& expr, const VariableRef& node,
                                 const Known& known) const;
  Answer CheckNode(const Expr& expr, const Unary& node, const Known& known);
  Answer CheckNode(const Expr& expr, const Binary& node, const Known& known);
  Answer CheckNode(const Expr& expr, const And& node, const Known& known);
  Answer CheckNode(const Expr& expr, const Or& node, const Known& known);
  Answer CheckNode(const Expr& expr, const If& node, const Known& known);
  Answer CheckNode(const Expr& expr, const GetAttr& node, const Known& known);
  Answer CheckNode(const Expr& expr, const HasAttr& node, const Known& known);
  Answer CheckNode(const Expr& expr, const Like& node, const Known& known);
  Answer CheckNode(const Expr& expr, const Is& node, const Known& known);
  Answer CheckNode(const Expr& expr, const SetLiteral& node, const Known& known);
  Answer CheckNode(const Expr& expr, const RecordLiteral& node, const Known& known);
  Answer CheckNode(const Expr& expr, const Call& node, const Known& known);
  static Answer CheckNode(const Expr& expr, const ErrorNode& node, const Known& known);

  Answer CheckEquality(const Expr& expr, const Binary& node, const Known& known);
  Answer CheckOrder(const Expr& expr, const Binary& node, const Known& known);
  Answer CheckArithmetic(const Binary& node, const Known& known);
  Answer CheckIn(const Expr& left, const Expr& right, const Known& known);
  Answer CheckContains(const Expr& expr, const Binary& node, const Known& known);
  Answer CheckHasTag(const Binary& node, const Known& known);
  Answer CheckGetTag(const Expr& expr, const Binary& node, const Known& known);
  bool CheckConstructor(const Expr& expr, const Call& node);

  // Goes on with a chain of &&: `right` is the operand behind what `left` stands for.
  static void JoinAnd(Answer& left, Answer right);
  static void JoinOr(Answer& left, Answer right);
  // The type of `object has attr` for an object of `type`, with the capability that it gives.
  static Answer TypeOfHas(const Type& type, const AccessPath& path, const Known& known);
  // The attribute of an entity or record. Of several entity types it must be in all of them.
  const AttributeType* FindAttribute(const Type& type, std::string_view attr, AttributeType& lub);
  static bool MayHaveAttribute(const Type& type, std::string_view attr);
  const Type* TagType(const Type& entity);

  // The entity that an expression names: a literal, or the action of the request.
  [[nodiscard]] const EntityUid* NamedEntity(const Expr& expr) const;
  [[nodiscard]] const Type* TypeOfIn(const Expr& left, const Expr& right, const Type* left_type,
                                     const Type* right_type) const;
  // Strict: reports types without a least upper bound. False after a report.
  bool RequireCompatible(const Expr& expr, const Type* a, const Type* b, std::string_view what);
  void ReportUnexpected(const Expr& expr, std::string_view wanted, const Type& found);

  const Schema& schema_;
  const ValidationMode mode_;
  const RequestEnv& env_;
  TypeArena& arena_;
  Findings& findings_;
  TypeMap* types_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_TYPECHECKER_H_
