#include "policy/automaton.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "policy/minimise.h"
#include "policy/sequence_pool.h"

namespace palyra::policy {
namespace {

constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

// Writes the smallest form of an automaton, whose equivalent states are known.
class CanonicalForm {
 public:
  explicit CanonicalForm(const SparseDfa& dfa) : dfa_(dfa), block_of_(EquivalentStates(dfa)) {
    const uint32_t count = *std::ranges::max_element(block_of_) + 1;
    member_.assign(count, kNone);
    for (uint32_t state = 0; state < block_of_.size(); ++state) {
      if (member_[block_of_[state]] == kNone) member_[block_of_[state]] = state;
    }
    MakeByteClasses();
  }

  SparseDfa Write() {
    SparseDfa form{.symbols = classes_, .states = {}, .edges = {}};
    number_.assign(member_.size(), kNone);
    std::vector<uint32_t> queue;
    queue.reserve(member_.size());
    const auto number_of = [&](uint32_t block) {
      if (number_[block] == kNone) {
        number_[block] = static_cast<uint32_t>(queue.size());
        queue.push_back(block);
      }
      return number_[block];
    };
    number_of(block_of_[0]);
    std::vector<SparseDfa::Edge> edges;
    // Grows as it is read.
    size_t next = 0;
    while (next < queue.size()) {
      const uint32_t block = queue[next++];
      const SparseDfa::State& state = dfa_.states[member_[block]];
      form.states.push_back({.text_class = state.text_class,
                             .fallback = number_of(block_of_[state.fallback]),
                             .first_edge = static_cast<uint32_t>(form.edges.size())});
      EdgesOfBlock(block, edges);
      for (const SparseDfa::Edge& edge : edges) {
        form.edges.push_back({.symbol = edge.symbol, .next = number_of(edge.next)});
      }
    }
    return form;
  }

  [[nodiscard]] size_t class_count() const { return class_count_; }

 private:
  // Calls visit(symbol, block) for the edges that do not lead where the fallback does.
  template <typename Visit>
  void ForEachEdge(uint32_t block, Visit visit) const {
    const uint32_t state = member_[block];
    const uint32_t fallback = block_of_[dfa_.states[state].fallback];
    for (const SparseDfa::Edge& edge : dfa_.EdgesOf(state)) {
      if (block_of_[edge.next] != fallback) visit(edge.symbol, block_of_[edge.next]);
    }
  }

  // Symbols that have the same edges everywhere are one class.
  void MakeByteClasses() {
    std::array<std::vector<uint32_t>, 256> edges_of_symbol;
    for (uint32_t block = 0; block < member_.size(); ++block) {
      ForEachEdge(block, [&](uint8_t symbol, uint32_t next) {
        edges_of_symbol[symbol].push_back(block);
        edges_of_symbol[symbol].push_back(next);
      });
    }
    SequencePool pool;
    pool.Intern({});
    for (size_t symbol = 0; symbol < 256; ++symbol) {
      pool_id_[symbol] = pool.Intern(edges_of_symbol[symbol]).id;
    }
    std::vector<uint8_t> class_of_id(pool.size(), 0);
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t id = pool_id_[dfa_.symbols[byte]];
      if (id != 0 && class_of_id[id] == 0) class_of_id[id] = static_cast<uint8_t>(class_count_++);
      classes_[byte] = class_of_id[id];
    }
    for (size_t symbol = 0; symbol < 256; ++symbol) {
      class_of_symbol_[symbol] = class_of_id[pool_id_[symbol]];
    }
  }

  void EdgesOfBlock(uint32_t block, std::vector<SparseDfa::Edge>& edges) const {
    edges.clear();
    ForEachEdge(block, [&](uint8_t symbol, uint32_t next) {
      edges.push_back({.symbol = class_of_symbol_[symbol], .next = next});
    });
    std::ranges::sort(edges, {}, &SparseDfa::Edge::symbol);
    const auto repeated = std::ranges::unique(edges);
    edges.erase(repeated.begin(), repeated.end());
  }

