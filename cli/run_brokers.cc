#include "cli/run_brokers.h"

#include "cli/console.h"
#include "cli/preflight.h"
#include "cli/run_sockets.h"

namespace palyra::cli {

Result<RunBrokers> RunBrokers::Start(const policy::RuleSet& rules, const PinnedNames* pins) {
  const Result<uint32_t> mark = RandomMark();
  if (!mark) return std::unexpected(mark.error());
  Result<ResolverProcess> resolver = ResolverProcess::Start(*mark, pins);
  if (!resolver) return std::unexpected(resolver.error());
  RunBrokers brokers(*mark, pins, *std::move(resolver));
  if (pins != nullptr) {
    auto pinned = Preflight(rules, *pins).Run(brokers.resolver_.channel());
    if (!pinned) return std::unexpected(pinned.error());
    brokers.pinned_ = *std::move(pinned);
  }
  if (engine::NeedsRelay(rules)) {
    Result<RelayProcess> relay = RelayProcess::Start(*mark);
    if (!relay) return std::unexpected(relay.error());
    brokers.relay_.emplace(*std::move(relay));
  }
  return brokers;
}

engine::BrokerService RunBrokers::Service(const engine::RunNames*& known,
                                          Listeners listeners) const {
  engine::BrokerService service;
  service.ports = {.resolver = resolver_.ports(), .relay = 0, .mark = mark_};
  service.sockets = resolver_.sockets();
  service.pins = pinned_;
  service.resolver_fd = resolver_.channel();
  service.serve_resolver = [this, &known,
                            on_refusal = std::move(listeners.on_refusal)](engine::RunNames& names) {
    known = &names;
    return resolver_.Serve(names, on_refusal, pins_);
  };
  if (!relay_) return service;
  service.ports.relay = relay_->port();
  for (const int fd : relay_->sockets()) service.sockets.push_back(fd);
  service.relay_fd = relay_->channel();
  service.serve_relay = [this, &known, on_relayed = listeners.on_relayed](engine::RunRelay& relay) {
    known = &relay.names();
    RelayAnswers answers(relay, on_relayed);
    const Result<void> served = relay_->Serve(answers);
    if (!served) {
      Say("palyra-run", served.error().message + ": connections cannot be verified any more");
    }
    return served.has_value();
  };
  service.recheck_relay = [this, on_relayed = listeners.on_relayed](engine::RunRelay& relay) {
    RelayAnswers answers(relay, on_relayed);
    const Result<void> asked = relay_->AskAgain(answers);
    if (!asked) Say("palyra-run", asked.error().message);
  };
  return service;
}

}  // namespace palyra::cli
