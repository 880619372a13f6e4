#include "policy/automaton_witness.h"

#include <algorithm>
#include <bitset>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "policy/sequence_pool.h"

namespace palyra::policy {
namespace {

// What may follow in well-formed UTF-8 (RFC 3629, section 4). A character begins, or as many
// continuation bytes are missing; after four of the lead bytes the first of them is limited.
enum class Reading : uint8_t { kNext, kOne, kTwo, kThree, kAfterE0, kAfterEd, kAfterF0, kAfterF4 };

std::optional<Reading> AfterLead(unsigned byte) {
  if (byte == 0x00) return std::nullopt;
  if (byte < 0x80) return Reading::kNext;
  if (byte < 0xC2 || byte > 0xF4) return std::nullopt;
  if (byte < 0xE0) return Reading::kOne;
  switch (byte) {
    case 0xE0:
      return Reading::kAfterE0;
    case 0xED:
      return Reading::kAfterEd;
    case 0xF0:
      return Reading::kAfterF0;
    case 0xF4:
      return Reading::kAfterF4;
    default:
      return byte < 0xF0 ? Reading::kTwo : Reading::kThree;
  }
}

std::optional<Reading> After(Reading reading, unsigned byte) {
  const auto within = [&](unsigned first, unsigned last, Reading next) {
    return byte >= first && byte <= last ? std::optional(next) : std::nullopt;
  };
  switch (reading) {
    case Reading::kNext:
      return AfterLead(byte);
    case Reading::kOne:
      return within(0x80, 0xBF, Reading::kNext);
    case Reading::kTwo:
      return within(0x80, 0xBF, Reading::kOne);
    case Reading::kThree:
      return within(0x80, 0xBF, Reading::kTwo);
    case Reading::kAfterE0:
      return within(0xA0, 0xBF, Reading::kOne);
    case Reading::kAfterEd:
      return within(0x80, 0x9F, Reading::kOne);
    case Reading::kAfterF0:
      return within(0x90, 0xBF, Reading::kTwo);
    case Reading::kAfterF4:
      return within(0x80, 0x8F, Reading::kTwo);
  }
  std::unreachable();
}

// Which byte stands for all that no edge is for: the first of these that none is for.
constexpr std::string_view kPlainBytes =
    "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.~+,=@%:;!#$&'()[]{}^|<>?*"
    "\"\\` /";

using Bytes = std::bitset<256>;

// Breadth first through the states of two automata at once.
class Search {
 public:
  Search(const Automaton& a, const Automaton& b) : a_(a), b_(b) {
    for (size_t byte = 1; byte < 256; ++byte) {
      bytes_of_class_a_[a.byte_classes()[byte]].set(byte);
      bytes_of_class_b_[b.byte_classes()[byte]].set(byte);
    }
  }

  // Calls found(a, b, state) at the first state of each pair of classes; false where there are more
  // than `most`.
  template <typename Found>
  bool Run(size_t most, Found found) {
    Reach(Automaton::kStart, Automaton::kStart, Reading::kNext, {.from = 0, .byte = 0});
    for (uint32_t i = 0; i < arrivals_.size(); ++i) {
      if (arrivals_.size() > most) return false;
      const State state = At(i);
      if (state.reading == Reading::kNext) found(a_.ClassAt(state.a), b_.ClassAt(state.b), i);
      Expand(i, state);
    }
    return true;
  }

  // A shortest text that leads to the state.
  [[nodiscard]] std::string TextTo(uint32_t state) const {
    std::string text;
    for (uint32_t i = state; i != 0; i = arrivals_[i].from) {
      text += static_cast<char>(arrivals_[i].byte);
    }
    std::ranges::reverse(text);
    return text;
  }

 private:
  struct State {
    uint32_t a;
    uint32_t b;
    Reading reading;
  };
  struct Arrival {
    uint32_t from;
    uint8_t byte;
  };

  [[nodiscard]] State At(uint32_t i) const {
    const auto state = states_[i];
    return {.a = state[0], .b = state[1], .reading = static_cast<Reading>(state[2])};
  }

  void Reach(uint32_t a, uint32_t b, Reading reading, Arrival arrival) {
    const uint32_t key[] = {a, b, static_cast<uint32_t>(reading)};
    if (states_.Intern(key).is_new) arrivals_.push_back(arrival);
  }

  void Expand(uint32_t i, const State& state) {
    Bytes bytes;
    for (const Automaton::Edge& edge : a_.EdgesOf(state.a)) bytes |= bytes_of_class_a_[edge.symbol];
    for (const Automaton::Edge& edge : b_.EdgesOf(state.b)) bytes |= bytes_of_class_b_[edge.symbol];
    // One plain byte does for all others: the rarer characters would lead no further than it does.
    const auto* const plain = std::ranges::find_if(
        kPlainBytes, [&](char c) { return !bytes.test(static_cast<unsigned char>(c)); });
    if (state.reading == Reading::kNext && plain != kPlainBytes.end()) {
      Follow(i, state, static_cast<unsigned char>(*plain));
    } else {
      bytes.set();
    }
    for (size_t byte = bytes._Find_first(); byte < 256; byte = bytes._Find_next(byte)) {
      Follow(i, state, static_cast<uint8_t>(byte));
    }
  }

  void Follow(uint32_t i, const State& state, uint8_t byte) {
    const std::optional<Reading> reading = After(state.reading, byte);
    if (!reading) return;
    const char text = static_cast<char>(byte);
    Reach(a_.StateAfter(state.a, {&text, 1}), b_.StateAfter(state.b, {&text, 1}), *reading,
          {.from = i, .byte = byte});
  }

  const Automaton& a_;
  const Automaton& b_;
  std::array<Bytes, 256> bytes_of_class_a_;
  std::array<Bytes, 256> bytes_of_class_b_;
  SequencePool states_;
  std::vector<Arrival> arrivals_;  // By state.
};

}  // namespace

std::optional<std::vector<ClassPair>> ProductClasses(const Automaton& a, const Automaton& b,
                                                     size_t most) {
  Search search(a, b);
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> first;
  const auto note = [&](uint32_t class_a, uint32_t class_b, uint32_t state) {
    first.try_emplace({class_a, class_b}, state);
  };
  if (!search.Run(most, note)) return std::nullopt;
  std::vector<ClassPair> pairs;
  pairs.reserve(first.size());
  for (const auto& [classes, state] : first) {
    pairs.push_back({classes.first, classes.second, search.TextTo(state)});
  }
  return pairs;
}

std::vector<std::string> ClassRepresentatives(const Automaton& automaton) {
  const std::optional<std::vector<ClassPair>> pairs =
      ProductClasses(automaton, Automaton(), std::numeric_limits<size_t>::max());
  std::vector<std::string> representatives(pairs->back().a + 1);
  for (const ClassPair& pair : *pairs) representatives[pair.a] = pair.representative;
  return representatives;
}

}  // namespace palyra::policy
