// A server on a unix socket that gives a descriptor away.

#ifndef PALYRA_TESTS_E2E_GIVER_H_
#define PALYRA_TESTS_E2E_GIVER_H_

#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace palyra::tests {

// Sends `given`, which stays the caller's, to whoever connects to that path.
class Giver {
 public:
  Giver(const std::string& path, int given);
  Giver(const Giver&) = delete;
  Giver& operator=(const Giver&) = delete;
  ~Giver();

 private:
  void Serve(int given) const;

  UniqueFd fd_;
  std::thread thread_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_GIVER_H_
