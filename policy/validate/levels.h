// How far a condition walks from entity to entity.
// https://github.com/cedar-policy/rfcs/blob/main/text/0076-entity-slice-validation.md

#ifndef PALYRA_POLICY_VALIDATE_LEVELS_H_
#define PALYRA_POLICY_VALIDATE_LEVELS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/ast.h"
#include "policy/validate/findings.h"
#include "policy/validate/typechecker.h"

namespace palyra::policy {

class LevelChecker {
 public:
  // Borrows all. `types` are those of the typechecker for `env`, of conditions without an error.
  LevelChecker(const RequestEnv& env, const TypeMap& types, uint32_t max_level, Findings& findings)
      : env_(env), types_(types), max_level_(max_level), findings_(findings) {}

  void CheckScope(const Scope& scope);
  void CheckExpr(const Expr& expr);

 private:
  // The names of the attributes that will be taken of a record, the last one first.
  using Wanted = std::vector<std::string_view>;

  // The steps to the entity that `expr` is; literals on the way are reported.
  uint32_t LevelOf(const Expr& expr, Wanted wanted);
  uint32_t LevelOfField(const RecordLiteral& record, Wanted wanted);
  uint32_t LevelOfNamed(const Expr& expr, const Literal& literal);
  void CheckHas(const Expr& expr, const HasAttr& node);
  void CheckStep(const Expr& from, Span span);
  void ReportPast(uint32_t level, Span span);
  [[nodiscard]] bool IsReached(const Expr& expr) const { return types_.contains(&expr); }
  [[nodiscard]] bool IsEntity(const Expr& expr) const;

  const RequestEnv& env_;
  const TypeMap& types_;
  const uint32_t max_level_;
  Findings& findings_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_LEVELS_H_
