// Much, slow, many and late: what the relay carries, and what it does not put up with.

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/sha256.h"
#include "broker/relay.h"
#include "tests/unit/broker/hellos.h"
#include "tests/unit/broker/relay_rig.h"

namespace palyra::tests {
namespace {

using broker::RelayOptions;
using broker::RelayReason;
using std::chrono::milliseconds;

constexpr size_t kMuch = size_t{64} * 1024 * 1024;

// Different bytes everywhere, in 1 MiB.
std::string Noise() {
  std::string noise(size_t{1024} * 1024, '\0');
  uint32_t state = 1;
  for (char& byte : noise) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return noise;
}

std::string SendMuch(const Peer& peer) {
  base::Sha256 hash;
  const std::string noise = Noise();
  for (size_t sent = 0; sent < kMuch; sent += noise.size()) {
    EXPECT_TRUE(peer.Send(noise));
    hash.Update(AsBytes(noise));
  }
  peer.End();
  return base::HexText(hash.Finish());
}

std::string DigestOfAll(const Peer& peer) {
  base::Sha256 hash;
  for (std::string part = peer.Read(65536); !part.empty(); part = peer.Read(65536)) {
    hash.Update(AsBytes(part));
  }
  return base::HexText(hash.Finish());
}

// A connection that is through.
struct Pair {
  Peer client;
  Peer server;
};

Pair Open(const RelayRig& rig, const Upstream& upstream, const std::string& first) {
  Pair pair;
  pair.client = rig.Connect();
  EXPECT_TRUE(pair.client.Send(first));
  pair.server = upstream.Accept();
  EXPECT_EQ(pair.server.Read(first.size()), first);
  return pair;
}

size_t OpenFiles() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

// The last number of a sysctl like net/ipv4/tcp_rmem: the most bytes of a socket's buffer.
size_t LargestBuffer(std::string_view name) {
  std::ifstream file("/proc/sys/net/ipv4/" + std::string(name));
  size_t value = 0;
  size_t last = 0;
  while (file >> value) last = value;
  return last;
}

size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

// Sends until nothing more goes for a while: what has gone.
size_t SendUntilStuck(const Peer& peer) {
  const std::string noise = Noise();
  size_t sent = 0;
  for (int idle = 0; idle < 20;) {
    const size_t size = peer.SendSome(noise);
    sent += size;
    idle = size > 0 ? 0 : idle + 1;
    if (size == 0) std::this_thread::sleep_for(milliseconds(10));
  }
  return sent;
}

std::string Upload(size_t size) {
  return "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
}

TEST(RelayLoad, CarriesMuchInBothDirectionsAtOnce) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  for (const std::string& first : {Hello(ServerName("a.test")), Upload(kMuch)}) {
    const Pair pair = Open(rig, upstream, first);
    std::string up;
    std::string down;
    std::string down_read;
    std::thread uploader([&] { up = SendMuch(pair.client); });
    std::thread downloader([&] { down = SendMuch(pair.server); });
    std::thread reader([&] { down_read = DigestOfAll(pair.client); });
    const std::string up_read = DigestOfAll(pair.server);
    uploader.join();
    downloader.join();
    reader.join();
    EXPECT_EQ(up_read, up);
    EXPECT_EQ(down_read, down);
  }
}

TEST(RelayLoad, HoldsLittleForAReaderThatIsSlow) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  // Of the four sockets on the way, two receive and two send.
  const size_t kernel = 2 * (LargestBuffer("tcp_rmem") + LargestBuffer("tcp_wmem"));
  for (const std::string& first : {Hello(ServerName("a.test")), Upload(size_t{1} << 40)}) {
    const Pair pair = Open(rig, upstream, first);
    const size_t before = ResidentBytes();
    const size_t sent = SendUntilStuck(pair.client);
    EXPECT_LT(sent, kernel + size_t{256} * 1024);
    EXPECT_LT(ResidentBytes(), before + size_t{4} * 1024 * 1024);
    pair.client.End();
    EXPECT_EQ(pair.server.ReadAll().size(), sent);
  }
}

// Of this process, in microseconds.
int64_t ProcessorTimeOfHalfASecond() {
  const auto used = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t{usage.ru_utime.tv_sec} + usage.ru_stime.tv_sec) * 1'000'000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  };
  const int64_t before = used();
  std::this_thread::sleep_for(milliseconds(500));
  return used() - before;
}

