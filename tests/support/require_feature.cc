#include "tests/support/require_feature.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "base/unique_fd.h"

namespace palyra::tests {
namespace {

// Loads a program that allows everything and attaches it to file_open; it is detached when the
// second descriptor is closed.
struct AttachedProgram {
  UniqueFd program;
  UniqueFd link;
};

Result<AttachedProgram> AttachToFileOpen() {
  const int function_id = libbpf_find_vmlinux_btf_id("file_open", BPF_LSM_MAC);
  if (function_id < 0) return FailErrno(-function_id, "no file_open hook for BPF programs");

  std::array<bpf_insn, 2> allow_all = {};
  allow_all[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = 0
  allow_all[1].code = BPF_JMP | BPF_EXIT;
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_LSM_MAC,
              .attach_btf_id = static_cast<__u32>(function_id));
  AttachedProgram attached;
  attached.program.Reset(bpf_prog_load(BPF_PROG_TYPE_LSM, "probe_file_open", "GPL",
                                       allow_all.data(), allow_all.size(), &options));
  if (!attached.program.valid()) return FailErrno(errno, "cannot load an LSM program");
  attached.link.Reset(bpf_raw_tracepoint_open(nullptr, attached.program.get()));
  if (!attached.link.valid()) return FailErrno(errno, "cannot attach an LSM program");
  return attached;
}

Result<uint64_t> TimesRun(int program) {
  bpf_prog_info info = {};
  __u32 size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) {
    return FailErrno(errno, "cannot read how often a BPF program ran");
  }
  return info.run_cnt;
}

Result<void> ProbeBpfLsm() {
  const libbpf_print_fn_t previous_printer = libbpf_set_print(nullptr);
  Result<AttachedProgram> attached = AttachToFileOpen();
  libbpf_set_print(previous_printer);
  if (!attached) return std::unexpected(attached.error());

  const UniqueFd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!statistics.valid()) return FailErrno(errno, "cannot count runs of BPF programs");
  const Result<UniqueFd> opened = base::OpenFile("/dev/null", O_RDONLY);
  if (!opened) return std::unexpected(opened.error());
  const Result<uint64_t> times_run = TimesRun(attached->program.get());
  if (!times_run) return std::unexpected(times_run.error());
  if (*times_run == 0) {
    return Fail(ErrorCode::kUnsupported,
                "an attached LSM program is never called: boot with bpf in the lsm= list");
  }
  return {};
}

Result<void> ProbeCgroupController(std::string_view controller) {
  const Result<std::string> root = CgroupRoot();
  if (!root) return std::unexpected(root.error());
  const Result<std::string> names = base::ReadFile(*root + "/cgroup.controllers");
  if (!names) return std::unexpected(names.error());
  std::istringstream words(*names);
  for (std::string word; words >> word;) {
    if (word == controller) return {};
  }
  return Fail(ErrorCode::kUnsupported,
              "cgroup2 at \"" + *root + "\" does not have it; another hierarchy may own it");
}

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

Feature Root() {
  Feature feature = {.name = "root", .since = {}, .state = {}};
  if (geteuid() != 0) feature.state = Fail(ErrorCode::kPermissionDenied, "run as root");
  return feature;
}

Feature BpfLsm() {
  static const Result<void> kState = ProbeBpfLsm();
  return {.name = "BPF LSM", .since = {.major = 5, .minor = 7}, .state = kState};
}

Feature CgroupController(std::string_view controller) {
  return {.name = "cgroup2 controller " + std::string(controller),
          .since = {.major = 4, .minor = 15},
          .state = ProbeCgroupController(controller)};
}

Feature KernelLane() {
  Feature feature = {.name = "a kernel of its own", .since = {}, .state = {}};
  if (!IsSet("PALYRA_KERNEL_LANE")) {
    feature.state = Fail(ErrorCode::kUnsupported, "run by tools/run_in_kernel");
  }
  return feature;
}

Result<std::string> CgroupRoot() {
  const Result<std::string> mounts = base::ReadFile("/proc/self/mountinfo");
  if (!mounts) return std::unexpected(mounts.error());
  std::istringstream lines(*mounts);
  for (std::string line; std::getline(lines, line);) {
    // "36 35 98:0 /root /mount/point options - type source options", proc_pid_mountinfo(5).
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id;
    std::string parent;
    std::string device;
    std::string root;
    std::string mount_point;
    if (fields >> id >> parent >> device >> root >> mount_point) return mount_point;
  }
  return Fail(ErrorCode::kUnsupported, "no cgroup2 is mounted");
}

KernelVersion RunningKernel() {
  utsname name = {};
  if (uname(&name) != 0) return {};
  const std::string_view release(std::data(name.release));
  KernelVersion version;
  const auto major = std::from_chars(release.begin(), release.end(), version.major);
  if (major.ptr != release.end()) {
    std::from_chars(major.ptr + 1, release.end(), version.minor);
  }
  return version;
}

Requirement Judge(const Feature& feature, KernelVersion running, bool all_required) {
  if (feature.state) return Requirement::kMet;
  return all_required && running >= feature.since ? Requirement::kFail : Requirement::kSkip;
}

Requirement JudgeHere(const Feature& feature) {
  return Judge(feature, RunningKernel(), IsSet("PALYRA_REQUIRE_ALL_FEATURES"));
}

std::string MissingText(const Feature& feature) {
  if (feature.state) return {};
  return "needs " + feature.name + ": " + feature.state.error().message;
}

}  // namespace palyra::tests
