// The process that relays connections of a run by name, from the side of the run's supervisor.

#ifndef PALYRA_CLI_RELAY_PROCESS_H_
#define PALYRA_CLI_RELAY_PROCESS_H_

#include <cstdint>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/relay_authority.h"
#include "cli/service_process.h"

namespace palyra::cli {

// `palyra-relay`. It ends with this.
class RelayProcess {
 public:
  static Result<RelayProcess> Start();

  // Where it listens, at 127.0.0.1 and at ::1, for packets with mark() alone.
  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] uint32_t mark() const { return mark_; }

  // When this is readable, Serve() has something to do.
  [[nodiscard]] int channel() const { return process_.channel(); }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  // Readable once the relay has ended.
  [[nodiscard]] int pidfd() const { return process_.pidfd(); }

  // Answers what the relay has asked, by asking `authority`; does not wait. After an error the
  // relay is killed, and nothing is relayed any more.
  Result<void> Serve(broker::RelayAuthority& authority) const;

  // After the authority has come to answer otherwise (new rules): has the relay ask about its open
  // connections again, and reset what is denied now. Call Serve() meanwhile.
  void AskAgain() const;

 private:
  RelayProcess(ServiceProcess process, UniqueFd changed, uint16_t port, uint32_t mark)
      : process_(std::move(process)), changed_(std::move(changed)), port_(port), mark_(mark) {}

  ServiceProcess process_;
  UniqueFd changed_;  // An eventfd that the relay has too.
  uint16_t port_;
  uint32_t mark_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RELAY_PROCESS_H_
