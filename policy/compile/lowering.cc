#include "policy/compile/lowering.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace palyra::policy {
namespace {

using Lowered = std::expected<EndpointTruth, Finding>;

EndpointTruth Constant(Truth value) { return EndpointTruth(FlowTruth(value)); }

bool IsConstant(const EndpointTruth& truth, Truth value) {
  return truth.is_constant() && truth.pieces()[0].value.is(value);
}

class Lowerer {
 public:
  Lowerer(AtomProbe& probe, std::vector<Finding>& oddities) : probe_(probe), oddities_(oddities) {}

  Lowered Lower(const Expr& expr) {
    if (const Value* value = ConstantOf(expr)) {
      const bool* held = value->AsBool();
      return Constant(held == nullptr ? Truth::kError : *held ? Truth::kTrue : Truth::kFalse);
    }
    if (std::holds_alternative<ErrorNode>(expr.node)) {
      return Constant(Truth::kError);
    }
    if (const auto* node = std::get_if<And>(&expr.node)) {
      return LowerChain(node->operands, /*is_and=*/true);
    }
    if (const auto* node = std::get_if<Or>(&expr.node)) {
      return LowerChain(node->operands, /*is_and=*/false);
    }
    if (const auto* node = std::get_if<Unary>(&expr.node); node && node->op == UnaryOp::kNot) {
      const Lowered operand = Lower(*node->operand);
      return operand ? Negation(*operand) : operand;
    }
    if (const auto* node = std::get_if<If>(&expr.node)) {
      return LowerIf(*node);
    }
    return LowerAtom(expr);
  }

 private:
  AtomProbe& probe_;
  std::vector<Finding>& oddities_;

  Lowered LowerChain(const std::vector<ExprPtr>& operands, bool is_and) {
    std::vector<EndpointTruth> lowered;
    for (const ExprPtr& operand : operands) {
      Lowered next = Lower(*operand);
      if (!next) {
        return next;
      }
      lowered.push_back(*std::move(next));
      if (IsConstant(lowered.back(), is_and ? Truth::kFalse : Truth::kTrue) ||
          IsConstant(lowered.back(), Truth::kError)) {
        break;
      }
    }
    return is_and ? Conjunction(std::move(lowered)) : Disjunction(std::move(lowered));
  }

  Lowered LowerIf(const If& node) {
    const Lowered condition = Lower(*node.condition);
    if (!condition) {
      return condition;
    }
    const Lowered then_branch = Lower(*node.then_branch);
    if (!then_branch) {
      return then_branch;
    }
    const Lowered else_branch = Lower(*node.else_branch);
    return else_branch ? Choice(*condition, *then_branch, *else_branch) : else_branch;
  }

  Lowered LowerAtom(const Expr& expr) {
    Footprint footprint = FootprintOf(expr);
    if (footprint.obstacle) {
      return std::unexpected(*std::move(footprint.obstacle));
    }
    std::ranges::move(footprint.oddities, std::back_inserter(oddities_));
    return probe_.Try(expr, footprint);
  }
};

}  // namespace

std::expected<EndpointTruth, Finding> Lower(const Expr& residual, AtomProbe& probe,
                                            std::vector<Finding>& oddities) {
  return Lowerer(probe, oddities).Lower(residual);
}

}  // namespace palyra::policy
