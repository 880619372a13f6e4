// The process that answers the DNS of a run, from the side of the run's supervisor.

#ifndef PALYRA_CLI_RESOLVER_PROCESS_H_
#define PALYRA_CLI_RESOLVER_PROCESS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/result.h"
#include "broker/name_channel.h"
#include "cli/service_process.h"
#include "engine/run.h"

namespace palyra::cli {

// `palyra-resolver`, and what its questions are answered by. It ends with this.
class ResolverProcess {
 public:
  // A name that no rule could allow was asked for.
  using OnRefusal = std::function<void(const std::string& name)>;

  static Result<ResolverProcess> Start();

  // For RunRequest::names; borrows this, which must not be moved then. `known` points to the names
  // of the run as soon as there is one, for as long as it is there.
  [[nodiscard]] engine::NameService Service(const engine::RunNames*& known,
                                            OnRefusal on_refusal) const;

 private:
  ResolverProcess(ServiceProcess process, const engine::RunTable::ResolverPorts& ports,
                  uint32_t mark)
      : process_(std::move(process)), ports_(ports), mark_(mark) {}

  ServiceProcess process_;
  engine::RunTable::ResolverPorts ports_;
  uint32_t mark_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RESOLVER_PROCESS_H_
