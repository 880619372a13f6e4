#include "engine/run_relay.h"

#include <bpf/bpf.h>

#include <algorithm>

#include "bpf/abi.h"

namespace palyra::engine {

void RunRelay::Close() const {
  BrokerPorts ports = objects_->runs().BrokersOf(run_);
  ports.relay = 0;
  objects_->runs().SetBrokers(run_, ports);
}

std::optional<NetEndpoint> RunRelay::TakeDestination(bool is_ipv6, uint16_t port) const {
  palyra_relayed_key key = {};
  key.run = run_;
  key.port = port;
  key.is_ipv6 = is_ipv6 ? 1 : 0;
  palyra_relayed value;
  const int fd = objects_->fd(Table::kRelayed);
  if (bpf_map_lookup_and_delete_elem(fd, &key, &value) != 0) return std::nullopt;
  NetEndpoint destination = {.address = {.is_ipv6 = value.is_ipv6 != 0}, .port = value.port};
  std::ranges::copy(value.address, destination.address.bytes.begin());
  return destination;
}

bool RunRelay::MayReach(const std::string& name, const NetEndpoint& destination) const {
  return !objects_->runs().HasExpired(run_) &&
         names_->MayReachVerified(name, destination.address, destination.port);
}

std::vector<NetAddress> RunRelay::AddressesOf(const std::string& name,
                                              const NetEndpoint& destination, size_t most) const {
  std::vector<NetAddress> known = names_->AddressesOf(name);
  std::ranges::stable_partition(
      known, [&](const NetAddress& address) { return address == destination.address; });
  std::vector<NetAddress> addresses;
  for (const NetAddress& address : known) {
    if (addresses.size() >= most) break;
    if (names_->MayReachVerified(name, address, destination.port)) addresses.push_back(address);
  }
  return addresses;
}

void RemoveRelayedOf(const KernelObjects& objects, uint64_t run) {
  const int fd = objects.fd(Table::kRelayed);
  std::vector<palyra_relayed_key> keys;
  palyra_relayed_key key = {};
  palyra_relayed_key* previous = nullptr;
  // A key that vanishes meanwhile starts the walk again; the bound ends one that never gets on.
  for (int i = 0; i < 4 * PALYRA_MAX_RELAYED; ++i) {
    if (bpf_map_get_next_key(fd, previous, &key) != 0) break;
    if (key.run == run) keys.push_back(key);
    previous = &key;
  }
  for (const palyra_relayed_key& found : keys) bpf_map_delete_elem(fd, &found);
}

}  // namespace palyra::engine
