#include "policy/automaton_builder.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "policy/automaton_witness.h"
#include "policy/limits.h"
#include "policy/sequence_pool.h"
#include "policy/subset_states.h"

namespace palyra::policy {
namespace {

using Bound = AutomatonRefusal::Bound;

constexpr size_t kNamedPatterns = 8;

bool MatchesAnything(const Pattern& pattern) {
  return pattern.pieces.size() > 1 &&
         std::ranges::all_of(pattern.pieces, [](const std::string& p) { return p.empty(); });
}

size_t LengthOf(const Pattern& pattern) {
  return std::accumulate(pattern.pieces.begin(), pattern.pieces.end(), size_t{0},
                         [](size_t sum, const std::string& piece) { return sum + piece.size(); });
}

uint32_t LabelOf(const AutomatonRequest& request, size_t pattern) {
  return request.labels.empty() ? static_cast<uint32_t>(pattern) : request.labels[pattern];
}

class Builder {
 public:
  explicit Builder(const AutomatonRequest& request) : request_(request) {
    for (size_t i = 0; i < request.patterns.size(); ++i) {
      const uint32_t label = LabelOf(request, i);
      label_count_ = std::max(label_count_, label + 1);
      pieces_.Add(request.patterns[i], label);
      pattern_of_piece_.resize(pieces_.size(), static_cast<uint32_t>(i));
    }
    if (MatchesAnything(request.universe)) return;
    universe_ = label_count_++;
    pieces_.Add(request.universe, *universe_);
    pattern_of_piece_.resize(pieces_.size(), kUniverse);
  }

  std::expected<BuiltAutomaton, AutomatonRefusal> Build() {
    SubsetStates states(pieces_, label_count_, universe_);
    states.AddStart();
    std::vector<SubsetStates::Step> steps;
    for (uint32_t state = 0; state < states.size(); ++state) {
      const auto first_edge = static_cast<uint32_t>(dfa_.edges.size());
      states.StepsOf(state, steps);
      std::vector<uint32_t> none;
      dfa_.states.push_back({.text_class = ClassOf(states.LabelsAt(state)),
                             .fallback = states.After(state, none),
                             .first_edge = first_edge});
      for (SubsetStates::Step& step : steps) {
        dfa_.edges.push_back({.symbol = step.byte, .next = states.After(state, step.nodes)});
      }
      if (const std::optional<Bound> bound = ReachedBound(states)) return Refuse(*bound, states);
    }
    if (states.IsExhausted()) return Refuse(Bound::kWork, states);
    for (size_t byte = 0; byte < 256; ++byte) dfa_.symbols[byte] = static_cast<uint8_t>(byte);
    return Finish();
  }

 private:
  static constexpr uint32_t kUniverse = std::numeric_limits<uint32_t>::max();

  uint32_t ClassOf(const std::optional<std::vector<uint32_t>>& labels) {
    if (labels) {
      key_.assign(labels->begin(), labels->end());
    } else {
      key_.assign({kUniverse});
    }
    const uint32_t id = signatures_.Intern(key_).id;
    if (!labels) outside_ = id;
    return id;
  }

  [[nodiscard]] std::optional<Bound> ReachedBound(const SubsetStates& states) const {
    if (states.IsExhausted() || signatures_.words() > kMaxAutomatonWork / 4) {
      return Bound::kWork;
    }
    if (states.size() > kMaxAutomatonStates) return Bound::kStates;
    if (dfa_.edges.size() > kMaxAutomatonEdges) return Bound::kEdges;
    if (signatures_.size() > kMaxStringClasses) return Bound::kClasses;
    return std::nullopt;
  }

  // States are made in the order in which the smallest automaton numbers its own, so the classes
  // have their order already.
  BuiltAutomaton Finish() const {
    BuiltAutomaton built{.automaton = Automaton(dfa_), .classes = {}, .outside = outside_};
    std::vector<std::string> representatives = ClassRepresentatives(built.automaton);
    for (uint32_t id = 0; id < signatures_.size(); ++id) {
      StringClass& added = built.classes.emplace_back();
      added.representative = std::move(representatives[id]);
      if (id == outside_) continue;
      const std::span<const uint32_t> labels = signatures_[id];
      added.labels.assign(labels.begin(), labels.end());
    }
    return built;
  }

  // The patterns that contribute most to the states so far.
  std::unexpected<AutomatonRefusal> Refuse(Bound bound, const SubsetStates& states) const {
    std::vector<size_t> open(request_.patterns.size(), 0);
    const std::vector<size_t> waited = states.StatesThatWait();
    for (uint32_t piece = 0; piece < waited.size(); ++piece) {
      if (pattern_of_piece_[piece] != kUniverse) open[pattern_of_piece_[piece]] += waited[piece];
    }
    std::vector<uint32_t> order(request_.patterns.size());
    for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    const auto weight = [&](uint32_t i) {
      const Pattern& pattern = request_.patterns[i];
      return std::tuple(open[i], open[i] == 0 ? 0 : pattern.pieces.size(), LengthOf(pattern));
    };
    std::ranges::stable_sort(order, [&](uint32_t a, uint32_t b) { return weight(a) > weight(b); });
    if (!order.empty() && open[order[0]] != 0) {
      std::erase_if(order, [&](uint32_t i) { return open[i] == 0; });
    }
    order.resize(std::min(order.size(), kNamedPatterns));
    return std::unexpected(AutomatonRefusal{.bound = bound, .patterns = std::move(order)});
  }

  const AutomatonRequest& request_;
  PieceList pieces_;
  std::vector<uint32_t> pattern_of_piece_;
  uint32_t label_count_ = 0;
  std::optional<uint32_t> universe_;  // Its label.
  SparseDfa dfa_;
  SequencePool signatures_;
  std::vector<uint32_t> key_;
  std::optional<uint32_t> outside_;  // The signature of what is not in the universe.
};

}  // namespace

std::expected<BuiltAutomaton, AutomatonRefusal> BuildAutomaton(const AutomatonRequest& request) {
  return Builder(request).Build();
}

}  // namespace palyra::policy
