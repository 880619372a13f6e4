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

inline constexpr size_t kMaxAddressesOfRun = 4096;
inline constexpr size_t kMaxNamesOfAddress = 16;

class RunNames {
 public:
  // For the run with cgroup id `run`, which is under `profile`, made of `rules`.
  RunNames(const KernelObjects& objects, uint64_t run, uint32_t profile, policy::RuleSet rules);

  // Whether some rule could allow reaching an endpoint of this name, in canonical form.
  [[nodiscard]] bool MayBeAskedFor(const std::string& name) const;
  // Whether some rule could allow reaching the address itself, whatever its name.
  [[nodiscard]] bool MayBeReached(const NetAddress& address) const;

  // From now on the address is known by this name too, until CLOCK_BOOTTIME has reached
  // `expires_ns`: it is judged under all the names that it has. A connection that is open then
  // goes on. kExhausted: too many addresses, or names of one, or rules for it.
  Result<void> Learn(const std::string& name, const NetAddress& address, uint64_t expires_ns);

  // When the next name ends of an address that has others, in CLOCK_BOOTTIME; Expire() then takes
  // it away from what the address is judged under.
  [[nodiscard]] std::optional<uint64_t> next_expiry() const;
  void Expire();

  // Writes all of it for `rules`, which are `profile` and about to be put in force.
  Result<void> Prepare(uint32_t profile, const policy::RuleSet& rules) const;
  // They are in force: forgets those before.
  void Settle(uint32_t profile, const policy::RuleSet& rules);

  // Names that the address has or had, for people; empty where nobody looked it up.
  [[nodiscard]] std::vector<std::string> NamesOf(const NetAddress& address) const;

 private:
  using Names = std::map<std::string, uint64_t>;  // Name to its end.

  const KernelObjects* objects_;
  uint64_t run_;
  uint32_t profile_;
  policy::RuleSet rules_;
  std::map<NetAddress, Names> addresses_;

  Result<void> Write(uint32_t profile, const policy::RuleSet& rules, const NetAddress& address,
                     const Names& names) const;
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
