#include "tests/unit/policy/random_policies.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "policy/compile/truth_map.h"
#include "policy/ip.h"

namespace palyra::policy {
namespace {

const std::vector<std::string> kRanges = {"0.0.0.0/0",
                                          "10.0.0.0/8",
                                          "10.1.2.3/8",
                                          "10.20.0.0/16",
                                          "10.20.30.0/24",
                                          "10.20.30.40",
                                          "10.20.30.41",
                                          "127.0.0.1",
                                          "127.0.0.0/7",
                                          "192.0.2.7",
                                          "224.0.0.0/4",
                                          "224.0.0.1",
                                          "255.255.255.255",
                                          "0.0.0.0",
                                          "::/0",
                                          "::",
                                          "::1",
                                          "2001:db8::/32",
                                          "2001:db8::/33",
                                          "2001:db8:8000::/33",
                                          "2001:db8::7",
                                          "ff00::/8",
                                          "ff02::1",
                                          "::ffff:a00:1",
                                          "::ffff:0:0/96",
                                          "::/64",
                                          "::fffe:0:0/95",
                                          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                          "169.254.169.254"};

const std::vector<std::string> kPorts = {"0",    "1",     "22",    "80",    "443",   "1023", "1024",
                                         "8080", "32767", "65534", "65535", "65536", "-1"};

const std::vector<std::string> kDomains = {"test",    "a.test",    "b.a.test",        "ba.test",
                                           "example", "a.example", "deep.b.a.example"};

}  // namespace

std::string RandomPolicies::Policies(int max_count, bool any) {
  calculates_ = Below(20) == 0;
  std::string text;
  for (size_t i = 0, count = 1 + Below(static_cast<size_t>(max_count)); i < count; ++i) {
    text += Policy(any) + '\n';
  }
  return text;
}

std::string RandomPolicies::Policy(bool any) {
  std::string text;
  if (Chance(10)) {
    text +=
        R"(@verify("sni") permit (principal, action == Palyra::Action::"net.connect", resource))";
  } else {
    text += Chance(25) ? "@ask(\"really?\") " : "";
    text += (Chance(70) ? "permit (" : "forbid (") + Head() + ")";
  }
  for (int conditions = Chance(10) ? 0 : Chance(75) ? 1 : 2; conditions > 0; --conditions) {
    text += (Chance(75) ? " when { " : " unless { ") + Condition(3, any) + " }";
  }
  return text + ";";
}

std::string RandomPolicies::Head() {
  const std::string principal =
      Chance(80)
          ? "principal"
          : Pick({"principal == Palyra::Agent::\"bot\"", "principal == Palyra::Agent::\"other\"",
                  "principal is Palyra::Agent", "principal in Palyra::AgentGroup::\"ci\"",
                  "principal is Palyra::Agent in Palyra::AgentGroup::\"dev\""});
  const std::string action =
      Chance(40) ? "action"
                 : Pick({"action == Palyra::Action::\"net.connect\"",
                         "action == Palyra::Action::\"net.accept\"",
                         R"(action in [Palyra::Action::"net.connect", Palyra::Action::"net.send"])",
                         "action in [Palyra::Action::\"net.send\"]", "action in []"});
  return principal + ", " + action + ", " +
         (Chance(85) ? "resource" : "resource is Palyra::Endpoint");
}

std::string RandomPolicies::Condition(int depth, bool any) {
  if (depth == 0 || Chance(25)) {
    if (any && Chance(8)) {
      return OddAtom();
    }
    switch (Below(9)) {
      case 0:
      case 1:
        return AddressAtom();
      case 7:
      case 8:
        return DomainAtom();
      case 2:
      case 3:
        return PortAtom();
      case 4:
      case 5:
        return ProtocolAtom();
      default:
        return KnownAtom();
    }
  }
  const auto part = [&] { return '(' + Condition(depth - 1, any) + ')'; };
  switch (Below(6)) {
    case 0:
    case 1:
      return part() + " && " + part() + (Chance(30) ? " && " + part() : "");
    case 2:
    case 3:
      return part() + " || " + part() + (Chance(30) ? " || " + part() : "");
    case 4:
      return '!' + part();
    default:
      return "if " + part() + " then " + part() + " else " + part();
  }
}

std::string RandomPolicies::AddressAtom() {
  const std::string ip = "ip(\"" + Pick(kRanges) + "\")";
  const std::string other = "ip(\"" + Pick(kRanges) + "\")";
  return Pick(
      {"resource.address == " + ip, ip + " != resource.address",
       "resource.address.isInRange(" + ip + ")", ip + ".isInRange(resource.address)",
       "resource.address.isInRange(" + ip + ") == resource.address.isInRange(" + other + ")",
       "[" + ip + ", " + other + "].contains(resource.address)",
       "[resource.address, " + ip + "].containsAll([" + other + "])",
       R"({"a": [resource.address]} == {"a": [)" + ip + "]}",
       "(if resource.address.isIpv4() then " + ip + " else " + other + ") == resource.address",
       "resource.address.isLoopback()", "resource.address.isMulticast()",
       "resource.address.isIpv4()", "resource.address.isIpv6()",
       "resource.address.isInRange(principal.net)", "principal.hosts.contains(resource.address)",
       "principal.getTag(\"home\") == resource.address",
       "(if " + ip + ".isInRange(resource.address) then resource.address else " + other +
           ").isInRange(" + ip + ")"});
}

std::string RandomPolicies::PortNumber() {
  if (calculates_ && Chance(30)) {
    return Pick({"resource.port + 1", "resource.port * 2", "resource.port * resource.port",
                 "resource.port - 65535", "-resource.port", "resource.port * 200000000000000",
                 "(if resource.port > 80 then resource.port else 9)"});
  }
  return "resource.port";
}

std::string RandomPolicies::PortAtom() {
  const std::string number = Pick(kPorts);
  const std::string op = Pick({"==", "!=", "<", "<=", ">", ">="});
  return Pick({PortNumber() + ' ' + op + ' ' + number, number + ' ' + op + ' ' + PortNumber(),
               "resource.port >= " + number + " && resource.port <= " + Pick(kPorts),
               "[" + number + ", " + Pick(kPorts) + ", 443].contains(resource.port)",
               "[resource.port, 80].containsAny([" + number + ", 22])",
               "resource.port " + op + " principal.limit", "resource.port == principal.port",
               "{\"p\": resource.port}.p == " + number,
               "(resource.port < 1024) == (resource.port != " + number + ")"});
}

std::string RandomPolicies::ProtocolAtom() {
  const std::string name = '"' + Pick({"tcp", "udp", "udplite", "icmp", "icmpv6", "sctp"}) + '"';
  return Pick({"resource.protocol == " + name, "resource.protocol != " + name,
               "[\"tcp\", " + name + "].contains(resource.protocol)",
               "resource.protocol like \"udp*\"", "resource.protocol like \"*cmp*\"",
               "resource.protocol == principal.name"});
}

std::string RandomPolicies::DomainAtom() {
  const std::string name = Pick(kDomains);
  const std::string in = "resource in Palyra::Domain::\"" + name + '"';
  const std::string with = "resource has domain && resource.domain ";
  return Pick(
      {in, in, "resource is Palyra::Endpoint in Palyra::Domain::\"" + name + '"',
       "resource in [Palyra::Domain::\"" + Pick(kDomains) + "\", Palyra::Domain::\"" + name + "\"]",
       "resource in Palyra::Domain::\"partners\"", "resource has domain",
       with + "== \"" + name + '"', with + "!= \"" + name + '"', with + "like \"*." + name + '"',
       with + "like \"" + name.substr(0, 2) + "*\"",
       "resource has domain && [\"" + name + "\", \"" + Pick(kDomains) +
           "\"].contains(resource.domain)"});
}

std::string RandomPolicies::KnownAtom() {
  return Pick({"true", "false", "principal.port > 8000", "principal has nothing",
               "principal.nothing", "9223372036854775807 + 1 > 0", "resource has port",
               "resource is Palyra::Endpoint", "resource is Palyra::Path",
               "resource in Palyra::AgentGroup::\"ci\"", "principal in Palyra::AgentGroup::\"ci\"",
               "1", "context.missing == 1", "action == Palyra::Action::\"net.send\"",
               R"(action in [Palyra::Action::"net.send", Palyra::Action::"net.connect"])",
               "resource has color", "resource != Palyra::Agent::\"bot\""});
}

// What cannot be lowered, unless something before it decides.
std::string RandomPolicies::OddAtom() {
  return Pick({"resource.port == (if resource.protocol == \"tcp\" then 80 else 53)",
               "resource == Palyra::Endpoint::\"x\"", "resource.domain == \"example.com\"",
               "resource has domain && resource.domain == resource.protocol",
               "resource has domain && ip(resource.domain).isIpv4()",
               "(resource has domain) == (resource.port < 1024)", "resource.color == 1",
               "resource.hasTag(\"x\")", "ip(resource.protocol).isIpv4()",
               "principal.peer.port == 1", "[resource].contains(principal)",
               "principal in resource",
               "(if resource.port == 22 then principal else Palyra::Agent::\"other\").port == 22",
               "(resource.port == 1) == resource.address.isIpv4()"});
}

NetEvent RandomPolicies::Event() {
  NetEvent event{.action = static_cast<NetAction>(Below(kNetActionCount)),
                 .protocol = static_cast<Protocol>(Below(kProtocolCount)),
                 .is_ipv6 = false,
                 .address = {},
                 .port = 0};
  const IpAddress near = IpAddress::Parse(Pick(kRanges)).value();
  Point point = AddressPoint(near.is_ipv6(), near.bytes());
  const unsigned host_bits = near.max_prefix_length() - near.prefix_length();
  const Point host_mask = host_bits == 128 ? ~Point{0} : (Point{1} << host_bits) - 1;
  const Point host = (Point{random_()} << 64U | random_()) & host_mask;
  switch (Below(4)) {
    case 0:
      point += host;  // Anywhere above the constant; mostly within its range.
      break;
    case 1:
      point += 1;
      break;
    case 2:
      point -= 1;
      break;
    default:
      break;
  }
  const IpAddress address = AddressAt(point);
  event.is_ipv6 = address.is_ipv6();
  event.address = address.bytes();
  if (event.protocol != Protocol::kIcmp && event.protocol != Protocol::kIcmpv6) {
    event.port = static_cast<uint16_t>(
        Chance(50) ? Below(65536) : static_cast<size_t>(std::stoi(Pick(kPorts)) + 1) - Below(3));
  }
  if (Chance(60)) {
    event.domain = Pick(kDomains);
    event.domain = Pick({"", "", "c.", "x.", "ab"}) + *event.domain;
  }
  return event;
}

}  // namespace palyra::policy
