#include "engine/tier.h"

#include <sched.h>

#include <array>
#include <utility>

namespace palyra::engine {
namespace {

using enum SpawnStep;

constexpr std::array kOnTheHost = {
    kLimitCgroups,         kSessionKeyring, kMountNamespace,  kUnixSockets, kFileMounts,
    kProtectControlMounts, kUnixPlaces,     kBoundingSet,     kSecureBits,  kUser,
    kCapabilities,         kParentDeath,    kNoNewPrivileges, kLandlock,    kOutput,
    kDescriptors,          kProcessLimits,  kSeccomp,         kHold,        kExec,
};

constexpr std::array kInACell = {
    kLimitCgroups,
    kSessionKeyring,
    kNamespaces,
    kMountNamespace,
    kUnixSockets,
    kCellRoot,
    kFileMounts,
    kProtectControlMounts,
    kUnixPlaces,
    kBoundingSet,
    kSecureBits,
    kUser,
    kCapabilities,
    kParentDeath,
    kNoNewPrivileges,
    kLandlock,
    kInit,
    kOutput,
    kDescriptors,
    kProcessLimits,
    kSeccomp,
    kHold,
    kExec,
};

constexpr std::array<std::string_view, 4> kNames = {"watch", "guard", "cell", "sealed"};

}  // namespace

std::string_view TierName(Tier tier) { return kNames.at(static_cast<size_t>(tier)); }

std::optional<Tier> TierOf(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<Tier>(i);
  }
  return std::nullopt;
}

std::string_view SpawnStepName(SpawnStep step) {
  switch (step) {
    case SpawnStep::kLimitCgroups:
      return "join the cgroups of its limits";
    case SpawnStep::kSessionKeyring:
      return "join a new session keyring";
    case SpawnStep::kNamespaces:
      return "make namespaces of its own";
    case SpawnStep::kMountNamespace:
      return "make a private mount namespace";
    case SpawnStep::kUnixSockets:
      return "find the unix sockets that it may use";
    case SpawnStep::kCellRoot:
      return "build its root directory";
    case SpawnStep::kFileMounts:
      return "mount what it may read, write and execute";
    case SpawnStep::kProtectControlMounts:
      return "make cgroup, BPF and kernel settings read-only";
    case SpawnStep::kUnixPlaces:
      return "mount the unix sockets that it may use";
    case SpawnStep::kBoundingSet:
      return "drop the capability bounding set";
    case SpawnStep::kSecureBits:
      return "lock the secure bits";
    case SpawnStep::kUser:
      return "become the tool's user";
    case SpawnStep::kCapabilities:
      return "clear all capabilities";
    case SpawnStep::kParentDeath:
      return "tie the run to its supervisor";
    case SpawnStep::kNoNewPrivileges:
      return "set no_new_privs";
    case SpawnStep::kLandlock:
      return "enter the Landlock domain";
    case SpawnStep::kInit:
      return "start PID 1 of its cell";
    case SpawnStep::kOutput:
      return "take the pipes of its output";
    case SpawnStep::kDescriptors:
      return "close inherited descriptors";
    case SpawnStep::kProcessLimits:
      return "set its limits";
    case SpawnStep::kSeccomp:
      return "install the seccomp filter";
    case SpawnStep::kHold:
      return "have its calls wait for the supervisor";
    case SpawnStep::kExec:
      return "execute the command";
  }
  return "unknown step";
}

std::span<const SpawnStep> StepsOf(Tier tier) {
  if (IsCell(tier)) return kInACell;
  return kOnTheHost;
}

uint64_t NamespacesOf(Tier tier) {
  constexpr uint64_t kCell = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  switch (tier) {
    case Tier::kWatch:
    case Tier::kGuard:
      return 0;
    case Tier::kCell:
      return kCell;
    case Tier::kSealed:
      return kCell | CLONE_NEWNET;
  }
  std::unreachable();
}

}  // namespace palyra::engine
