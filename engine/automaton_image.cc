#include "engine/automaton_image.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace palyra::engine {
namespace {

using policy::Automaton;

constexpr uint32_t kNoState = ~0U;
constexpr uint32_t kHeader = PALYRA_AUTOMATON_HEADER;
constexpr uint32_t kEntryBytes = sizeof(palyra_entry);
constexpr size_t kEntriesForImage = PALYRA_AUTOMATA_ENTRIES - 1 - kHeader;

static_assert(sizeof(palyra_automaton) % sizeof(palyra_entry) == 0);
static_assert(Automaton::kStart == 0);

std::unexpected<Error> Damaged(const std::string& how) {
  return Fail(ErrorCode::kInternal, "the kernel tables are damaged: an automaton " + how);
}

// Finds places for states such that their entries do not overlap.
class Placing {
 public:
  explicit Placing(const Automaton& automaton)
      : automaton_(automaton), place_(automaton.state_count(), kNoState) {}

  // The entry of each state.
  std::vector<uint32_t> Run() {
    const size_t expected = automaton_.state_count() + automaton_.edge_count();
    taken_.reserve(expected + expected / 8);
    // What is hard to place comes first, what fits anywhere last.
    for (uint32_t state = 0; state < place_.size(); ++state) {
      if (automaton_.EdgesOf(state).size() >= kMany) Place(state);
    }
    PlaceAlongTexts();
    from_ = 0;
    for (uint32_t state = 0; state < place_.size(); ++state) {
      if (place_[state] == kNoState) Place(state);
    }
    return std::move(place_);
  }

  // How many entries that takes. Whatever byte comes, no other automaton's entry is looked at.
  [[nodiscard]] size_t size() const { return size_; }

 private:
  static constexpr size_t kMany = 8;
  // Holes farther back than this are left to states without edges.
  static constexpr size_t kReach = 256;

  // The states of one text lie near one another, so that a walk touches few cache lines.
  void PlaceAlongTexts() {
    std::vector<bool> seen(place_.size(), false);
    std::vector<uint32_t> stack = {Automaton::kStart};
    seen[Automaton::kStart] = true;
    const auto push = [&](uint32_t state) {
      if (!seen[state]) stack.push_back(state);
      seen[state] = true;
    };
    while (!stack.empty()) {
      const uint32_t state = stack.back();
      stack.pop_back();
      const std::span<const Automaton::Edge> edges = automaton_.EdgesOf(state);
      if (place_[state] == kNoState && !edges.empty()) Place(state);
      push(automaton_.FallbackOf(state));
      for (const Automaton::Edge& edge : edges) push(edge.next);
    }
  }

  [[nodiscard]] bool IsFree(size_t entry) const {
    return entry >= taken_.size() || taken_[entry] == 0;
  }

  void Take(size_t entry) {
    if (entry >= taken_.size()) taken_.resize(entry + 1, 0);
    taken_[entry] = 1;
  }

  void Place(uint32_t state) {
    const std::span<const Automaton::Edge> edges = automaton_.EdgesOf(state);
    const auto fits = [&](size_t entry) {
      return IsFree(entry) && std::ranges::all_of(edges, [&](const Automaton::Edge& edge) {
               return IsFree(entry + edge.symbol);
             });
    };
    while (!IsFree(from_)) ++from_;
    size_t entry = from_;
    while (!fits(entry)) ++entry;
    if (entry - from_ > kReach) from_ = entry - kReach;
    Take(entry);
    for (const Automaton::Edge& edge : edges) Take(entry + edge.symbol);
    size_ = std::max(size_, entry + automaton_.byte_class_count());
    place_[state] = static_cast<uint32_t>(entry);
  }

  const Automaton& automaton_;
  std::vector<uint32_t> place_;
  std::vector<uint8_t> taken_;
  size_t from_ = 0;
  size_t size_ = 0;
};

}  // namespace

Result<AutomatonImage> AutomatonImage::Pack(const Automaton& automaton) {
  const auto refuse = [](size_t entries) {
    return Fail(ErrorCode::kExhausted, "an automaton of string conditions needs " +
                                           std::to_string(entries) + " entries; the kernel holds " +
                                           std::to_string(kEntriesForImage) +
                                           " for all runs together; use fewer patterns with \"*\"");
  };
  const size_t fewest = automaton.state_count() + automaton.edge_count();
  if (fewest > kEntriesForImage) return refuse(fewest);
  Placing placing(automaton);
  const std::vector<uint32_t> place = placing.Run();
  if (placing.size() > kEntriesForImage) return refuse(placing.size());

  const auto offset = [&](uint32_t state) { return (kHeader + place[state]) * kEntryBytes; };
  const auto reference = [&](uint32_t state) {
    return offset(state) | (automaton.IsSink(state) ? PALYRA_SINK : 0U);
  };
  AutomatonImage image;
  image.entries_.assign(placing.size(), {.owner = PALYRA_FREE, .next = 0});
  image.state_at_.assign(placing.size(), kNoState);
  for (uint32_t state = 0; state < automaton.state_count(); ++state) {
    image.state_at_[place[state]] = state;
    image.entries_[place[state]] = {.owner = PALYRA_HEAD | automaton.ClassAt(state),
                                    .next = reference(automaton.FallbackOf(state))};
    for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
      image.entries_[place[state] + edge.symbol] = {.owner = offset(state),
                                                    .next = reference(edge.next)};
    }
  }
  image.header_.start = reference(Automaton::kStart);
  image.header_.entry_count = static_cast<uint32_t>(image.entry_count());
  std::ranges::copy(automaton.byte_classes(), image.header_.byte_classes);
  return image;
}

