#include "cli/event_text.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/domain_name.h"
#include "policy/compile/endpoint.h"
#include "policy/compile/named_resource.h"
#include "policy/compile/truth_map.h"
#include "policy/ip.h"

namespace palyra::cli {
namespace {

using policy::NameAction;
using policy::NameEvent;
using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;

template <typename Enum, size_t kCount>
std::optional<Enum> ByName(std::string_view name, std::string_view (*name_of)(Enum)) {
  for (size_t i = 0; i < kCount; ++i) {
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

bool HasPort(Protocol protocol) {
  return protocol != Protocol::kIcmp && protocol != Protocol::kIcmpv6;
}

std::unexpected<Error> BadEndpoint(const std::string& endpoint) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("\"{}\" is no endpoint; write ADDRESS:PORT, [IPV6]:PORT, or for icmp and "
                          "icmpv6 ADDRESS",
                          endpoint));
}

// Address and port apart; without brackets where they were.
struct Split {
  std::string address;
  std::optional<uint16_t> port;
};

std::optional<Split> SplitEndpoint(std::string_view text, bool with_port) {
  if (!with_port) return Split{.address = std::string(text), .port = 0};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Split split = {.address = std::string(text.substr(0, colon)), .port = std::nullopt};
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  split.port = port;
  const bool bracketed = split.address.starts_with('[') && split.address.ends_with(']');
  if (bracketed) split.address = split.address.substr(1, split.address.size() - 2);
  const bool is_ipv6 = split.address.find(':') != std::string::npos;
  return bracketed == is_ipv6 ? std::optional(split) : std::nullopt;
}

template <typename... Arguments>
std::unexpected<Error> Wrong(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format(format, std::forward<Arguments>(arguments)...));
}

Result<Event> ParseProcess(NameAction action, const std::vector<std::string>& words) {
  if (words.size() == 2 && (words[1] == "same-run" || words[1] == "other")) {
    return NameEvent{.action = action, .name = "", .flag = words[1] == "same-run"};
  }
  return Wrong("write {} same-run or {} other", words[0], words[0]);
}

Result<Event> ParseName(NameAction action, const std::vector<std::string>& words) {
  const std::string_view type = policy::ResourceTypeOf(action);
  if (type == policy::kProcessType) return ParseProcess(action, words);
  if (type == policy::kSocketType && words.size() == 3 && words[1] == "abstract") {
    return NameEvent{.action = action, .name = words[2], .flag = true};
  }
  const bool has_digest =
      type == policy::kExecutableType && words.size() == 4 && words[2] == "sha256";
  if (words.size() != 2 && !has_digest) {
    return Wrong("write {} PATH, as {} /etc/hosts", words[0], words[0]);
  }
  NameEvent event{.action = action,
                  .name = std::filesystem::path(words[1]).lexically_normal().string()};
  if (event.name.size() > 1 && event.name.ends_with('/')) event.name.pop_back();
  if (has_digest) event.sha256 = words[3];
  if (policy::IsCanonicalPath(event.name)) return event;
  return Wrong("\"{}\" is not absolute; write the whole path", words[1]);
}

Result<Event> ParseNet(const std::vector<std::string>& words) {
  const bool has_name = words.size() == 5 && words[3] == "as";
  if (words.size() != 3 && !has_name) {
    return Wrong("write {} PROTOCOL ADDRESS:PORT [as NAME], as {} tcp 192.0.2.1:443", words[0],
                 words[0]);
  }
  Result<NetEvent> event = ParseNetEvent(words[0], words[1], words[2]);
  if (!event || !has_name) return event;
  event->domain = base::CanonicalDomain(words[4]);
  return event->domain ? Result<Event>(*std::move(event))
                       : Wrong("\"{}\" is no domain name", words[4]);
}

}  // namespace

Result<NetEvent> ParseNetEvent(const std::string& action, const std::string& protocol,
                               const std::string& endpoint) {
  const auto known_action = ByName<NetAction, policy::kNetActionCount>(action, policy::ActionName);
  if (!known_action) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no action of the network; write net.connect, net.send, "
                            "net.accept, net.bind or net.listen",
                            action));
  }
  const auto known_protocol =
      ByName<Protocol, policy::kProtocolCount>(protocol, policy::ProtocolName);
  if (!known_protocol) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("\"{}\" is no protocol; write tcp, udp, udplite, icmp or icmpv6", protocol));
  }
  const std::optional<Split> split = SplitEndpoint(endpoint, HasPort(*known_protocol));
  if (!split) return BadEndpoint(endpoint);
  const std::optional<policy::IpAddress> address = policy::IpAddress::Parse(split->address);
  if (!address || address->prefix_length() != address->max_prefix_length() ||
      split->address.find('/') != std::string::npos) {
    return BadEndpoint(endpoint);
  }
  // IPv4-mapped IPv6 becomes IPv4.
  const policy::IpAddress canonical =
      policy::AddressAt(policy::AddressPoint(address->is_ipv6(), address->bytes()));
  return NetEvent{.action = *known_action,
                  .protocol = *known_protocol,
                  .is_ipv6 = canonical.is_ipv6(),
                  .address = canonical.bytes(),
                  .port = *split->port};
}

std::string NetEventText(const NetEvent& event) {
  const std::optional<policy::IpAddress> address =
      policy::IpAddress::Create(event.is_ipv6, event.address, event.is_ipv6 ? 128 : 32);
  std::string endpoint = address ? address->ToString() : "?";
  if (HasPort(event.protocol)) {
    endpoint = fmt::format(fmt::runtime(event.is_ipv6 ? "[{}]:{}" : "{}:{}"), endpoint, event.port);
  }
  return fmt::format("{} {} {}{}", policy::ActionName(event.action),
                     policy::ProtocolName(event.protocol), endpoint,
                     event.domain ? " as " + *event.domain : "");
}

std::string EventText(const Event& event) {
  if (const auto* const endpoint = std::get_if<NetEvent>(&event)) return NetEventText(*endpoint);
  const auto& named = std::get<NameEvent>(event);
  return fmt::format("{} {}", policy::ActionName(named.action), named.name);
}

Result<Event> ParseEvent(const std::vector<std::string>& words) {
  if (words.empty()) return Wrong("write an event, as net.connect tcp 192.0.2.1:443");
  if (ByName<NetAction, policy::kNetActionCount>(words[0], policy::ActionName)) {
    return ParseNet(words);
  }
  const auto name = ByName<NameAction, policy::kNameActionCount>(words[0], policy::ActionName);
  if (name) return ParseName(*name, words);
  return Wrong(
      "\"{}\" is no action that the tables decide; there are net.connect, net.send, "
      "net.accept, net.bind, net.listen, file.*, process.* and unix.connect, and before a run "
      "tool.execute",
      words[0]);
}

}  // namespace palyra::cli
