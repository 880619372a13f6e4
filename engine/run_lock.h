// The lock that a run's supervisor holds for as long as it lives. A free lock means that nobody
// looks after the run any more, and the next start ends it.

#ifndef PALYRA_ENGINE_RUN_LOCK_H_
#define PALYRA_ENGINE_RUN_LOCK_H_

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::engine {

class RunLock {
 public:
  // Makes and takes the lock of a new run id: 32 hexadecimal digits, unique beyond this machine.
  static Result<RunLock> CreateUnique(const std::string& runtime_directory);

  // Takes the lock of run `id` if its supervisor is dead, making the file where it is missing;
  // nothing if the supervisor lives.
  static Result<std::optional<RunLock>> TakeAbandoned(const std::string& runtime_directory,
                                                      const std::string& id);

  RunLock(RunLock&&) = default;
  RunLock& operator=(RunLock&&) = delete;
  // Removes the file, then frees the lock.
  ~RunLock();

  [[nodiscard]] const std::string& id() const { return id_; }

 private:
  RunLock(std::string id, std::string path, UniqueFd fd);

  std::string id_;
  std::string path_;
  UniqueFd fd_;  // Open file description with flock; a forked guardian shares it.
};

// Directory of the locks; each file's name is a run id.
std::string RunLockDirectory(const std::string& runtime_directory);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RUN_LOCK_H_
