#include "engine/rule_update.h"

#include <algorithm>

#include "engine/clock.h"
#include "engine/file_programs.h"
#include "engine/flows.h"
#include "engine/linked_names.h"
#include "engine/profile_cache.h"
#include "engine/unix_places.h"

namespace palyra::engine {
namespace {

std::unexpected<Error> NoSuchRun() {
  return Fail(ErrorCode::kNotFound, "no such run: it has ended, or never was");
}

Result<Replacement> Swap(const KernelObjects& objects, const Cgroup& cgroup,
                         const policy::RuleSet& rules, RunNames* names) {
  if (Result<void> held = RequireFilePrograms(objects, rules); !held) {
    return std::unexpected(held.error());
  }
  Result<HeldProfile> profile = HoldProfile(objects, rules);
  if (!profile) return std::unexpected(profile.error());
  Result<void> registered = RegisterEveryPath(objects, cgroup.id(), profile->id(), rules);
  if (!registered) return std::unexpected(registered.error());
  if (names != nullptr) {
    Result<void> prepared = names->Prepare(profile->id(), rules);
    if (!prepared) return std::unexpected(prepared.error());
  }
  const Result<UniqueFd> lock = objects.LockRuns();
  const std::optional<uint32_t> previous =
      lock
          ? objects.runs().Replace(cgroup.id(), profile->id(), BootDeadlineOf(rules.valid_until_ms))
          : std::nullopt;
  if (!previous && names != nullptr) names->Withdraw(profile->id());
  if (!lock) return std::unexpected(lock.error());
  if (!previous) return NoSuchRun();
  if (names != nullptr) names->Settle(profile->id(), rules);
  return Replacement{.profile = profile->id(), .previous = *previous, .cut = std::nullopt};
}

// Only the supervisor of a run knows its names. Where there is no resolver no address has one, and
// the rules of nameless addresses say all.
Result<void> RefuseWithoutNames(const KernelObjects& objects, const Cgroup& cgroup) {
  if (objects.runs().BrokersOf(cgroup.id()) == BrokerPorts()) return {};
  return Fail(ErrorCode::kUnsupported,
              "the run knows hosts by name, which another process cannot take over; change the "
              "operator's policies with \"palyra policy load\"");
}

// Only a supervisor holds files open as long as the run lasts.
Result<void> RefuseUnknownLinks(const KernelObjects& objects, const policy::RuleSet& rules) {
  if (!objects.judges_files()) return {};
  const LinkedFiles found = FindLinkedFiles(rules);
  if (Result<void> all = RequireAll(found); !all) return all;
  if (found.files.empty()) return {};
  return Fail(ErrorCode::kUnsupported,
              "\"" + found.files[0].path +
                  "\" is forbidden and has other hard links, which another process cannot hold for "
                  "the run; change the operator's policies with \"palyra policy load\"");
}

bool IsRunId(const std::string& text) {
  constexpr size_t kDigits = 32;
  return text.size() == kDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Result<Replacement> ReplaceRules(const KernelObjects& objects, const Cgroup& cgroup,
                                 const policy::RuleSet& rules, RunNames* names) {
  if (names == nullptr) {
    Result<void> accepted = RefuseWithoutNames(objects, cgroup);
    if (!accepted) return std::unexpected(accepted.error());
  }
  Result<Replacement> replaced = Swap(objects, cgroup, rules, names);
  if (!replaced) return replaced;
  Result<size_t> cut = CutDeniedFlows(objects, cgroup);
  if (cut) {
    replaced->flows_cut = *cut;
  } else {
    replaced->cut = cut.error();
  }
  TrimIdleProfiles(objects);
  return replaced;
}

Result<Replacement> ReplaceRulesOfRun(const KernelObjects& objects, const std::string& run_id,
                                      const policy::RuleSet& rules) {
  const Result<Cgroup> cgroup = CgroupOfRun(objects, run_id);
  if (!cgroup) return std::unexpected(cgroup.error());
  if (objects.runs().IsOffline(cgroup->id())) {
    return Fail(ErrorCode::kRefused,
                "the run is offline (--egress none), and stays so whatever rules say");
  }
  if (Result<void> known = RefuseUnknownLinks(objects, rules); !known) {
    return std::unexpected(known.error());
  }
  return ReplaceRules(objects, *cgroup, rules);
}

Result<Cgroup> CgroupOfRun(const KernelObjects& objects, const std::string& run_id) {
  if (!IsRunId(run_id)) {
    return Fail(ErrorCode::kInvalidArgument, "\"" + run_id + "\" is no run id");
  }
  Result<Cgroup> cgroup = Cgroup::Open(objects.cgroup_path() + '/' + run_id);
  if (!cgroup && cgroup.error().code == ErrorCode::kNotFound) return NoSuchRun();
  if (cgroup && !objects.runs().ProfileOf(cgroup->id())) return NoSuchRun();
  return cgroup;
}

}  // namespace palyra::engine
