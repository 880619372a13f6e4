#include "cli/policy/event_text.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>

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

template <typename Kind, typename NameOf>
std::optional<Kind> FindKind(int count, std::string_view text, NameOf name_of) {
  for (int i = 0; i < count; ++i) {
    if (name_of(static_cast<Kind>(i)) == text) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

template <typename... Arguments>
std::unexpected<Error> Wrong(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format(format, std::forward<Arguments>(arguments)...));
}

Result<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, port);
  if (failure == std::errc() && rest == end) return port;
  return Wrong("\"{}\" is no port; write 0 to 65535", text);
}

Result<Event> ParseNet(NetAction action, const std::vector<std::string>& words) {
  if (words.size() != 3) {
    return Wrong("write {} PROTOCOL ADDRESS:PORT, as {} tcp 192.0.2.1:443", words[0], words[0]);
  }
  const auto protocol = FindKind<Protocol>(policy::kProtocolCount, words[1],
                                           [](Protocol p) { return policy::ProtocolName(p); });
  if (!protocol) {
    return Wrong("\"{}\" is no protocol; there are tcp, udp, udplite, icmp and icmpv6", words[1]);
  }
  const bool is_icmp = *protocol == Protocol::kIcmp || *protocol == Protocol::kIcmpv6;
  std::string_view address = words[2];
  uint16_t port = 0;
  if (const size_t colon = address.rfind(':');
      !is_icmp && colon != std::string_view::npos &&
      (address.starts_with('[') ? address[colon - 1] == ']' : address.find(':') == colon)) {
    Result<uint16_t> parsed = ParsePort(address.substr(colon + 1));
    if (!parsed) return std::unexpected(parsed.error());
    port = *parsed;
    address = address.substr(0, colon);
  } else if (!is_icmp) {
    return Wrong("\"{}\" has no port; write 192.0.2.1:443 or [2001:db8::1]:443", words[2]);
  }
  if (address.starts_with('[') && address.ends_with(']')) {
    address = address.substr(1, address.size() - 2);
  }
  const auto ip = policy::IpAddress::Parse(address);
  if (!ip || ip->prefix_length() != ip->max_prefix_length()) {
    return Wrong("\"{}\" is no address", address);
  }
  // IPv4-mapped IPv6 becomes IPv4.
  const policy::IpAddress canonical =
      policy::AddressAt(policy::AddressPoint(ip->is_ipv6(), ip->bytes()));
  return NetEvent{.action = action,
                  .protocol = *protocol,
                  .is_ipv6 = canonical.is_ipv6(),
                  .address = canonical.bytes(),
                  .port = port};
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

}  // namespace

Result<Event> ParseEvent(const std::vector<std::string>& words) {
  if (words.empty()) return Wrong("write an event, as net.connect tcp 192.0.2.1:443");
  if (const auto net = FindKind<NetAction>(policy::kNetActionCount, words[0],
                                           [](NetAction a) { return policy::ActionName(a); })) {
    return ParseNet(*net, words);
  }
  if (const auto name = FindKind<NameAction>(policy::kNameActionCount, words[0],
                                             [](NameAction a) { return policy::ActionName(a); })) {
    return ParseName(*name, words);
  }
  return Wrong(
      "\"{}\" is no action that the tables decide; there are net.connect, net.send, "
      "net.accept, file.*, process.* and unix.connect",
      words[0]);
}

}  // namespace palyra::cli
