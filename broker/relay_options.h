// The limits of the relay.

#ifndef PALYRA_BROKER_RELAY_OPTIONS_H_
#define PALYRA_BROKER_RELAY_OPTIONS_H_

#include <chrono>
#include <cstddef>

namespace palyra::broker {

struct RelayOptions {
  size_t max_connections = 1024;  // One more is reset. Each has two descriptors; a busy one, six.
  std::chrono::milliseconds first_bytes_timeout{10'000};    // Until the name is known.
  std::chrono::milliseconds connect_timeout{10'000};        // Of each address that is tried.
  std::chrono::milliseconds idle_timeout{15L * 60 * 1000};  // Without a byte in either direction.
  std::chrono::milliseconds refusal_timeout{2'000};         // For a denied client to read why.
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RELAY_OPTIONS_H_