void AutomatonImage::WriteTo(std::span<palyra_entry> arena, uint32_t place) const {
  palyra_automaton header = header_;
  const uint32_t base = place * kEntryBytes;
  header.start += base;
  std::memcpy(&arena[place], &header, sizeof(header));
  const std::span<palyra_entry> target = arena.subspan(place + kHeader, entries_.size());
  for (size_t i = 0; i < entries_.size(); ++i) {
    palyra_entry entry = entries_[i];
    if (entry.owner != PALYRA_FREE) {
      entry.next += base;
      if ((entry.owner & PALYRA_HEAD) == 0) entry.owner += base;
    }
    target[i] = entry;
  }
}

Result<AutomatonImage> AutomatonImage::ReadFrom(std::span<const palyra_entry> arena, uint32_t place,
                                                uint32_t entry_count) {
  const bool is_within = place > 0 && place <= arena.size() && entry_count > kHeader &&
                         entry_count <= arena.size() - place;
  if (!is_within) return Damaged("lies outside its memory");
  AutomatonImage image;
  const uint32_t base = place * kEntryBytes;
  std::memcpy(&image.header_, &arena[place], sizeof(image.header_));
  if (image.header_.entry_count != entry_count) return Damaged("has another length");
  image.header_.start -= base;
  const std::span<const palyra_entry> source =
      arena.subspan(place + kHeader, entry_count - kHeader);
  image.entries_.assign(source.begin(), source.end());
  for (palyra_entry& entry : image.entries_) {
    if (entry.owner == PALYRA_FREE) continue;
    entry.next -= base;
    if ((entry.owner & PALYRA_HEAD) == 0) entry.owner -= base;
  }
  return image;
}

Result<Automaton> AutomatonImage::Unpack() const {
  // By entry, the number of the state that it is; states in the order in which they are found.
  std::vector<uint32_t> numbers(entries_.size(), kNoState);
  std::vector<uint32_t> states;
  bool leads_out = false;
  const auto number_of = [&](uint32_t reference) {
    const uint32_t entry = (reference & ~PALYRA_SINK) / kEntryBytes - kHeader;
    const bool is_state = entry < entries_.size() && (entries_[entry].owner & PALYRA_HEAD) != 0;
    leads_out = leads_out || !is_state;
    if (!is_state) return kNoState;
    if (numbers[entry] == kNoState) {
      numbers[entry] = static_cast<uint32_t>(states.size());
      states.push_back(entry);
    }
    return numbers[entry];
  };
  policy::SparseDfa dfa;
  std::ranges::copy(header_.byte_classes, dfa.symbols.begin());
  const uint32_t most = std::ranges::max(header_.byte_classes);
  number_of(header_.start);
  // It grows meanwhile. NOLINTNEXTLINE(modernize-loop-convert)
  for (size_t i = 0; i < states.size(); ++i) {
    const uint32_t entry = states[i];
    dfa.states.push_back({.text_class = entries_[entry].owner & ~PALYRA_HEAD,
                          .fallback = number_of(entries_[entry].next),
                          .first_edge = static_cast<uint32_t>(dfa.edges.size())});
    for (uint32_t symbol = 1; symbol <= most && entry + symbol < entries_.size(); ++symbol) {
      const palyra_entry& edge = entries_[entry + symbol];
      if (edge.owner != (entry + kHeader) * kEntryBytes) continue;
      dfa.edges.push_back({.symbol = static_cast<uint8_t>(symbol), .next = number_of(edge.next)});
    }
  }
  if (leads_out) return Damaged("has a transition that leads to no state");
  return Automaton(dfa);
}

bool AutomatonImage::operator==(const AutomatonImage& other) const {
  const auto same = [](const palyra_entry& a, const palyra_entry& b) {
    return a.owner == b.owner && a.next == b.next;
  };
  return std::memcmp(&header_, &other.header_, sizeof(header_)) == 0 &&
         std::ranges::equal(entries_, other.entries_, same);
}

uint32_t AutomatonImage::StateAt(uint32_t offset, uint32_t place) const {
  return state_at_.at(offset / kEntryBytes - place - kHeader);
}

}  // namespace palyra::engine
