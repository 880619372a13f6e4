// Socket operations by io_uring: seccomp sees none of them.

#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>

#include "tests/probes/io_ring.h"
#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

Outcome FromResult(int result) { return result < 0 ? FromErrno(-result) : Allowed(); }

// Opens the ring, says "setup" in the detail if that fails, else runs the one request.
Outcome RunOne(const std::function<int(IoRing&)>& request) {
  IoRing ring;
  if (const int error = ring.Open(); error != 0) {
    Outcome outcome = FromErrno(error);
    outcome.detail = "setup";
    return outcome;
  }
  return FromResult(request(ring));
}

io_uring_sqe Request(uint8_t operation, int fd) {
  io_uring_sqe request = {};
  request.opcode = operation;
  request.fd = fd;
  return request;
}

Outcome Connect(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_STREAM, 0);
  if (!fd.valid()) return CouldNotTry(errno, "socket");
  return RunOne([&](IoRing& ring) {
    io_uring_sqe request = Request(IORING_OP_CONNECT, fd.get());
    request.addr = reinterpret_cast<uintptr_t>(target->address());
    request.off = target->length;
    return ring.Run(request);
  });
}

Outcome SendMsg(Arguments arguments) {
  const auto target = ParseTarget(arguments[0], arguments[1]);
  if (!target) return CouldNotTry(EINVAL);
  const UniqueFd fd = OpenSocket(*target, SOCK_DGRAM, 0);
  if (!fd.valid()) return CouldNotTry(errno, "socket");
  iovec part = {.iov_base = const_cast<char*>(kToken.data()), .iov_len = kToken.size()};
  msghdr message = {};
  message.msg_name = const_cast<sockaddr*>(target->address());
  message.msg_namelen = target->length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return RunOne([&](IoRing& ring) {
    io_uring_sqe request = Request(IORING_OP_SENDMSG, fd.get());
    request.addr = reinterpret_cast<uintptr_t>(&message);
    request.len = 1;
    return ring.Run(request);
  });
}

// A socket of `family`, made without any socket call that seccomp could judge.
Outcome RingSocket(int family, int type) {
  return RunOne([&](IoRing& ring) {
    io_uring_sqe request = Request(IORING_OP_SOCKET, family);
    request.off = static_cast<uint64_t>(type);
    const int fd = ring.Run(request);
    if (fd >= 0) close(fd);
    return fd;
  });
}

Outcome VsockSocket(Arguments) { return RingSocket(AF_VSOCK, SOCK_STREAM); }

Outcome PacketSocket(Arguments) { return RingSocket(AF_PACKET, SOCK_DGRAM); }

constexpr std::array kVerbs = {
    Verb{"io-uring-connect", 2, false, "ADDRESS PORT", Connect},
    Verb{"io-uring-sendmsg", 2, false, "ADDRESS PORT", SendMsg},
    Verb{"io-uring-socket-vsock", 0, true, "", VsockSocket},
    Verb{"io-uring-socket-packet", 0, true, "", PacketSocket},
};

}  // namespace

std::span<const Verb> RingVerbs() { return kVerbs; }

}  // namespace palyra::probes
