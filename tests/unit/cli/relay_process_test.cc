// palyra-relay itself: what it carries, for whom, what it may do, and how it ends.

#include "cli/relay_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "broker/socket_address.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/unit/broker/hellos.h"
#include "tests/unit/broker/relay_rig.h"
#include "tests/unit/cli/tls_server.h"

namespace palyra::tests {
namespace {

using broker::Endpoint;
using broker::RelayEvent;
using broker::RelayReason;
using cli::RelayProcess;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int kUnrecognizedName = 112;
constexpr uint32_t kMark = 0x5EED0001;

bool IsReadable(int fd, std::chrono::milliseconds limit) {
  pollfd ready = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&ready, 1, static_cast<int>(limit.count())) == 1;
}

bool HasEnded(int pidfd) { return IsReadable(pidfd, kPatience); }

// The sockets of a client with that mark; not connected where nobody takes its packets in time.
Peer ConnectMarked(const Endpoint& endpoint, uint32_t mark, std::chrono::milliseconds limit) {
  const broker::SocketAddress address(endpoint);
  UniqueFd fd(socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval time = {.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
  if (setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) != 0 ||
      connect(fd.get(), address.get(), address.size()) != 0) {
    return {};
  }
  return Peer(std::move(fd));
}

// A relay whose supervisor is a thread of the test.
class RelayProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    Result<RelayProcess> started = RelayProcess::Start(kMark);
    ASSERT_TRUE(started) << started.error().message;
    relay_.emplace(*std::move(started));
    authority_.destination = upstream_.endpoint();
    authority_.addresses["a.test"] = {upstream_.endpoint()};
    Supervise();
  }

  void TearDown() override { StopSupervising(); }

  void Supervise() {
    stop_ = false;
    supervisor_ = std::thread([this] {
      while (!stop_) {
        if (!IsReadable(relay_->channel(), std::chrono::milliseconds(20))) continue;
        if (!relay_->Serve(authority_)) return;
      }
    });
  }

  void StopSupervising() {
    stop_ = true;
    if (supervisor_.joinable()) supervisor_.join();
  }

  [[nodiscard]] Peer Connect(const std::string& address = "127.0.0.1") const {
    return ConnectMarked(*broker::ParseEndpoint(address, relay_->port()), kMark,
                         std::chrono::duration_cast<std::chrono::milliseconds>(kPatience));
  }

  std::optional<RelayProcess> relay_;
  FakeAuthority authority_;
  Upstream upstream_;

 private:
  std::atomic<bool> stop_ = false;
  std::thread supervisor_;
};

TEST_F(RelayProcessTest, CarriesTlsForTheAllowedNameAlone) {
  const TlsServer server;
  std::string failure = "not asked";
  std::thread serving([&] { failure = server.Answer(upstream_.Accept().fd()); });
  const Peer allowed = Connect();
  ASSERT_TRUE(allowed.valid());
  EXPECT_EQ(AskByTls(allowed.fd(), "a.test", "hello").text, "a.test: hello");
  serving.join();
  EXPECT_EQ(failure, "");

  const TlsAnswer denied = AskByTls(Connect().fd(), "b.test", "hello");
  EXPECT_EQ(denied.text, "");
  EXPECT_EQ(denied.alert, kUnrecognizedName);
  EXPECT_TRUE(upstream_.Untouched());
  const auto events = authority_.Events(2);
  EXPECT_EQ(events[0].outcome, RelayEvent::Outcome::kAllowed);
  EXPECT_EQ(events[0].name, "a.test");
  EXPECT_EQ(events[0].destination, upstream_.endpoint());
  EXPECT_EQ(events[1].outcome, RelayEvent::Outcome::kDenied);
  EXPECT_EQ(events[1].reason, RelayReason::kNameNotAllowed);
  EXPECT_EQ(events[1].name, "b.test");
}

TEST_F(RelayProcessTest, CarriesHttpForTheAllowedNameAloneAtBothAddresses) {
  for (const std::string address : {"127.0.0.1", "::1"}) {
    const Peer allowed = Connect(address);
    ASSERT_TRUE(allowed.Send(Get("a.test"))) << address;
    const Peer server = upstream_.Accept();
    EXPECT_EQ(server.Read(Get("a.test").size()), Get("a.test"));
    ASSERT_TRUE(server.Send("HTTP/1.1 204 None\r\n\r\n"));
    EXPECT_EQ(allowed.Read(21), "HTTP/1.1 204 None\r\n\r\n");
    // A name that is not the first of its connection.
    ASSERT_TRUE(allowed.Send(Get("b.test")));
    EXPECT_EQ(server.ReadAll(), "");

    const Peer denied = Connect(address);
    ASSERT_TRUE(denied.Send(Get("b.test")));
    EXPECT_THAT(denied.ReadAll(), StartsWith("HTTP/1.1 403 Forbidden\r\n")) << address;
    EXPECT_TRUE(upstream_.Untouched());
  }
}

