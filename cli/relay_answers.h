// What a run's supervisor answers its relay. The relay is not trusted: where clients wanted to go
// the kernel says, and where they may go the rules in force.

#ifndef PALYRA_CLI_RELAY_ANSWERS_H_
#define PALYRA_CLI_RELAY_ANSWERS_H_

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "broker/relay_authority.h"
#include "cli/denials.h"
#include "engine/run_relay.h"

namespace palyra::cli {

class RelayAnswers final : public broker::RelayAuthority {
 public:
  using OnEvent = std::function<void(const broker::RelayEvent&)>;

  // Borrows both.
  RelayAnswers(const engine::RunRelay& relay, const OnEvent& on_event)
      : relay_(relay), on_event_(on_event) {}

  std::optional<broker::Endpoint> OriginalDestination(const broker::Endpoint& client,
                                                      const broker::Endpoint& local) override;
  std::optional<std::vector<broker::Endpoint>> Reach(std::string_view name,
                                                     const broker::Endpoint& destination) override;
  void Record(const broker::RelayEvent& event) override { on_event_(event); }

 private:
  const engine::RunRelay& relay_;
  const OnEvent& on_event_;
};

// Not of a server that does not answer. A name that the run did not look up is one.
bool IsDenial(const broker::RelayEvent& event);
Denial DenialOf(const broker::RelayEvent& event);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RELAY_ANSWERS_H_
