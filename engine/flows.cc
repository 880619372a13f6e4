#include "engine/flows.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "engine/grants.h"
#include "engine/live_tables.h"
#include "engine/run_names.h"
#include "engine/sock_diag.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

using policy::NetAction;
using policy::NetEvent;
using policy::Protocol;

constexpr const char* kOwnNamespace = "/proc/thread-self/ns/net";

// `path` and every cgroup below it. One that vanishes meanwhile has no sockets to speak of.
std::vector<std::string> CgroupsFrom(const std::string& path) {
  std::vector<std::string> paths = {path};
  std::error_code failure;
  fs::recursive_directory_iterator next(path, failure);
  for (; !failure && next != fs::recursive_directory_iterator(); next.increment(failure)) {
    std::error_code gone;
    if (next->is_directory(gone)) paths.push_back(next->path());
  }
  return paths;
}

// Thread ids in the cgroup directory.
std::vector<std::string> ThreadsIn(const std::string& path) {
  std::vector<std::string> threads;
  const Result<std::string> text = base::ReadFile(path + "/cgroup.threads");
  if (!text) return threads;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    threads.push_back(text->substr(at, end - at));
    at = end + 1;
  }
  return threads;
}

// One sock_diag socket in each network namespace of the run, by inode: a thread may have entered
// one of its own.
Result<std::map<ino_t, SockDiag>> OpenNamespaces(const std::vector<std::string>& cgroups) {
  std::map<ino_t, SockDiag> namespaces;
  struct stat status;
  if (stat(kOwnNamespace, &status) != 0) return FailErrno(errno, "no network namespace");
  Result<SockDiag> own = SockDiag::Open();
  if (!own) return std::unexpected(own.error());
  namespaces.emplace(status.st_ino, *std::move(own));
  for (const std::string& cgroup : cgroups) {
    for (const std::string& thread : ThreadsIn(cgroup)) {
      const std::string path = "/proc/" + thread + "/ns/net";
      if (stat(path.c_str(), &status) != 0 || namespaces.contains(status.st_ino)) continue;
      const Result<UniqueFd> fd = base::OpenFile(path, O_RDONLY);
      if (!fd || fstat(fd->get(), &status) != 0) continue;
      Result<SockDiag> opened = SockDiag::OpenIn(fd->get());
      if (!opened) return std::unexpected(opened.error());
      namespaces.emplace(status.st_ino, *std::move(opened));
    }
  }
  return namespaces;
}

Protocol ProtocolOf(uint8_t ip_protocol) {
  if (ip_protocol == IPPROTO_TCP) return Protocol::kTcp;
  return ip_protocol == IPPROTO_UDP ? Protocol::kUdp : Protocol::kUdplite;
}

void SetAddress(NetEvent& event, uint8_t family, const __be32 (&words)[4]) {
  constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), words, bytes.size());
  event.is_ipv6 = family == AF_INET6;
  if (!event.is_ipv6) {
    std::memcpy(event.address.data(), bytes.data(), 4);
  } else if (std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0) {
    event.is_ipv6 = false;
    std::memcpy(event.address.data(), bytes.data() + kMapped.size(), 4);
  } else {
    event.address = bytes;
  }
}

std::vector<Flow> FlowsOfListener(const DiagSocket& socket) {
  NetEvent event = {.action = NetAction::kListen,
                    .protocol = Protocol::kTcp,
                    .is_ipv6 = false,
                    .address = {},
                    .port = ntohs(socket.id.idiag_sport)};
  SetAddress(event, socket.family, socket.id.idiag_src);
  std::vector<Flow> flows = {{.event = event, .took_use = false, .origin = std::nullopt}};
  if (event.is_ipv6 && event.address == decltype(event.address){}) {
    event.is_ipv6 = false;
    flows.push_back({.event = event, .took_use = false, .origin = std::nullopt});
  }
  return flows;
}

std::optional<NetEvent> OriginOf(const DiagSocket& socket) {
  if (socket.flow.is_relayed == 0) return std::nullopt;
  NetEvent origin = {.action = NetAction::kConnect,
                     .protocol = Protocol::kTcp,
                     .is_ipv6 = socket.flow.origin.is_ipv6 != 0,
                     .address = {},
                     .port = socket.flow.origin.port};
  std::ranges::copy(socket.flow.origin.address, origin.address.begin());
  return origin;
}

