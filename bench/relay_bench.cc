// What the relay costs, over loopback and on one machine that also plays client and server:
//   direct  the client connects to the server
//   relay   through palyra-relay, by the name in a TLS hello or in an HTTP request; a thread here
//   is
//           its supervisor
//   chain   through two socats, TCP to a unix socket and that to TCP, which look at nothing: how
//           sandboxes bridge a proxy into a network namespace (left out where socat is missing)
// and of each, in turn and several rounds: bytes a second of one long stream; requests a second on
// one connection, each after the answer to the one before, and on 16 connections at once; and
// connections a second with one request each. Prints medians and their ratios; takes half a minute,
// as root. One request after another is a row of wake-ups, twice as many with anything in between.

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "broker/endpoint.h"
#include "broker/relay_authority.h"
#include "broker/socket_address.h"
#include "cli/relay_process.h"

namespace {

using palyra::UniqueFd;
using palyra::broker::Endpoint;
using Clock = std::chrono::steady_clock;
namespace broker = palyra::broker;

constexpr int kRounds = 5;
constexpr std::chrono::milliseconds kTime{500};
constexpr size_t kParallel = 16;
constexpr const char* kSocat = "/usr/bin/socat";

// Requests and answers are of one size, so that nobody needs to parse.
constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: bench.test\r\nX: 0123456789\r\n\r\n";
constexpr size_t kAnswer = 256;

constexpr uint32_t kMark = 0x5EED0001;
uint32_t client_mark = 0;  // Of what ConnectTo() sends.

Endpoint Loopback(uint16_t port) { return *broker::ParseEndpoint("127.0.0.1", port); }

UniqueFd ListenAnywhere() { return *broker::ListenAt(Loopback(0)); }

UniqueFd ConnectTo(const Endpoint& endpoint) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fd;
  // For the relay, which takes no other packets; nobody else cares.
  if (client_mark != 0 &&
      setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &client_mark, sizeof(client_mark)) != 0) {
    return {};
  }
  const broker::SocketAddress address(endpoint);
  if (connect(fd.get(), address.get(), address.size()) != 0) fd.Reset();
  const int on = 1;
  (void)setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

bool SendAll(int fd, std::string_view bytes) {
  if (fd < 0) return false;
  while (!bytes.empty()) {
    const ssize_t size = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

bool ReceiveAll(int fd, size_t size) {
  std::array<char, 4096> bytes = {};
  while (size > 0) {
    const ssize_t part = recv(fd, bytes.data(), std::min(size, bytes.size()), 0);
    if (part <= 0) return false;
    size -= static_cast<size_t>(part);
  }
  return true;
}

// One request head of any protocol, then the server's answers: to "GET" one for each request, to a
// TLS hello a stream that ends when the client is gone.
void Serve(const UniqueFd& client) {
  std::string noise(size_t{128} * 1024, 'n');
  std::array<char, 1> first = {};
  if (recv(client.get(), first.data(), 1, MSG_PEEK) != 1) return;
  if (first[0] != 'G') {
    while (SendAll(client.get(), noise)) {
    }
    return;
  }
  noise.resize(kAnswer);
  while (ReceiveAll(client.get(), kRequest.size()) && SendAll(client.get(), noise)) {
  }
}

// kParallel threads do this until the listener is shut down.
void ServeInTurn(int listener) {
  while (true) {
    const UniqueFd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!client.valid()) return;
    const int on = 1;
    (void)setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    Serve(client);
  }
}

// A ClientHello for bench.test with nothing but that name.
std::string Hello() {
  const std::string name = "bench.test";
  const auto vector = [](const std::string& content, int width) {
    std::string bytes;
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(content.size() >> shift & 0xff);
    }
    return bytes + content;
  };
  const std::string zeros(2, '\0');
  const std::string list = vector(std::string(1, '\0') + vector(name, 2), 2);
  const std::string extensions = vector(zeros + vector(list, 2), 2);
  const std::string body = "\x03\x03" + std::string(32, 'r') + vector("", 1) +
                           vector("\x13\x01", 2) + vector(std::string(1, '\0'), 1) + extensions;
  return "\x16\x03\x01" + vector("\x01" + vector(body, 3), 2);
}

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// Each measures for kTime and gives its unit a second; 0 if the way does not work.
double Stream(const Endpoint& endpoint) {
  const UniqueFd fd = ConnectTo(endpoint);
  if (!SendAll(fd.get(), Hello())) return 0;
  std::vector<char> buffer(size_t{256} * 1024);
  size_t bytes = 0;
  const auto start = Clock::now();
  while (Clock::now() - start < kTime) {
    const ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) return 0;
    bytes += static_cast<size_t>(size);
  }
  return static_cast<double>(bytes) / Seconds(Clock::now() - start);
}

double RequestsOn(const Endpoint& endpoint, size_t connections) {
  std::vector<UniqueFd> fds;
  fds.reserve(connections);
  for (size_t i = 0; i < connections; ++i) fds.push_back(ConnectTo(endpoint));
  const auto send_one = [](const UniqueFd& fd) { return SendAll(fd.get(), kRequest); };
  const auto read_one = [](const UniqueFd& fd) { return ReceiveAll(fd.get(), kAnswer); };
  size_t count = 0;
  const auto start = Clock::now();
  for (; Clock::now() - start < kTime; count += connections) {
    if (!std::ranges::all_of(fds, send_one) || !std::ranges::all_of(fds, read_one)) return 0;
  }
  return static_cast<double>(count) / Seconds(Clock::now() - start);
}

