// A place of a test's own for the operator's policies.

#ifndef PALYRA_TESTS_E2E_OWN_STORE_H_
#define PALYRA_TESTS_E2E_OWN_STORE_H_

#include "base/unique_fd.h"

namespace palyra::tests {

// A mount namespace in which nobody has stored a policy yet, and with a copy of /etc that can be
// written to. Throws std::runtime_error.
UniqueFd OwnStore();

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_OWN_STORE_H_
