#include "cli/denials.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

namespace palyra::cli {
namespace {

constexpr size_t kMostEntries = 256;
constexpr size_t kShown = 3;

std::string ActionName(palyra_action action) {
  switch (action) {
    case PALYRA_NET_CONNECT:
      return "net.connect";
    case PALYRA_NET_SEND:
      return "net.send";
    case PALYRA_NET_ACCEPT:
      return "net.accept";
    case PALYRA_NET_BIND:
      return "net.bind";
    case PALYRA_NET_LISTEN:
      return "net.listen";
    case PALYRA_SOCKET_CREATE:
      return "socket.create";
  }
  return "unknown";
}

std::string ProtocolName(const palyra_event& event) {
  switch (event.protocol) {
    case PALYRA_TCP:
      return "tcp";
    case PALYRA_UDP:
      return "udp";
    case PALYRA_UDPLITE:
      return "udplite";
    case PALYRA_ICMP:
      return "icmp";
    case PALYRA_ICMPV6:
      return "icmpv6";
    case PALYRA_PROTOCOL_OTHER:
      break;
  }
  return fmt::format("protocol {}", event.ip_protocol);
}

std::string SocketKind(const palyra_event& event) {
  if (event.socket_family != AF_INET && event.socket_family != AF_INET6) {
    return fmt::format("family {}", event.socket_family);
  }
  return fmt::format("{} {} protocol {}", event.socket_type == SOCK_RAW ? "raw" : "unusual",
                     event.socket_family == AF_INET6 ? "ipv6" : "ipv4", event.ip_protocol);
}

constexpr const char* kResolve = "resolve";

std::string AddressText(const palyra_event& event) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  inet_ntop(event.is_ipv6 != 0 ? AF_INET6 : AF_INET, event.address, text.data(), text.size());
  return text.data();
}

std::string Bracketed(const std::string& address) {
  return address.find(':') == std::string::npos ? address : fmt::format("[{}]", address);
}

std::string Target(const Denial& denial) {
  if (denial.address.empty()) return denial.protocol;
  const std::string address = Bracketed(denial.address);
  if (denial.protocol.starts_with("icmp")) return fmt::format("{} {}", denial.protocol, address);
  return fmt::format("{} {}:{}{}{}", denial.protocol, address, denial.port,
                     denial.names.empty() ? "" : " as ", fmt::join(denial.names, ", "));
}

// What --allow-net and --allow-listen take for it.
std::string Shorthand(const Denial& denial) {
  const std::string& host = denial.names.empty() ? denial.address : denial.names.front();
  if (denial.port == 0) return host;
  return fmt::format("{}:{}", Bracketed(host), denial.port);
}

std::string By(const Denial& denial) {
  if (!denial.note.empty()) return denial.note;
  if (!denial.layer) return "no policy can permit it";
  if (!denial.policies.empty()) {
    return fmt::format("by {} of the {} policies", fmt::join(denial.policies, ", "),
                       policy::LayerName(*denial.layer));
  }
  return fmt::format("no {} policy permits it", policy::LayerName(*denial.layer));
}

std::optional<std::string> HowToAllow(const Denial& denial) {
  if (denial.action == kResolve) return "allow it with --allow-net " + denial.protocol;
  if (!denial.layer || *denial.layer == policy::Layer::kMandatory) return std::nullopt;
  if (*denial.layer == policy::Layer::kOperator) {
    return fmt::format("the operator allows it in {}", kOperatorPolicies);
  }
  if (!denial.policies.empty()) return "change that policy to allow it";
  const bool is_local = denial.action == "net.bind" || denial.action == "net.listen";
  if (is_local && denial.port != 0) return "allow it with --allow-listen " + Shorthand(denial);
  // Which peers, or which port of the kernel's choice, no shorthand says.
  if (is_local || denial.action == "net.accept") {
    return fmt::format("allow it by a permit for {}", denial.action);
  }
  return "allow it with --allow-net " + Shorthand(denial);
}

}  // namespace

