#include "engine/sock_diag.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/file.h"

namespace palyra::engine {
namespace {

// Those of sockets that have a peer or listen.
constexpr uint32_t kStates = ~(1U << TCP_CLOSE | 1U << TCP_TIME_WAIT);

// What fits into one message of ours and into one answer of the kernel's (NLMSG_GOODSIZE).
constexpr size_t kRequestBytes = 256;
constexpr size_t kAnswerBytes = size_t{32} * 1024;

// A netlink message as it grows.
class Request {
 public:
  template <typename Body>
  Request(uint16_t type, uint16_t flags, const Body& body) {
    header_.nlmsg_len = NLMSG_LENGTH(sizeof(body));
    header_.nlmsg_type = type;
    header_.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    std::memcpy(bytes_.data() + NLMSG_HDRLEN, &body, sizeof(body));
  }

  void Add(uint16_t type, std::span<const std::byte> payload) {
    const auto length = static_cast<uint16_t>(NLA_HDRLEN + payload.size());
    const nlattr attribute = {.nla_len = length, .nla_type = type};
    std::byte* at = bytes_.data() + NLMSG_ALIGN(header_.nlmsg_len);
    std::memcpy(at, &attribute, sizeof(attribute));
    std::memcpy(at + NLA_HDRLEN, payload.data(), payload.size());
    header_.nlmsg_len = NLMSG_ALIGN(header_.nlmsg_len) + NLA_ALIGN(length);
  }

  [[nodiscard]] Result<void> Send(int fd) {
    std::memcpy(bytes_.data(), &header_, sizeof(header_));
    if (send(fd, bytes_.data(), header_.nlmsg_len, 0) >= 0) return {};
    return FailErrno(errno, "cannot ask the kernel for sockets");
  }

 private:
  alignas(nlmsghdr) std::array<std::byte, kRequestBytes> bytes_ = {};
  nlmsghdr header_ = {};
};

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <typename T>
T Read(std::span<const std::byte> bytes) {
  T value = {};
  std::memcpy(&value, bytes.data(), std::min(sizeof(value), bytes.size()));
  return value;
}

// The payload of the first attribute of that type.
std::optional<std::span<const std::byte>> FindAttribute(std::span<const std::byte> attributes,
                                                        uint16_t type) {
  while (attributes.size() >= NLA_HDRLEN) {
    const auto header = Read<nlattr>(attributes);
    if (header.nla_len < NLA_HDRLEN || header.nla_len > attributes.size()) return std::nullopt;
    if ((header.nla_type & NLA_TYPE_MASK) == type) {
      return attributes.subspan(NLA_HDRLEN, header.nla_len - NLA_HDRLEN);
    }
    attributes = attributes.subspan(std::min<size_t>(NLA_ALIGN(header.nla_len), attributes.size()));
  }
  return std::nullopt;
}

std::optional<palyra_flow> FlowOf(std::span<const std::byte> attributes) {
  const auto storages = FindAttribute(attributes, INET_DIAG_SK_BPF_STORAGES);
  if (!storages) return std::nullopt;
  const auto storage = FindAttribute(*storages, SK_DIAG_BPF_STORAGE);
  if (!storage) return std::nullopt;
  const auto value = FindAttribute(*storage, SK_DIAG_BPF_STORAGE_MAP_VALUE);
  if (!value) return std::nullopt;
  return Read<palyra_flow>(*value);
}

// "The cgroup is this one", as the kernel's socket filter wants it: a test that goes on behind
// itself, which is the end, or beyond the end, which means no.
struct CgroupTest {
  inet_diag_bc_op operation;
  std::array<uint32_t, 2> cgroup;
};

CgroupTest TestFor(uint64_t cgroup) {
  CgroupTest test = {.operation = {.code = INET_DIAG_BC_CGROUP_COND,
                                   .yes = sizeof(CgroupTest),
                                   .no = sizeof(CgroupTest) + sizeof(inet_diag_bc_op)},
                     .cgroup = {}};
  std::memcpy(test.cgroup.data(), &cgroup, sizeof(cgroup));
  return test;
}

// The request for the storage of one map: an attribute in an attribute.
std::array<std::byte, NLA_HDRLEN + sizeof(uint32_t)> StorageRequest(int map) {
  const nlattr inner = {.nla_len = NLA_HDRLEN + sizeof(uint32_t),
                        .nla_type = SK_DIAG_BPF_STORAGE_REQ_MAP_FD};
  const auto fd = static_cast<uint32_t>(map);
  std::array<std::byte, NLA_HDRLEN + sizeof(uint32_t)> bytes;
  std::memcpy(bytes.data(), &inner, sizeof(inner));
  std::memcpy(bytes.data() + NLA_HDRLEN, &fd, sizeof(fd));
  return bytes;
}

// The sockets of one answer of the kernel, and whether it was the last. An error is the kernel's
// errno.
struct Answer {
  bool is_last = false;
  int failure = 0;
};

Answer ReadAnswer(std::span<const std::byte> bytes, uint8_t protocol,
                  std::vector<DiagSocket>* sockets) {
  while (bytes.size() >= NLMSG_HDRLEN) {
    const auto header = Read<nlmsghdr>(bytes);
    if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > bytes.size()) break;
    const auto body = bytes.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
    if (header.nlmsg_type == NLMSG_DONE) return {.is_last = true, .failure = 0};
    if (header.nlmsg_type == NLMSG_ERROR) {
      return {.is_last = true, .failure = -Read<nlmsgerr>(body).error};
    }
    const bool is_socket =
        header.nlmsg_type == SOCK_DIAG_BY_FAMILY || header.nlmsg_type == TCPDIAG_GETSOCK;
    if (is_socket && body.size() >= sizeof(inet_diag_msg)) {
      const auto found = Read<inet_diag_msg>(body);
      const auto flow = FlowOf(body.subspan(NLMSG_ALIGN(sizeof(inet_diag_msg))));
      sockets->push_back({.family = found.idiag_family,
                          .protocol = protocol,
                          .state = found.idiag_state,
                          .id = found.id,
                          .flow = flow.value_or(palyra_flow{})});
    }
    bytes = bytes.subspan(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), bytes.size()));
  }
  return {};
}

