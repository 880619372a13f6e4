#include "engine/held_calls.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/clock.h"
#include "engine/grants.h"
#include "engine/live_tables.h"
#include "engine/run_names.h"

namespace palyra::engine {
namespace {

using policy::NetEvent;
using std::chrono::nanoseconds;

// How soon an answer is seen, a caller that was killed, and that the time is over.
constexpr nanoseconds kTick{50'000'000};

constexpr uint16_t kDnsPort = 53;

bool AsksToConnect(const policy::AddressClass& address_class) {
  return std::ranges::any_of(address_class.spans, [](const policy::PortSpan& span) {
    constexpr unsigned kConnectBit = 1U << static_cast<unsigned>(policy::NetAction::kConnect);
    return span.verdict == policy::Verdict::kAsk && (span.actions & kConnectBit) != 0;
  });
}

bool IsSame(const NetEvent& a, const NetEvent& b) {
  return a.protocol == b.protocol && a.is_ipv6 == b.is_ipv6 && a.address == b.address &&
         a.port == b.port;
}

}  // namespace

HeldKinds HeldKindsOf(const policy::RuleSet& rules) {
  HeldKinds kinds = {.connects = std::ranges::any_of(rules.classes, AsksToConnect)};
  if (!rules.domains) return kinds;
  for (const policy::NetTables& tables : rules.domains->tables) {
    kinds.connects = kinds.connects || std::ranges::any_of(tables.classes, AsksToConnect);
  }
  return kinds;
}

Result<HeldCalls> HeldCalls::Create(const KernelObjects& objects, uint64_t run,
                                    const HoldRequest& request, OnHeld on_held) {
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FailErrno(errno, "cannot make a timer");
  return HeldCalls(objects, run, request, std::move(on_held), std::move(timer));
}

HeldCalls::~HeldCalls() {
  if (!request_->on_end) return;
  for (const Waiting& waiting : waiting_) {
    if (waiting.call.id != 0) request_->on_end(waiting.call, HeldEnd::kGone);
  }
}

std::vector<WaitSource> HeldCalls::Sources() {
  return {{.fd = listener_.get(), .on_readable = [this] { return OnCall(); }},
          {.fd = timer_.get(), .on_readable = [this] { return OnTick(); }}};
}

// The kernel waits for a call where there is none, whatever the descriptor's flags say; but a call
// that is there and vanishes meanwhile is an error, and no wait.
bool HeldCalls::OnCall() {
  pollfd ready = {.fd = listener_.get(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 0) <= 0) return true;
  if ((ready.revents & POLLIN) == 0) return false;  // Nobody is left who could call.
  seccomp_notif call = {};
  if (ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) == 0) Take(call);
  return true;
}

void HeldCalls::Take(const seccomp_notif& call) {
  HeldCall held;
  const std::optional<NetEvent> resource = ConnectionOf(call);
  const bool has_room = waiting_.size() < kMostHeldCalls && questions_ < kMostQuestions;
  if (!resource || !has_room) {
    LetGoOn(call.id);
    return;
  }
  held.resource = *resource;
  if (!IsAsked(held) || MayGo(held.resource)) {
    LetGoOn(call.id);
    return;
  }
  held.caller = CallerOf(call);
  // Else all this may have been read of another process.
  if (!StillWaits(call.id)) return;
  held.until_ns = NowBootNs() + static_cast<uint64_t>(nanoseconds(request_->limit).count());
  if (waiting_.empty()) SetTimer(true);
  waiting_.push_back({.cookie = call.id, .call = std::move(held)});
  // Where another one is just using the grant for it, the next tick tells whether it is used up.
  if (!IsLetGo(*resource)) Tell(waiting_.back().call);
}

void HeldCalls::Tell(HeldCall& call) {
  call.id = ++questions_;
  on_held_(call);
}