TEST(RelayLoad, WaitsWithoutWorkForAReaderThatHasEndedItsOwnDirection) {
  const Upstream upstream;
  RelayRig rig;
  rig.Allow("a.test", upstream);
  const Pair pair = Open(rig, upstream, Hello(ServerName("a.test")));
  pair.client.End();
  EXPECT_EQ(pair.server.ReadAll(), "");
  const size_t sent = SendUntilStuck(pair.server);
  // What was sent last may still be on its way; who spins is never at rest.
  bool rests = false;
  for (int i = 0; i < 10 && !rests; ++i) rests = ProcessorTimeOfHalfASecond() < 100'000;
  EXPECT_TRUE(rests) << "no half second with less than 0.1 s of processor time";
  pair.server.End();
  EXPECT_EQ(pair.client.ReadAll().size(), sent);
}

TEST(RelayLoad, DoesNotWaitForFirstBytesForEver) {
  const Upstream upstream;
  RelayRig rig({.first_bytes_timeout = milliseconds(150)});
  rig.Allow("a.test", upstream);
  const Peer silent = rig.Connect();
  const Peer slow = rig.Connect();
  const std::string hello = Hello(ServerName("a.test"));
  for (size_t i = 0; i + 1 < hello.size() && slow.Send({&hello[i], 1}); ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(silent.WasReset());
  const auto events = rig.authority().Events(2);
  EXPECT_EQ(events[0].reason, RelayReason::kNoFirstBytes);
  EXPECT_EQ(events[1].reason, RelayReason::kNoFirstBytes);
  EXPECT_TRUE(upstream.Untouched());
}

TEST(RelayLoad, EndsWhatIsIdle) {
  const Upstream upstream;
  RelayRig rig({.idle_timeout = milliseconds(200)});
  rig.Allow("a.test", upstream);
  const Pair busy = Open(rig, upstream, Hello(ServerName("a.test")));
  const Pair idle = Open(rig, upstream, Hello(ServerName("a.test")));
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(busy.server.Send("x"));
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_TRUE(idle.client.WasReset());
  EXPECT_TRUE(idle.server.WasReset());
  EXPECT_EQ(busy.client.Read(30), std::string(30, 'x'));
  EXPECT_TRUE(busy.client.WasReset());
}

TEST(RelayLoad, TriesTheNextAddressWhereOneDoesNotAnswer) {
  const Upstream upstream;
  RelayRig rig({.connect_timeout = milliseconds(100)});
  rig.Allow("a.test", upstream);
  // One that has no room for who waits: the kernel drops what comes.
  const UniqueFd full(*broker::ListenAt(Loopback(0)));
  ASSERT_EQ(listen(full.get(), 0), 0);
  const broker::Endpoint deaf = *broker::LocalOf(full.get());
  const Peer waiting = ConnectTo(deaf);
  rig.authority().addresses["a.test"] = {deaf, Loopback(1), deaf, upstream.endpoint()};
  const auto start = std::chrono::steady_clock::now();
  const Pair pair = Open(rig, upstream, Hello(ServerName("a.test")));
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(200));
  ASSERT_TRUE(pair.server.Send("x"));
  EXPECT_EQ(pair.client.Read(1), "x");
}

TEST(RelayLoad, CarriesFiveHundredAtOnce) {
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  constexpr size_t kCount = 500;
  const Upstream upstream;
  const size_t before = OpenFiles();
  {
    RelayRig rig;
    rig.Allow("a.test", upstream);
    std::vector<Pair> pairs;
    for (size_t i = 0; i < kCount; ++i) {
      pairs.push_back(Open(rig, upstream, Get("a.test", "/" + std::to_string(i))));
    }
    EXPECT_EQ(rig.relay().open_connections(), kCount);
    for (size_t i = 0; i < kCount; ++i) ASSERT_TRUE(pairs[i].server.Send(std::to_string(i)));
    for (size_t i = 0; i < kCount; ++i) {
      const std::string answer = std::to_string(i);
      ASSERT_EQ(pairs[i].client.Read(answer.size()), answer);
    }
    // Each idle connection costs the two sockets of the relay, and no pipe.
    EXPECT_LT(OpenFiles(), before + 4 * kCount + 200);
    pairs.clear();
    EXPECT_TRUE(rig.WaitForOpen(0));
  }
  EXPECT_EQ(OpenFiles(), before);
}