// What the socket's being rests on: all of them must be allowed. The programs tell a connection
// from an accepted one in the same way.
std::vector<Flow> FlowsOf(const DiagSocket& socket) {
  const bool is_tcp = socket.protocol == IPPROTO_TCP;
  if (is_tcp && socket.state == TCP_LISTEN) return FlowsOfListener(socket);
  const bool is_accepted = is_tcp && socket.flow.connected == 0;
  NetEvent event = {.action = is_accepted ? NetAction::kAccept : NetAction::kConnect,
                    .protocol = ProtocolOf(socket.protocol),
                    .is_ipv6 = false,
                    .address = {},
                    .port = ntohs(socket.id.idiag_dport)};
  SetAddress(event, socket.family, socket.id.idiag_dst);
  return {{.event = event, .took_use = socket.flow.granted != 0, .origin = OriginOf(socket)}};
}

Result<size_t> CutIn(const SockDiag& diag, uint64_t cgroup, int flows,
                     const std::function<bool(const Flow&)>& keep) {
  size_t cut = 0;
  constexpr std::array<uint8_t, 3> kProtocols = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDPLITE};
  for (const uint8_t protocol : kProtocols) {
    Result<std::vector<DiagSocket>> sockets = diag.List(protocol, cgroup, flows);
    if (!sockets) return std::unexpected(sockets.error());
    for (const DiagSocket& socket : *sockets) {
      if (std::ranges::all_of(FlowsOf(socket), keep)) continue;
      Result<bool> destroyed = diag.Destroy(socket);
      if (!destroyed) return std::unexpected(destroyed.error());
      cut += *destroyed ? 1 : 0;
    }
  }
  return cut;
}

bool IsLoopback(const NetEvent& event) {
  std::array<uint8_t, 16> loopback = {127, 0, 0, 1};
  if (event.is_ipv6) loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return event.address == loopback;
}

// As bpf/resolver.h, is_resolver().
bool GoesToResolver(const BrokerPorts& ports, const NetEvent& event) {
  return event.port != 0 && IsLoopback(event) &&
         std::ranges::find(ports.resolver, event.port) != ports.resolver.end();
}

// As bpf/relay.h, relayed_flow().
bool GoesToRelay(const BrokerPorts& ports, const Flow& flow) {
  return flow.origin && ports.relay != 0 && flow.event.port == ports.relay &&
         IsLoopback(flow.event);
}

}  // namespace

Result<size_t> CutFlows(const KernelObjects& objects, const Cgroup& cgroup,
                        const std::function<bool(const Flow&)>& keep) {
  constexpr int kLooks = 2;
  size_t cut = 0;
  for (int look = 0; look < kLooks; ++look) {
    const std::vector<std::string> cgroups = CgroupsFrom(cgroup.path());
    Result<std::map<ino_t, SockDiag>> namespaces = OpenNamespaces(cgroups);
    if (!namespaces) return std::unexpected(namespaces.error());
    for (const std::string& path : cgroups) {
      struct stat status;
      if (stat(path.c_str(), &status) != 0) continue;
      for (const auto& [inode, diag] : *namespaces) {
        Result<size_t> here = CutIn(diag, status.st_ino, objects.fd(Table::kFlows), keep);
        if (!here) return here;
        cut += *here;
      }
    }
  }
  return cut;
}

Result<size_t> CutDeniedFlows(const KernelObjects& objects, const Cgroup& cgroup) {
  // The profile that is in force, and that it is asked of, must not be removed between the two.
  const Result<UniqueFd> lock =
      objects.LockProfiles(KernelObjects::ProfileLock::kShared, std::chrono::milliseconds(5'000));
  if (!lock) return std::unexpected(lock.error());
  return CutFlows(objects, cgroup, [&](const Flow& flow) {
    const std::optional<uint32_t> profile = objects.runs().ProfileOf(cgroup.id());
    if (!profile) return true;  // The run has ended, and its processes with it.
    const BrokerPorts brokers = objects.runs().BrokersOf(cgroup.id());
    if (GoesToResolver(brokers, flow.event)) return true;
    const bool is_relayed = GoesToRelay(brokers, flow);
    const NetEvent& event = is_relayed ? *flow.origin : flow.event;
    const auto by_name = DecideByName(objects, cgroup.id(), *profile, event);
    const policy::Ruling ruling = by_name ? *by_name : DecideByTables(objects, *profile, event);
    switch (ruling.verdict) {
      case policy::Verdict::kVerify:
        return is_relayed;
      case policy::Verdict::kAllow:
        return true;
      case policy::Verdict::kAsk:
        return AllowsFlow(objects, cgroup.id(), event, flow.took_use);
      case policy::Verdict::kDeny:
        break;
    }
    return false;
  });
}

}  // namespace palyra::engine
