// Ways to find out where a name leads, and to reach it.

#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Addresses LookUp(const char* name, const char* port, int& failure) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  failure = getaddrinfo(name, port, &hints, &found);
  return {failure == 0 ? found : nullptr, freeaddrinfo};
}

std::string TextOf(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> host = {};
  std::array<char, NI_MAXSERV> port = {};
  if (getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return std::string(host.data()) + ':' + port.data();
}

// The first address, as the machine's own resolver says; else what came of it.
std::expected<Target, Outcome> TargetOf(const char* name, const char* port) {
  int failure = 0;
  const Addresses found = LookUp(name, port, failure);
  if (found == nullptr) {
    return std::unexpected(
        Outcome{failure == EAI_NONAME || failure == EAI_NODATA ? Status::kDenied : Status::kOther,
                ENOENT, gai_strerror(failure)});
  }
  Target target;
  target.length = found->ai_addrlen;
  target.family = found->ai_family;
  std::copy_n(reinterpret_cast<const char*>(found->ai_addr), found->ai_addrlen,
              reinterpret_cast<char*>(&target.storage));
  return target;
}

// As an application does: by the machine's own resolver, then to the first address.
Outcome NameConnect(Arguments arguments) {
  const std::expected<Target, Outcome> found = TargetOf(arguments[0], arguments[1]);
  if (!found) return found.error();
  const Target& target = *found;
  const UniqueFd fd = OpenSocket(target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  return ConnectAndSend(fd.get(), target);
}

std::vector<uint8_t> Query(const std::string& name, uint16_t type) {
  std::vector<uint8_t> query = {0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  for (size_t at = 0; at < name.size();) {
    const size_t dot = std::min(name.find('.', at), name.size());
    query.push_back(static_cast<uint8_t>(dot - at));
    query.insert(query.end(), name.begin() + static_cast<ptrdiff_t>(at),
                 name.begin() + static_cast<ptrdiff_t>(dot));
    at = dot + 1;
  }
  query.insert(query.end(),
               {0, static_cast<uint8_t>(type >> 8U), static_cast<uint8_t>(type), 0, 1});
  return query;
}

// One socket, a question to each server in turn; shows who answered, with which code.
Outcome DnsAsk(Arguments arguments) {
  const auto type = ParseNumber(arguments[0]);
  const auto first = ParseTarget(arguments[2], "53");
  if (!type || !first) return CouldNotTry(EINVAL);
  const std::vector<uint8_t> query = Query(arguments[1], static_cast<uint16_t>(*type));
  const UniqueFd fd = OpenSocket(*first, SOCK_DGRAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  std::string answers;
  for (const char* server : arguments.subspan(2)) {
    const auto target = ParseTarget(server, "53");
    if (!target) return CouldNotTry(EINVAL);
    if (sendto(fd.get(), query.data(), query.size(), 0, target->address(), target->length) < 0) {
      return FromErrno(errno);
    }
    std::array<uint8_t, 1500> response = {};
    sockaddr_storage from = {};
    socklen_t size = sizeof(from);
    const ssize_t length = recvfrom(fd.get(), response.data(), response.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &size);
    if (length < 12) return FromErrno(length < 0 ? errno : EBADMSG);
    answers += (answers.empty() ? "" : ",") + TextOf(reinterpret_cast<sockaddr*>(&from), size) +
               "=" + std::to_string(response[3] & 0xFU);
  }
  return {Status::kAllowed, 0, answers};
}

std::string PeerOf(int fd) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) return "?";
  return TextOf(reinterpret_cast<sockaddr*>(&peer), size);
}

// Whom a socket believes to be connected to.
Outcome DnsPeer(Arguments arguments) {
  const bool is_tcp = std::string(arguments[0]) == "tcp";
  const auto target = ParseTarget(arguments[1], "53");
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), target->address(), target->length) != 0) return FromErrno(errno);
  return {Status::kAllowed, 0, PeerOf(fd.get())};
}

std::string FromHex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::strtoul(std::string(text.substr(i, 2)).c_str(), nullptr, 16)));
  }
  return bytes;
}

// Says that to the first address of the name; shows whom the socket believes to speak to, and how
// an answer of text begins. `hold`: leaves the server to end the connection.
Outcome Say(Arguments arguments, bool hold) {
  const std::expected<Target, Outcome> target = TargetOf(arguments[0], arguments[1]);
  if (!target) return target.error();
  const std::string said = FromHex(arguments[2]);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), target->address(), target->length) != 0) return FromErrno(errno);
  std::string detail = PeerOf(fd.get());
  if (send(fd.get(), said.data(), said.size(), MSG_NOSIGNAL) < 0) return FromErrno(errno);
  if (!hold) shutdown(fd.get(), SHUT_WR);
  std::array<char, 64> answer = {};
  const ssize_t length = recv(fd.get(), answer.data(), answer.size(), 0);
  if (hold && length < 0) return FromErrno(errno);
  const std::string_view text(answer.data(), length < 0 ? 0 : static_cast<size_t>(length));
  const auto* const end =
      std::ranges::find_if(text, [](char byte) { return byte < ' ' || byte > '~'; });
  if (end != text.begin()) detail.append(" ").append(text.begin(), end);
  return {Status::kAllowed, 0, detail};
}

Outcome NameSay(Arguments arguments) { return Say(arguments, /*hold=*/false); }
Outcome NameHold(Arguments arguments) { return Say(arguments, /*hold=*/true); }

constexpr std::array kVerbs = {
    Verb{"name-hold", 3, false, "NAME PORT HEX", NameHold},
    Verb{"name-say", 3, false, "NAME PORT HEX", NameSay},
    Verb{"name-connect", 2, false, "NAME PORT", NameConnect},
    Verb{"dns-ask", 3, true, "TYPE NAME SERVER...", DnsAsk},
    Verb{"dns-peer", 2, false, "tcp|udp SERVER", DnsPeer},
};

}  // namespace

std::span<const Verb> NameVerbs() { return kVerbs; }

}  // namespace palyra::probes
