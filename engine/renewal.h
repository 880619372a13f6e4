// Rules that change under a run: those with an end, whose deadline in the kernel is kept right and
// after which the next ones come; and those that the operator puts in force meanwhile.
//
// Past the deadline the programs deny everything by themselves. So whatever fails here, or if
// nobody is here at all, nothing is allowed for longer than its policy says.

#ifndef PALYRA_ENGINE_RENEWAL_H_
#define PALYRA_ENGINE_RENEWAL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/live_run.h"
#include "engine/policy_watch.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Rules, and by which number their maker knows the policies that they come from.
struct SourcedRules {
  policy::RuleSet rules;
  size_t source = 0;
};

struct RenewalCallbacks {
  // The rules that hold from now on; called when the wall clock has reached the end of those in
  // force, or the operator's policies have changed. Null: nobody has any.
  std::function<Result<SourcedRules>()> renew;
  // They are in force, under that profile.
  std::function<void(uint32_t profile, SourcedRules rules)> on_renewed;
  // They are not; it is tried again each second. Everything is denied meanwhile, but where the
  // operator's change could be compiled and the kernel has no room for it (kExhausted): then the
  // rules before it are in force, whole.
  std::function<void(const Error&)> on_failure;
};

class RuleRenewal {
 public:
  // For the rules that `run` started with. Borrows `run`, and `watch`, which may be null and began
  // before those rules were made.
  static Result<RuleRenewal> Start(LiveRun& run, std::optional<int64_t> valid_until_ms,
                                   RenewalCallbacks callbacks, const PolicyWatch* watch = nullptr);

  // Readable (EPOLLIN) when OnReadable() has something to do.
  [[nodiscard]] int fd() const { return timer_.get(); }

  // Renews the rules if their end has come. If the wall clock was set, moves the kernel's deadline
  // with it. Where another process has put other rules in force meanwhile, does nothing any more.
  void OnReadable();

  // The watch's descriptor, or -1.
  [[nodiscard]] int watch_fd() const { return watch_ == nullptr ? -1 : watch_->fd(); }

  // Brings what the operator has put in force. Where another process has put other rules in force
  // meanwhile, nobody here knows what the operator's change makes of them: everything is denied,
  // until that process puts new ones in force.
  void OnChange();

 private:
  RuleRenewal(LiveRun& run, UniqueFd timer, RenewalCallbacks callbacks, const PolicyWatch* watch)
      : run_(&run),
        timer_(std::move(timer)),
        callbacks_(std::move(callbacks)),
        watch_(watch),
        profile_(run.first_profile()) {}

  Result<void> Arm(std::optional<int64_t> wall_ms);
  void Serve();
  void LeaveToOthers();
  [[nodiscard]] Result<SourcedRules> NextRules() const;
  void DenyIfOutdated();
  Result<void> Renew();
  void Tell(const Error& error) const;
  bool MoveDeadline();

  LiveRun* run_;
  UniqueFd timer_;
  RenewalCallbacks callbacks_;
  const PolicyWatch* watch_;
  uint32_t profile_;
  std::optional<int64_t> valid_until_ms_;
  bool is_outdated_ = false;  // The operator's policies have changed since those rules.
  bool is_denying_ = false;   // Nothing is allowed until there are others.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RENEWAL_H_
