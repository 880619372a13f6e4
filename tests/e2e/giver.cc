#include "tests/e2e/giver.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cstring>

namespace palyra::tests {

Giver::Giver(const std::string& path, int given)
    : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(chmod(path.c_str(), 0666), 0);
  EXPECT_EQ(listen(fd_.get(), 4), 0);
  thread_ = std::thread([this, given] { Serve(given); });
}

Giver::~Giver() {
  shutdown(fd_.get(), SHUT_RDWR);
  thread_.join();
}

void Giver::Serve(int given) const {
  while (true) {
    const UniqueFd peer(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.valid()) return;
    char byte = 'x';
    iovec part = {.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &given, sizeof(given));
    (void)sendmsg(peer.get(), &message, MSG_NOSIGNAL);
  }
}

}  // namespace palyra::tests
