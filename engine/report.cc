#include "engine/report.h"

#include <algorithm>
#include <utility>

namespace palyra::engine {
namespace {

Promise Held(std::string name, std::string mechanism) {
  return {.name = std::move(name), .held = true, .mechanism = std::move(mechanism)};
}

Promise NotHeld(std::string name, std::string why) {
  return {.name = std::move(name), .held = false, .mechanism = std::move(why)};
}

void AddEgressMode(policy::EgressEnforcementMode mode, std::vector<Promise>& promises) {
  using enum policy::EgressEnforcementMode;
  switch (mode) {
    case kNone:
      promises.push_back(Held("egress mode none: offline, on loopback too",
                              "mandatory policy layer, by the programs of each net.* below"));
      promises.push_back(
          Held("names of hosts: none", "no resolver; DNS is denied as everything is"));
      return;
    case kPreflight:
      promises.push_back(Held("egress mode preflight: names as they were before the run",
                              "policies; addresses pinned in BPF map names"));
      promises.push_back(Held("names of hosts: no DNS leaves the machine",
                              "BPF connect, sendmsg, recvmsg; a resolver without sockets"));
      return;
    case kStrict:
      promises.push_back(
          Held("egress mode strict: every call and packet by policy", "the programs below"));
      promises.push_back(Held("names of hosts: no DNS but to the run's resolver",
                              "BPF connect, sendmsg, recvmsg; where policies name hosts"));
      return;
  }
  std::unreachable();
}

void AddNetwork(const KernelObjects& objects, std::vector<Promise>& promises) {
  promises.push_back(
      Held("net.connect: tcp, mptcp, connected udp", "BPF cgroup/connect4, connect6"));
  promises.push_back(Held("net.send: unconnected udp", "BPF cgroup/sendmsg4, sendmsg6"));
  promises.push_back(Held("icmp, every packet sent", "BPF cgroup_skb/egress"));
  promises.push_back(Held("net.accept: tcp", "BPF cgroup_skb/ingress, egress"));
  promises.push_back(Held("net.bind: tcp, udp", "BPF cgroup/bind4, bind6"));
  promises.push_back(
      Held("net.listen: tcp", objects.lsm_attached()
                                  ? "BPF lsm/socket_listen, cgroup_skb/ingress"
                                  : "BPF cgroup_skb/ingress: nobody reaches the listener"));
  promises.push_back(Held("no raw or unusual inet sockets", "BPF cgroup/sock_create"));
  if (objects.lsm_attached()) {
    promises.push_back(Held("no other socket families", "seccomp, BPF lsm/socket_create"));
    promises.push_back(Held("io_uring under the same rules", "the BPF programs above"));
  } else {
    promises.push_back(Held("no other socket families", "seccomp"));
    promises.push_back(Held("no sockets by way of io_uring", "seccomp refuses io_uring"));
  }
  promises.push_back(Held("names that are verified (@verify)",
                          "BPF connect, getpeername, cgroup_skb; a relay that reads SNI and Host"));
  promises.push_back(Held("cloud metadata addresses always denied", "mandatory policy layer"));
  promises.push_back(Held("no inherited sockets but unix streams to one peer as std streams",
                          "birth in the run's cgroup, close_range"));
}

// Of a run as uid 0 why it can undo much.
std::string WhyOfRoot(const ToolUser& user) {
  return "it runs as uid 0 (" + user.chosen_by + "); see --user";
}

void AddUnixSockets(const KernelObjects& objects, const ToolUser& user,
                    std::vector<Promise>& promises) {
  switch (objects.unix_judge()) {
    case UnixJudge::kByPeer:
      promises.push_back(Held("unix sockets: by the one that is reached",
                              "BPF lsm/unix_stream_connect, unix_may_send, path_rename"));
      break;
    case UnixJudge::kByAddress:
      promises.push_back(
          Held("unix sockets: abstract names", "BPF cgroup unix_connect, unix_sendmsg"));
      // Root renames the directory above the one where they are mounted.
      promises.push_back(
          user.uid == 0
              ? NotHeld("unix sockets: listed paths", WhyOfRoot(user))
              : Held("unix sockets: listed paths",
                     "BPF cgroup unix_connect, unix_sendmsg; sockets mounted for the run"));
      promises.push_back(
          NotHeld("unix sockets: patterns of paths, peers of the same run",
                  "no BPF LSM; such policies are refused, such peers need a permit"));
      break;
    case UnixJudge::kNone:
      promises.push_back(Held("no unix sockets but pairs of streams", "seccomp"));
      promises.push_back(NotHeld("unix sockets by policy",
                                 "Linux before 6.7 and no BPF LSM; permits are refused"));
      break;
  }
  const char* const passed = "no sockets passed by others";
  promises.push_back(
      objects.lsm_attached()
          ? Held(passed, "BPF lsm/file_receive; unix sockets are judged as the run's own")
          : NotHeld(passed, "no BPF LSM; servers that are permitted could pass one"));
}

void AddJudgedFiles(std::vector<Promise>& promises) {
  promises.push_back(Held("file.*: by the object that is reached, where policies speak of files",
                          "BPF lsm/file_open, file_receive, path_*, inode_*"));
  promises.push_back(Held("process.exec: every file that is executed or mapped so, likewise",
                          "BPF lsm/file_open, mmap_file, file_mprotect"));
  promises.push_back(Held("process.signal, process.trace: the run alone, else by policy",
                          "BPF lsm/task_kill, task_set*, ptrace_access_check, ptrace_traceme"));
  promises.push_back(Held("no mounts, no perf events", "seccomp, BPF lsm/sb_*, perf_event_open"));
  promises.push_back(Held("Palyra's policies, locks and pins: not changed by the run itself",
                          "BPF lsm/file_open, path_*, inode_*"));
  promises.push_back(NotHeld("a hard link made before the run is the file itself",
                             "a file is judged by the name that leads to it"));
  promises.push_back(
      NotHeld("names and attributes hidden", "looking up, stat and readlink are not judged"));
}

// By one or both of two mechanisms; empty: it is not there.
Promise OutsideIsHeld(std::string name, const std::string& landlock, const std::string& program,
                      std::string why_not) {
  if (landlock.empty() && program.empty()) return NotHeld(std::move(name), std::move(why_not));
  const std::string between = landlock.empty() || program.empty() ? "" : ", ";
  return Held(std::move(name), landlock + between + program);
}

void AddProcesses(const KernelObjects& objects, Features& features, const ToolUser& user,
                  std::vector<Promise>& promises) {
  // Files that belong to root make or unmake everything else where nothing holds them.
  const bool owns_the_host = user.uid == 0;
  const std::string why = WhyOfRoot(user);
  promises.push_back(owns_the_host ? NotHeld("no capabilities, none to be gained", why)
                                   : Held("no capabilities, none to be gained",
                                          "empty sets and bounding set, securebits, no_new_privs"));
  const bool has_files = objects.judges_files();
  promises.push_back(Held("no user namespaces, made or entered",
                          has_files ? "seccomp, BPF lsm/userns_create" : "seccomp"));
  const char* const read_only = "cgroup file systems read-only in the run";
  promises.push_back(
      owns_the_host
          ? NotHeld("stays in its cgroup", why)
          : Held("stays in its cgroup",
                 has_files ? std::string(read_only) + "; BPF lsm/file_open, path_*" : read_only));
  promises.push_back(Held(
      "maps and programs out of reach",
      has_files ? "seccomp refuses bpf(2); BPF lsm/bpf, file_open" : "seccomp refuses bpf(2)"));
  promises.push_back(OutsideIsHeld("no tracing of processes outside",
                                   features.Has(Feature::kLandlock) ? "Landlock domain" : "",
                                   has_files ? "BPF lsm/ptrace_access_check" : "", "no Landlock"));
  promises.push_back(OutsideIsHeld("no signals to processes outside",
                                   features.Has(Feature::kLandlockScopes) ? "Landlock scopes" : "",
                                   has_files ? "BPF lsm/task_kill" : "", "Landlock before ABI 6"));
  promises.push_back(
      Held("ends whole", features.Has(Feature::kCgroupKill) ? "cgroup.kill" : "freeze and kill"));
  promises.push_back(Held("ends with its supervisor", "guardian process, parent-death signal"));
  if (owns_the_host) promises.push_back(NotHeld("file permissions restrain the tool", why));
}

void AddFiles(const KernelObjects& objects, const FileFacts& files,
              std::vector<Promise>& promises) {
  if (objects.judges_files()) {
    AddJudgedFiles(promises);
  } else if (files.view == nullptr) {
    promises.push_back(NotHeld("files, programs", "no policy speaks of them"));
  } else {
    const FileView& view = *files.view;
    promises.push_back(
        Held("file.read", "Landlock domain, masks mounted over what is denied below"));
    promises.push_back(
        Held("file.write, create, remove, rename, link", "Landlock domain, read-only mounts"));
    promises.push_back(Held("file.attributes", "read-only mounts"));
    promises.push_back(
        Held("process.exec, libraries too", "Landlock domain, noexec mounts (no PROT_EXEC maps)"));
    promises.push_back(Held("protected names that are not there yet",
                            std::to_string(view.placeholders.size()) + " placeholders"));
    promises.push_back(NotHeld("looking at metadata, walking directories", "no Landlock right"));
    promises.push_back(NotHeld("files with a hard link from before", "judged by each path"));
    promises.push_back(Held("no programs made in memory files", "seccomp"));
    promises.push_back(NotHeld("code that a program makes in its own memory", "it has no path"));
    promises.push_back(NotHeld("against others who move what is protected",
                               "mounts go with the directory that they are on"));
    promises.push_back(NotHeld("denials of files as events", "Landlock tells nobody"));
    promises.push_back(NotHeld("rules on files that change under the run",
                               "held from the next run on; see --on-stale"));
  }
  for (const std::string& name : files.unheld) {
    promises.push_back(NotHeld(name, "--unheld"));
  }
}

}  // namespace

EnforcementReport BuildReport(const KernelObjects& objects, Features& features,
                              const ToolUser& user, policy::EgressEnforcementMode egress,
                              const FileFacts& files) {
  EnforcementReport report;
  AddEgressMode(egress, report.promises);
  AddNetwork(objects, report.promises);
  AddUnixSockets(objects, user, report.promises);
  AddProcesses(objects, features, user, report.promises);
  AddFiles(objects, files, report.promises);
  return report;
}

std::string ReportText(const EnforcementReport& report) {
  size_t width = 0;
  for (const Promise& promise : report.promises) width = std::max(width, promise.name.size());
  std::string text;
  for (const Promise& promise : report.promises) {
    text += promise.held ? "held      " : "NOT HELD  ";
    text += promise.name + std::string(width - promise.name.size() + 2, ' ');
    text += promise.mechanism + '\n';
  }
  return text;
}

}  // namespace palyra::engine
