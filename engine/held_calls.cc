#include "engine/held_calls.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>
#include <utility>
#include <variant>

#include "engine/clock.h"
#include "engine/grants.h"
#include "engine/live_tables.h"
#include "engine/run_names.h"

namespace palyra::engine {
namespace {

using policy::NameEvent;
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

bool IsSame(const GrantedResource& a, const GrantedResource& b) {
  if (a.index() != b.index()) return false;
  if (const auto* const named = std::get_if<NameEvent>(&a)) {
    const auto& other = std::get<NameEvent>(b);
    return named->action == other.action && named->name == other.name;
  }
  const auto& endpoint = std::get<NetEvent>(a);
  const auto& other = std::get<NetEvent>(b);
  return endpoint.protocol == other.protocol && endpoint.is_ipv6 == other.is_ipv6 &&
         endpoint.address == other.address && endpoint.port == other.port;
}

std::vector<GrantedResource> ResourcesOf(const seccomp_notif& call) {
  if (call.data.nr == SYS_connect) {
    const std::optional<NetEvent> connection = ConnectionOf(call);
    return connection ? std::vector<GrantedResource>{*connection} : std::vector<GrantedResource>();
  }
  std::vector<NameEvent> programs = ProgramsOf(call);
  return {std::make_move_iterator(programs.begin()), std::make_move_iterator(programs.end())};
}

bool AsksForPrograms(const policy::RuleSet& rules) {
  const policy::NameRules* const programs = FindRules(rules, policy::NameAction::kProcessExec);
  return programs != nullptr &&
         std::ranges::any_of(programs->leaves, [](const policy::Ruling& ruling) {
           return ruling.verdict == policy::Verdict::kAsk;
         });
}

}  // namespace

HeldKinds HeldKindsOf(const policy::RuleSet& rules) {
  HeldKinds kinds = {.connects = std::ranges::any_of(rules.classes, AsksToConnect),
                     .programs = AsksForPrograms(rules)};
  if (!rules.domains) return kinds;
  for (const policy::NetTables& tables : rules.domains->tables) {
    kinds.connects = kinds.connects || std::ranges::any_of(tables.classes, AsksToConnect);
  }
  return kinds;
}

Result<void> RefuseHeldPrograms(const policy::RuleSet& rules) {
  if (!AsksForPrograms(rules)) return {};
  return Fail(ErrorCode::kRefused,
              "HOLD-EXEC: a policy asks about process.exec, and without BPF LSM programs are held "
              "as the run began, so that no answer could let one go on; permit or forbid it, or "
              "leave out --hold: then what is asked is denied");
}

Result<HeldCalls> HeldCalls::Create(const KernelObjects& objects, uint64_t run,
                                    const HoldRequest& request, OnHeld on_held, RulesOf rules_of) {
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer.valid()) return FailErrno(errno, "cannot make a timer");
  return HeldCalls(objects, run, request, std::move(on_held), std::move(rules_of),
                   std::move(timer));
}

HeldCalls::~HeldCalls() {
  for (const Waiting& waiting : waiting_) TellEnd(waiting.call, HeldEnd::kGone);
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
  Waiting waiting = {.cookie = call.id, .resources = ResourcesOf(call), .call = {}};
  HeldCall& held = waiting.call;
  const Standing standing = StandingOf(waiting.resources, held);
  const bool must_wait = standing == Standing::kBusy || standing == Standing::kAsked;
  const bool has_room = waiting_.size() < kMostHeldCalls && questions_ < kMostQuestions;
  if (!must_wait || !has_room) {
    if (standing == Standing::kGranted) NoteUse(waiting.resources);
    LetGoOn(call.id);
    return;
  }
  held.caller = CallerOf(call);
  // Else all this may have been read of another process.
  if (!StillWaits(call.id)) return;
  held.until_ns = NowBootNs() + static_cast<uint64_t>(nanoseconds(request_->limit).count());
  if (waiting_.empty()) SetTimer(true);
  waiting_.push_back(std::move(waiting));
  if (standing == Standing::kAsked) Tell(waiting_.back().call);
}

void HeldCalls::Tell(HeldCall& call) {
  call.id = ++questions_;
  on_held_(call);
}

void HeldCalls::TellEnd(const HeldCall& call, HeldEnd end) const {
  if (request_->on_end && call.id != 0) request_->on_end(call, end);
}

// By the first that is not allowed yet.
HeldCalls::Standing HeldCalls::StandingOf(const std::vector<GrantedResource>& resources,
                                          HeldCall& call) const {
  Standing standing = Standing::kFree;
  for (const GrantedResource& resource : resources) {
    standing = std::max(standing, StandingOf(resource, call));
    if (standing >= Standing::kBusy) break;
  }
  return standing;
}

