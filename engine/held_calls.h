// Calls of a run that wait while a person decides: seccomp pauses them (seccomp_unotify(2)), and
// whatever the answer is, the call then goes on to the programs that decide. An answer that allows
// is a grant in their table by then; without one they deny, as they would have done at once. So
// what the caller changes in its memory meanwhile gains nothing.

#ifndef PALYRA_ENGINE_HELD_CALLS_H_
#define PALYRA_ENGINE_HELD_CALLS_H_

#include <linux/seccomp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/held_facts.h"
#include "engine/kernel_objects.h"
#include "engine/seccomp_filter.h"
#include "engine/supervisor.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct HeldCall {
  uint64_t id = 0;  // Of this run, from 1 on.
  HeldCaller caller;
  policy::NetEvent resource;
  // By which the rules ask.
  uint32_t profile = 0;
  uint32_t reason = 0;
  uint64_t until_ns = 0;  // CLOCK_BOOTTIME; then it is denied.
};

enum class HeldAnswer { kNone, kAllow, kDeny };

enum class HeldEnd {
  kGranted,
  kDenied,
  kTimedOut,
  kRulesChanged,  // They do not ask any more.
  kGone,          // The caller is.
};

struct HoldRequest {
  std::chrono::milliseconds limit{};  // How long a call waits.
  // A call waits now. `rules` and `source` are as in RunRequest::on_denial.
  std::function<void(const HeldCall&, const policy::RuleSet* rules, size_t source)> on_held;
  // Asked many times a second about each that waits; must not wait itself. kAllow gives a grant for
  // exactly this resource and one use. Grants that others give count too. Null: only those.
  std::function<HeldAnswer(const HeldCall&)> answer;
  std::function<void(const HeldCall&, HeldEnd)> on_end;  // Null: nobody wants to know.
};

// So many at once and in all; what is asked beyond is denied.
inline constexpr size_t kMostHeldCalls = 64;
inline constexpr uint64_t kMostQuestions = 1024;

// Which calls of a run can be asked about under these rules. What seccomp does not see or cannot
// tell, as datagrams without a connection, Fast Open and io_uring, is denied where rules ask.
HeldKinds HeldKindsOf(const policy::RuleSet& rules);

class HeldCalls {
 public:
  using OnHeld = std::function<void(const HeldCall&)>;

  // For the run with that cgroup id. Borrows `objects` and `request`.
  static Result<HeldCalls> Create(const KernelObjects& objects, uint64_t run,
                                  const HoldRequest& request, OnHeld on_held);

  HeldCalls(HeldCalls&&) = default;
  HeldCalls& operator=(HeldCalls&&) = delete;
  // What still waits is told to be gone.
  ~HeldCalls();

  // Of the run, as its child gave it.
  void Listen(UniqueFd listener) { listener_ = std::move(listener); }

  // Borrows this, which must stay where it is.
  [[nodiscard]] std::vector<WaitSource> Sources();

 private:
  struct Waiting {
    uint64_t cookie;  // The kernel's id of the call.
    HeldCall call;    // Without an id as long as nobody was told.
  };

  HeldCalls(const KernelObjects& objects, uint64_t run, const HoldRequest& request, OnHeld on_held,
            UniqueFd timer)
      : objects_(&objects),
        run_(run),
        request_(&request),
        on_held_(std::move(on_held)),
        timer_(std::move(timer)) {}

  bool OnCall();
  bool OnTick();
  void Take(const seccomp_notif& call);
  [[nodiscard]] bool IsAsked(HeldCall& call) const;
  bool MayGo(const policy::NetEvent& resource);
  [[nodiscard]] bool IsLetGo(const policy::NetEvent& resource) const;
  void Tell(HeldCall& call);
  std::optional<HeldEnd> EndOf(const Waiting& waiting);
  void LetGoOn(uint64_t cookie) const;
  [[nodiscard]] bool StillWaits(uint64_t cookie) const;
  void SetTimer(bool is_on) const;

  const KernelObjects* objects_;
  uint64_t run_;
  const HoldRequest* request_;
  OnHeld on_held_;
  UniqueFd timer_;
  UniqueFd listener_;
  std::list<Waiting> waiting_;
  uint64_t questions_ = 0;
  std::vector<policy::NetEvent> let_go_;  // By a grant, since the last tick.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_HELD_CALLS_H_
