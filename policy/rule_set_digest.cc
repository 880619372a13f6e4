#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/sha256.h"
#include "policy/rule_set.h"

namespace palyra::policy {
namespace {

// The canonical form: a header, then each list as its length and its members; integers have a fixed
// width and are little-endian, texts have their length before them.
class CanonicalForm {
 public:
  template <typename Integer>
  void Add(Integer value) {
    std::array<uint8_t, sizeof(Integer)> bytes;
    for (size_t i = 0; i < bytes.size(); ++i) {
      bytes.at(i) = static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i));
    }
    Append(bytes);
  }
  void AddCount(size_t count) { Add(static_cast<uint64_t>(count)); }
  void AddText(std::string_view text) {
    AddCount(text.size());
    Append({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  void Append(std::span<const uint8_t> bytes) {
    if (bytes.size() > buffer_.size() - used_) Flush();
    if (bytes.size() > buffer_.size()) {
      hash_.Update(bytes);
      return;
    }
    std::ranges::copy(bytes, buffer_.begin() + static_cast<ptrdiff_t>(used_));
    used_ += bytes.size();
  }
  base::Sha256Digest Finish() {
    Flush();
    return hash_.Finish();
  }

 private:
  void Flush() {
    hash_.Update(std::span(buffer_).first(used_));
    used_ = 0;
  }

  base::Sha256 hash_;
  std::array<uint8_t, 4096> buffer_;
  size_t used_ = 0;
};

void AddSpan(const PortSpan& span, CanonicalForm& form) {
  form.Add(span.first);
  form.Add(span.last);
  form.Add(span.actions);
  form.Add(span.protocols);
  form.Add(static_cast<uint8_t>(span.verdict));
  form.Add(span.reason);
}

void AddReason(const Reason& reason, CanonicalForm& form) {
  form.AddCount(reason.layers.size());
  for (const Reason::LayerPolicies& part : reason.layers) {
    form.Add(static_cast<uint8_t>(part.layer));
    form.AddCount(part.policy_ids.size());
    for (const std::string& id : part.policy_ids) form.AddText(id);
  }
}

void AddAutomaton(const Automaton& automaton, CanonicalForm& form) {
  form.Append(automaton.byte_classes());
  form.AddCount(automaton.state_count());
  for (uint32_t state = 0; state < automaton.state_count(); ++state) {
    form.Add(automaton.ClassAt(state));
    form.Add(automaton.FallbackOf(state));
    form.AddCount(automaton.EdgesOf(state).size());
    for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
      form.Add(edge.symbol);
      form.Add(edge.next);
    }
  }
}

void AddNet(const NetTablesView& tables, CanonicalForm& form) {
  form.AddCount(tables.prefixes.size());
  for (const AddressPrefix& prefix : tables.prefixes) {
    form.Add(static_cast<uint8_t>(prefix.is_ipv6 ? 1 : 0));
    form.Add(prefix.length);
    form.Append(std::span(prefix.bytes).first(prefix.is_ipv6 ? 16 : 4));
    form.Add(prefix.address_class);
  }
  form.AddCount(tables.classes.size());
  for (const AddressClass& address_class : tables.classes) {
    form.AddCount(address_class.spans.size());
    for (const PortSpan& span : address_class.spans) AddSpan(span, form);
  }
}

void AddNames(const NameRules& names, CanonicalForm& form) {
  form.Add(static_cast<uint8_t>(names.action));
  AddAutomaton(names.automaton, form);
  form.AddCount(names.digests.size());
  for (const std::string& digest : names.digests) form.AddText(digest);
  form.Add(names.flag_count);
  form.AddCount(names.leaves.size());
  for (const Ruling& leaf : names.leaves) {
    form.Add(static_cast<uint8_t>(leaf.verdict));
    form.Add(leaf.reason);
  }
}

}  // namespace

base::Sha256Digest Digest(const RuleSet& rules) {
  CanonicalForm form;
  form.AddText("palyra-ruleset-digest 4");
  AddNet({.prefixes = rules.prefixes, .classes = rules.classes}, form);
  form.Add(static_cast<uint8_t>(rules.domains ? 1 : 0));
  if (rules.domains) {
    AddAutomaton(rules.domains->automaton, form);
    form.AddCount(rules.domains->tables.size());
    for (const NetTables& tables : rules.domains->tables) {
      AddNet({.prefixes = tables.prefixes, .classes = tables.classes}, form);
    }
  }
  form.AddCount(rules.names.size());
  for (const NameRules& names : rules.names) AddNames(names, form);
  form.AddCount(rules.reasons.size());
  for (const Reason& reason : rules.reasons) AddReason(reason, form);
  form.Add(static_cast<uint8_t>(rules.valid_until_ms ? 1 : 0));
  form.Add(rules.valid_until_ms.value_or(0));
  return form.Finish();
}

}  // namespace palyra::policy
