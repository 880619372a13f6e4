// The servers that the host asks, as resolv.conf(5) names them.

#ifndef PALYRA_BROKER_RESOLV_CONF_H_
#define PALYRA_BROKER_RESOLV_CONF_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/endpoint.h"

namespace palyra::broker {

inline constexpr uint16_t kDnsPort = 53;

struct ResolvConf {
  std::vector<Endpoint> servers;  // At kDnsPort; one to three, in order (MAXNS of <resolv.h>).
  std::chrono::seconds timeout{5};
  int attempts = 2;
  size_t ignored_servers = 0;  // Lines that name no usable server, or one too many.
};

// Reads `nameserver` lines and, of `options`, timeout:n (at most 30) and attempts:n (1 to 5); all
// else is ignored, search lists too: the run's own libc applies its own. A server with a scope
// ("fe80::1%eth0") is ignored, for the resolver's interfaces are not the host's. kNotFound if no
// server remains.
Result<ResolvConf> ParseResolvConf(std::string_view text);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RESOLV_CONF_H_
