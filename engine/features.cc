#include "engine/features.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "base/unique_fd.h"
#include "engine/cgroup.h"
#include "engine/host.h"
#include "engine/landlock.h"
#include "engine/program_digests.h"
#include "engine/programs.h"

namespace palyra::engine {
namespace {

constexpr std::array<FeatureInfo, kFeatureCount> kInfos = {{
    {Feature::kCgroup2, "cgroup2", "one cgroup for each run", "no run can be held",
     "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup", true, true},
    {Feature::kCgroupSocketPrograms, "cgroup BPF: sockets",
     "decides connect, send and socket calls", "no run can be held",
     "a kernel with CONFIG_CGROUP_BPF", true},
    {Feature::kCgroupPacketPrograms, "cgroup BPF: packets", "decides every packet that leaves",
     "no run can be held", "a kernel with CONFIG_CGROUP_BPF", true},
    {Feature::kBpfRingBuffer, "BPF ring buffer", "reports denials", "no run can be held",
     "Linux 5.8 or later", true},
    {Feature::kBpffs, "BPF file system", "keeps programs and maps pinned", "no run can be held",
     "a kernel with CONFIG_BPF_SYSCALL, and sysfs at /sys", true, true},
    {Feature::kSeccompFilter, "seccomp filter", "refuses other socket families and kernel surface",
     "no run can be held", "a kernel with CONFIG_SECCOMP_FILTER", true},
    {Feature::kCgroupKill, "cgroup.kill", "ends a run in one step",
     "runs are frozen and killed process by process", "Linux 5.14 or later", false},
    {Feature::kLandlock, "Landlock", "a run cannot trace processes outside",
     "a run can trace other processes of its user", "boot with lsm=landlock,…", false},
    {Feature::kLandlockFiles, "Landlock: files", "rules for files and programs without BPF LSM",
     "rules for files and programs need BPF LSM", "Linux 6.2 or later (Landlock ABI 3)", false},
    {Feature::kLandlockScopes, "Landlock scopes",
     "a run cannot signal, or reach abstract unix sockets of, processes outside",
     "without BPF LSM a run can signal other processes of its user",
     "Linux 6.12 or later (Landlock ABI 6)", false},
    {Feature::kBpfLsm, "BPF LSM",
     "decides on files, programs, signals, tracing and unix sockets, call by call",
     "files and programs are held by Landlock as the run begins; io_uring is refused inside runs",
     "boot with lsm=…,bpf and without lockdown", false},
    {Feature::kProgramDigests, "IMA digests", "rules for programs by sha256",
     "policies that tell programs apart by sha256 are refused",
     "a kernel with CONFIG_IMA and ima_hash=sha256, and BPF LSM", false},
    {Feature::kUnixSocketPrograms, "cgroup BPF: unix sockets", "rules for unix sockets",
     "unix sockets need BPF LSM or are all-or-nothing", "Linux 6.7 or later", false},
    {Feature::kSeccompNotify, "seccomp notification", "pauses a call while a person decides",
     "a policy that asks means deny", "Linux 5.0 or later", false},
    {Feature::kKernelBtf, "kernel BTF", "programs that read kernel structures",
     "no BPF LSM programs", "a kernel with CONFIG_DEBUG_INFO_BTF", false},
    {Feature::kIoUring, "io_uring", "available to runs where BPF LSM is", "nothing",
     "sysctl kernel.io_uring_disabled=0", false, true},
    {Feature::kUserNamespaces, "user namespaces", "not needed by Palyra", "nothing", "nothing",
     false, true},
    {Feature::kMemoryController, "cgroup2 memory controller", "memory limits",
     "limits need cgroup v1 or supervision", "boot with cgroup_no_v1=memory", false, true},
    {Feature::kPidsController, "cgroup2 pids controller", "process limits",
     "limits need cgroup v1 or supervision", "boot with cgroup_no_v1=pids", false, true},
    {Feature::kCpuController, "cgroup2 cpu controller", "CPU shares",
     "limits need cgroup v1 or supervision", "boot with cgroup_no_v1=cpu", false, true},
}};

FeatureState Present(std::string detail = "") {
  return {.present = true, .detail = std::move(detail)};
}
FeatureState Absent(std::string detail) { return {.present = false, .detail = std::move(detail)}; }
FeatureState AbsentErrno(int system_errno) { return Absent(strerror(system_errno)); }

Result<MountEntry> Cgroup2Mount() {
  Result<std::string> mountinfo = base::ReadFile("/proc/self/mountinfo");
  if (!mountinfo) return std::unexpected(mountinfo.error());
  return FindCgroup2(ParseMountInfo(*mountinfo));
}

FeatureState ProbeCgroup2() {
  Result<MountEntry> mount = Cgroup2Mount();
  if (!mount) return Absent(mount.error().message);
  return Present("at " + mount->mount_point);
}

// A program that returns 1, which every cgroup program type takes as "allow".
FeatureState ProbeProgram(bpf_prog_type type, int attach_type) {
  const std::array<bpf_insn, 2> program = {{
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 1},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  }};
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.expected_attach_type = static_cast<bpf_attach_type>(attach_type);
  const UniqueFd fd(
      bpf_prog_load(type, "palyra_probe", "GPL", program.data(), program.size(), &options));
  return fd.valid() ? Present() : AbsentErrno(errno);
}

FeatureState ProbeSocketPrograms() {
  for (const bpf_attach_type type : {BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,
                                     BPF_CGROUP_UDP4_SENDMSG, BPF_CGROUP_UDP6_SENDMSG}) {
    FeatureState state = ProbeProgram(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, type);
    if (!state.present) return state;
  }
  return ProbeProgram(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE);
}

FeatureState ProbePacketPrograms() {
  FeatureState state = ProbeProgram(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS);
  if (!state.present) return state;
  return ProbeProgram(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS);
}

FeatureState ProbeRingBuffer() {
  const UniqueFd fd(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "palyra_probe", 0, 0,
                                   static_cast<__u32>(sysconf(_SC_PAGESIZE)), nullptr));
  return fd.valid() ? Present() : AbsentErrno(errno);
}

