// The names of one run: which addresses its resolver gave out under which names, and what the rules
// in force say of those addresses, in the kernel's table `names`.

#ifndef PALYRA_ENGINE_RUN_NAMES_H_
#define PALYRA_ENGINE_RUN_NAMES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

struct palyra_event;

namespace palyra::engine {

// In canonical form: no IPv4-mapped IPv6.
struct NetAddress {
  bool is_ipv6 = false;
  std::array<uint8_t, 16> bytes = {};  // Network byte order; IPv4 in the first four, the rest zero.
  auto operator<=>(const NetAddress&) const = default;
};

// The address that an event is about.
NetAddress AddressOf(const palyra_event& event);

// In place of an end: the name stays with the run.
inline constexpr uint64_t kNeverEnds = UINT64_MAX;

inline constexpr size_t kMaxAddressesOfRun = 4096;
inline constexpr size_t kMaxNamesOfAddress = 16;

// What a name led to before the run began.
struct PinnedAddress {
  std::string name;  // In canonical form.
  NetAddress address;
  bool is_special = false;  // As in policy::NamedAddress.
};

class RunNames {
 public:
  // For the run with cgroup id `run`, which is under `profile`, made of `rules`.
  RunNames(const KernelObjects& objects, uint64_t run, uint32_t profile, policy::RuleSet rules);

  // Whether some rule could allow reaching an endpoint because of this name, in canonical form.
  [[nodiscard]] bool MayBeAskedFor(const std::string& name);
  // Whether rules let the name lead to this special address (policy/named_class.h).
  [[nodiscard]] bool MayLeadTo(const std::string& name, const NetAddress& address) const;

  // From now on the address is known by this name too, until CLOCK_BOOTTIME has reached
  // `expires_ns`: it is judged under all the names that it has. A connection that is open then
  // goes on. `is_special`: as in NamedAddress. kExhausted: too many addresses, or names of one, or
  // rules for it.
  Result<void> Learn(const std::string& name, const NetAddress& address, bool is_special,
                     uint64_t expires_ns);

  // When the next name ends of an address that has others, in CLOCK_BOOTTIME; Expire() then takes
  // it away from what the address is judged under.
  [[nodiscard]] std::optional<uint64_t> next_expiry() const;
  void Expire();

  // Writes all of it for `rules`, which are `profile` and about to be put in force. An address for
  // which they have too many spans is denied.
  Result<void> Prepare(uint32_t profile, const policy::RuleSet& rules) const;
  // They are in force: forgets those before. Or they are not: forgets what was prepared.
  void Settle(uint32_t profile, const policy::RuleSet& rules);
  void Withdraw(uint32_t profile) const;

  // The run has ended.
  void RemoveAll();

  // Whether a TCP client that verifiably wants `name`, in canonical form, may go on to this
  // address.
  [[nodiscard]] bool MayReachVerified(const std::string& name, const NetAddress& address,
                                      uint16_t port) const;
  // What was given out under the name, and has not ended.
  [[nodiscard]] std::vector<NetAddress> AddressesOf(const std::string& name) const;

  // Names that the address has or had, for people; empty where nobody looked it up.
  [[nodiscard]] std::vector<std::string> NamesOf(const NetAddress& address) const;

 private:
  using Ends = std::map<std::string, uint64_t>;  // By name.
  struct Known {
    Ends names;  // Not empty.
    bool is_special = false;
  };

  const KernelObjects* objects_;
  uint64_t run_;
  uint32_t profile_;
  policy::RuleSet rules_;
  std::map<uint32_t, bool> askable_;  // By class of names.
  std::map<NetAddress, Known> addresses_;

  static policy::AddressClass ClassOf(const policy::RuleSet& rules, const NetAddress& address,
                                      const Known& known);
  Result<void> Write(uint32_t profile, const policy::RuleSet& rules, const NetAddress& address,
                     const Known& known) const;
  void Erase(uint32_t profile, const NetAddress& address) const;
  bool MakeRoom();
};

// What the programs decide about an address that has a name; nothing where it has none.
std::optional<policy::Ruling> DecideByName(const KernelObjects& objects, uint64_t run,
                                           uint32_t profile, const policy::NetEvent& event);

// All entries of a run that has ended; by looking through the table.
void RemoveNamesOf(const KernelObjects& objects, uint64_t run);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_NAMES_H_
