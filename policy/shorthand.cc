#include "policy/shorthand.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/domain_name.h"
#include "policy/compile/named_resource.h"
#include "policy/ip.h"
#include "policy/printer.h"
#include "policy/text.h"

namespace palyra::policy {
namespace {

constexpr size_t kIpv4Offset = 12;  // Of an IPv4 address in its IPv4-mapped form.
constexpr uint8_t kMappedPrefix = 96;

struct PortRange {
  uint16_t first;
  uint16_t last;
};

// The argument taken apart, nothing understood yet.
struct Parts {
  std::string_view host;
  std::optional<std::string_view> ports;
};

std::string_view OptionName(NetShorthand kind) {
  switch (kind) {
    case NetShorthand::kAllow:
      return "--allow-net";
    case NetShorthand::kDeny:
      return "--deny-net";
    case NetShorthand::kAllowListen:
      break;
  }
  return "--allow-listen";
}

// The head of a policy up to its resource.
std::string_view HeadOf(PathShorthand kind) {
  switch (kind) {
    case PathShorthand::kAllowRead:
      return R"(permit (principal, action == Palyra::Action::"file.read")";
    case PathShorthand::kAllowWrite:
      return R"(permit (principal, action in Palyra::Action::"file.any")";
    case PathShorthand::kAllowDevice:
      return R"(permit (principal, action in [Palyra::Action::"file.read", )"
             R"(Palyra::Action::"file.write", Palyra::Action::"file.attributes"])";
    case PathShorthand::kAllowExec:
      return R"(permit (principal, action in [Palyra::Action::"process.exec", )"
             R"(Palyra::Action::"file.read"])";
    case PathShorthand::kDenyRead:
      return R"(forbid (principal, action == Palyra::Action::"file.read")";
    case PathShorthand::kDenyWrite:
      break;
  }
  return R"(forbid (principal, action in Palyra::Action::"file.modify")";
}

std::unexpected<Error> Refuse(std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, std::string(why));
}

Result<Parts> Split(std::string_view argument) {
  if (argument.starts_with('[')) {
    const size_t close = argument.find(']');
    if (close == std::string_view::npos) {
      return Refuse("the bracket is not closed");
    }
    const std::string_view host = argument.substr(1, close - 1);
    const std::string_view rest = argument.substr(close + 1);
    if (host.find(':') == std::string_view::npos) {
      return Refuse("only IPv6 addresses stand in brackets");
    }
    if (rest.empty()) {
      return Parts{.host = host, .ports = std::nullopt};
    }
    if (rest[0] != ':') {
      return Refuse(
          "behind the bracket only :PORT may follow; a prefix length goes inside, as in "
          "[fd00::/8]:443");
    }
    return Parts{.host = host, .ports = rest.substr(1)};
  }
  const size_t colon = argument.find(':');
  if (std::ranges::count(argument, ':') != 1) {
    return Parts{.host = argument, .ports = std::nullopt};
  }
  return Parts{.host = argument.substr(0, colon), .ports = argument.substr(colon + 1)};
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool good = error == std::errc() && end == text.data() + text.size() &&
                    (text.size() == 1 || text[0] != '0');
  return good ? std::optional(port) : std::nullopt;
}

Result<PortRange> ParsePorts(std::string_view text) {
  const size_t dash = text.find('-');
  const std::optional<uint16_t> first = ParsePort(text.substr(0, dash));
  const std::optional<uint16_t> last =
      dash == std::string_view::npos ? first : ParsePort(text.substr(dash + 1));
  if (!first || !last) {
    return Refuse("a port is a number from 0 to 65535, a range of them FIRST-LAST");
  }
  if (*first > *last) {
    return Refuse("the first port of the range is above the last");
  }
  return PortRange{.first = *first, .last = *last};
}

// IPv6 text whose last 32 bits are a dotted quad, in hexadecimal groups, which is all that Cedar
// reads. Other text as it is.
std::string WithoutDottedQuad(std::string_view text) {
  const size_t slash = std::min(text.find('/'), text.size());
  const size_t colon = text.substr(0, slash).rfind(':');
  if (colon == std::string_view::npos) {
    return std::string(text);
  }
  const std::string_view quad = text.substr(colon + 1, slash - colon - 1);
  const std::optional<IpAddress> ipv4 = IpAddress::Parse(quad);
  if (!ipv4) {
    return std::string(text);
  }
  const IpAddress::Bytes& b = ipv4->bytes();
  std::string groups;
  for (size_t i = 0; i < 4; ++i) {
    static constexpr std::string_view kDigits = "0123456789abcdef";
    groups += (i == 2 ? ":" : "");
    groups += kDigits[b[i] >> 4U];
    groups += kDigits[b[i] & 0xFU];
  }
  return std::string(text.substr(0, colon + 1)) + groups + std::string(text.substr(slash));
}

bool IsMapped(const IpAddress& ip) {
  const IpAddress::Bytes& b = ip.bytes();
  return ip.is_ipv6() && std::all_of(b.begin(), b.begin() + 10, [](uint8_t x) { return x == 0; }) &&
         b[10] == 0xFF && b[11] == 0xFF;
}

Result<IpAddress> ToCanonical(const IpAddress& ip) {
  if (!IsMapped(ip)) {
    return ip.Masked();
  }
  if (ip.prefix_length() < kMappedPrefix) {
    return Refuse("the prefix of an IPv4-mapped address is at least 96; write the IPv4 address");
  }
  IpAddress::Bytes bytes{};
  std::copy_n(ip.bytes().begin() + kIpv4Offset, 4, bytes.begin());
  const auto prefix = static_cast<uint8_t>(ip.prefix_length() - kMappedPrefix);
  return IpAddress::Create(false, bytes, prefix)->Masked();
}

Result<IpAddress> ParseAddress(std::string_view host) {
  if (const std::optional<IpAddress> ip = IpAddress::Parse(WithoutDottedQuad(host))) {
    return ToCanonical(*ip);
  }
  if (host.find(':') != std::string_view::npos) {
    return Refuse(
        "this is not an IPv6 address; where a port follows, put the address in brackets, "
        "as in [2001:db8::1]:443");
  }
  const bool numeric = host.find_first_not_of("0123456789./") == std::string_view::npos ||
                       host.starts_with("0x") || host.starts_with("0X");
  if (host.empty() || numeric) {
    return Refuse(
        "an IPv4 address is four decimal numbers from 0 to 255 without leading zeros, as "
        "in 192.0.2.1 or 192.0.2.0/24");
  }
  return Refuse("this is neither an address nor a name, as in 192.0.2.1:443 or a.example:443");
}

std::string AddressCondition(const IpAddress& ip) {
  const std::string literal = "ip(\"" + ip.ToString() + "\")";
  return ip.prefix_length() == ip.max_prefix_length()
             ? "resource.address == " + literal
             : "resource.address.isInRange(" + literal + ')';
}

// What must hold of the address; empty for any address.
Result<std::string> HostCondition(NetShorthand kind, std::string_view host, bool with_port) {
  if (host == "*") {
    return std::string();
  }
  if (host == "localhost") {
    const std::string either =
        R"(resource.address == ip("127.0.0.1") || resource.address == ip("::1"))";
    return with_port ? '(' + either + ')' : either;
  }
  const bool is_below = host.starts_with("*.");
  if (const auto name = base::CanonicalDomain(is_below ? host.substr(2) : host)) {
    if (kind == NetShorthand::kAllowListen) {
      return Refuse("a run listens at an address of its own, as in 127.0.0.1:3000");
    }
    return is_below ? "resource has domain && resource.domain like \"*." + *name + '"'
                    : "resource has domain && resource.domain == \"" + *name + '"';
  }
  const Result<IpAddress> ip = ParseAddress(host);
  return ip ? Result<std::string>(AddressCondition(*ip)) : std::unexpected(ip.error());
}

std::string PortCondition(PortRange ports) {
  if (ports.first == ports.last) {
    return "resource.port == " + std::to_string(ports.first);
  }
  return "resource.port >= " + std::to_string(ports.first) +
         " && resource.port <= " + std::to_string(ports.last);
}

Result<std::string> ConditionOf(NetShorthand kind, std::string_view argument) {
  Result<Parts> parts = Split(argument);
  if (!parts) {
    return std::unexpected(parts.error());
  }
  if (kind == NetShorthand::kAllowListen && !parts->ports) {
    if (argument.find_first_not_of("0123456789-") != std::string_view::npos) {
      return Refuse("say at which port, as in 3000 or 127.0.0.1:3000");
    }
    *parts = {.host = "*", .ports = argument};
  }
  Result<std::string> condition = HostCondition(kind, parts->host, parts->ports.has_value());
  if (!condition || !parts->ports) {
    return condition;
  }
  const Result<PortRange> ports = ParsePorts(*parts->ports);
  if (!ports) {
    return std::unexpected(ports.error());
  }
  return *condition + (condition->empty() ? "" : " && ") + PortCondition(*ports);
}

}  // namespace

