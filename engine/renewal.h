// Rules with an end: keeping the kernel's deadline right, and getting the next rules when it comes.
//
// Past the deadline the programs deny everything by themselves. So whatever fails here, or if
// nobody is here at all, nothing is allowed for longer than its policy says.

#ifndef PALYRA_ENGINE_RENEWAL_H_
#define PALYRA_ENGINE_RENEWAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/live_run.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct RenewalCallbacks {
  // The rules that hold from now on; called when the wall clock has reached the end of those in
  // force. Null: nobody has any.
  std::function<Result<policy::RuleSet>()> renew;
  // They are in force, under that profile.
  std::function<void(uint32_t profile, policy::RuleSet rules)> on_renewed;
  // They are not, and everything is denied; it is tried again each second.
  std::function<void(const Error&)> on_failure;
};

class RuleRenewal {
 public:
  // For the rules that `run` started with. Borrows `run`.
  static Result<RuleRenewal> Start(LiveRun& run, std::optional<int64_t> valid_until_ms,
                                   RenewalCallbacks callbacks);

  // Readable (EPOLLIN) when OnReadable() has something to do.
  [[nodiscard]] int fd() const { return timer_.get(); }

  // Renews the rules if their end has come. If the wall clock was set, moves the kernel's deadline
  // with it. Where another process has put other rules in force meanwhile, does nothing any more.
  void OnReadable();

 private:
  RuleRenewal(LiveRun& run, UniqueFd timer, RenewalCallbacks callbacks)
      : run_(&run),
        timer_(std::move(timer)),
        callbacks_(std::move(callbacks)),
        profile_(run.first_profile()) {}

  Result<void> Arm(std::optional<int64_t> wall_ms);
  Result<void> Renew();
  bool MoveDeadline();

  LiveRun* run_;
  UniqueFd timer_;
  RenewalCallbacks callbacks_;
  uint32_t profile_;
  std::optional<int64_t> valid_until_ms_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RENEWAL_H_
