// The process that answers the DNS of a run, from the side of the run's supervisor.

#ifndef PALYRA_CLI_RESOLVER_PROCESS_H_
#define PALYRA_CLI_RESOLVER_PROCESS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/result.h"
#include "broker/name_channel.h"
#include "cli/name_answers.h"
#include "cli/service_process.h"
#include "engine/run.h"

namespace palyra::cli {

// `palyra-resolver`. It ends with this.
class ResolverProcess {
 public:
  using ResolverPorts = decltype(engine::BrokerPorts::resolver);

  // A name that no rule could allow was asked for; or one that rules allow, and that was not
  // resolved before the run, as would have been needed.
  struct RefusedName {
    std::string name;
    bool is_unpinned = false;
  };
  using OnRefusal = std::function<void(const RefusedName&)>;

  // It takes packets with `mark` alone. With `pins` it looks up these names at once, and never any
  // other: see channel().
  static Result<ResolverProcess> Start(uint32_t mark, const PinnedNames* pins);

  // Where it asks; for Preflight. Until that has ended, nobody else may answer. Readable when
  // Serve() has something to do.
  [[nodiscard]] int channel() const { return process_.channel(); }

  // Where it listens, at 127.0.0.1 and at ::1.
  [[nodiscard]] const ResolverPorts& ports() const { return ports_; }
  [[nodiscard]] std::vector<int> sockets() const { return process_.sockets(); }

  // Answers one question, if one waits. `pinned` is null where names are live. False: it has ended
  // or been killed, and the run cannot look up names any more.
  [[nodiscard]] bool Serve(engine::RunNames& names, const OnRefusal& on_refusal,
                           const PinnedNames* pinned) const;

 private:
  ResolverProcess(ServiceProcess process, const ResolverPorts& ports)
      : process_(std::move(process)), ports_(ports) {}

  ServiceProcess process_;
  ResolverPorts ports_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RESOLVER_PROCESS_H_