TEST_F(RelayProcessTest, CutsOffWhatNewRulesDeny) {
  const Peer client = Connect();
  ASSERT_TRUE(client.Send(Get("a.test")));
  const Peer server = upstream_.Accept();
  ASSERT_EQ(server.Read(Get("a.test").size()), Get("a.test"));
  StopSupervising();
  ASSERT_TRUE(relay_->AskAgain(authority_));
  ASSERT_TRUE(server.Send("still"));
  EXPECT_EQ(client.Read(5), "still");
  authority_.addresses.erase("a.test");
  ASSERT_TRUE(relay_->AskAgain(authority_));
  EXPECT_TRUE(client.WasReset());
  EXPECT_TRUE(server.WasReset());
  Supervise();  // The event may come after the answer that AskAgain() waits for.
  EXPECT_EQ(authority_.Events(2)[1].reason, RelayReason::kNameNotAllowed);
}

TEST_F(RelayProcessTest, TellsWhyAHelloIsMalformed) {
  const Peer client = Connect();
  ASSERT_TRUE(client.Send(Hello(ServerName("a.test") + ServerName("a.test"))));
  const auto events = authority_.Events(1);
  EXPECT_EQ(events[0].reason, RelayReason::kBadHello);
  EXPECT_TRUE(upstream_.Untouched());
}

TEST_F(RelayProcessTest, IsNotThereForClientsWithoutItsMark) {
  const Endpoint endpoint = Loopback(relay_->port());
  constexpr std::chrono::milliseconds kLittle{300};
  EXPECT_TRUE(ConnectMarked(endpoint, kMark, kLittle).valid());
  for (const uint32_t mark : {uint32_t{0}, kMark ^ 1}) {
    EXPECT_FALSE(ConnectMarked(endpoint, mark, kLittle).valid()) << mark;
  }
}

std::map<std::string, std::string> StatusOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::map<std::string, std::string> fields;
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(":\t");
    if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return fields;
}

TEST_F(RelayProcessTest, HasNoPrivileges) {
  // Served by then, so it is in its sandbox.
  ASSERT_TRUE(Connect().Send(Get("b.test")));
  (void)authority_.Events(1);
  std::map<std::string, std::string> status = StatusOf(relay_->pid());
  EXPECT_EQ(status["Name"], "palyra-relay");
  EXPECT_EQ(status["Uid"], "65534\t65534\t65534\t65534");
  EXPECT_EQ(status["Gid"], "65534\t65534\t65534\t65534");
  EXPECT_THAT(status["Groups"], testing::AnyOf("", " "));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    EXPECT_EQ(status[set], "0000000000000000") << set;
  }
  EXPECT_EQ(status["NoNewPrivs"], "1");
  EXPECT_EQ(status["Seccomp"], "2");
  EXPECT_EQ(status["Threads"], "1");
  const std::string directory = "/proc/" + std::to_string(relay_->pid()) + "/fd/";
  for (const char* stream : {"0", "1", "2"}) {
    EXPECT_EQ(std::filesystem::read_symlink(directory + stream), "/dev/null");
  }
  std::ostringstream environment;
  environment << std::ifstream("/proc/" + std::to_string(relay_->pid()) + "/environ").rdbuf();
  EXPECT_EQ(environment.str(), "");
}

TEST_F(RelayProcessTest, EndsWhenItsChannelDoes) {
  const Peer client = Connect();
  ASSERT_TRUE(client.Send(Get("a.test")));
  const Peer server = upstream_.Accept();
  EXPECT_EQ(server.Read(3), "GET");
  StopSupervising();
  shutdown(relay_->channel(), SHUT_RDWR);
  EXPECT_TRUE(HasEnded(relay_->pidfd()));
  // With what it carried.
  EXPECT_TRUE(client.WasReset());
  // The port is still this process's, and nobody is behind it.
  EXPECT_EQ(broker::ListenAt(Loopback(relay_->port())).error().system_errno, EADDRINUSE);
}

TEST_F(RelayProcessTest, IsEndedWhenItAsksWhatIsNoQuestion) {
  StopSupervising();
  // In place of the relay: what is written there comes as if it had.
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, relay_->pid(), 0)));
  const UniqueFd end(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.get(), 3, 0)));
  ASSERT_TRUE(end.valid());
  ASSERT_EQ(send(end.get(), "x", 1, 0), 1);
  const Result<void> served = relay_->Serve(authority_);
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code, ErrorCode::kInternal);
  EXPECT_TRUE(HasEnded(relay_->pidfd()));
}

TEST(RelayProcessEnd, ComesWithItsParent) {
  PALYRA_REQUIRE_FEATURE(Root());
  std::array<int, 2> ends = {-1, -1};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd output(ends[0]);
  const UniqueFd input(ends[1]);
  const pid_t parent = fork();
  if (parent == 0) {
    const Result<RelayProcess> relay = RelayProcess::Start(kMark);
    const pid_t pid = relay ? relay->pid() : -1;
    (void)!write(input.get(), &pid, sizeof(pid));
    while (true) pause();
  }
  pid_t relay = -1;
  ASSERT_EQ(read(output.get(), &relay, sizeof(relay)), static_cast<ssize_t>(sizeof(relay)));
  ASSERT_GT(relay, 0);
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, relay, 0)));
  ASSERT_TRUE(pidfd.valid());
  EXPECT_FALSE(IsReadable(pidfd.get(), std::chrono::milliseconds(50)));
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(HasEnded(pidfd.get()));
}

}  // namespace
}  // namespace palyra::tests
