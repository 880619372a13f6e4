// The process that relays connections of a run by name, from the side of the run's supervisor.

#ifndef PALYRA_CLI_RELAY_PROCESS_H_
#define PALYRA_CLI_RELAY_PROCESS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/relay_authority.h"
#include "cli/service_process.h"

namespace palyra::cli {

// `palyra-relay`. It ends with this.
class RelayProcess {
 public:
  // It takes packets with `mark` alone.
  static Result<RelayProcess> Start(uint32_t mark);

  // Where it listens, at 127.0.0.1 and at ::1.
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] std::vector<int> sockets() const { return process_.sockets(); }

  // When this is readable, Serve() has something to do.
  [[nodiscard]] int channel() const { return process_.channel(); }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  // Readable once the relay has ended.
  [[nodiscard]] int pidfd() const { return process_.pidfd(); }

  // Answers what the relay has asked, by asking `authority`; does not wait. After an error the
  // relay is killed, and nothing is relayed any more.
  Result<void> Serve(broker::RelayAuthority& authority) const;

  // After the authority has come to answer otherwise (new rules): returns when the relay has asked
  // about its open connections again, and reset those that are denied now. After an error it is
  // killed, and all of them are.
  Result<void> AskAgain(broker::RelayAuthority& authority) const;

 private:
  RelayProcess(ServiceProcess process, UniqueFd changed, uint16_t port)
      : process_(std::move(process)), changed_(std::move(changed)), port_(port) {}

  ServiceProcess process_;
  UniqueFd changed_;  // RelayOwner::changed is its other end.
  uint16_t port_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RELAY_PROCESS_H_
