// The two ends of real connections: a process in a run's cgroup, and this one.

#ifndef PALYRA_TESTS_UNIT_ENGINE_PEER_H_
#define PALYRA_TESTS_UNIT_ENGINE_PEER_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/unique_fd.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// One address of this machine, with a port of the kernel's choice.
struct Place {
  bool is_ipv6 = false;
  std::string address;  // As inet_pton(3) takes it.
  uint16_t port = 0;
};

// A bound socket, listening where `type` is SOCK_STREAM; `place->port` is set. Throws
// std::runtime_error.
UniqueFd Listen(int type, Place* place);

// A socket of `type` that is connected to `place`; without descriptor and with errno set if not.
UniqueFd ConnectTo(int type, const Place& place);

// The address as rules hold it.
policy::NetEvent EventFor(policy::NetAction action, policy::Protocol protocol, const Place& place);

// Waits for a connection. Throws std::runtime_error when patience ends.
UniqueFd AcceptFrom(int listener);

// All bytes that are there now.
size_t ReadWhatIsThere(int fd);

// Waits for the first byte, then as above; 0 if none comes within `limit`.
size_t ReadWithin(int fd, std::chrono::milliseconds limit);

// A process in the cgroup directory `path` whose `body` gives one number, an errno for example.
class Inside {
 public:
  Inside(const std::string& path, const std::function<int()>& body);
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside();

  // Waits for the number; -1 when patience ends.
  [[nodiscard]] int Answer() const;

 private:
  UniqueFd channel_;
  pid_t pid_ = -1;
};

// Everything has `verdict`, for reason 1 if it is not a deny.
policy::RuleSet Everything(policy::Verdict verdict);

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_PEER_H_
