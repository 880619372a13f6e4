// Deterministic finite automata over the bytes of strings: which class a text is in.
//
// Only well-formed UTF-8 without NUL is meant to be walked. Anything else ends in some class too.

#ifndef PALYRA_POLICY_AUTOMATON_H_
#define PALYRA_POLICY_AUTOMATON_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace palyra::policy {

// An automaton as it is being made: any number of states too many, in any order. Symbols stand for
// sets of bytes; symbol 0 takes the fallback in every state.
struct SparseDfa {
  struct State {
    uint32_t text_class;  // Of the texts that end here.
    uint32_t fallback;    // Where every symbol without an edge goes.
    uint32_t first_edge;  // The state's edges reach to those of the next.
  };
  struct Edge {
    uint8_t symbol;  // Ascending within a state, never 0.
    uint32_t next;
    bool operator==(const Edge&) const = default;
  };

  std::array<uint8_t, 256> symbols = {};  // By byte; NUL has symbol 0.
  std::vector<State> states;              // The first is where texts begin.
  std::vector<Edge> edges;

  [[nodiscard]] std::span<const Edge> EdgesOf(uint32_t state) const {
    const size_t first = states[state].first_edge;
    const size_t end = state + 1 < states.size() ? states[state + 1].first_edge : edges.size();
    return std::span(edges).subspan(first, end - first);
  }
};

// Immutable. It has the fewest states, numbered in the order of a breadth-first search, and the
// fewest byte classes, numbered by their lowest bytes: two automata that tell every text's class
// alike are equal. States and classes are numbers from 0; the start state is 0.
class Automaton {
 public:
  using Edge = SparseDfa::Edge;

  static constexpr uint32_t kStart = 0;

  // The automaton of one class for every text.
  Automaton() : Automaton(SparseDfa{.symbols = {}, .states = {{0, 0, 0}}, .edges = {}}) {}

  // The smallest automaton that says the same as `dfa`, with its classes.
  explicit Automaton(const SparseDfa& dfa);

  // The automaton that `form` was read off: states and byte classes numbered as above, all of them
  // needed. Nothing where it is no such form. That no two states are equivalent is not looked at.
  static std::optional<Automaton> FromCanonicalForm(SparseDfa form);

  [[nodiscard]] uint32_t ClassOf(std::string_view text) const {
    return ClassAt(StateAfter(kStart, text));
  }
  [[nodiscard]] uint32_t StateAfter(uint32_t state, std::string_view text) const;

  // The class of the texts that end in `state`.
  [[nodiscard]] uint32_t ClassAt(uint32_t state) const { return form_.states[state].text_class; }
  // No text leads out of `state`.
  [[nodiscard]] bool IsSink(uint32_t state) const {
    return form_.states[state].fallback == state && EdgesOf(state).empty();
  }

  [[nodiscard]] size_t state_count() const { return form_.states.size(); }
  // Of all states together.
  [[nodiscard]] size_t edge_count() const { return form_.edges.size(); }
  // Byte classes in all. Class 0 are the bytes, NUL among them, that take every state's fallback.
  [[nodiscard]] size_t byte_class_count() const { return byte_class_count_; }
  [[nodiscard]] const std::array<uint8_t, 256>& byte_classes() const { return form_.symbols; }

  // Where bytes go that no edge of `state` is for.
  [[nodiscard]] uint32_t FallbackOf(uint32_t state) const { return form_.states[state].fallback; }
  // By byte class, ascending; none leads to the fallback.
  [[nodiscard]] std::span<const Edge> EdgesOf(uint32_t state) const { return form_.EdgesOf(state); }

  // The smallest automaton in which what was class c is class new_class_of_old[c]. There is a new
  // class for each old one.
  [[nodiscard]] Automaton Relabel(std::span<const uint32_t> new_class_of_old) const;

  bool operator==(const Automaton& other) const;

 private:
  SparseDfa form_;
  size_t byte_class_count_ = 1;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_AUTOMATON_H_
