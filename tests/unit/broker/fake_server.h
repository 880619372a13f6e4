// A DNS server of the test, on loopback, that says what it is told to say.

#ifndef PALYRA_TESTS_UNIT_BROKER_FAKE_SERVER_H_
#define PALYRA_TESTS_UNIT_BROKER_FAKE_SERVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "broker/resolv_conf.h"
#include "tests/unit/broker/wire.h"

namespace palyra::broker {

struct Asked {
  Bytes packet;
  uint16_t id = 0;
  std::string name;  // As it stands there.
  uint16_t type = 0;
  bool over_tcp = false;
  uint16_t port = 0;  // Where it came from.
};

// A response to `asked` without records; its question is the one that was asked.
Message ResponseTo(const Asked& asked, uint16_t flags = 0);

using Messages = std::vector<Bytes>;

class FakeServer {
 public:
  // Gives the datagrams or framed messages that are sent back, in order; none: silence.
  using Script = std::function<Messages(const Asked&)>;

  explicit FakeServer(Script script);
  // At port 53 of an address in 127.0.0.0/8, where nothing else is.
  FakeServer(Script script, const Address& address);
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  ~FakeServer();

  [[nodiscard]] Endpoint endpoint() const;

  // All that has been asked so far.
  [[nodiscard]] std::vector<Asked> asked() const;
  [[nodiscard]] size_t count() const { return asked().size(); }

  // Waits until that many questions came.
  void WaitForCount(size_t count) const;

 private:
  void Serve();
  void ServeUdp();
  void ServeTcp();
  Messages Respond(const Asked& asked);

  Script script_;
  UniqueFd udp_;
  UniqueFd tcp_;
  UniqueFd stop_;
  Endpoint endpoint_;
  mutable std::mutex mutex_;  // Guards asked_.
  std::vector<Asked> asked_;
  std::thread thread_;
};

// Sockets at 127.0.0.1, UDP and listening TCP, of one port.
struct SocketPair {
  UniqueFd udp;
  UniqueFd tcp;
  uint16_t port = 0;
};
SocketPair OpenSocketPair();

}  // namespace palyra::broker

#endif  // PALYRA_TESTS_UNIT_BROKER_FAKE_SERVER_H_
