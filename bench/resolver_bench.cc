// What answering from the cache costs, over loopback, with a server that answers nothing but the
// first question for a name.
//   Cached/W   queries with W of them on the way at once: `items_per_second`, and the same for one
//              second of processor time of the resolver's thread
//   Parse      a query is read; Write: its reply is written, without any socket

#include <benchmark/benchmark.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/dns_query.h"
#include "broker/dns_reply.h"
#include "broker/resolver.h"
#include "broker/socket_address.h"

namespace {

namespace broker = palyra::broker;
using palyra::UniqueFd;

constexpr size_t kNames = 64;
const broker::Address kLoopback = broker::Address::V4({127, 0, 0, 1});

[[noreturn]] void Die(const char* message) {
  std::fprintf(stderr, "resolver_bench: %s\n", message);
  std::exit(1);
}

class AllowAll : public broker::NameAuthority {
 public:
  bool MayAsk(std::string_view) override { return true; }
  bool MayReveal(std::string_view, const broker::Address&) override { return false; }
  broker::AddressSet Learn(std::string_view, std::span<const broker::Address>,
                           std::chrono::seconds) override {
    return ~broker::AddressSet();
  }
  void Settle(std::string_view, broker::NameOutcome) override {}
};

broker::Question QuestionOf(size_t index) {
  return {.name = "host" + std::to_string(index) + ".bench.example",
          .type = broker::RecordType::kA};
}

UniqueFd BoundUdp() {
  UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const broker::SocketAddress address({kLoopback, 0});
  if (!fd.valid() || bind(fd.get(), address.get(), address.size()) != 0)
    Die("cannot bind a socket");
  return fd;
}

uint16_t PortOf(int fd) {
  sockaddr_in address = {};
  socklen_t size = sizeof(address);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

broker::Answer FourAddresses() {
  broker::Answer answer;
  for (uint8_t i = 1; i <= 4; ++i) answer.addresses.push_back(broker::Address::V4({8, 8, 8, i}));
  return answer;
}

// Answers all it is asked until `stop` is readable.
void ServeUpstream(int fd, int stop) {
  std::array<uint8_t, 2048> packet;
  std::vector<uint8_t> reply;
  std::array<pollfd, 2> watched = {{{fd, POLLIN, 0}, {stop, POLLIN, 0}}};
  while (poll(watched.data(), watched.size(), -1) > 0 && watched[1].revents == 0) {
    sockaddr_in peer = {};
    socklen_t size = sizeof(peer);
    const ssize_t count =
        recvfrom(fd, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
    if (count <= 0) continue;
    const broker::Query query =
        broker::ParseQuery(std::span(packet).first(static_cast<size_t>(count)));
    broker::WriteReply(query, broker::ReplyRecords(query.question, FourAddresses()),
                       {.ttl = std::chrono::seconds(3600)}, query.udp_size, reply);
    sendto(fd, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&peer), size);
  }
}

double ThreadSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// A resolver and a server of its own, each in a thread, and a client's socket.
class Setting {
 public:
  Setting() : stop_(eventfd(0, EFD_CLOEXEC)), client_(BoundUdp()) {
    UniqueFd upstream = BoundUdp();
    const broker::Endpoint server{kLoopback, PortOf(upstream.get())};
    broker::ResolverSockets sockets;
    sockets.udp.push_back(BoundUdp());
    const broker::SocketAddress address({kLoopback, PortOf(sockets.udp[0].get())});
    auto resolver = broker::Resolver::Create(std::move(sockets), {server}, {}, authority_);
    if (!resolver) Die("cannot make the resolver");
    if (connect(client_.get(), address.get(), address.size()) != 0) Die("cannot connect");
    upstream_thread_ =
        std::thread([this, fd = std::move(upstream)] { ServeUpstream(fd.get(), stop_.get()); });
    resolver_thread_ = std::thread([this, made = *std::move(resolver)]() mutable {
      (void)made.Run(stop_.get());
      cpu_seconds_ = ThreadSeconds();
      hits_ = made.counters().cache_hits;
    });
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting() { Stop(); }

  [[nodiscard]] int client() const { return client_.get(); }

  // Answers from the cache for each second of the resolver's thread.
  double Stop() {
    if (resolver_thread_.joinable()) {
      eventfd_write(stop_.get(), 1);
      resolver_thread_.join();
      upstream_thread_.join();
    }
    return static_cast<double>(hits_) / cpu_seconds_;
  }

 private:
  AllowAll authority_;
  UniqueFd stop_;
  UniqueFd client_;
  std::thread upstream_thread_;
  std::thread resolver_thread_;
  double cpu_seconds_ = 1;
  uint64_t hits_ = 0;
};

void Ask(int fd, const std::vector<uint8_t>& query) {
  if (send(fd, query.data(), query.size(), 0) < 0) Die("cannot send");
}

// False if nothing came for a second: a packet was lost.
bool Receive(int fd) {
  std::array<uint8_t, 2048> reply;
  pollfd watched = {fd, POLLIN, 0};
  if (recv(fd, reply.data(), reply.size(), MSG_DONTWAIT) > 0) return true;
  return poll(&watched, 1, 1000) == 1 && recv(fd, reply.data(), reply.size(), 0) > 0;
}

std::vector<std::vector<uint8_t>> Queries() {
  std::vector<std::vector<uint8_t>> queries;
  queries.reserve(kNames);
  for (size_t i = 0; i < kNames; ++i) {
    queries.push_back(broker::EncodeQuery(static_cast<uint16_t>(i), QuestionOf(i), true));
  }
  return queries;
}

void Cached(benchmark::State& state) {
  const auto on_the_way = static_cast<size_t>(state.range(0));
  const auto queries = Queries();
  Setting setting;
  for (const auto& query : queries) {
    Ask(setting.client(), query);
    if (!Receive(setting.client())) Die("no answer");
  }
  size_t next = 0;
  while (state.KeepRunning()) {
    for (size_t i = 0; i < on_the_way; ++i) Ask(setting.client(), queries[next++ % kNames]);
    for (size_t i = 0; i < on_the_way; ++i) {
      if (!Receive(setting.client())) Die("an answer was lost");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["per_cpu_second"] = setting.Stop();
}

void Parse(benchmark::State& state) {
  const std::vector<uint8_t> packet = broker::EncodeQuery(1, QuestionOf(1), true);
  while (state.KeepRunning()) benchmark::DoNotOptimize(broker::ParseQuery(packet));
}

void Write(benchmark::State& state) {
  const std::vector<uint8_t> packet = broker::EncodeQuery(1, QuestionOf(1), true);
  const broker::Query query = broker::ParseQuery(packet);
  const broker::ReplyRecords records(query.question, FourAddresses());
  std::vector<uint8_t> reply;
  while (state.KeepRunning()) {
    broker::WriteReply(query, records, {.ttl = std::chrono::seconds(60)}, 1232, reply);
    benchmark::DoNotOptimize(reply.data());
  }
}

BENCHMARK(Cached)->Arg(1)->Arg(32)->UseRealTime()->MinTime(1);
BENCHMARK(Parse)->MinTime(0.2);
BENCHMARK(Write)->MinTime(0.2);

}  // namespace

BENCHMARK_MAIN();