// Reads until the last part of the answer. The kernel's errno, 0 for none.
Result<int> Receive(int fd, uint8_t protocol, std::vector<DiagSocket>* sockets) {
  alignas(nlmsghdr) std::array<std::byte, kAnswerBytes> buffer;
  while (true) {
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return FailErrno(errno, "cannot read the kernel's list of sockets");
    const Answer answer =
        ReadAnswer(std::span(buffer).first(static_cast<size_t>(size)), protocol, sockets);
    if (answer.is_last) return answer.failure;
  }
}

Request AllOf(uint8_t family, uint8_t protocol) {
  inet_diag_req_v2 body = {};
  body.sdiag_family = family;
  body.sdiag_protocol = protocol;
  body.idiag_states = kStates;
  return {SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, body};
}

// The older request is answered with both families in one walk over the kernel's table, which takes
// most of a millisecond where that is large.
Request AllOfTcp() {
  inet_diag_req body = {};
  body.idiag_family = AF_INET;
  body.idiag_states = kStates;
  return {TCPDIAG_GETSOCK, NLM_F_DUMP, body};
}

// Every socket that the request asks for, of the cgroup alone.
Result<std::vector<DiagSocket>> Ask(int fd, Request request, uint8_t protocol, uint64_t cgroup,
                                    int flows) {
  request.Add(INET_DIAG_REQ_BYTECODE, BytesOf(TestFor(cgroup)));
  request.Add(INET_DIAG_REQ_SK_BPF_STORAGES, StorageRequest(flows));
  if (Result<void> sent = request.Send(fd); !sent) return std::unexpected(sent.error());
  std::vector<DiagSocket> sockets;
  Result<int> failure = Receive(fd, protocol, &sockets);
  if (!failure) return std::unexpected(failure.error());
  if (*failure == ENOENT) return sockets;
  if (*failure != 0) return FailErrno(*failure, "the kernel does not list sockets");
  return sockets;
}

Result<UniqueFd> OpenNetlink() {
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd.valid()) return FailErrno(errno, "cannot open a sock_diag socket");
  return fd;
}

}  // namespace

Result<SockDiag> SockDiag::Open() {
  Result<UniqueFd> fd = OpenNetlink();
  if (!fd) return std::unexpected(fd.error());
  return SockDiag(*std::move(fd));
}

Result<SockDiag> SockDiag::OpenIn(int namespace_fd) {
  const Result<UniqueFd> own = base::OpenFile("/proc/thread-self/ns/net", O_RDONLY);
  if (!own) return std::unexpected(own.error());
  if (setns(namespace_fd, CLONE_NEWNET) != 0) {
    return FailErrno(errno, "cannot enter a network namespace");
  }
  Result<SockDiag> opened = Open();
  if (setns(own->get(), CLONE_NEWNET) != 0) {
    return FailErrno(errno, "cannot leave a network namespace");
  }
  return opened;
}

Result<std::vector<DiagSocket>> SockDiag::List(uint8_t protocol, uint64_t cgroup, int flows) const {
  if (protocol == IPPROTO_TCP) return Ask(fd_.get(), AllOfTcp(), protocol, cgroup, flows);
  std::vector<DiagSocket> sockets;
  constexpr std::array<uint8_t, 2> kFamilies = {AF_INET, AF_INET6};
  for (const uint8_t family : kFamilies) {
    Result<std::vector<DiagSocket>> some =
        Ask(fd_.get(), AllOf(family, protocol), protocol, cgroup, flows);
    if (!some) return some;
    sockets.insert(sockets.end(), some->begin(), some->end());
  }
  return sockets;
}

Result<bool> SockDiag::Destroy(const DiagSocket& socket) const {
  inet_diag_req_v2 body = {};
  body.sdiag_family = socket.family;
  body.sdiag_protocol = socket.protocol;
  body.idiag_states = 1U << socket.state;
  body.id = socket.id;
  Request request(SOCK_DESTROY, NLM_F_ACK, body);
  if (Result<void> sent = request.Send(fd_.get()); !sent) return std::unexpected(sent.error());
  std::vector<DiagSocket> none;
  Result<int> failure = Receive(fd_.get(), socket.protocol, &none);
  if (!failure) return std::unexpected(failure.error());
  if (*failure == ENOENT || *failure == ESTALE) return false;
  if (*failure != 0) return FailErrno(*failure, "the kernel does not destroy a socket");
  return true;
}

}  // namespace palyra::engine
