// Servers that count what reaches them: the application's side of "the listener saw nothing".

#ifndef PALYRA_TESTS_SUPPORT_LISTENERS_H_
#define PALYRA_TESTS_SUPPORT_LISTENERS_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {

enum class Transport : uint8_t { kTcp, kUdp, kMptcp, kUdplite };

// Each transport has its own port, the same at every address.
int PortOf(Transport transport);

struct Heard {
  uint64_t connections = 0;
  uint64_t bytes = 0;
};

// One thread serves all sockets.
class Listeners {
 public:
  // Opens a server of each transport in `transports` at each address. A transport that this kernel
  // lacks is left out. Call it from a thread in the namespace where the servers shall be; only
  // sockets are made there.
  Listeners(const std::vector<std::string_view>& addresses,
            const std::vector<Transport>& transports);
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;
  ~Listeners();

  // Whether a server of that transport is there at all.
  [[nodiscard]] bool Has(Transport transport) const;

  [[nodiscard]] Heard At(std::string_view address, Transport transport);

  // True once more than `bytes` bytes in all have come to that server; false at the deadline.
  bool WaitForMore(std::string_view address, Transport transport, uint64_t bytes,
                   std::chrono::milliseconds limit = kPatience);

 private:
  struct Server {
    UniqueFd fd;
    std::string address;
    Transport transport;
    Heard heard;
  };
  struct Connection {
    UniqueFd fd;
    size_t server;
  };

  void Open(std::string_view address, Transport transport);
  void Serve();
  void Accept(size_t server);
  void Receive(int fd, size_t server);
  void Drain(int fd);
  Server* Find(std::string_view address, Transport transport);

  std::vector<Server> servers_;
  std::map<int, Connection> connections_;  // Only the serving thread uses it.
  UniqueFd epoll_;
  UniqueFd stop_;
  std::mutex mutex_;  // Guards each Server::heard.
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_LISTENERS_H_
