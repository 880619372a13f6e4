// Whom the relay asks, and what it tells: the side of the relay that knows policies and runs.

#ifndef PALYRA_BROKER_RELAY_AUTHORITY_H_
#define PALYRA_BROKER_RELAY_AUTHORITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/endpoint.h"

namespace palyra::broker {

enum class RelayReason : uint8_t {
  kNone,                // Allowed.
  kTooMany,             // As many connections as the relay may have.
  kUnknownDestination,  // The authority does not know where the client wanted to go.
  kNoFirstBytes,        // No name came in time; also protocols in which the server speaks first.
  kNotTlsOrHttp,        // Neither a TLS handshake nor an HTTP request.
  kBadHello,            // A ClientHello that servers might read differently; see detail.
  kNoServerName,        // TLS without server_name.
  kBadName,             // A name that is none of a host, or an address.
  kEncryptedHello,      // TLS that may hide another name behind the one that is shown.
  kBadRequest,          // An HTTP request that servers might read differently; see detail.
  kOtherPort,           // An HTTP Host with another port than the one the client connected to.
  kOtherHost,           // A later HTTP request for another name than the first.
  kNameNotAllowed,      // Reach() says no.
  kNoAddress,           // Reach() knows none.
  kUnreachable,         // Allowed, but no address could be connected to.
};

// For people: "the name is not one that this run may reach".
std::string_view RelayReasonText(RelayReason reason);

struct RelayEvent {
  enum class Outcome : uint8_t {
    kAllowed,  // Checked; what comes next is connecting. Of HTTP, the first request.
    kDenied,   // No byte of this connection, or of this later request, went on.
    kFailed,   // Allowed before, and could not be connected.
  };
  Outcome outcome = Outcome::kDenied;
  RelayReason reason = RelayReason::kNone;
  std::string_view detail;  // Of kBadHello and kBadRequest; lives as long as Record() runs.
  std::string name;         // Canonical; empty where none was found.
  Endpoint client;
  std::optional<Endpoint> destination;  // Where the client wanted to go.
};

// Called on the relay's thread, between bytes: nothing here may block.
class RelayAuthority {
 public:
  RelayAuthority() = default;
  RelayAuthority(const RelayAuthority&) = delete;
  RelayAuthority& operator=(const RelayAuthority&) = delete;
  virtual ~RelayAuthority() = default;

  // Where the client with that address wanted to go before it was redirected to `local`. nullopt if
  // that is unknown: the connection is reset.
  virtual std::optional<Endpoint> OriginalDestination(const Endpoint& client,
                                                      const Endpoint& local) = 0;

  // nullopt if the run may not reach `name` (as base::CanonicalDomain() gives it) at that
  // destination. Else where to connect for the name, best first: addresses that the resolver
  // learned for it. `destination` came from the client, and belongs into the answer only if it is
  // among them. An address that policies forbid must not be. At most kMostAddresses are tried.
  // Asked once for each connection, and again when its owner says that answers have changed
  // (RelayOwner).
  virtual std::optional<std::vector<Endpoint>> Reach(std::string_view name,
                                                     const Endpoint& destination) = 0;

  virtual void Record(const RelayEvent& event) = 0;
};

inline constexpr size_t kMostAddresses = 4;

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RELAY_AUTHORITY_H_