Result<std::string> UnixShorthandToCedar(std::string_view argument) {
  const bool is_abstract = argument.starts_with('@');
  if (!is_abstract && (!IsCanonicalPath(argument) || argument == "/")) {
    return Fail(ErrorCode::kInvalidArgument,
                "--allow-unix " + QuoteString(argument) +
                    ": write the whole path of the socket, as /run/docker.sock, or @NAME for an "
                    "abstract one");
  }
  return "@id(" + QuoteString("--allow-unix " + std::string(argument)) +
         ")\npermit (principal, action == Palyra::Action::\"unix.connect\", resource) when { " +
         (is_abstract ? "" : "!") + "resource.abstract && resource.path == " +
         QuoteString(argument.substr(is_abstract ? 1 : 0)) + " };\n";
}

std::string_view OptionName(PathShorthand kind) {
  switch (kind) {
    case PathShorthand::kAllowRead:
      return "--allow-read";
    case PathShorthand::kAllowWrite:
    case PathShorthand::kAllowDevice:
      return "--allow-write";
    case PathShorthand::kAllowExec:
      return "--allow-exec";
    case PathShorthand::kDenyRead:
      return "--deny-read";
    case PathShorthand::kDenyWrite:
      break;
  }
  return "--deny-write";
}

Result<std::string> PathShorthandToCedar(PathShorthand kind, std::string_view argument,
                                         std::string_view path) {
  const std::string option = std::string(OptionName(kind)) + ' ' + std::string(argument);
  if (FindInvalidUtf8(argument) || FindInvalidUtf8(path)) {
    return Fail(
        ErrorCode::kInvalidArgument,
        std::string(OptionName(kind)) +
            ": the path is not UTF-8, and no policy can name it; name a directory above it");
  }
  if (!IsCanonicalPath(path)) {
    return Fail(ErrorCode::kInvalidArgument,
                option + ": " + QuoteString(path) + " is no real path");
  }
  return "@id(" + QuoteString(option) + ")\n" + std::string(HeadOf(kind)) +
         ", resource in Palyra::Directory::" + QuoteString(path) + ");\n";
}

Result<std::string> NetShorthandToCedar(NetShorthand kind, std::string_view argument) {
  const std::string option = std::string(OptionName(kind)) + ' ' + std::string(argument);
  const Result<std::string> condition = ConditionOf(kind, argument);
  if (!condition) {
    return Fail(ErrorCode::kInvalidArgument, std::string(OptionName(kind)) + ' ' +
                                                 QuoteString(argument) + ": " +
                                                 condition.error().message);
  }
  std::string text = "@id(" + QuoteString(option) + ")\n";
  if (kind == NetShorthand::kAllowListen) {
    return text +
           "permit (principal, action in [Palyra::Action::\"net.bind\", "
           "Palyra::Action::\"net.listen\", Palyra::Action::\"net.accept\"], resource) when { "
           "action == Palyra::Action::\"net.accept\" || " +
           *condition + " };\n";
  }
  text += kind == NetShorthand::kAllow ? "permit" : "forbid";
  text +=
      " (principal, action in [Palyra::Action::\"net.connect\", Palyra::Action::\"net.send\"], "
      "resource)";
  text += condition->empty() ? "" : " when { " + *condition + " }";
  return text + ";\n";
}

}  // namespace palyra::policy