FeatureState ProbeBpffs() {
  constexpr const char* kPath = "/sys/fs/bpf";
  struct statfs status;
  if (statfs(kPath, &status) != 0) return AbsentErrno(errno);
  if (static_cast<unsigned long>(status.f_type) == BPF_FS_MAGIC) {
    return Present(std::string("at ") + kPath);
  }
  // The first run mounts it.
  return Present(std::string("not mounted yet at ") + kPath);
}

FeatureState ProbeSeccompAction(uint32_t action) {
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) return Present();
  return AbsentErrno(errno);
}

FeatureState ProbeCgroupKill() {
  Result<MountEntry> mount = Cgroup2Mount();
  if (!mount) return Absent("no cgroup2");
  // Absent in the root; any other cgroup will do, and Palyra's own is there after the first run.
  const std::string palyra = mount->mount_point + "/palyra";
  if (access(palyra.c_str(), F_OK) == 0) {
    return HasCgroupKill(palyra) ? Present() : Absent("not in this kernel");
  }
  const std::string path =
      mount->mount_point + "/palyra-probe-" + std::to_string(static_cast<long>(getpid()));
  Result<Cgroup> cgroup = Cgroup::Create(path);
  if (!cgroup) return Absent(cgroup.error().message);
  const bool present = HasCgroupKill(path);
  (void)RemoveCgroup(path);
  return present ? Present() : Absent("not in this kernel");
}

FeatureState ProbeLandlock(int least) {
  const int abi = LandlockAbi();
  const std::string detail = abi > 0 ? "ABI " + std::to_string(abi) : "not in this kernel";
  return abi >= least ? Present(detail) : Absent(detail);
}

// The program type alone tells nothing: a locked-down kernel has it and refuses to load, and one
// that has not booted with it loads and never calls.
FeatureState ProbeBpfLsm() {
  const Result<std::string> active = base::ReadFile("/sys/kernel/security/lsm");
  if (active && active->find("bpf") == std::string::npos) {
    return Absent("not an active LSM; boot with lsm=" + *active + ",bpf");
  }
  const Result<void> loaded = TryLoadLsmProgram();
  if (!loaded) return Absent(loaded.error().message);
  if (active) return Present();
  return Absent(
      "whether programs are called cannot be told; mount -t securityfs none /sys/kernel/security");
}

