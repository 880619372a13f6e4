// The parameters of SVCB and HTTPS records (RFC 9460 section 2.2).

#ifndef PALYRA_BROKER_SERVICE_PARAMS_H_
#define PALYRA_BROKER_SERVICE_PARAMS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace palyra::broker {

// Those of `params` (wire form) that hold neither addresses nor keys: mandatory, alpn,
// no-default-alpn and port. nullopt if they are malformed, not in ascending order, more than 512
// bytes, or one is mandatory that would be missing.
std::optional<std::vector<uint8_t>> KeptServiceParams(std::span<const uint8_t> params);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_SERVICE_PARAMS_H_