// Without the lock of the profiles: an answer that is wrong because the rules are replaced just now
// lets the call go on to where it is decided.
HeldCalls::Standing HeldCalls::StandingOf(const GrantedResource& resource, HeldCall& call) const {
  const std::optional<uint32_t> profile = objects_->runs().ProfileOf(run_);
  if (!profile || objects_->runs().HasExpired(run_)) return Standing::kFree;
  uint32_t reason = 0;
  const bool is_asked =
      std::visit([&](const auto& asked) { return IsAsked(asked, *profile, reason); }, resource);
  if (!is_asked) return Standing::kFree;
  call.resource = resource;
  call.profile = *profile;
  call.reason = reason;
  const std::optional<uint32_t> left = UsesLeft(*objects_, run_, resource);
  if (!left) return Standing::kAsked;
  // Of uses that count one call takes one at a time: the next once the programs have counted it.
  return *left != UINT32_MAX && IsLetGo(resource) ? Standing::kBusy : Standing::kGranted;
}

bool HeldCalls::IsAsked(const NetEvent& resource, uint32_t profile, uint32_t& reason) const {
  if (resource.port == kDnsPort && objects_->runs().BrokersOf(run_).resolver[0] != 0) return false;
  const std::optional<policy::Ruling> by_name = DecideByName(*objects_, run_, profile, resource);
  // The programs let it pass, and judge what is sent then (bpf/decision.h).
  if (by_name && resource.protocol == policy::Protocol::kUdp) return false;
  const policy::Ruling ruling = by_name ? *by_name : DecideByTables(*objects_, profile, resource);
  reason = ruling.reason;
  return ruling.verdict == policy::Verdict::kAsk;
}

// Where the digest of the program makes a difference, there are no grants.
bool HeldCalls::IsAsked(const NameEvent& resource, uint32_t profile, uint32_t& reason) const {
  const policy::RuleSet* const rules = rules_of_(profile);
  const policy::NameRules* const programs =
      rules == nullptr ? nullptr : FindRules(*rules, resource.action);
  if (programs == nullptr) return false;
  const uint32_t text_class = programs->automaton.ClassOf(resource.name);
  const auto leaves = std::span(programs->leaves)
                          .subspan(size_t{text_class} * programs->flag_count, programs->flag_count);
  reason = leaves[0].reason;
  return std::ranges::all_of(
      leaves, [](const policy::Ruling& ruling) { return ruling.verdict == policy::Verdict::kAsk; });
}

bool HeldCalls::IsLetGo(const GrantedResource& resource) const {
  return std::ranges::any_of(let_go_,
                             [&](const GrantedResource& other) { return IsSame(other, resource); });
}

void HeldCalls::NoteUse(const std::vector<GrantedResource>& resources) {
  let_go_.insert(let_go_.end(), resources.begin(), resources.end());
}

bool HeldCalls::OnTick() {
  uint64_t expirations = 0;
  (void)!read(timer_.get(), &expirations, sizeof(expirations));
  let_go_.clear();
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto waiting = next++;
    const std::optional<HeldEnd> end = EndOf(*waiting);
    if (!end) continue;
    if (end != HeldEnd::kGone) LetGoOn(waiting->cookie);
    const HeldCall call = std::move(waiting->call);
    waiting_.erase(waiting);
    TellEnd(call, *end);
  }
  SetTimer(!waiting_.empty());
  return true;
}

std::optional<HeldEnd> HeldCalls::EndOf(Waiting& waiting) {
  if (!StillWaits(waiting.cookie)) return HeldEnd::kGone;
  if (NowBootNs() >= waiting.call.until_ns) return HeldEnd::kTimedOut;
  HeldCall now = waiting.call;
  switch (StandingOf(waiting.resources, now)) {
    case Standing::kFree:
      return HeldEnd::kRulesChanged;
    case Standing::kGranted:
      NoteUse(waiting.resources);
      return HeldEnd::kGranted;
    case Standing::kBusy:
      return std::nullopt;
    case Standing::kAsked:
      break;
  }
  return AskFor(waiting, now);
}

// `asked` is what it is asked about now.
std::optional<HeldEnd> HeldCalls::AskFor(Waiting& waiting, const HeldCall& asked) {
  if (waiting.call.id != 0 && !IsSame(asked.resource, waiting.call.resource)) {
    TellEnd(waiting.call, HeldEnd::kGranted);
    waiting.call.id = 0;
  }
  if (waiting.call.id == 0) {
    waiting.call.resource = asked.resource;
    waiting.call.profile = asked.profile;
    waiting.call.reason = asked.reason;
    Tell(waiting.call);
  }
  const HeldAnswer answer = request_->answer ? request_->answer(waiting.call) : HeldAnswer::kNone;
  if (answer == HeldAnswer::kNone) return std::nullopt;
  const bool is_granted =
      answer == HeldAnswer::kAllow &&
      AddGrant(*objects_, run_, {.resource = asked.resource, .lifetime = std::nullopt, .uses = 1});
  // With a grant the next tick lets it go on.
  return is_granted ? std::nullopt : std::optional(HeldEnd::kDenied);
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