FeatureState ProbeProgramDigests() {
  FeatureState lsm = ProbeBpfLsm();
  if (!lsm.present) return lsm;
  Result<void> tried = TryProgramDigests();
  return tried ? Present("sha256") : Absent(tried.error().message);
}

FeatureState ProbeKernelBtf() {
  return access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? Present() : AbsentErrno(errno);
}

FeatureState ProbeIoUring() {
  io_uring_params parameters = {};
  const UniqueFd fd(static_cast<int>(syscall(SYS_io_uring_setup, 1, &parameters)));
  return fd.valid() ? Present() : AbsentErrno(errno);
}

// In a child: a process cannot leave a user namespace again.
FeatureState ProbeUserNamespaces() {
  const pid_t pid = fork();
  if (pid == 0) _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  if (pid < 0) return AbsentErrno(errno);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0 ? Present() : AbsentErrno(WEXITSTATUS(status));
}

FeatureState ProbeController(std::string_view name) {
  Result<MountEntry> mount = Cgroup2Mount();
  if (!mount) return Absent("no cgroup2");
  Result<std::string> controllers = base::ReadFile(mount->mount_point + "/cgroup.controllers");
  if (!controllers) return Absent(controllers.error().message);
  const std::string padded = ' ' + controllers->substr(0, controllers->find('\n')) + ' ';
  if (padded.find(' ' + std::string(name) + ' ') != std::string::npos) return Present();
  return Absent("belongs to cgroup v1 or is off");
}

}  // namespace

const std::array<FeatureInfo, kFeatureCount>& AllFeatures() { return kInfos; }

const FeatureInfo& InfoOf(Feature feature) { return kInfos.at(static_cast<size_t>(feature)); }

FeatureState ProbeKernel(Feature feature) {
  // UNIX_CONNECT, newer than the headers that this is built with.
  constexpr int kCgroupUnixConnect = 49;
  switch (feature) {
    case Feature::kCgroup2:
      return ProbeCgroup2();
    case Feature::kCgroupSocketPrograms:
      return ProbeSocketPrograms();
    case Feature::kCgroupPacketPrograms:
      return ProbePacketPrograms();
    case Feature::kBpfRingBuffer:
      return ProbeRingBuffer();
    case Feature::kBpffs:
      return ProbeBpffs();
    case Feature::kSeccompFilter:
      return ProbeSeccompAction(SECCOMP_RET_ERRNO);
    case Feature::kCgroupKill:
      return ProbeCgroupKill();
    case Feature::kLandlock:
      return ProbeLandlock(1);
    case Feature::kLandlockFiles:
      return ProbeLandlock(kLandlockFileAbi);
    case Feature::kLandlockScopes:
      return ProbeLandlock(kLandlockScopeAbi);
    case Feature::kBpfLsm:
      return ProbeBpfLsm();
    case Feature::kProgramDigests:
      return ProbeProgramDigests();
    case Feature::kUnixSocketPrograms:
      return ProbeProgram(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, kCgroupUnixConnect);
    case Feature::kSeccompNotify:
      return ProbeSeccompAction(SECCOMP_RET_USER_NOTIF);
    case Feature::kKernelBtf:
      return ProbeKernelBtf();
    case Feature::kIoUring:
      return ProbeIoUring();
    case Feature::kUserNamespaces:
      return ProbeUserNamespaces();
    case Feature::kMemoryController:
      return ProbeController("memory");
    case Feature::kPidsController:
      return ProbeController("pids");
    case Feature::kCpuController:
      return ProbeController("cpu");
  }
  return Absent("unknown feature");
}

const FeatureState& Features::Get(Feature feature) {
  std::optional<FeatureState>& known = known_[static_cast<size_t>(feature)];
  if (!known) known = prober_(feature);
  return *known;
}

Result<void> RequireFeatures(Features& features) {
  for (const FeatureInfo& info : kInfos) {
    if (!info.required || features.Has(info.feature)) continue;
    return Fail(ErrorCode::kUnsupported, "this kernel lacks " + std::string(info.name) + " (" +
                                             features.Get(info.feature).detail + "), so " +
                                             std::string(info.lack) +
                                             "; \"palyra doctor\" says what is there");
  }
  return {};
}

}  // namespace palyra::engine
