#include "cli/relay_answers.h"

#include <algorithm>
#include <string>

#include "cli/name_answers.h"

namespace palyra::cli {
namespace {

engine::NetEndpoint EndpointOf(const broker::Endpoint& endpoint) {
  return {.address = ToEngine(endpoint.address), .port = endpoint.port};
}

std::optional<broker::Endpoint> ToBroker(const engine::NetAddress& address, uint16_t port) {
  constexpr size_t kV4Bytes = 4;
  const std::span<const uint8_t> bytes(address.bytes);
  const auto found = broker::Address::FromBytes(address.is_ipv6 ? bytes : bytes.first(kV4Bytes));
  if (!found) return std::nullopt;
  return broker::Endpoint{.address = *found, .port = port};
}

}  // namespace

std::optional<broker::Endpoint> RelayAnswers::OriginalDestination(
    const broker::Endpoint& client, const broker::Endpoint& /*local*/) {
  const auto destination = relay_.TakeDestination(!client.address.is_v4(), client.port);
  return destination ? ToBroker(destination->address, destination->port) : std::nullopt;
}

std::optional<std::vector<broker::Endpoint>> RelayAnswers::Reach(
    std::string_view name, const broker::Endpoint& destination) {
  const engine::NetEndpoint wanted = EndpointOf(destination);
  if (!relay_.MayReach(std::string(name), wanted)) return std::nullopt;
  std::vector<broker::Endpoint> endpoints;
  for (const engine::NetAddress& address :
       relay_.AddressesOf(std::string(name), wanted, broker::kMostAddresses)) {
    if (const auto endpoint = ToBroker(address, wanted.port)) endpoints.push_back(*endpoint);
  }
  return endpoints;
}

bool IsDenial(const broker::RelayEvent& event) {
  return event.outcome != broker::RelayEvent::Outcome::kAllowed &&
         event.reason != broker::RelayReason::kUnreachable;
}

Denial DenialOf(const broker::RelayEvent& event) {
  Denial denial = {.action = "net.connect",
                   .protocol = "tcp",
                   .address = {},
                   .layer = std::nullopt,
                   .policies = {},
                   .note = std::string(broker::RelayReasonText(event.reason))};
  if (!event.detail.empty()) denial.note.append(": ").append(event.detail);
  if (event.destination) {
    denial.address = event.destination->address.ToString();
    denial.port = event.destination->port;
  }
  if (!event.name.empty()) denial.names.push_back(event.name);
  return denial;
}

}  // namespace palyra::cli