Denial DenialNames::Name(const palyra_event& event) const {
  Denial denial = {.action = ActionName(event.action),
                   .protocol = {},
                   .address = {},
                   .port = event.port,
                   .layer = std::nullopt,
                   .policies = {},
                   .note = {}};
  if (event.action == PALYRA_SOCKET_CREATE) {
    denial.protocol = SocketKind(event);
    return denial;
  }
  denial.protocol = ProtocolName(event);
  denial.address = AddressText(event);
  if (event.reason == PALYRA_REASON_EXPIRED) {
    denial.note = "the policies' time is over and no other rules are in force";
    return denial;
  }
  if (event.protocol == PALYRA_PROTOCOL_OTHER || event.reason >= rules_.reasons.size()) {
    return denial;
  }
  const policy::Reason& reason = rules_.reasons[event.reason];
  if (reason.layers.empty()) return denial;
  denial.layer = reason.layers.front().layer;
  denial.policies = LabelsOf(reason.layers.front());
  return denial;
}

Denial DenialNames::NameAllowed(const palyra_event& event) const {
  Denial allowed = {.action = ActionName(event.action),
                    .protocol = ProtocolName(event),
                    .address = AddressText(event),
                    .port = event.port,
                    .layer = std::nullopt,
                    .policies = {},
                    .note = {}};
  if (event.reason >= rules_.reasons.size()) return allowed;
  for (const policy::Reason::LayerPolicies& layer : rules_.reasons[event.reason].layers) {
    std::ranges::move(LabelsOf(layer), std::back_inserter(allowed.policies));
  }
  return allowed;
}

std::vector<std::string> DenialNames::LabelsOf(const policy::Reason::LayerPolicies& named) const {
  std::vector<std::string> labels;
  for (const LayerPolicies& layer : layers_) {
    if (layer.layer != named.layer) continue;
    for (const std::string& id : named.policy_ids) {
      const policy::PlacedPolicy* policy = layer.policies.Find(id);
      labels.push_back(policy == nullptr ? id : policy->Label());
    }
  }
  return labels;
}

Denial RefusedName(const std::string& name, bool is_unpinned) {
  return {.action = kResolve,
          .protocol = name,
          .address = {},
          .layer = std::nullopt,
          .policies = {},
          .note = is_unpinned ? "it was not resolved before the run"
                              : "no policy could allow to reach it"};
}

void DenialSummary::Add(const Denial& denial) {
  const Key key = denial.Key();
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    ++found->second.count;
  } else if (entries_.size() < kMostEntries) {
    entries_.emplace(key, Entry{.denial = denial, .count = 1, .order = entries_.size()});
  }
}

void DenialSummary::AddOfBroker(const Denial& denial) {
  ++of_brokers_;
  Add(denial);
}

std::optional<std::string> DenialSummary::Line(uint64_t total, uint64_t lost) const {
  total += of_brokers_;
  if (total == 0) return std::nullopt;
  std::vector<const Entry*> shown;
  shown.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) shown.push_back(&entry);
  std::ranges::sort(shown, [](const Entry* a, const Entry* b) {
    return std::tuple(b->count, a->order) < std::tuple(a->count, b->order);
  });
  if (shown.size() > kShown) shown.resize(kShown);

  uint64_t named = 0;
  std::vector<std::string> parts;
  for (const Entry* entry : shown) {
    named += entry->count;
    parts.push_back(fmt::format("{} {} {}x ({})", entry->denial.action, Target(entry->denial),
                                entry->count, By(entry->denial)));
  }
  std::string line = "denied: " + fmt::format("{}", fmt::join(parts, "; "));
  if (total > named) line += fmt::format("{}{} more", parts.empty() ? "" : "; ", total - named);
  if (lost > 0) line += fmt::format(" ({} without details)", lost);
  if (!shown.empty()) {
    if (std::optional<std::string> how = HowToAllow(shown.front()->denial)) line += "; " + *how;
  }
  return line;
}

}  // namespace palyra::cli
