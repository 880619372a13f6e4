#include "policy/rule_set.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>

#include "policy/compile/endpoint.h"
#include "policy/compile/named_resource.h"
#include "policy/ip.h"

namespace palyra::policy {
namespace {

IpAddress::Bytes Masked(bool is_ipv6, const IpAddress::Bytes& bytes, uint8_t length) {
  return IpAddress::Create(is_ipv6, bytes, length)->Masked().bytes();
}

std::string ActionsText(uint8_t actions) {
  std::string text;
  for (int i = 0; i < kNetActionCount; ++i) {
    if ((actions >> i & 1U) != 0) {
      text += (text.empty() ? "" : ",") + std::string(ActionName(static_cast<NetAction>(i)));
    }
  }
  return text;
}

std::string ProtocolsText(uint8_t protocols) {
  std::string text;
  for (int i = 0; i < kProtocolCount; ++i) {
    if ((protocols >> i & 1U) != 0) {
      text += (text.empty() ? "" : ",") + std::string(ProtocolName(static_cast<Protocol>(i)));
    }
  }
  return text;
}

// "'a'" or "0x80".
std::string ByteText(unsigned byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (byte > ' ' && byte < 0x7F && byte != '\'') {
    return {'\'', static_cast<char>(byte), '\''};
  }
  return {'0', 'x', kHex[byte >> 4U], kHex[byte & 0xFU]};
}

void AppendBytes(const Automaton& automaton, std::string& text) {
  std::vector<std::string> bytes(automaton.byte_class_count());
  for (unsigned byte = 0; byte < 256; ++byte) {
    bytes[automaton.byte_classes()[byte]] += ' ' + ByteText(byte);
  }
  for (size_t i = 1; i < bytes.size(); ++i) {
    text += "  bytes " + std::to_string(i) + bytes[i] + '\n';
  }
}

void AppendStates(const Automaton& automaton, std::string& text) {
  AppendBytes(automaton, text);
  for (uint32_t state = 0; state < automaton.state_count(); ++state) {
    text += "  state " + std::to_string(state) + " class " +
            std::to_string(automaton.ClassAt(state)) + " else " +
            std::to_string(automaton.FallbackOf(state));
    for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
      text += ' ' + std::to_string(edge.symbol) + ':' + std::to_string(edge.next);
    }
    text += '\n';
  }
}

// `indent` begins each line.
void AppendNet(const NetTablesView& tables, std::string_view indent, std::string& text) {
  for (const AddressPrefix& prefix : tables.prefixes) {
    const IpAddress address =
        *IpAddress::Create(prefix.is_ipv6, prefix.bytes, prefix.is_ipv6 ? 128 : 32);
    text += std::string(indent) + "prefix " + address.ToString() + '/' +
            std::to_string(prefix.length) + " class " + std::to_string(prefix.address_class) + '\n';
  }
  for (size_t i = 0; i < tables.classes.size(); ++i) {
    for (const PortSpan& span : tables.classes[i].spans) {
      text += std::string(indent) + "class " + std::to_string(i) + " ports " +
              std::to_string(span.first) + '-' + std::to_string(span.last) + ' ' +
              ActionsText(span.actions) + ' ' + ProtocolsText(span.protocols) + ' ' +
              std::string(VerdictName(span.verdict)) + " reason " + std::to_string(span.reason) +
              '\n';
    }
  }
}

void AppendDomains(const DomainRules& domains, std::string& text) {
  text += "domains states " + std::to_string(domains.automaton.state_count()) + '\n';
  AppendStates(domains.automaton, text);
  for (size_t i = 0; i < domains.tables.size(); ++i) {
    text += "  tables " + std::to_string(i) + '\n';
    AppendNet({.prefixes = domains.tables[i].prefixes, .classes = domains.tables[i].classes},
              "    ", text);
  }
}

void AppendNames(const NameRules& names, std::string& text) {
  text += "names " + std::string(ActionName(names.action)) + " states " +
          std::to_string(names.automaton.state_count()) + '\n';
  for (size_t i = 0; i < names.digests.size(); ++i) {
    text += "  digest " + std::to_string(i) + ' ' + names.digests[i] + '\n';
  }
  AppendStates(names.automaton, text);
  for (size_t i = 0; i < names.leaves.size(); ++i) {
    text += "  leaf class " + std::to_string(i / names.flag_count) + " flag " +
            std::to_string(i % names.flag_count) + ' ' +
            std::string(VerdictName(names.leaves[i].verdict)) + " reason " +
            std::to_string(names.leaves[i].reason) + '\n';
  }
}

}  // namespace

std::string_view VerdictName(Verdict verdict) {
  static constexpr std::array<std::string_view, 4> kNames = {"deny", "ask", "verify", "allow"};
  return kNames.at(static_cast<size_t>(verdict));
}

