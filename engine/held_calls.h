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
#include "engine/grants.h"
#include "engine/held_facts.h"
#include "engine/kernel_objects.h"
#include "engine/seccomp_filter.h"
#include "engine/supervisor.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct HeldCall {
  uint64_t id = 0;  // Of this run, from 1 on.
  HeldCaller caller;
  // net.connect, or process.exec. Of a program the file is asked about: what arguments it gets is
  // not held, and nor is what the file contains when it is executed. A script is asked about and
  // then, by another id, its interpreter, where rules ask about both.
  GrantedResource resource;
  // By which the rules ask.
  uint32_t profile = 0;
  uint32_t reason = 0;
  uint64_t until_ns = 0;  // CLOCK_BOOTTIME; then it is denied.
};

enum class HeldAnswer { kNone, kAllow, kDeny };

enum class HeldEnd {
  kGranted,  // It goes on, or waits because of something else.
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

// kRefused with HOLD-EXEC where `rules`, which are held as a run begins (file_view.h), ask about
// programs: no answer would change anything.
Result<void> RefuseHeldPrograms(const policy::RuleSet& rules);

class HeldCalls {
 public:
  using OnHeld = std::function<void(const HeldCall&)>;
  // Null where they are not known.
  using RulesOf = std::function<const policy::RuleSet*(uint32_t profile)>;

  // For the run with that cgroup id. Borrows `objects` and `request`.
  static Result<HeldCalls> Create(const KernelObjects& objects, uint64_t run,
                                  const HoldRequest& request, OnHeld on_held, RulesOf rules_of);

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
    uint64_t cookie;                         // The kernel's id of the call.
    std::vector<GrantedResource> resources;  // All that must be allowed.
    HeldCall call;                           // Without an id as long as nobody was told.
  };

  // Where a call stands.
  enum class Standing {
    kFree,     // Rules do not ask.
    kGranted,  // They do, and there is a grant.
    kBusy,     // There is one, which another call may be using up just now.
    kAsked,
  };

  HeldCalls(const KernelObjects& objects, uint64_t run, const HoldRequest& request, OnHeld on_held,
            RulesOf rules_of, UniqueFd timer)
      : objects_(&objects),
        run_(run),
        request_(&request),
        on_held_(std::move(on_held)),
        rules_of_(std::move(rules_of)),
        timer_(std::move(timer)) {}

  bool OnCall();
  bool OnTick();
  void Take(const seccomp_notif& call);
  void Tell(HeldCall& call);
  void TellEnd(const HeldCall& call, HeldEnd end) const;
  std::optional<HeldEnd> EndOf(Waiting& waiting);
  std::optional<HeldEnd> AskFor(Waiting& waiting, const HeldCall& asked);
  // Sets what `call` is asked about where it is, and by which rules.
  Standing StandingOf(const std::vector<GrantedResource>& resources, HeldCall& call) const;
  Standing StandingOf(const GrantedResource& resource, HeldCall& call) const;
  [[nodiscard]] bool IsAsked(const policy::NetEvent& resource, uint32_t profile,
                             uint32_t& reason) const;
  [[nodiscard]] bool IsAsked(const policy::NameEvent& resource, uint32_t profile,
                             uint32_t& reason) const;
  [[nodiscard]] bool IsLetGo(const GrantedResource& resource) const;
  void NoteUse(const std::vector<GrantedResource>& resources);
  void LetGoOn(uint64_t cookie) const;
  [[nodiscard]] bool StillWaits(uint64_t cookie) const;
  void SetTimer(bool is_on) const;

  const KernelObjects* objects_;
  uint64_t run_;
  const HoldRequest* request_;
  OnHeld on_held_;
  RulesOf rules_of_;
  UniqueFd timer_;
  UniqueFd listener_;
  std::list<Waiting> waiting_;
  uint64_t questions_ = 0;
  std::vector<GrantedResource> let_go_;  // Since the last tick.
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_HELD_CALLS_H_
