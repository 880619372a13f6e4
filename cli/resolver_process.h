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
#include "cli/name_answers.h"
#include "engine/run.h"

namespace palyra::cli {

// `palyra-resolver`, which lies beside this program, with sockets that are open here too: a port
// whose resolver has died cannot become anybody else's while this process lives.
class ResolverProcess {
 public:
  // A name that no rule could allow was asked for; or one that rules allow, and that was not
  // resolved before the run, as would have been needed.
  struct RefusedName {
    std::string name;
    bool is_unpinned = false;
  };
  using OnRefusal = std::function<void(const RefusedName&)>;

  // With `pins` it looks up these names at once, and never any other: see channel().
  static Result<ResolverProcess> Start(const PinnedNames* pins);

  ResolverProcess(ResolverProcess&& other) noexcept;
  ResolverProcess& operator=(ResolverProcess&&) = delete;
  ResolverProcess(const ResolverProcess&) = delete;
  ResolverProcess& operator=(const ResolverProcess&) = delete;
  ~ResolverProcess();  // Ends it.

  // Where it asks; for Preflight. Until that has ended, nobody else may answer.
  [[nodiscard]] int channel() const { return channel_.get(); }

  // For RunRequest::brokers; borrows this, and `pinned`, which is null where names are live.
  // `known` points to the names of the run as soon as there is one, for as long as it is there.
  [[nodiscard]] engine::BrokerService Service(const engine::RunNames*& known, OnRefusal on_refusal,
                                              const PinnedNames* pinned) const;

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