// Without the lock of the profiles: an answer that is wrong because the rules are replaced just now
// lets the call go on to where it is decided.
bool HeldCalls::IsAsked(HeldCall& call) const {
  const RunTable& runs = objects_->runs();
  const std::optional<uint32_t> profile = runs.ProfileOf(run_);
  if (!profile || runs.HasExpired(run_)) return false;
  const NetEvent& resource = call.resource;
  if (resource.port == kDnsPort && runs.BrokersOf(run_).resolver[0] != 0) return false;
  const std::optional<policy::Ruling> by_name = DecideByName(*objects_, run_, *profile, resource);
  // The programs let it pass, and judge what is sent then (bpf/decision.h).
  if (by_name && resource.protocol == policy::Protocol::kUdp) return false;
  const policy::Ruling ruling = by_name ? *by_name : DecideByTables(*objects_, *profile, resource);
  call.profile = *profile;
  call.reason = ruling.reason;
  return ruling.verdict == policy::Verdict::kAsk;
}

// By a grant that counts, one call is let go at a time: the next once the programs have counted it.
bool HeldCalls::MayGo(const NetEvent& resource) {
  const std::optional<uint32_t> left = UsesLeft(*objects_, run_, resource);
  if (!left) return false;
  if (*left == UINT32_MAX) return true;
  if (IsLetGo(resource)) return false;
  let_go_.push_back(resource);
  return true;
}

bool HeldCalls::IsLetGo(const NetEvent& resource) const {
  return std::ranges::any_of(let_go_,
                             [&](const NetEvent& other) { return IsSame(other, resource); });
}

bool HeldCalls::OnTick() {
  uint64_t expirations = 0;
  (void)!read(timer_.get(), &expirations, sizeof(expirations));
  let_go_.clear();
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto waiting = next++;
    const std::optional<HeldEnd> end = EndOf(*waiting);
    if (!end && waiting->call.id == 0 && !IsLetGo(waiting->call.resource)) Tell(waiting->call);
    if (!end) continue;
    if (end != HeldEnd::kGone) LetGoOn(waiting->cookie);
    const HeldCall call = std::move(waiting->call);
    waiting_.erase(waiting);
    if (request_->on_end && call.id != 0) request_->on_end(call, *end);
  }
  SetTimer(!waiting_.empty());
  return true;
}

std::optional<HeldEnd> HeldCalls::EndOf(const Waiting& waiting) {
  if (!StillWaits(waiting.cookie)) return HeldEnd::kGone;
  HeldCall now = waiting.call;
  if (!IsAsked(now)) return HeldEnd::kRulesChanged;
  if (MayGo(now.resource)) return HeldEnd::kGranted;
  if (IsLetGo(now.resource)) return std::nullopt;
  switch (request_->answer && waiting.call.id != 0 ? request_->answer(waiting.call)
                                                   : HeldAnswer::kNone) {
    case HeldAnswer::kDeny:
      return HeldEnd::kDenied;
    case HeldAnswer::kAllow:
      if (AddGrant(*objects_, run_,
                   {.resource = now.resource, .lifetime = std::nullopt, .uses = 1})) {
        (void)MayGo(now.resource);
        return HeldEnd::kGranted;
      }
      return HeldEnd::kDenied;  // Without a grant it is.
    case HeldAnswer::kNone:
      break;
  }
  if (NowBootNs() >= waiting.call.until_ns) return HeldEnd::kTimedOut;
  return std::nullopt;
}

// One that is gone by now cannot be told.
void HeldCalls::LetGoOn(uint64_t cookie) const {
  seccomp_notif_resp response = {};
  response.id = cookie;
  response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  (void)ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

bool HeldCalls::StillWaits(uint64_t cookie) const {
  return ioctl(listener_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &cookie) == 0;
}

void HeldCalls::SetTimer(bool is_on) const {
  itimerspec when = {};
  if (is_on) when.it_value.tv_nsec = kTick.count();
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

}  // namespace palyra::engine
