#include "policy/compile/combine.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "policy/compile/prefix_cover.h"

namespace palyra::policy {
namespace {

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

// Which territories hold an address, and with which of their flow sets: what its class depends on.
class Occupation {
 public:
  explicit Occupation(std::span<const Territory* const> territories) : territories_(territories) {}

  void Set(uint32_t territory, uint32_t flows) {
    if (const auto old = held_.find(territory); old != held_.end()) {
      hash_ -= HashOf(*old);
      held_.erase(old);
    }
    if (flows != 0) {
      hash_ += HashOf(*held_.emplace(territory, flows).first);
    }
  }

  [[nodiscard]] uint64_t hash() const { return hash_; }
  [[nodiscard]] size_t size() const { return held_.size(); }

  using Copy = std::vector<std::pair<uint32_t, uint32_t>>;
  [[nodiscard]] Copy ToCopy() const { return {held_.begin(), held_.end()}; }
  [[nodiscard]] bool Equals(const Copy& copy) const {
    return std::ranges::equal(held_, copy, [](const auto& a, const auto& b) {
      return a.first == b.first && a.second == b.second;
    });
  }

  [[nodiscard]] std::vector<Claim> Claims() const {
    std::vector<Claim> claims;
    claims.reserve(held_.size());
    for (const auto& [index, flows] : held_) {
      const Territory& territory = *territories_[index];
      claims.push_back({.policy = territory.policy, .flows = &territory.flow_sets[flows]});
    }
    return claims;
  }

 private:
  std::span<const Territory* const> territories_;
  std::map<uint32_t, uint32_t> held_;
  uint64_t hash_ = 0;

  static uint64_t HashOf(const std::pair<const uint32_t, uint32_t>& entry) {
    return Mix((uint64_t{entry.first} << 32U | entry.second) + 1);
  }
};

struct ClassHash {
  size_t operator()(const AddressClass& address_class) const noexcept {
    uint64_t hash = 0;
    for (const PortSpan& span : address_class.spans) {
      hash = Mix(hash + (uint64_t{span.first} << 48U | uint64_t{span.last} << 32U | span.reason));
      hash = Mix(hash + (uint64_t{span.actions} << 16U | uint64_t{span.protocols} << 8U |
                         static_cast<uint64_t>(span.verdict)));
    }
    return hash;
  }
};

// Classes by content; the rows of equal occupations are built once.
class ClassTable {
 public:
  ClassTable(RowBuilder& rows, const ReasonTable& reasons, const TableLimits& limits)
      : rows_(rows), reasons_(reasons), limits_(limits) {}

  uint32_t ClassOf(const Occupation& occupation) {
    auto& candidates = known_[occupation.hash()];
    for (const auto& [copy, address_class] : candidates) {
      if (occupation.Equals(copy)) {
        return address_class;
      }
    }
    occupied_ += occupation.size();
    const std::vector<Claim> claims = occupation.Claims();
    AddressClass built = rows_.Build(claims);
    longest_ = std::max(longest_, built.spans.size());
    const size_t span_count = built.spans.size();
    const auto [entry, is_new] =
        numbers_.try_emplace(std::move(built), static_cast<uint32_t>(classes_.size()));
    if (is_new) {
      classes_.push_back(&entry->first);
      span_count_ += span_count;
    }
    candidates.emplace_back(occupation.ToCopy(), entry->second);
    return entry->second;
  }

  // Says which limit is passed, if one is.
  [[nodiscard]] std::optional<std::string> PassedLimit() const {
    const auto passed = [](std::string what, size_t limit) {
      return "the policies need more than " + std::to_string(limit) + ' ' + std::move(what);
    };
    if (classes_.size() > limits_.classes) {
      return passed("address classes", limits_.classes);
    }
    if (longest_ > limits_.spans_per_class) {
      return passed("port spans for one address", limits_.spans_per_class);
    }
    if (span_count_ > limits_.spans) {
      return passed("port spans", limits_.spans);
    }
    if (reasons_.size() > limits_.reasons) {
      return passed("different reasons", limits_.reasons);
    }
    if (reasons_.policy_count() > limits_.reason_policies) {
      return passed("policy names in reasons", limits_.reason_policies);
    }
    if (occupied_ > limits_.occupied) {
      return passed("combinations of policies", limits_.occupied);
    }
    return std::nullopt;
  }

