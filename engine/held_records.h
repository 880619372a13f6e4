// Which calls of live runs wait for an answer, for other processes: a file each, of root's.

#ifndef PALYRA_ENGINE_HELD_RECORDS_H_
#define PALYRA_ENGINE_HELD_RECORDS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

// Of one run. All go with the object; those of a supervisor that was killed, by the sweep.
class HeldRecords {
 public:
  // Under the run's id in `runtime_directory`. The run's lock is held.
  static Result<HeldRecords> Make(const std::string& runtime_directory, const std::string& run_id);

  HeldRecords(HeldRecords&& other) noexcept
      : directory_(std::exchange(other.directory_, std::string())) {}
  HeldRecords& operator=(HeldRecords&&) = delete;
  HeldRecords(const HeldRecords&) = delete;
  HeldRecords& operator=(const HeldRecords&) = delete;
  ~HeldRecords();

  [[nodiscard]] Result<void> Write(uint64_t call, std::string_view text) const;
  // False once somebody has removed it.
  [[nodiscard]] bool Has(uint64_t call) const;
  void Remove(uint64_t call) const;

 private:
  explicit HeldRecords(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;  // Empty when moved from.
};

// The texts of all calls that wait, in the order of runs and calls.
std::vector<std::string> ReadHeldRecords(const std::string& runtime_directory);

// By which the call is denied at once. kNotFound: no such call waits.
Result<void> RemoveHeldRecord(const std::string& runtime_directory, const std::string& run_id,
                              uint64_t call);

// Those of runs that nobody looks after any more.
void SweepHeldRecords(const std::string& runtime_directory);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_HELD_RECORDS_H_
