#include "engine/report.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/file_judge.h"

namespace palyra::engine {
namespace {

// Collects promises under the topic that was begun last.
class Promises {
 public:
  void Begin(const char* topic) { topic_ = topic; }

  void Held(std::string name, std::string mechanism) {
    promises_.push_back({.topic = topic_,
                         .name = std::move(name),
                         .held = true,
                         .mechanism = std::move(mechanism)});
  }

  void NotHeld(std::string name, std::string why, std::string_view remedy = "") {
    promises_.push_back({.topic = topic_,
                         .name = std::move(name),
                         .held = false,
                         .mechanism = std::move(why),
                         .remedy = std::string(remedy)});
  }

  std::vector<Promise> Take() { return std::move(promises_); }

 private:
  const char* topic_ = "";
  std::vector<Promise> promises_;
};

// Of a run as uid 0 why it can undo much.
struct Root {
  bool owns_the_host;
  std::string why;
};

constexpr const char* kOtherUser = "name another user with --user";

std::string_view LsmRemedy() { return InfoOf(Feature::kBpfLsm).remedy; }

void AddEgressMode(policy::EgressEnforcementMode mode, Promises& promises) {
  using enum policy::EgressEnforcementMode;
  switch (mode) {
    case kNone:
      promises.Held("egress mode none: offline, on loopback too",
                    "mandatory policy layer, by the programs of each net.* below");
      return;
    case kPreflight:
      promises.Held("egress mode preflight: names as they were before the run",
                    "policies; addresses pinned in BPF map names");
      return;
    case kStrict:
      promises.Held("egress mode strict: every call and packet by policy", "the programs below");
      return;
  }
  std::unreachable();
}

void AddNames(policy::EgressEnforcementMode mode, Promises& promises) {
  using enum policy::EgressEnforcementMode;
  promises.Begin("names");
  if (mode == kNone) {
    promises.Held("names of hosts: none", "no resolver; DNS is denied as everything is");
  } else if (mode == kPreflight) {
    promises.Held("names of hosts: no DNS leaves the machine",
                  "BPF connect, sendmsg, recvmsg; a resolver without sockets");
  } else {
    promises.Held("names of hosts: no DNS but to the run's resolver",
                  "BPF connect, sendmsg, recvmsg; where policies name hosts");
  }
  promises.Held("names that are verified (@verify)",
                "BPF connect, getpeername, cgroup_skb; a relay that reads SNI and Host");
}

void AddNetwork(const Judges& judges, policy::EgressEnforcementMode mode, Promises& promises) {
  promises.Begin("egress");
  AddEgressMode(mode, promises);
  promises.Held("net.connect: tcp, mptcp, connected udp", "BPF cgroup/connect4, connect6");
  promises.Held("net.send: unconnected udp", "BPF cgroup/sendmsg4, sendmsg6");
  promises.Held("icmp, every packet sent", "BPF cgroup_skb/egress");
  promises.Held("net.accept: tcp", "BPF cgroup_skb/ingress, egress");
  promises.Held("net.bind: tcp, udp", "BPF cgroup/bind4, bind6");
  promises.Held("net.listen: tcp", judges.families
                                       ? "BPF lsm/socket_listen, cgroup_skb/ingress"
                                       : "BPF cgroup_skb/ingress: nobody reaches the listener");
  promises.Held("no raw or unusual inet sockets", "BPF cgroup/sock_create");
  promises.Held("no other socket families",
                judges.families ? "seccomp, BPF lsm/socket_create" : "seccomp");
  promises.Held("no way around by io_uring",
                judges.families ? "the BPF programs above" : "seccomp refuses io_uring");
  promises.Held("cloud metadata addresses always denied", "mandatory policy layer");
  promises.Held("no inherited sockets but unix streams to one peer as std streams",
                "birth in the run's cgroup, close_range");
  AddNames(mode, promises);
}

void AddUnixSockets(const Judges& judges, const Root& root, Promises& promises) {
  const char* const only = "unix sockets: none but as policies permit";
  const char* const abstract = "unix sockets: abstract names";
  const char* const listed = "unix sockets: listed paths";
  const char* const others = "unix sockets: patterns of paths, peers of the same run";
  const char* const by_peer = "BPF lsm/unix_stream_connect, unix_may_send, path_rename";
  const char* const by_address = "BPF cgroup unix_connect, unix_sendmsg";
  const char* const nobody = "Linux before 6.7 and no BPF LSM; permits are refused";
  promises.Begin("unix sockets");
  switch (judges.unix_sockets) {
    case UnixJudge::kByPeer:
      for (const char* name : {only, abstract, listed, others}) promises.Held(name, by_peer);
      break;
    case UnixJudge::kByAddress:
      promises.Held(only, by_address);
      promises.Held(abstract, by_address);
      // Root renames the directory above the one where they are mounted.
      if (root.owns_the_host) {
        promises.NotHeld(listed, root.why, kOtherUser);
      } else {
        promises.Held(listed, std::string(by_address) + "; sockets mounted for the run");
      }
      promises.NotHeld(others, "no BPF LSM; such policies are refused, such peers need a permit",
                       LsmRemedy());
      break;
    case UnixJudge::kNone:
      promises.Held(only, "seccomp: none but pairs of streams");
      for (const char* name : {abstract, listed, others}) {
        promises.NotHeld(name, nobody, LsmRemedy());
      }
      break;
  }
  const char* const passed = "no sockets passed by others";
  if (judges.families) {
    promises.Held(passed, "BPF lsm/file_receive; unix sockets are judged as the run's own");
  } else {
    promises.NotHeld(passed, "no BPF LSM; servers that are permitted could pass one", LsmRemedy());
  }
}

// What policies say of files and programs. A mechanism that is null does not hold it.
struct FilePromise {
  const char* topic;
  const char* name;
  const char* unheld;  // How --unheld names it, or null. Policies that need it are refused else.
  const char* by_lsm;
  const char* by_landlock;
  const char* why_not;
};

constexpr const char* kByDigest = "program-digests";

constexpr std::array kFilePromises = {
    FilePromise{"files", "file.read", nullptr, "BPF lsm/file_open, file_receive",
                "Landlock domain, masks mounted over what is denied below", ""},
    FilePromise{"files", "file.write, create, remove, rename, link", nullptr,
                "BPF lsm/file_open, file_truncate, path_*, inode_*",
                "Landlock domain, read-only mounts", ""},
    FilePromise{"files", "file.attributes", "file-attributes",
                "BPF lsm/path_chmod, path_chown, inode_set*, inode_remove*", "read-only mounts",
                ""},
    FilePromise{"files", "renaming and linking apart from making and removing", "file-names",
                "BPF lsm/path_rename, path_link", nullptr, "Landlock has no such rights"},
    FilePromise{"files", "patterns of names where new ones may be made", "file-patterns",
                "BPF lsm/file_open, path_*", nullptr,
                "Landlock and mounts hold for what is there as the run begins"},
    FilePromise{"files", "protected names that are not there yet", nullptr,
                "BPF lsm/file_open, path_*", "placeholders while the run lasts", ""},
    FilePromise{"files", "--defaults: .env at any depth outside the workspace", nullptr,
                "BPF lsm/file_open", nullptr, "nobody looks at every file before a run"},
    FilePromise{"files", "rules that change under the run", nullptr,
                "BPF map runs: one store puts others in force", nullptr,
                "held from the next run on; see --on-stale"},
    FilePromise{"files", "denials as events", nullptr, "BPF ring buffer", nullptr,
                "Landlock tells nobody"},
    FilePromise{"files", "looking at metadata, walking directories", nullptr, nullptr, nullptr,
                "looking up, stat and readlink are not judged"},
    FilePromise{"files", "hard links from before the run, to what is forbidden by name",
                "file-links", "BPF map linked_names: the file is judged by that name too",
                "a run that could use one is refused", ""},
    FilePromise{"files", "hard links from before the run, to what patterns forbid", nullptr,
                nullptr, nullptr, "a file is judged by the name that leads to it"},
    FilePromise{"files", "against others who move what is protected", nullptr, nullptr, nullptr,
                "names are protected, and another name is judged as what it is"},
    FilePromise{"programs", "process.exec, libraries too", nullptr,
                "BPF lsm/file_open, mmap_file, file_mprotect",
                "Landlock domain, noexec mounts (no PROT_EXEC maps)", ""},
    FilePromise{"programs", "programs by sha256", kByDigest,
                "IMA, BPF lsm/bprm_check_security, mmap_file", nullptr,
                "it takes BPF LSM and IMA with sha256"},
    FilePromise{"programs", "no programs made in memory files", nullptr,
                "BPF lsm/file_open, mmap_file", "seccomp", ""},
    FilePromise{"programs", "code that a program makes in its own memory", nullptr, nullptr,
                nullptr, "it has no path"},
};

constexpr FilePromise kProcessPromise = {
    "processes", "process.signal, process.trace by policy",
    "processes", "BPF lsm/task_kill, task_set*, ptrace_access_check, ptrace_traceme",
    nullptr,     "a Landlock domain: all of the run, nothing outside"};

void AddFilePromise(const FilePromise& promise, FileJudge judge, const FileFacts& files,
                    Promises& promises) {
  promises.Begin(promise.topic);
  const char* const mechanism = judge == FileJudge::kLsm        ? promise.by_lsm
                                : judge == FileJudge::kLandlock ? promise.by_landlock
                                                                : nullptr;
  const bool is_named = promise.unheld != nullptr && judge != FileJudge::kLsm &&
                        std::ranges::find(files.unheld, promise.unheld) != files.unheld.end();
  if (is_named) {
    promises.NotHeld(promise.name, std::string("--unheld ") + promise.unheld);
  } else if (mechanism != nullptr) {
    promises.Held(promise.name, mechanism);
  } else {
    const bool lacks_both = judge == FileJudge::kNone && promise.by_landlock != nullptr;
    std::string why = lacks_both ? "neither BPF LSM nor Landlock since ABI 3" : promise.why_not;
    if (lacks_both || promise.unheld != nullptr) why += "; policies that need it are refused";
    const std::string_view remedy = promise.by_lsm == nullptr ? std::string_view()
                                    : promise.unheld == kByDigest
                                        ? InfoOf(Feature::kProgramDigests).remedy
                                        : LsmRemedy();
    promises.NotHeld(promise.name, std::move(why), remedy);
  }
}

// What the tier gives beside the rules. A guarded run has none of it, because nobody asked.
void AddCell(Tier tier, Promises& promises) {
  const auto add = [&](bool has, const char* name, const char* mechanism, const char* remedy) {
    if (has) {
      promises.Held(name, mechanism);
    } else {
      promises.NotHeld(name, "tier " + std::string(TierName(tier)), remedy);
    }
  };
  promises.Begin("tier");
  const bool is_cell = IsCell(tier);
  const char* const to_cell = "--tier cell";
  if (tier == Tier::kWatch) add(false, "policies of operator and caller", "", to_cell);
  add(is_cell, "nothing of the host but what rules permit something of",
      "a root directory of its own, of read-only binds", to_cell);
  add(is_cell, "/tmp, /var/tmp, /dev/shm of its own", "tmpfs", to_cell);
  add(is_cell, "no devices but those that keep nothing", "/dev of its own", to_cell);
  add(is_cell, "no processes, IPC and names of the host", "PID, IPC, UTS and cgroup namespaces",
      to_cell);
  add(is_cell, "/proc and /sys tell little of the machine", "masks and read-only mounts", to_cell);
  if (tier == Tier::kSealed) {
    add(true, "no network, not even the host's loopback", "a network namespace", "");
  }
}

// By one or both of two mechanisms; empty: it is not there.
void AddOutside(std::string name, const std::string& landlock, const std::string& program,
                Feature lacking, Promises& promises) {
  if (landlock.empty() && program.empty()) {
    promises.NotHeld(std::move(name), "no " + std::string(InfoOf(lacking).name),
                     InfoOf(lacking).remedy);
    return;
  }
  const std::string between = landlock.empty() || program.empty() ? "" : ", ";
  promises.Held(std::move(name), landlock + between + program);
}

void AddProcesses(const Judges& judges, Features& features, const Root& root,
                  const FileFacts& files, Promises& promises) {
  promises.Begin("processes");
  if (root.owns_the_host) {
    promises.NotHeld("no capabilities, none to be gained", root.why, kOtherUser);
  } else {
    promises.Held("no capabilities, none to be gained",
                  "empty sets and bounding set, securebits, no_new_privs");
  }
  promises.Held("no user namespaces, made or entered",
                judges.files ? "seccomp, BPF lsm/userns_create" : "seccomp");
  promises.Held("no mounts, no perf events",
                judges.files ? "seccomp, BPF lsm/sb_*, perf_event_open" : "seccomp");
  AddFilePromise(kProcessPromise, judges.files ? FileJudge::kLsm : FileJudge::kLandlock, files,
                 promises);
  AddOutside("no tracing of processes outside",
             features.Has(Feature::kLandlock) ? "Landlock domain" : "",
             judges.files ? "BPF lsm/ptrace_access_check" : "", Feature::kLandlock, promises);
  AddOutside("no signals to processes outside",
             features.Has(Feature::kLandlockScopes) ? "Landlock scopes" : "",
             judges.files ? "BPF lsm/task_kill" : "", Feature::kLandlockScopes, promises);
}

// Files that belong to root make or unmake everything else where nothing holds them.
void AddSelf(const Judges& judges, const Root& root, Promises& promises) {
  promises.Begin("self-protection");
  const std::string read_only = "read-only mounts in the run";
  const auto unless_root = [&](bool is_root_held, const char* name, std::string mechanism) {
    if (root.owns_the_host && !is_root_held) {
      promises.NotHeld(name, root.why, kOtherUser);
    } else {
      promises.Held(name, std::move(mechanism));
    }
  };
  unless_root(false, "stays in its cgroup",
              judges.files ? read_only + "; BPF lsm/file_open, path_*" : read_only);
  promises.Held("maps and programs out of reach",
                judges.files ? "seccomp refuses bpf(2); BPF lsm/bpf" : "seccomp refuses bpf(2)");
  unless_root(judges.files, "Palyra's policies, locks and pins: not changed by the run itself",
              judges.files ? read_only + "; BPF lsm/file_open, path_*, inode_*" : read_only);
  unless_root(false, "file permissions restrain the tool", "it is not uid 0");
}

void AddLimits(Features& features, const LimitFacts& limits, Promises& promises) {
  promises.Begin("limits");
  promises.Held("ends whole",
                features.Has(Feature::kCgroupKill) ? "cgroup.kill" : "freeze and kill");
  promises.Held("ends with its supervisor", "guardian process, parent-death signal");
  promises.Held("ends at its time", "the supervisor's timer; see --timeout");
  promises.Held("core dumps are off", "RLIMIT_CORE");
  for (const LimitInfo& info : AllLimits()) {
    const LimitMechanism mechanism = MechanismOf(info.kind, limits.controllers);
    const std::string name = "--" + std::string(info.name);
    std::string text(MechanismText(info.kind, mechanism));
    if (mechanism == LimitMechanism::kNone) {
      promises.NotHeld(name, std::move(text), RemedyOf(info.kind));
      continue;
    }
    if (IsSet(limits.asked, info.kind)) text += "; at " + LimitText(limits.asked, info.kind);
    promises.Held(name, std::move(text));
  }
}

}  // namespace

EnforcementReport BuildReport(const Judges& judges, Features& features, const ToolUser& user,
                              Tier tier, policy::EgressEnforcementMode egress,
                              const FileFacts& files, const LimitFacts& limits) {
  const Root root = {.owns_the_host = user.uid == 0,
                     .why = "it runs as uid 0 (" + user.chosen_by + ")"};
  Promises promises;
  AddNetwork(judges, egress, promises);
  AddUnixSockets(judges, root, promises);
  if (files.judged) {
    const FileJudge judge = judges.files                            ? FileJudge::kLsm
                            : features.Has(Feature::kLandlockFiles) ? FileJudge::kLandlock
                                                                    : FileJudge::kNone;
    for (const FilePromise& promise : kFilePromises) {
      const bool lacks_ima = promise.unheld == kByDigest && !judges.digests;
      AddFilePromise(promise, lacks_ima ? FileJudge::kNone : judge, files, promises);
    }
    promises.Begin("files");
    for (const std::string& name : files.unlinked) {
      promises.NotHeld("hard links from before the run, to files in " + name,
                       "too many files to look at, or they cannot be");
    }
  } else {
    promises.Begin("files");
    promises.NotHeld("files, programs", "no policy speaks of them");
  }
  AddCell(tier, promises);
  AddProcesses(judges, features, root, files, promises);
  AddSelf(judges, root, promises);
  AddLimits(features, limits, promises);
  return {.promises = promises.Take()};
}

EnforcementReport ReportOfMachine(Features& features, const Controllers& controllers) {
  ToolUser user;
  user.uid = 1000;
  return BuildReport(JudgesFor(features), features, user, Tier::kCell,
                     policy::EgressEnforcementMode::kStrict, {.judged = true},
                     {.controllers = controllers, .asked = {}});
}

std::string ReportText(const EnforcementReport& report) {
  size_t width = 0;
  for (const Promise& promise : report.promises) width = std::max(width, promise.name.size());
  std::string text;
  for (const Promise& promise : report.promises) {
    text += promise.held ? "held      " : "NOT HELD  ";
    text += promise.name + std::string(width - promise.name.size() + 2, ' ');
    text += promise.mechanism;
    if (!promise.remedy.empty()) text += "; " + promise.remedy;
    text += '\n';
  }
  return text;
}

}  // namespace palyra::engine
