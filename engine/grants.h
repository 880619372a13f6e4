// Grants: what a person allowed one run where its rules say ask, for exactly one address and port,
// or one path.
//
// A grant never beats a deny, ends with its run or before, and needs no rules to be compiled. The
// programs look for one only where the rules said ask (bpf/grants.h, bpf/path_grants.h).

#ifndef PALYRA_ENGINE_GRANTS_H_
#define PALYRA_ENGINE_GRANTS_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/result.h"
#include "engine/cgroup.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

using GrantedResource = std::variant<policy::NetEvent, policy::NameEvent>;

struct GrantRequest {
  GrantedResource resource;  // In canonical form (policy/rule_set.h). ICMP has port 0.
  std::optional<std::chrono::milliseconds> lifetime;  // Nothing: as long as the run.
  // How many connections may be begun, or datagrams sent; 0: any number. kInvalidArgument for a
  // limit where the kernel cannot count: net.accept, connections that are not TCP or UDP, and paths
  // but for one execution of a program.
  uint32_t uses = 0;
};

struct Grant {
  GrantedResource resource;
  std::optional<std::chrono::milliseconds> left;  // Not positive: it has expired.
  uint32_t uses;
  uint32_t used;
};

// Gives `grant` to the run with cgroup `run`, in place of an earlier one for the same resource:
// then its uses and its time begin again. kNotFound: no such run. kExhausted: the table is full. Of
// paths also what RequireGrantable() of path_grants.h says.
Result<void> AddGrant(const KernelObjects& objects, uint64_t run, const GrantRequest& grant);

// Takes it back. Connections that it allowed end as after an update that denies them. kNotFound
// where there is none.
Result<void> RevokeGrant(const KernelObjects& objects, const Cgroup& run,
                         const GrantedResource& resource);

// The run's, expired and used-up ones too, in no order.
std::vector<Grant> ListGrants(const KernelObjects& objects, uint64_t run);

// Of a run that has ended. Costs nothing where it never had one.
void RemoveGrantsOf(const KernelObjects& objects, uint64_t run);

// How many more calls may begin by the grant for `resource`, UINT32_MAX for any number;
// nothing where there is none, or it has expired or is used up.
std::optional<uint32_t> UsesLeft(const KernelObjects& objects, uint64_t run,
                                 const GrantedResource& resource);

// Whether a flow that began before goes on by a grant; `took_use`: it is one that a limited grant
// was used for.
bool AllowsFlow(const KernelObjects& objects, uint64_t run, const policy::NetEvent& flow,
                bool took_use);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_GRANTS_H_
