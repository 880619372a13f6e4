// What a client may send on: the decision of the relay, without any socket.
//
// What is checked is what a connection shows: the server_name of TLS, the Host of plain HTTP. Not
// visible are the Host inside TLS, and the name in a second ClientHello after a HelloRetryRequest
// or in a renegotiation: a server that serves several names lets a client that has reached one ask
// it for another (domain fronting).

#ifndef PALYRA_BROKER_CLIENT_CHECK_H_
#define PALYRA_BROKER_CLIENT_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/http_requests.h"
#include "broker/relay_authority.h"
#include "broker/tls_hello.h"

namespace palyra::broker {

// With so many bytes a check is decided.
inline constexpr size_t kLongestCheck = kLongestHello + 1;

class ClientCheck {
 public:
  enum class Kind : uint8_t {
    kMore,  // More bytes are needed.
    kPass,  // `size` bytes at the front may go on.
    kDeny,  // Nothing more may go on, ever.
  };
  struct Verdict {
    Kind kind = Kind::kMore;
    size_t size = 0;
    RelayReason reason = RelayReason::kNone;
    std::string_view detail;
  };

  // `authority` must outlive the check.
  ClientCheck(RelayAuthority& authority, const Endpoint& destination)
      : authority_(authority), destination_(destination) {}

  // `held`: all that came from the client and has not passed. After kPass the caller takes `size`
  // bytes off the front before the next call. Asks Reach(), once. Not to be called once opaque().
  Verdict Check(std::string_view held);

  // TLS whose hello has passed: what follows is encrypted, and passes unseen.
  [[nodiscard]] bool opaque() const { return opaque_; }

  // The canonical name of the first thing that was understood; "" before.
  [[nodiscard]] const std::string& name() const { return name_; }

  // Where to connect for name(), best first. Known with the first kPass, and then gone.
  [[nodiscard]] std::vector<Endpoint> TakeAddresses() { return std::move(addresses_); }

  // What to tell the client of a denial before it is closed: an alert of TLS, a response of HTTP,
  // or "" if it speaks neither.
  [[nodiscard]] std::string ReplyTo(RelayReason reason, std::string_view detail) const;

 private:
  enum class Protocol : uint8_t { kUnknown, kTls, kHttp };

  Verdict CheckHello(std::string_view held);
  Verdict CheckRequests(std::string_view held);
  Verdict CheckRequest(size_t size);
  std::optional<Verdict> CheckName(std::string_view raw);

  RelayAuthority& authority_;
  Endpoint destination_;
  Protocol protocol_ = Protocol::kUnknown;
  bool opaque_ = false;
  std::string name_;
  std::vector<Endpoint> addresses_;
  size_t fed_ = 0;  // Of `held`, to hello_.
  TlsHelloReader hello_;
  RequestStream requests_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_CLIENT_CHECK_H_