std::string_view LayerName(Layer layer) {
  static constexpr std::array<std::string_view, 3> kNames = {"mandatory", "operator", "caller"};
  return kNames.at(static_cast<size_t>(layer));
}

NetTablesView TablesFor(const RuleSet& rules, const std::optional<std::string>& domain) {
  if (!domain || !rules.domains) {
    return {.prefixes = rules.prefixes, .classes = rules.classes};
  }
  const NetTables& tables = rules.domains->tables.at(rules.domains->automaton.ClassOf(*domain));
  return {.prefixes = tables.prefixes, .classes = tables.classes};
}

uint32_t ClassOf(const NetTablesView& tables, bool is_ipv6,
                 const std::array<uint8_t, 16>& address) {
  const auto key = [](const AddressPrefix& p) { return std::tie(p.is_ipv6, p.bytes, p.length); };
  for (int length = is_ipv6 ? 128 : 32; length >= 0; --length) {
    const auto prefix_length = static_cast<uint8_t>(length);
    const IpAddress::Bytes bytes = Masked(is_ipv6, address, prefix_length);
    const auto wanted = std::tie(is_ipv6, bytes, prefix_length);
    const auto found = std::ranges::lower_bound(tables.prefixes, wanted, {}, key);
    if (found != tables.prefixes.end() && key(*found) == wanted) {
      return found->address_class;
    }
  }
  return 0;
}

Ruling Decide(const RuleSet& rules, const NetEvent& event) {
  const unsigned action = 1U << static_cast<unsigned>(event.action);
  const unsigned protocol = 1U << static_cast<unsigned>(event.protocol);
  const NetTablesView tables = TablesFor(rules, event.domain);
  const AddressClass& address_class = tables.classes[ClassOf(tables, event.is_ipv6, event.address)];
  for (const PortSpan& span : address_class.spans) {
    if (span.first > event.port) {
      break;
    }
    if (event.port <= span.last && (span.actions & action) != 0 &&
        (span.protocols & protocol) != 0) {
      return {.verdict = span.verdict, .reason = span.reason};
    }
  }
  return {.verdict = Verdict::kDeny, .reason = kReasonDefaultDeny};
}

uint32_t FlagOf(const NameRules& rules, const NameEvent& event) {
  if (rules.action != NameAction::kProcessExec) {
    return event.flag ? 1 : 0;
  }
  if (!event.sha256) {
    return 0;
  }
  const auto found = std::ranges::lower_bound(rules.digests, *event.sha256);
  const bool is_known = found != rules.digests.end() && *found == *event.sha256;
  return 1 +
         static_cast<uint32_t>((is_known ? found : rules.digests.end()) - rules.digests.begin());
}

const NameRules* FindRules(const RuleSet& rules, NameAction action) {
  const auto found = std::ranges::lower_bound(rules.names, action, {}, &NameRules::action);
  return found != rules.names.end() && found->action == action ? &*found : nullptr;
}

Ruling Decide(const RuleSet& rules, const NameEvent& event) {
  const NameRules* names = FindRules(rules, event.action);
  if (names == nullptr) {
    return {.verdict = Verdict::kDeny, .reason = kReasonDefaultDeny};
  }
  const size_t leaf = size_t{names->automaton.ClassOf(event.name)} * names->flag_count;
  return names->leaves.at(leaf + FlagOf(*names, event));
}

std::string DumpText(const RuleSet& rules) {
  std::string text = "palyra-ruleset 5\n";
  if (rules.valid_until_ms) {
    text += "valid-until " + std::to_string(*rules.valid_until_ms) + '\n';
  }
  AppendNet({.prefixes = rules.prefixes, .classes = rules.classes}, "", text);
  if (rules.domains) {
    AppendDomains(*rules.domains, text);
  }
  for (const NameRules& names : rules.names) {
    AppendNames(names, text);
  }
  for (const std::string& name : rules.protected_names) {
    text += "protected " + name + '\n';
  }
  for (size_t i = 0; i < rules.reasons.size(); ++i) {
    text += "reason " + std::to_string(i) + ' ' + ReasonText(rules.reasons[i]) + '\n';
  }
  return text;
}

std::string ReasonText(const Reason& reason) {
  std::string text;
  for (const Reason::LayerPolicies& part : reason.layers) {
    text += text.empty() ? "" : "; ";
    for (size_t i = 0; i < part.policy_ids.size(); ++i) {
      text += (i == 0 ? "" : ", ") + part.policy_ids[i];
    }
    text += part.policy_ids.empty() ? "no policy permits it" : "";
    text += " (" + std::string(LayerName(part.layer)) + ')';
  }
  return text;
}

}  // namespace palyra::policy
