#include "engine/renewal.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/clock.h"

namespace palyra::engine {
namespace {

constexpr int64_t kRetryMs = 1000;
constexpr uint64_t kLongAgoNs = 1;
constexpr int64_t kMillisecondsPerSecond = 1000;
constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;

}  // namespace

Result<RuleRenewal> RuleRenewal::Start(LiveRun& run, std::optional<int64_t> valid_until_ms,
                                       RenewalCallbacks callbacks, const PolicyWatch* watch) {
  UniqueFd timer(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FailErrno(errno, "cannot make a timer");
  RuleRenewal renewal(run, std::move(timer), std::move(callbacks), watch);
  renewal.valid_until_ms_ = valid_until_ms;
  if (Result<void> armed = renewal.Arm(valid_until_ms); !armed) {
    return std::unexpected(armed.error());
  }
  // The clock may have been set since the run's deadline was computed.
  if (valid_until_ms) (void)renewal.MoveDeadline();
  return renewal;
}

// Nothing disarms it. A time that has passed makes it readable at once.
Result<void> RuleRenewal::Arm(std::optional<int64_t> wall_ms) {
  itimerspec when = {};
  if (wall_ms) {
    const int64_t at = std::max<int64_t>(*wall_ms, 1);
    when.it_value.tv_sec = at / kMillisecondsPerSecond;
    when.it_value.tv_nsec = at % kMillisecondsPerSecond * kNanosecondsPerMillisecond;
  }
  const int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
  if (timerfd_settime(timer_.get(), flags, &when, nullptr) == 0) return {};
  return FailErrno(errno, "cannot start a timer");
}

// False where the run is under other rules than ours.
bool RuleRenewal::MoveDeadline() {
  return run_->MoveDeadline(profile_, is_denying_ ? kLongAgoNs : BootDeadlineOf(valid_until_ms_));
}

void RuleRenewal::Tell(const Error& error) const {
  if (callbacks_.on_failure) callbacks_.on_failure(error);
}

Result<SourcedRules> RuleRenewal::NextRules() const {
  if (!callbacks_.renew) {
    return Fail(ErrorCode::kUnavailable, "nobody has rules for the time after");
  }
  Result<SourcedRules> next = callbacks_.renew();
  if (next && next->rules.valid_until_ms && *next->rules.valid_until_ms <= NowWallMs()) {
    return Fail(ErrorCode::kUnavailable, "the new rules have expired already");
  }
  return next;
}

// What the operator wants cannot be done, and what was wanted before does not hold any more.
void RuleRenewal::DenyIfOutdated() {
  if (!is_outdated_ || is_denying_) return;
  is_denying_ = true;
  run_->DenyEverything();
}

Result<void> RuleRenewal::Renew() {
  Result<SourcedRules> next = NextRules();
  if (!next) {
    DenyIfOutdated();
    return std::unexpected(next.error());
  }
  Result<Replacement> replaced = run_->Replace(next->rules);
  if (!replaced) {
    if (replaced.error().code != ErrorCode::kExhausted) DenyIfOutdated();
    return std::unexpected(replaced.error());
  }
  profile_ = replaced->profile;
  valid_until_ms_ = next->rules.valid_until_ms;
  is_outdated_ = false;
  is_denying_ = false;
  if (callbacks_.on_renewed) callbacks_.on_renewed(profile_, *std::move(next));
  return {};
}

void RuleRenewal::LeaveToOthers() {
  (void)Arm(std::nullopt);
  if (!std::exchange(is_outdated_, false)) return;
  run_->DenyEverything();
  Tell({.code = ErrorCode::kUnavailable,
        .system_errno = 0,
        .message = "the operator's policies have changed, and the run is under rules that another "
                   "process put in force: everything is denied until \"palyra policy apply\" puts "
                   "new ones in force"});
}

void RuleRenewal::Serve() {
  if (!MoveDeadline()) {
    LeaveToOthers();
    return;
  }
  std::optional<int64_t> next = valid_until_ms_;
  if (is_outdated_ || (valid_until_ms_ && NowWallMs() >= *valid_until_ms_)) {
    const Result<void> renewed = Renew();
    next = renewed ? valid_until_ms_ : NowWallMs() + kRetryMs;
    if (!renewed) Tell(renewed.error());
  }
  if (Result<void> armed = Arm(next); !armed) Tell(armed.error());
}

void RuleRenewal::OnReadable() {
  uint64_t expirations = 0;
  const ssize_t size = read(timer_.get(), &expirations, sizeof(expirations));
  const bool clock_was_set = size < 0 && errno == ECANCELED;
  if (size >= 0 || clock_was_set) Serve();
}

void RuleRenewal::OnChange() {
  watch_->Acknowledge();
  is_outdated_ = true;
  Serve();
}

}  // namespace palyra::engine