TEST(RelayLoad, HasNoMoreThanItMay) {
  const Upstream upstream;
  RelayRig rig({.max_connections = 2});
  rig.Allow("a.test", upstream);
  const std::string hello = Hello(ServerName("a.test"));
  Pair first = Open(rig, upstream, hello);
  const Pair second = Open(rig, upstream, hello);
  EXPECT_TRUE(rig.Connect().WasReset());
  EXPECT_EQ(rig.authority().Events(3)[2].reason, RelayReason::kTooMany);
  first.client.Reset();
  ASSERT_TRUE(rig.WaitForOpen(1));
  const Pair third = Open(rig, upstream, hello);
  ASSERT_TRUE(third.server.Send("x"));
  EXPECT_EQ(third.client.Read(1), "x");
}

TEST(RelayLoad, StopsWhileItIsBusy) {
  const Upstream upstream;
  const size_t before = OpenFiles();
  {
    RelayRig rig;
    rig.Allow("a.test", upstream);
    std::vector<Pair> pairs;
    for (int i = 0; i < 4; ++i) {
      pairs.push_back(Open(rig, upstream, Hello(ServerName("a.test"))));
    }
    const Peer unknown = rig.Connect();
    std::vector<std::thread> senders;
    for (const Pair& pair : pairs) {
      senders.emplace_back([&pair] {
        const std::string noise = Noise();
        while (pair.server.Send(noise)) {
        }
      });
      senders.emplace_back([&pair] {
        while (!pair.client.Read(65536).empty()) {
        }
      });
    }
    std::this_thread::sleep_for(milliseconds(100));
    const auto start = std::chrono::steady_clock::now();
    rig.Stop();
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
    for (std::thread& sender : senders) sender.join();
    EXPECT_TRUE(unknown.WasReset());
  }
  EXPECT_EQ(OpenFiles(), before);
}

TEST(RelayLoad, ServesSeveralListeners) {
  const Upstream upstream;
  FakeAuthority authority;
  authority.destination = upstream.endpoint();
  authority.addresses["a.test"] = {upstream.endpoint()};
  std::vector<UniqueFd> listeners = OneListener();
  const auto ipv6 = broker::ListenAt(*broker::ParseEndpoint("::1", 0));
  if (ipv6) listeners.emplace_back(dup(ipv6->get()));
  listeners.push_back(std::move(OneListener()[0]));
  std::vector<broker::Endpoint> endpoints;
  for (const UniqueFd& fd : listeners) endpoints.push_back(*broker::LocalOf(fd.get()));
  const auto relay = *broker::Relay::Create(std::move(listeners), authority);
  std::thread thread([&] { EXPECT_TRUE(relay->Run()); });
  for (int round = 0; round < 2; ++round) {
    for (const broker::Endpoint& endpoint : endpoints) {
      const Peer client = ConnectTo(endpoint);
      ASSERT_TRUE(client.Send(Get("a.test"))) << ToText(endpoint);
      EXPECT_EQ(upstream.Accept().Read(3), "GET") << ToText(endpoint);
    }
  }
  relay->Stop();
  thread.join();
}

TEST(RelayLoad, NeedsAListener) {
  FakeAuthority authority;
  std::vector<UniqueFd> many(broker::Relay::kMostListeners + 1);
  EXPECT_EQ(broker::Relay::Create({}, authority).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(broker::Relay::Create(std::move(many), authority).error().code,
            ErrorCode::kInvalidArgument);
}

TEST(RelayLoad, EndsWithItsOwner) {
  for (const bool by_itself : {false, true}) {
    std::array<int, 2> ends = {-1, -1};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), 0);
    const UniqueFd own(ends[0]);
    UniqueFd owner(ends[1]);
    FakeAuthority authority;
    const auto relay = *broker::Relay::Create(OneListener(), authority);
    std::atomic<bool> ended = false;
    std::thread thread([&] {
      EXPECT_TRUE(relay->Run({.life = own.get()}));
      ended = true;
    });
    // What the owner says is not its end.
    ASSERT_EQ(send(owner.get(), "x", 1, 0), 1);
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_FALSE(ended);
    if (by_itself) {
      shutdown(own.get(), SHUT_RDWR);
    } else {
      owner.Reset();
    }
    thread.join();
  }
}

TEST(RelayLoad, MayBeStoppedBeforeItRuns) {
  FakeAuthority authority;
  auto relay = broker::Relay::Create(OneListener(), authority);
  ASSERT_TRUE(relay);
  (*relay)->Stop();
  EXPECT_TRUE((*relay)->Run());
}

}  // namespace
}  // namespace palyra::tests
