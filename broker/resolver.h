// The DNS resolver of one sandboxed run: a process of its own, without privileges, that all DNS of
// the run is redirected to.

#ifndef PALYRA_BROKER_RESOLVER_H_
#define PALYRA_BROKER_RESOLVER_H_

#include <memory>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "broker/name_authority.h"
#include "broker/resolv_conf.h"
#include "broker/resolver_options.h"

namespace palyra::broker {

// Where clients come to. Each socket is bound to one address, which replies leave from.
struct ResolverSockets {
  std::vector<UniqueFd> udp;
  std::vector<UniqueFd> tcp;  // Listening.
};

// Single-threaded: all but the clock is used by the thread that calls Run().
//
// What is asked decides how it is answered:
//   A, AAAA, CNAME, SRV, SVCB, HTTPS  of a name that MayAsk() allows: from the cache or by servers.
//       Others get NXDOMAIN, not REFUSED: on REFUSED glibc asks every server again and then says
//       "temporary failure", and musl waits until its time is over. There is no SOA with it, so
//       that nobody keeps it when the rules change.
//   localhost and names below: 127.0.0.1 and ::1 (RFC 6761), if Learn() allows.
//   PTR: NXDOMAIN, which is what libc expects of an address without a name.
//   everything else: REFUSED. Nothing of it leaves, for TXT, NULL and the like are what tunnels
//       are made of.
// With EDNS, a client is told that a rule is the reason (RFC 8914).
//
// With `pins` in the options only those names have addresses, the ones that Preflight() found, for
// ever: no type of theirs but A and AAAA has records, other names get NXDOMAIN, and no server is
// asked any more.
//
// Servers are asked with a message that we made from the canonical name and the type: nothing else
// that a client sent leaves. Questions that are on the way already are not asked twice. Every TTL
// is clamped by the options. Addresses are learned under the name that was asked before the reply
// leaves; answers that are wholly withheld become empty, without an error.
class Resolver {
 public:
  // `authority` must outlive it. kInvalidArgument without a socket, or without a server where there
  // is something to ask.
  static Result<Resolver> Create(ResolverSockets sockets, std::vector<Endpoint> servers,
                                 ResolverOptions options, NameAuthority& authority);
  Resolver(Resolver&&) noexcept;
  Resolver& operator=(Resolver&&) noexcept;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  // Resolves the pins, each of which is settled with the authority, and then returns; or when
  // `stop` is readable. To be called once, before Run().
  Result<void> Preflight(int stop);

  // Serves until `stop` is readable, which is not read. An error means that it cannot go on. To be
  // called once.
  Result<void> Run(int stop);

  // Not while another thread is in Run().
  [[nodiscard]] const ResolverCounters& counters() const;

 private:
  class Core;

  explicit Resolver(std::unique_ptr<Core> core);

  std::unique_ptr<Core> core_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RESOLVER_H_
