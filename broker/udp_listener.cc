#include "broker/udp_listener.h"

#include <sys/uio.h>

#include <cerrno>
#include <utility>

namespace palyra::broker {

UdpListener::UdpListener(UniqueFd fd) : fd_(std::move(fd)), slots_(kBatch), replies_(kBatch) {}

size_t UdpListener::Receive() {
  std::array<mmsghdr, kBatch> headers = {};
  std::array<iovec, kBatch> buffers = {};
  for (size_t i = 0; i < kBatch; ++i) {
    buffers[i] = {.iov_base = slots_[i].bytes.data(), .iov_len = slots_[i].bytes.size()};
    headers[i].msg_hdr.msg_name = slots_[i].peer.get();
    headers[i].msg_hdr.msg_namelen = SocketAddress::kCapacity;
    headers[i].msg_hdr.msg_iov = &buffers[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(fd_.get(), headers.data(), kBatch, MSG_DONTWAIT, nullptr);
  // Also errors that replies to clients that have gone left behind; the next call has another.
  if (count <= 0) return 0;
  const auto received = static_cast<size_t>(count);
  for (size_t i = 0; i < received; ++i) {
    slots_[i].size = headers[i].msg_len;
    slots_[i].peer.set_size(headers[i].msg_hdr.msg_namelen);
  }
  return received;
}

std::span<const uint8_t> UdpListener::packet(size_t index) const {
  return std::span(slots_[index].bytes).first(slots_[index].size);
}

std::vector<uint8_t>& UdpListener::NewReply(const SocketAddress& peer) {
  if (reply_count_ == replies_.size()) lost_ += Flush();
  Reply& reply = replies_[reply_count_++];
  reply.peer = peer;
  return reply.bytes;
}

size_t UdpListener::Flush() {
  std::array<mmsghdr, kBatch> headers = {};
  std::array<iovec, kBatch> buffers = {};
  for (size_t i = 0; i < reply_count_; ++i) {
    buffers[i] = {.iov_base = replies_[i].bytes.data(), .iov_len = replies_[i].bytes.size()};
    headers[i].msg_hdr.msg_name = replies_[i].peer.get();
    headers[i].msg_hdr.msg_namelen = replies_[i].peer.size();
    headers[i].msg_hdr.msg_iov = &buffers[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  size_t done = 0;
  size_t lost = std::exchange(lost_, 0);
  while (done < reply_count_) {
    const int count = sendmmsg(fd_.get(), &headers[done],
                               static_cast<unsigned>(reply_count_ - done), MSG_DONTWAIT);
    if (count > 0) {
      done += static_cast<size_t>(count);
    } else {
      // The first of the rest cannot be sent.
      ++done;
      ++lost;
    }
  }
  reply_count_ = 0;
  return lost;
}

}  // namespace palyra::broker
