// The canonical form of a RuleSet as bytes, which rule_set_binary.h describes, written piece by
// piece to whoever wants it: what is hashed is what is stored.

#ifndef PALYRA_POLICY_RULE_SET_FORM_H_
#define PALYRA_POLICY_RULE_SET_FORM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "policy/rule_set.h"

namespace palyra::policy {

inline constexpr std::string_view kFormHeader = "palyra-ruleset-digest 5";

// `Sink` has Append(std::span<const uint8_t>).
template <typename Sink>
class FormWriter {
 public:
  explicit FormWriter(Sink& sink) : sink_(sink) {}

  void Write(const RuleSet& rules) {
    AddText(kFormHeader);
    AddNet({.prefixes = rules.prefixes, .classes = rules.classes});
    Add(static_cast<uint8_t>(rules.domains ? 1 : 0));
    if (rules.domains) {
      AddAutomaton(rules.domains->automaton);
      AddCount(rules.domains->tables.size());
      for (const NetTables& tables : rules.domains->tables) {
        AddNet({.prefixes = tables.prefixes, .classes = tables.classes});
      }
    }
    AddCount(rules.names.size());
    for (const NameRules& names : rules.names) AddNames(names);
    AddCount(rules.reasons.size());
    for (const Reason& reason : rules.reasons) AddReason(reason);
    AddCount(rules.protected_names.size());
    for (const std::string& name : rules.protected_names) AddText(name);
    Add(static_cast<uint8_t>(rules.valid_until_ms ? 1 : 0));
    Add(rules.valid_until_ms.value_or(0));
  }

 private:
  Sink& sink_;

  template <typename Integer>
  void Add(Integer value) {
    std::array<uint8_t, sizeof(Integer)> bytes;
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes.at(i) = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
    }
    sink_.Append(bytes);
  }
  void AddCount(size_t count) { Add(static_cast<uint64_t>(count)); }
  void AddText(std::string_view text) {
    AddCount(text.size());
    sink_.Append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }

  void AddSpan(const PortSpan& span) {
    Add(span.first);
    Add(span.last);
    Add(span.actions);
    Add(span.protocols);
    Add(static_cast<uint8_t>(span.verdict));
    Add(span.reason);
  }

  void AddReason(const Reason& reason) {
    AddCount(reason.layers.size());
    for (const Reason::LayerPolicies& part : reason.layers) {
      Add(static_cast<uint8_t>(part.layer));
      AddCount(part.policy_ids.size());
      for (const std::string& id : part.policy_ids) AddText(id);
    }
  }

  void AddAutomaton(const Automaton& automaton) {
    sink_.Append(automaton.byte_classes());
    AddCount(automaton.state_count());
    for (uint32_t state = 0; state < automaton.state_count(); ++state) {
      Add(automaton.ClassAt(state));
      Add(automaton.FallbackOf(state));
      AddCount(automaton.EdgesOf(state).size());
      for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
        Add(edge.symbol);
        Add(edge.next);
      }
    }
  }

  void AddNet(const NetTablesView& tables) {
    AddCount(tables.prefixes.size());
    for (const AddressPrefix& prefix : tables.prefixes) {
      Add(static_cast<uint8_t>(prefix.is_ipv6 ? 1 : 0));
      Add(prefix.length);
      sink_.Append(std::span(prefix.bytes).first(prefix.is_ipv6 ? 16 : 4));
      Add(prefix.address_class);
    }
    AddCount(tables.classes.size());
    for (const AddressClass& address_class : tables.classes) {
      AddCount(address_class.spans.size());
      for (const PortSpan& span : address_class.spans) AddSpan(span);
    }
  }

  void AddNames(const NameRules& names) {
    Add(static_cast<uint8_t>(names.action));
    AddAutomaton(names.automaton);
    AddCount(names.digests.size());
    for (const std::string& digest : names.digests) AddText(digest);
    Add(names.flag_count);
    AddCount(names.leaves.size());
    for (const Ruling& leaf : names.leaves) {
      Add(static_cast<uint8_t>(leaf.verdict));
      Add(leaf.reason);
    }
  }
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_RULE_SET_FORM_H_
