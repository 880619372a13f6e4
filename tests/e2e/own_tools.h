// Tools of a test's own, in the mount namespace of OwnStore().

#ifndef PALYRA_TESTS_E2E_OWN_TOOLS_H_
#define PALYRA_TESTS_E2E_OWN_TOOLS_H_

#include <string>

#include "tests/support/subprocess.h"

namespace palyra::tests {

// Programs that print their arguments, and entries of /etc/palyra/tools.d that name them. All is
// gone with the namespace. Borrows its descriptor; throws std::runtime_error.
class OwnTools {
 public:
  explicit OwnTools(int mounts) : mounts_(mounts) {}

  // A program of that name; made when it is not there.
  [[nodiscard]] std::string Program(const std::string& name) const;

  // Puts it into the registry. `more` are further lines of its entry.
  void Add(const std::string& name, const std::string& sensitivity,
           const std::string& more = "") const;

  // Runs a shell script in the namespace, as root.
  Ended Shell(const std::string& script) const;

  // So that a child is in the namespace, too.
  [[nodiscard]] SpawnOptions Inside() const;

 private:
  int mounts_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_OWN_TOOLS_H_
