#include "tests/e2e/unix_fixture.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <utility>

#include "tests/support/require_feature.h"

namespace palyra::tests {

UnixServer::UnixServer(std::string name, int type) : name_(std::move(name)), type_(type) {
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, name_.data(), name_.size());
  const bool is_abstract = name_[0] == '@';
  if (is_abstract) {
    address.sun_path[0] = '\0';
    std::ranges::replace(address.sun_path, '#', '\0');
  }
  const size_t length =
      offsetof(sockaddr_un, sun_path) + name_.size() + (is_abstract ? size_t{0} : 1);
  fd_.Reset(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  EXPECT_EQ(
      bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)),
      0)
      << name_ << ": " << strerror(errno);
  if (!is_abstract) chmod(name_.c_str(), 0777);
  if (type != SOCK_DGRAM) {
    EXPECT_EQ(listen(fd_.get(), 16), 0);
  }
  thread_ = std::thread([this] { Serve(); });
}

UnixServer::~UnixServer() {
  stop_ = true;
  thread_.join();
  if (name_[0] != '@') unlink(name_.c_str());
}

int UnixServer::Heard() const {
  for (int before = -1;;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    if (heard_ == before) return before;
    before = heard_;
  }
}

void UnixServer::Serve() {
  while (!stop_) {
    pollfd ready = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 5) != 1) continue;
    if (type_ == SOCK_DGRAM) {
      char byte = 0;
      if (recv(fd_.get(), &byte, 1, 0) >= 0) ++heard_;
    } else {
      const UniqueFd client(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) continue;
      ++heard_;
      // Else what it sends meets a closed socket.
      const timeval limit = {.tv_sec = 1, .tv_usec = 0};
      setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
      char byte = 0;
      (void)!recv(client.get(), &byte, 1, 0);
    }
  }
}

void UnixSockets::SetUp() {
  PALYRA_REQUIRE_FEATURE(Root());
  workspace_ = outside_.Path("ws");
  MakeOwnDirectory(workspace_);
}

bool UnixSockets::IsJudgedByPeer() {
  static const bool kByPeer =
      PalyraRun().Option("--report").Run({"/bin/true"}).error_output.find("unix_stream_connect") !=
      std::string::npos;
  return kByPeer;
}

void UnixSockets::MakeOwnDirectory(const std::string& path) {
  std::filesystem::create_directory(path);
  ASSERT_EQ(chown(path.c_str(), kToolUid, kToolUid), 0);
}

ProbeResult UnixSockets::InRun(const std::vector<std::string>& permitted,
                               const std::vector<std::string>& arguments) {
  PalyraRun run;
  for (const std::string& name : permitted) run.Option("--allow-unix", name);
  return run.Probe(arguments);
}

void UnixSockets::ExpectDenied(const UnixServer& server, const std::vector<std::string>& permitted,
                               const std::vector<std::string>& arguments, const std::string& told) {
  const int before = server.Heard();
  const ProbeResult bare = ProbeBare(arguments);
  EXPECT_EQ(bare.verdict, "allowed") << bare;
  const int control = server.Heard();
  EXPECT_EQ(control, before + 1) << "the control did not arrive";
  const ProbeResult denied = InRun(permitted, arguments);
  EXPECT_EQ(denied.verdict, "denied") << denied;
  EXPECT_EQ(denied.error, IsJudgedByPeer() ? "EACCES" : "EPERM") << denied;
  EXPECT_EQ(server.Heard(), control) << denied;
  ASSERT_FALSE(denied.audit.empty()) << denied;
  EXPECT_EQ(denied.audit.front().action, "unix.connect") << denied;
  if (!told.empty()) {
    EXPECT_EQ(denied.audit.front().path, told) << denied;
  }
}

void UnixSockets::ExpectAllowed(const UnixServer& server, const std::vector<std::string>& permitted,
                                const std::vector<std::string>& arguments) {
  const int before = server.Heard();
  const ProbeResult allowed = InRun(permitted, arguments);
  EXPECT_EQ(allowed.verdict, "allowed") << allowed;
  EXPECT_EQ(server.Heard(), before + 1) << allowed;
  EXPECT_TRUE(allowed.audit.empty()) << allowed;
}

}  // namespace palyra::tests
