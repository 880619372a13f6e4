// A process in a run's cgroup that connects and sends what it is told to, and says what it got.

#ifndef PALYRA_TESTS_UNIT_ENGINE_NET_CALLER_H_
#define PALYRA_TESTS_UNIT_ENGINE_NET_CALLER_H_

#include <sys/types.h>

#include <string>

#include "base/unique_fd.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// What a call came to, beside an errno of the system.
inline constexpr int kAllowedThenDenied = 10'001;  // connect() passed and its first packet did not.
inline constexpr int kNoSocket = 10'002;           // The socket could not be made at all.

class NetCaller {
 public:
  // Starts it in the cgroup directory `path`.
  explicit NetCaller(const std::string& path);
  NetCaller(const NetCaller&) = delete;
  NetCaller& operator=(const NetCaller&) = delete;
  ~NetCaller();

  [[nodiscard]] pid_t pid() const { return pid_; }

  // Makes the call with a new socket and returns its errno, 0 where it succeeded. EPERM is the
  // programs' answer and nobody else's. kConnect: connect(2), and one datagram where it is not TCP.
  // kSend: sendto(2). An IPv6 event may hold a mapped address.
  [[nodiscard]] int Try(const policy::NetEvent& call) const;

 private:
  UniqueFd channel_;
  pid_t pid_ = -1;
};

// Moves this process to a network namespace of its own in which every address is a local one, so
// that whatever is allowed succeeds. Throws std::runtime_error if it cannot.
void EnterNetworkWhereAllIsLocal();

// The kernel makes UDP-Lite sockets.
bool HasUdplite();

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_NET_CALLER_H_
