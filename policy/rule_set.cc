#include "policy/rule_set.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>

#include "policy/endpoint.h"
#include "policy/ip.h"

namespace palyra::policy {
namespace {

std::string_view VerdictName(Verdict verdict) {
  static constexpr std::array<std::string_view, 3> kNames = {"deny", "ask", "allow"};
  return kNames.at(static_cast<size_t>(verdict));
}

std::string_view LayerName(Layer layer) {
  static constexpr std::array<std::string_view, 3> kNames = {"mandatory", "operator", "caller"};
  return kNames.at(static_cast<size_t>(layer));
}

IpAddress::Bytes Masked(bool is_ipv6, const IpAddress::Bytes& bytes, uint8_t length) {
  return IpAddress::Create(is_ipv6, bytes, length)->Masked().bytes();
}

uint32_t ClassOf(const RuleSet& rules, const NetEvent& event) {
  const auto key = [](const AddressPrefix& p) { return std::tie(p.is_ipv6, p.bytes, p.length); };
  for (int length = event.is_ipv6 ? 128 : 32; length >= 0; --length) {
    const auto prefix_length = static_cast<uint8_t>(length);
    const IpAddress::Bytes bytes = Masked(event.is_ipv6, event.address, prefix_length);
    const auto wanted = std::tie(event.is_ipv6, bytes, prefix_length);
    const auto found = std::ranges::lower_bound(rules.prefixes, wanted, {}, key);
    if (found != rules.prefixes.end() && key(*found) == wanted) {
      return found->address_class;
    }
  }
  return 0;
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

}  // namespace

base::Sha256Digest Digest(const RuleSet& rules) {
  CanonicalForm form;
  form.AddText("palyra-ruleset-digest 1");
  form.AddCount(rules.prefixes.size());
  for (const AddressPrefix& prefix : rules.prefixes) {
    form.Add(static_cast<uint8_t>(prefix.is_ipv6 ? 1 : 0));
    form.Add(prefix.length);
    form.Append(std::span(prefix.bytes).first(prefix.is_ipv6 ? 16 : 4));
    form.Add(prefix.address_class);
  }
  form.AddCount(rules.classes.size());
  for (const AddressClass& address_class : rules.classes) {
    form.AddCount(address_class.spans.size());
    for (const PortSpan& span : address_class.spans) AddSpan(span, form);
  }
  form.AddCount(rules.reasons.size());
  for (const Reason& reason : rules.reasons) AddReason(reason, form);
  form.Add(static_cast<uint8_t>(rules.valid_until_ms ? 1 : 0));
  form.Add(rules.valid_until_ms.value_or(0));
  return form.Finish();
}

NetDecision Decide(const RuleSet& rules, const NetEvent& event) {
  const unsigned action = 1U << static_cast<unsigned>(event.action);
  const unsigned protocol = 1U << static_cast<unsigned>(event.protocol);
  for (const PortSpan& span : rules.classes[ClassOf(rules, event)].spans) {
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

std::string DumpText(const RuleSet& rules) {
  std::string text = "palyra-ruleset 1\n";
  if (rules.valid_until_ms) text += "valid-until " + std::to_string(*rules.valid_until_ms) + '\n';
  for (const AddressPrefix& prefix : rules.prefixes) {
    const IpAddress address =
        *IpAddress::Create(prefix.is_ipv6, prefix.bytes, prefix.is_ipv6 ? 128 : 32);
    text += "prefix " + address.ToString() + '/' + std::to_string(prefix.length) + " class " +
            std::to_string(prefix.address_class) + '\n';
  }
  for (size_t i = 0; i < rules.classes.size(); ++i) {
    for (const PortSpan& span : rules.classes[i].spans) {
      text += "class " + std::to_string(i) + " ports " + std::to_string(span.first) + '-' +
              std::to_string(span.last) + ' ' + ActionsText(span.actions) + ' ' +
              ProtocolsText(span.protocols) + ' ' + std::string(VerdictName(span.verdict)) +
              " reason " + std::to_string(span.reason) + '\n';
    }
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