double Requests(const Endpoint& endpoint) { return RequestsOn(endpoint, 1); }

double ParallelRequests(const Endpoint& endpoint) { return RequestsOn(endpoint, kParallel); }

double Connections(const Endpoint& endpoint) {
  int count = 0;
  const auto start = Clock::now();
  for (; Clock::now() - start < kTime; ++count) {
    const UniqueFd fd = ConnectTo(endpoint);
    if (!SendAll(fd.get(), kRequest) || !ReceiveAll(fd.get(), kAnswer)) return 0;
  }
  return count / Seconds(Clock::now() - start);
}

class OneServer : public broker::RelayAuthority {
 public:
  explicit OneServer(const Endpoint& server) : server_(server) {}
  std::optional<Endpoint> OriginalDestination(const Endpoint& /*client*/,
                                              const Endpoint& /*local*/) override {
    return server_;
  }
  std::optional<std::vector<Endpoint>> Reach(std::string_view name,
                                             const Endpoint& /*destination*/) override {
    if (name != "bench.test") return std::nullopt;
    return std::vector{server_};
  }
  void Record(const broker::RelayEvent& /*event*/) override {}

 private:
  Endpoint server_;
};

// A port that socat can have.
uint16_t FreePort() { return broker::LocalOf(ListenAnywhere().get())->port; }

class Socat {
 public:
  Socat(std::string from, std::string to) {
    std::string program = kSocat;
    std::string quiet = "-lf/dev/null";
    std::array<char*, 5> arguments = {program.data(), quiet.data(), from.data(), to.data(),
                                      nullptr};
    if (posix_spawn(&pid_, kSocat, nullptr, nullptr, arguments.data(), environ) != 0) pid_ = -1;
  }
  Socat(const Socat&) = delete;
  Socat& operator=(const Socat&) = delete;
  ~Socat() {
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
};

// TCP to a unix socket, and that to TCP: how a proxy is bridged into a network namespace.
class SocatChain {
 public:
  explicit SocatChain(const Endpoint& server)
      : port_(FreePort()),
        path_(fmt::format("/tmp/relay_bench.{}", getpid())),
        outer_(fmt::format("UNIX-LISTEN:{},fork", path_),
               fmt::format("TCP:{},nodelay", ToText(server))),
        inner_(
            fmt::format("TCP-LISTEN:{},bind=127.0.0.1,reuseaddr,backlog=1024,fork,nodelay", port_),
            fmt::format("UNIX-CONNECT:{}", path_)) {
    for (int i = 0; i < 200 && !ready_; ++i) {
      ready_ = access(path_.c_str(), F_OK) == 0 && ConnectTo(endpoint()).valid();
      if (!ready_) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  SocatChain(const SocatChain&) = delete;
  SocatChain& operator=(const SocatChain&) = delete;
  ~SocatChain() { unlink(path_.c_str()); }
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] Endpoint endpoint() const { return Loopback(port_); }

 private:
  uint16_t port_;
  std::string path_;
  Socat outer_;
  Socat inner_;
  bool ready_ = false;
};

struct Measurement {
  const char* unit;
  double scale;
  std::function<double(const Endpoint&)> measure;
};

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

void Compare(const std::vector<std::pair<std::string, Endpoint>>& ways) {
  const std::array<Measurement, 4> measurements = {{
      {"GB/s", 1e-9, Stream},
      {"requests/s", 1, Requests},
      {"on 16", 1, ParallelRequests},
      {"connections/s", 1, Connections},
  }};
  for (const Measurement& measurement : measurements) {
    std::map<std::string, std::vector<double>> all;
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& [name, endpoint] : ways) {
        all[name].push_back(measurement.measure(endpoint) * measurement.scale);
      }
    }
    const double relay = Median(all["relay"]);
    for (const auto& [name, endpoint] : ways) {
      const double median = Median(all[name]);
      fmt::print("{:<14} {:<8} {:>10.2f}", measurement.unit, name, median);
      if (name != "relay")
        fmt::print("   relay / {}: {:.2f}", name, median > 0 ? relay / median : 0);
      fmt::print("\n");
    }
  }
}

}  // namespace

int main() {
  const UniqueFd listener = ListenAnywhere();
  const Endpoint server = *broker::LocalOf(listener.get());
  std::vector<std::jthread> serving;
  serving.reserve(kParallel);
  for (size_t i = 0; i < kParallel; ++i) {
    serving.emplace_back([&] { ServeInTurn(listener.get()); });
  }

  OneServer authority(server);
  const auto relay = palyra::cli::RelayProcess::Start(kMark);
  if (!relay) {
    fmt::print(stderr, "relay_bench: {}\n", relay.error().message);
    std::exit(1);
  }
  client_mark = kMark;
  std::atomic<bool> over = false;
  std::thread supervising([&] {
    pollfd ready = {.fd = relay->channel(), .events = POLLIN, .revents = 0};
    while (!over) {
      if (poll(&ready, 1, 100) > 0 && !relay->Serve(authority)) return;
    }
  });
  {
    const bool has_socat = access(kSocat, X_OK) == 0;
    const auto chain = has_socat ? std::make_unique<SocatChain>(server) : nullptr;
    std::vector<std::pair<std::string, Endpoint>> ways = {{"direct", server},
                                                          {"relay", Loopback(relay->port())}};
    if (chain && chain->ready()) ways.emplace_back("chain", chain->endpoint());
    Compare(ways);
  }
  over = true;
  supervising.join();
  // The threads end before the listener does.
  shutdown(listener.get(), SHUT_RDWR);
  return 0;
}
