// The processes that serve one run beside its command: the resolver of its names, and the relay of
// its connections that are to be verified.

#ifndef PALYRA_CLI_RUN_BROKERS_H_
#define PALYRA_CLI_RUN_BROKERS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/name_answers.h"
#include "cli/relay_answers.h"
#include "cli/relay_process.h"
#include "cli/resolver_process.h"
#include "engine/run.h"

namespace palyra::cli {

class RunBrokers {
 public:
  // Those that `rules` need. With `pins`, borrowed, these names are resolved before it returns; an
  // error if one cannot be.
  static Result<RunBrokers> Start(const policy::RuleSet& rules, const PinnedNames* pins);

  struct Listeners {
    ResolverProcess::OnRefusal on_refusal;
    RelayAnswers::OnEvent on_relayed;
  };

  // For RunRequest::brokers; borrows this, which must not be moved then. `known` points to the
  // names of the run as soon as there is one, for as long as it is there.
  [[nodiscard]] engine::BrokerService Service(const engine::RunNames*& known,
                                              Listeners listeners) const;

 private:
  RunBrokers(uint32_t mark, const PinnedNames* pins, ResolverProcess resolver)
      : mark_(mark), pins_(pins), resolver_(std::move(resolver)) {}

  uint32_t mark_;
  const PinnedNames* pins_;
  ResolverProcess resolver_;
  std::optional<RelayProcess> relay_;
  std::vector<engine::PinnedAddress> pinned_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RUN_BROKERS_H_
