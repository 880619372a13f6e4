#include "policy/lowering.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace palyra::policy {
namespace {

using Op = Predicate::Op;
using Lowered = std::expected<Predicate, Finding>;

Predicate Leaf(Op op, TruthMap truth) {
  return {.op = op, .truth = std::move(truth), .operands = {}};
}

Predicate Constant(Truth value) { return Leaf(Op::kFlow, TruthMap(value)); }

Predicate Node(Op op, std::vector<Predicate> operands) {
  return {.op = op, .truth = TruthMap(Truth::kFalse), .operands = std::move(operands)};
}

// The operands of && or || in order, with neighbouring leaves of one dimension joined.
class Chain {
 public:
  explicit Chain(Op op) : op_(op) {}

  // False: what follows is never reached.
  bool Append(Predicate operand) {
    if (!operand.is_leaf()) {
      Flush();
      operands_.push_back(std::move(operand));
      return true;
    }
    if (operand.truth.is(Neutral())) {
      return true;
    }
    if (!operand.is_constant() && !run_.empty() && run_op_ != operand.op) {
      Flush();
    }
    if (run_.empty() || !operand.is_constant()) {
      run_op_ = operand.op;
    }
    const bool ends = operand.is_constant();
    run_.push_back(std::move(operand.truth));
    return !ends;
  }

  Predicate Take() {
    Flush();
    if (operands_.empty()) {
      return Constant(Neutral());
    }
    return operands_.size() == 1 ? std::move(operands_[0]) : Node(op_, std::move(operands_));
  }

 private:
  Op op_;
  std::vector<Predicate> operands_;
  Op run_op_ = Op::kFlow;
  std::vector<TruthMap> run_;

  [[nodiscard]] Truth Neutral() const { return op_ == Op::kAnd ? Truth::kTrue : Truth::kFalse; }

  void Flush() {
    if (!run_.empty()) {
      TruthMap joined =
          op_ == Op::kAnd ? Conjunction(std::move(run_)) : Disjunction(std::move(run_));
      operands_.push_back(Leaf(run_op_, std::move(joined)));
      run_.clear();
    }
  }
};

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
      return LowerChain(Op::kAnd, node->operands);
    }
    if (const auto* node = std::get_if<Or>(&expr.node)) {
      return LowerChain(Op::kOr, node->operands);
    }
    if (const auto* node = std::get_if<Unary>(&expr.node); node && node->op == UnaryOp::kNot) {
      return LowerNot(*node->operand);
    }
    if (const auto* node = std::get_if<If>(&expr.node)) {
      return LowerIf(*node);
    }
    return LowerAtom(expr);
  }

 private:
  AtomProbe& probe_;
  std::vector<Finding>& oddities_;

  Lowered LowerChain(Op op, const std::vector<ExprPtr>& operands) {
    Chain chain(op);
    for (const ExprPtr& operand : operands) {
      Lowered lowered = Lower(*operand);
      if (!lowered) {
        return lowered;
      }
      if (!chain.Append(*std::move(lowered))) {
        break;
      }
    }
    return chain.Take();
  }

  Lowered LowerNot(const Expr& operand) {
    Lowered lowered = Lower(operand);
    if (!lowered) {
      return lowered;
    }
    if (lowered->is_leaf()) {
      return Leaf(lowered->op, Negation(lowered->truth));
    }
    std::vector<Predicate> operands;
    operands.push_back(*std::move(lowered));
    return Node(Op::kNot, std::move(operands));
  }

  Lowered LowerIf(const If& node) {
    std::vector<Predicate> parts;
    for (const ExprPtr& part : {node.condition, node.then_branch, node.else_branch}) {
      Lowered lowered = Lower(*part);
      if (!lowered) {
        return lowered;
      }
      parts.push_back(*std::move(lowered));
    }
    const bool one_dimension = std::ranges::all_of(parts, [&](const Predicate& part) {
      return part.is_constant() || (part.is_leaf() && part.op == parts[0].op);
    });
    if (one_dimension) {
      return Leaf(parts[0].op, Choice(parts[0].truth, parts[1].truth, parts[2].truth));
    }
    return Node(Op::kIf, std::move(parts));
  }

  Lowered LowerAtom(const Expr& expr) {
    Footprint footprint = FootprintOf(expr);
    if (footprint.obstacle) {
      return std::unexpected(*std::move(footprint.obstacle));
    }
    std::ranges::move(footprint.oddities, std::back_inserter(oddities_));
    Atom atom = probe_.Try(expr, footprint);
    return Leaf(atom.dimension == Dimension::kAddress ? Op::kAddress : Op::kFlow,
                std::move(atom.truth));
  }
};

void CollectBreaks(const Predicate& predicate, std::vector<Point>& breaks) {
  if (predicate.op == Op::kAddress) {
    for (const TruthMap::Piece& piece : predicate.truth.pieces()) {
      breaks.push_back(piece.first);
    }
  }
  for (const Predicate& operand : predicate.operands) {
    CollectBreaks(operand, breaks);
  }
}

TruthMap ChainAtAddress(const Predicate& predicate, Point address) {
  const bool is_and = predicate.op == Op::kAnd;
  std::vector<TruthMap> operands;
  for (const Predicate& operand : predicate.operands) {
    operands.push_back(AtAddress(operand, address));
    if (operands.back().is(is_and ? Truth::kTrue : Truth::kFalse)) {
      operands.pop_back();
    } else if (operands.back().is_constant()) {
      break;
    }
  }
  return is_and ? Conjunction(std::move(operands)) : Disjunction(std::move(operands));
}

}  // namespace

std::expected<Predicate, Finding> Lower(const Expr& residual, AtomProbe& probe,
                                        std::vector<Finding>& oddities) {
  return Lowerer(probe, oddities).Lower(residual);
}

std::vector<Point> AddressBreaks(const Predicate& predicate) {
  std::vector<Point> breaks = {0};
  CollectBreaks(predicate, breaks);
  std::ranges::sort(breaks);
  breaks.erase(std::unique(breaks.begin(), breaks.end()), breaks.end());
  return breaks;
}

TruthMap AtAddress(const Predicate& predicate, Point address) {
  switch (predicate.op) {
    case Op::kAddress:
      return TruthMap(predicate.truth.At(address));
    case Op::kFlow:
      return predicate.truth;
    case Op::kNot:
      return Negation(AtAddress(predicate.operands[0], address));
    case Op::kAnd:
    case Op::kOr:
      return ChainAtAddress(predicate, address);
    case Op::kIf: {
      const TruthMap condition = AtAddress(predicate.operands[0], address);
      if (condition.is_constant()) {
        return condition.is(Truth::kError)
                   ? condition
                   : AtAddress(predicate.operands[condition.is(Truth::kTrue) ? 1 : 2], address);
      }
      return Choice(condition, AtAddress(predicate.operands[1], address),
                    AtAddress(predicate.operands[2], address));
    }
  }
  std::unreachable();
}

}  // namespace palyra::policy
