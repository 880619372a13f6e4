// A machine without policies, for one test.

#ifndef PALYRA_TESTS_UNIT_CLI_OWN_MOUNTS_H_
#define PALYRA_TESTS_UNIT_CLI_OWN_MOUNTS_H_

#include <functional>

namespace palyra::cli {

// Runs `body` in a thread that sees empty file systems over /etc, /root and /var/lib, with root as
// only user. In a thread: a process cannot leave a mount namespace without descriptors of the old
// one. As root.
void InOwnMounts(const std::function<void()>& body);

}  // namespace palyra::cli

#endif  // PALYRA_TESTS_UNIT_CLI_OWN_MOUNTS_H_
