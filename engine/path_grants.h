// Grants for paths, of files, programs and unix sockets: what grants.h gives where the resource is
// one (bpf/path_grants.h).

#ifndef PALYRA_ENGINE_PATH_GRANTS_H_
#define PALYRA_ENGINE_PATH_GRANTS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Whether there can be a grant for it here. kInvalidArgument: it is no path, or too long.
// kUnsupported: no program judges it by the object that is reached, so none looks for a grant.
Result<void> RequireGrantable(const KernelObjects& objects, const policy::NameEvent& resource);

// As the kernel's table has them. kExhausted: it is full.
Result<void> WritePathGrant(const KernelObjects& objects, uint64_t run,
                            const policy::NameEvent& resource, const palyra_path_grant& grant);
// False where there is none.
bool RemovePathGrant(const KernelObjects& objects, uint64_t run, const policy::NameEvent& resource);
std::optional<palyra_path_grant> ReadPathGrant(const KernelObjects& objects, uint64_t run,
                                               const policy::NameEvent& resource);
std::vector<std::pair<policy::NameEvent, palyra_path_grant>> ListPathGrants(
    const KernelObjects& objects, uint64_t run);
void RemovePathGrantsOf(const KernelObjects& objects, uint64_t run);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PATH_GRANTS_H_
