// Denials of a run, told in the words of its policies.

#ifndef PALYRA_CLI_DENIALS_H_
#define PALYRA_CLI_DENIALS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "cli/policy_sources.h"
#include "engine/events.h"
#include "policy/rule_set.h"

namespace palyra::cli {

// One denial as names instead of numbers.
struct Denial {
  // "net.connect"; "socket.create" for a kind of socket that no run may have, "socket.receive" for
  // one that another process sent; "resolve" for a name that no policy could allow to reach.
  std::string action;
  // "tcp"; for socket.create e.g. "raw ipv4 protocol 255", "family 40"; for resolve the name.
  std::string protocol;
  std::string address;  // Empty for socket.create, socket.receive and resolve.
  uint16_t port = 0;
  // The outermost layer that denies, and its forbids as labels; no labels: nothing permits it.
  // Empty for what is denied without a policy: socket.create, socket.receive.
  std::optional<policy::Layer> layer;
  std::vector<std::string> policies;
  // In place of a policy: the rules had expired, or are not this process's.
  std::string note;
  // By which the run knows the address.
  std::vector<std::string> names = {};  // NOLINT(readability-redundant-member-init)
  // Of file.* and process.exec the path as the run's objects have it; of process.signal and
  // process.trace which process; of what no run may do, which hook refused.
  std::string path = {};        // NOLINT(readability-redundant-member-init)
  std::string executable = {};  // NOLINT(readability-redundant-member-init): Who was denied.
  std::string hook = {};        // NOLINT(readability-redundant-member-init): "file_open".

  auto Key() const { return std::tie(action, protocol, address, port, names, note, path); }
};

class DenialNames {
 public:
  // Borrows both for its lifetime; `rules` are those that the events were judged by.
  DenialNames(const policy::RuleSet& rules, const std::vector<LayerPolicies>& layers)
      : rules_(rules), layers_(layers) {}

  [[nodiscard]] Denial Name(const palyra_event& event) const;
  [[nodiscard]] Denial Name(const engine::PathEvent& event) const;

  // Of what was allowed: `policies` are the permits of every layer, outermost first, and there is
  // no layer that denies.
  [[nodiscard]] Denial NameAllowed(const palyra_event& event) const;
  [[nodiscard]] Denial NameAllowed(const engine::PathEvent& event) const;

 private:
  [[nodiscard]] std::vector<std::string> LabelsOf(const policy::Reason::LayerPolicies& named) const;
  void AddReason(uint32_t index, Denial& denial) const;
  void AddPermits(uint32_t index, Denial& allowed) const;

  const policy::RuleSet& rules_;
  const std::vector<LayerPolicies>& layers_;
};

// Of a name that no rule could allow, or that was not resolved before the run.
Denial RefusedName(const std::string& name, bool is_unpinned);

// Counts equal denials; memory is bounded, whatever a tool tries.
class DenialSummary {
 public:
  void Add(const Denial& denial);
  // One that the kernel did not count: the resolver's or the relay's.
  void AddOfBroker(const Denial& denial);

  // What was denied and how often, in the order in which it was first seen.
  [[nodiscard]] std::vector<std::pair<Denial, uint64_t>> All() const;

  // One line, or nothing where nothing was denied: what was denied how often, by which policy, and
  // how to allow it. `total` and `lost` are the kernel's counts.
  [[nodiscard]] std::optional<std::string> Line(uint64_t total, uint64_t lost) const;

 private:
  struct Entry {
    Denial denial;
    uint64_t count = 0;
    uint64_t order = 0;
  };
  using Key = std::tuple<std::string, std::string, std::string, uint16_t, std::vector<std::string>,
                         std::string, std::string>;

  std::map<Key, Entry> entries_;
  uint64_t of_brokers_ = 0;
  uint64_t unasked_ = 0;  // What nobody needs to know.
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_DENIALS_H_
