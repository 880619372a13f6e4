// The process that answers the DNS of a run, from the side of the run's supervisor.

#ifndef PALYRA_CLI_RESOLVER_PROCESS_H_
#define PALYRA_CLI_RESOLVER_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/name_channel.h"
#include "engine/run.h"

namespace palyra::cli {

// `palyra-resolver`, which lies beside this program, with sockets that are open here too: a port
// whose resolver has died cannot become anybody else's while this process lives.
class ResolverProcess {
 public:
  // A name that no rule could allow was asked for.
  using OnRefusal = std::function<void(const std::string& name)>;

  static Result<ResolverProcess> Start();

  ResolverProcess(ResolverProcess&& other) noexcept;
  ResolverProcess& operator=(ResolverProcess&&) = delete;
  ResolverProcess(const ResolverProcess&) = delete;
  ResolverProcess& operator=(const ResolverProcess&) = delete;
  ~ResolverProcess();  // Ends it.

  // For RunRequest::brokers; borrows this. `known` points to the names of the run as soon as there
  // is one, for as long as it is there.
  [[nodiscard]] engine::BrokerService Service(const engine::RunNames*& known,
                                              OnRefusal on_refusal) const;

 private:
  ResolverProcess() = default;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd channel_;
  decltype(engine::BrokerPorts::resolver) ports_ = {};
  uint32_t mark_ = 0;
  std::vector<UniqueFd> sockets_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RESOLVER_PROCESS_H_