  [[nodiscard]] const AddressClass& operator[](uint32_t index) const { return *classes_[index]; }

 private:
  RowBuilder& rows_;
  const ReasonTable& reasons_;
  const TableLimits& limits_;
  std::unordered_map<uint64_t, std::vector<std::pair<Occupation::Copy, uint32_t>>> known_;
  std::unordered_map<AddressClass, uint32_t, ClassHash> numbers_;
  std::vector<const AddressClass*> classes_;
  size_t longest_ = 0;
  size_t span_count_ = 0;
  size_t occupied_ = 0;
};

struct Change {
  Point at;
  uint32_t territory;
  uint32_t flows;
};

std::vector<Change> ChangesOf(std::span<const Territory* const> territories) {
  std::vector<Change> changes;
  for (uint32_t i = 0; i < territories.size(); ++i) {
    for (const Territory::Piece& piece : territories[i]->pieces) {
      changes.push_back({.at = piece.first, .territory = i, .flows = piece.flows});
    }
  }
  std::ranges::sort(changes, [](const Change& a, const Change& b) {
    return std::tie(a.at, a.territory) < std::tie(b.at, b.territory);
  });
  return changes;
}

std::expected<std::vector<AddressCell>, std::string> Sweep(
    std::span<const Territory* const> territories, ClassTable& classes) {
  const std::vector<Change> changes = ChangesOf(territories);
  Occupation occupation(territories);
  std::vector<AddressCell> cells = {{.first = 0, .address_class = 0}};
  for (size_t i = 0; i == 0 || i < changes.size();) {
    const Point at = changes.empty() ? 0 : changes[i].at;
    for (; i < changes.size() && changes[i].at == at; ++i) {
      occupation.Set(changes[i].territory, changes[i].flows);
    }
    const uint32_t address_class = classes.ClassOf(occupation);
    if (std::optional<std::string> passed = classes.PassedLimit()) {
      return std::unexpected(*std::move(passed));
    }
    if (at == 0) {
      cells[0].address_class = address_class;
    } else if (cells.back().address_class != address_class) {
      cells.push_back({.first = at, .address_class = address_class});
    }
    if (changes.empty()) {
      break;
    }
  }
  return cells;
}

TooLarge Refusal(std::string message, std::span<const Territory* const> territories) {
  const auto most = std::ranges::max_element(territories, {}, [](const Territory* territory) {
    size_t size = territory->pieces.size();
    for (const Flows& flows : territory->flow_sets) {
      size += flows.size();
    }
    return size;
  });
  return {.message = std::move(message), .policy = (*most)->policy};
}

// Class numbers in the order of the prefixes, the class outside all prefixes first.
NetTables Assemble(PrefixCover cover, const ClassTable& classes) {
  NetTables rules;
  std::unordered_map<uint32_t, uint32_t> numbers;
  const auto number = [&](uint32_t address_class) {
    const auto [entry, is_new] =
        numbers.try_emplace(address_class, static_cast<uint32_t>(rules.classes.size()));
    if (is_new) {
      rules.classes.push_back(classes[address_class]);
    }
    return entry->second;
  };
  number(cover.outside);
  for (AddressPrefix& prefix : cover.prefixes) {
    prefix.address_class = number(prefix.address_class);
  }
  rules.prefixes = std::move(cover.prefixes);
  return rules;
}

}  // namespace

std::expected<NetTables, TooLarge> Combine(std::span<const Territory* const> territories,
                                           Arbiter& arbiter, const TableLimits& limits) {
  RowBuilder rows(arbiter);
  ClassTable classes(rows, arbiter.reasons(), limits);
  const auto cells = Sweep(territories, classes);
  if (!cells) {
    return std::unexpected(Refusal(cells.error(), territories));
  }
  PrefixCover cover = CoverWithPrefixes(*cells);
  if (cover.prefixes.size() > limits.prefixes) {
    return std::unexpected(
        Refusal("the policies need more than " + std::to_string(limits.prefixes) + " prefixes",
                territories));
  }
  return Assemble(std::move(cover), classes);
}

}  // namespace palyra::policy
