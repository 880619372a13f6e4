// Open connections of a run: finding them, and ending those that its rules no longer allow.
//
// The programs let no packet of such a connection pass, but TCP takes that for a bad line and tries
// for a quarter of an hour. So the sockets are destroyed: the tool gets ECONNABORTED at once.

#ifndef PALYRA_ENGINE_FLOWS_H_
#define PALYRA_ENGINE_FLOWS_H_

#include <cstddef>
#include <functional>
#include <optional>

#include "base/result.h"
#include "engine/cgroup.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct Flow {
  // How it began (net.connect or net.accept), and its peer, in canonical form; of a listener
  // net.listen, and where.
  policy::NetEvent event;
  bool took_use;                           // Its connect() took a use of a limited grant.
  std::optional<policy::NetEvent> origin;  // Of one that was led to the relay: what it asked for.
};

// Destroys every TCP and connected UDP socket of the cgroup and those below it of which `keep` says
// false, and returns how many. A listener on :: is asked for 0.0.0.0 too. It looks into this
// process's network namespace and into those of the cgroup's threads; sock_diag(7). A connection in
// the middle of its handshake is found by the second of two looks.
Result<size_t> CutFlows(const KernelObjects& objects, const Cgroup& cgroup,
                        const std::function<bool(const Flow&)>& keep);

// Destroys those that the rules in force for the run, with its grants, do not allow.
Result<size_t> CutDeniedFlows(const KernelObjects& objects, const Cgroup& cgroup);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FLOWS_H_