  const SparseDfa& dfa_;
  std::vector<uint32_t> block_of_;
  std::vector<uint32_t> member_;  // A state of each block.
  std::array<uint32_t, 256> pool_id_ = {};
  std::array<uint8_t, 256> class_of_symbol_ = {};
  std::array<uint8_t, 256> classes_ = {};
  size_t class_count_ = 1;
  std::vector<uint32_t> number_;
};

// How many byte classes there are, where they are numbered by their lowest bytes.
std::optional<size_t> CountByteClasses(const std::array<uint8_t, 256>& classes) {
  size_t count = 0;
  for (const uint8_t byte_class : classes) {
    if (byte_class > count) return std::nullopt;
    if (byte_class == count) ++count;
  }
  return count;
}

// Whether every number leads somewhere, and the states are in the order of a breadth-first search.
bool IsNumbered(const SparseDfa& form, size_t byte_classes) {
  std::vector<bool> used(byte_classes);
  used[0] = true;
  size_t reached = 1;
  const auto reach = [&](uint32_t state) {
    if (state == reached) ++reached;
    return state < reached && state < form.states.size();
  };
  for (uint32_t state = 0; state < form.states.size(); ++state) {
    const uint32_t fallback = form.states[state].fallback;
    if (state >= reached || !reach(fallback)) return false;
    uint8_t before = 0;
    for (const SparseDfa::Edge& edge : form.EdgesOf(state)) {
      if (edge.symbol <= before || edge.symbol >= byte_classes) return false;
      if (edge.next == fallback || !reach(edge.next)) return false;
      before = edge.symbol;
      used[edge.symbol] = true;
    }
  }
  return std::ranges::all_of(used, std::identity());
}

}  // namespace

std::optional<Automaton> Automaton::FromCanonicalForm(SparseDfa form) {
  const std::optional<size_t> byte_classes = CountByteClasses(form.symbols);
  size_t edge = 0;
  for (const SparseDfa::State& state : form.states) {
    if (state.first_edge < edge || state.first_edge > form.edges.size()) return std::nullopt;
    edge = state.first_edge;
  }
  if (!byte_classes || form.states.empty() || form.states[0].first_edge != 0 ||
      !IsNumbered(form, *byte_classes)) {
    return std::nullopt;
  }
  Automaton automaton;
  automaton.form_ = std::move(form);
  automaton.byte_class_count_ = *byte_classes;
  return automaton;
}

Automaton::Automaton(const SparseDfa& dfa) {
  CanonicalForm form(dfa);
  form_ = form.Write();
  byte_class_count_ = form.class_count();
}

uint32_t Automaton::StateAfter(uint32_t state, std::string_view text) const {
  for (const char c : text) {
    const uint8_t symbol = form_.symbols[static_cast<unsigned char>(c)];
    const std::span<const Edge> edges = EdgesOf(state);
    const auto edge = std::ranges::lower_bound(edges, symbol, {}, &Edge::symbol);
    state = edge != edges.end() && edge->symbol == symbol ? edge->next : FallbackOf(state);
  }
  return state;
}

Automaton Automaton::Relabel(std::span<const uint32_t> new_class_of_old) const {
  SparseDfa relabelled = form_;
  for (SparseDfa::State& state : relabelled.states) {
    state.text_class = new_class_of_old[state.text_class];
  }
  return Automaton(relabelled);
}

bool Automaton::operator==(const Automaton& other) const {
  const auto same_state = [](const SparseDfa::State& a, const SparseDfa::State& b) {
    return a.text_class == b.text_class && a.fallback == b.fallback && a.first_edge == b.first_edge;
  };
  return form_.symbols == other.form_.symbols && form_.edges == other.form_.edges &&
         std::ranges::equal(form_.states, other.form_.states, same_state);
}

}  // namespace palyra::policy
