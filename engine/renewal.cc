#include "engine/renewal.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/clock.h"

namespace palyra::engine {
namespace {

constexpr int64_t kRetryMs = 1000;
constexpr int64_t kMillisecondsPerSecond = 1000;
constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;

}  // namespace

Result<RuleRenewal> RuleRenewal::Start(LiveRun& run, std::optional<int64_t> valid_until_ms,
                                       RenewalCallbacks callbacks) {
  UniqueFd timer(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FailErrno(errno, "cannot make a timer");
  RuleRenewal renewal(run, std::move(timer), std::move(callbacks));
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
  return run_->MoveDeadline(profile_, BootDeadlineOf(valid_until_ms_));
}

Result<void> RuleRenewal::Renew() {
  if (!callbacks_.renew)
    return Fail(ErrorCode::kUnavailable, "nobody has rules for the time after");
  Result<policy::RuleSet> rules = callbacks_.renew();
  if (!rules) return std::unexpected(rules.error());
  if (rules->valid_until_ms && *rules->valid_until_ms <= NowWallMs()) {
    return Fail(ErrorCode::kUnavailable, "the new rules have expired already");
  }
  Result<Replacement> replaced = run_->Replace(*rules);
  if (!replaced) return std::unexpected(replaced.error());
  profile_ = replaced->profile;
  valid_until_ms_ = rules->valid_until_ms;
  if (callbacks_.on_renewed) callbacks_.on_renewed(profile_, *std::move(rules));
  return {};
}

void RuleRenewal::OnReadable() {
  uint64_t expirations = 0;
  const ssize_t size = read(timer_.get(), &expirations, sizeof(expirations));
  const bool clock_was_set = size < 0 && errno == ECANCELED;
  if (size < 0 && !clock_was_set) return;
  if (!MoveDeadline()) {
    (void)Arm(std::nullopt);
    return;
  }
  std::optional<int64_t> next = valid_until_ms_;
  if (valid_until_ms_ && NowWallMs() >= *valid_until_ms_) {
    const Result<void> renewed = Renew();
    next = renewed ? valid_until_ms_ : NowWallMs() + kRetryMs;
    if (!renewed && callbacks_.on_failure) callbacks_.on_failure(renewed.error());
  }
  if (Result<void> armed = Arm(next); !armed && callbacks_.on_failure) {
    callbacks_.on_failure(armed.error());
  }
}

}  // namespace palyra::engine
