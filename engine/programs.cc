#include "engine/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "bpf/cgroup_level.skel.h"
#include "bpf/egress.skel.h"
#include "engine/file_programs.h"
#include "engine/kernel_objects.h"
#include "engine/libbpf_log.h"
#include "engine/pinned_programs.h"

namespace palyra::engine {
namespace {

template <typename Skeleton, void (*kDestroy)(Skeleton*)>
struct SkeletonDeleter {
  void operator()(Skeleton* skeleton) const { kDestroy(skeleton); }
};
using EgressSkeleton =
    std::unique_ptr<egress_bpf, SkeletonDeleter<egress_bpf, egress_bpf__destroy>>;
using LevelSkeleton =
    std::unique_ptr<cgroup_level_bpf, SkeletonDeleter<cgroup_level_bpf, cgroup_level_bpf__destroy>>;

Result<void> PinMaps(const egress_bpf& skeleton, const std::string& directory) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    if (bpf_map__is_internal(map)) continue;
    const std::string path = directory + '/' + bpf_map__name(map);
    if (const int failure = bpf_map__pin(map, path.c_str()); failure != 0) {
      return FailErrno(-failure, "cannot pin the map \"" + path + '"');
    }
  }
  return {};
}

// `cgroup_fd` is not used for LSM programs, which see every task.
Result<void> AttachAndPin(const egress_bpf& skeleton, const char* name, int cgroup_fd,
                          const std::string& directory) {
  bpf_program* program = bpf_object__find_program_by_name(skeleton.obj, name);
  if (program == nullptr) return Fail(ErrorCode::kInternal, std::string("no program ") + name);
  const bool is_lsm = bpf_program__type(program) == BPF_PROG_TYPE_LSM;
  return PinLink(
      is_lsm ? bpf_program__attach_lsm(program) : bpf_program__attach_cgroup(program, cgroup_fd),
      name, directory);
}

}  // namespace

Result<void> LoadAttachAndPin(const AttachRequest& request) {
  const LibbpfLog log;
  const EgressSkeleton skeleton(egress_bpf__open());
  if (skeleton == nullptr) return LoadFailure(errno, "to open the egress programs");
  skeleton->rodata->run_level = request.run_level;
  skeleton->rodata->palyra_cgroup = request.cgroup_id;
  for (const char* name : kLsmProgramNames) {
    bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, name),
                              request.with_lsm);
  }
  if (const int failure = egress_bpf__load(skeleton.get()); failure != 0) {
    return LoadFailure(-failure, "to load the egress programs");
  }
  if (Result<void> pinned = PinMaps(*skeleton, request.pin_directory); !pinned) return pinned;
  std::vector<const char*> names(kProgramNames.begin(), kProgramNames.end());
  if (request.with_lsm) {
    names.insert(names.end(), kLsmProgramNames.begin(), kLsmProgramNames.end());
  }
  for (const char* name : names) {
    Result<void> attached = AttachAndPin(*skeleton, name, request.cgroup_fd, request.pin_directory);
    if (!attached) return attached;
  }
  Result<void> unix_attached = AttachUnixPrograms({.judge = request.unix_judge,
                                                   .run_level = request.run_level,
                                                   .cgroup_fd = request.cgroup_fd,
                                                   .cgroup_id = request.cgroup_id,
                                                   .pin_directory = request.pin_directory});
  if (!unix_attached || !request.with_lsm) return unix_attached;
  return AttachFilePrograms({.run_level = request.run_level,
                             .cgroup_id = request.cgroup_id,
                             .with_digests = request.with_digests,
                             .pin_directory = request.pin_directory});
}

Result<void> TryLoadLsmProgram() {
  const LibbpfLog log;
  const int hook = libbpf_find_vmlinux_btf_id("socket_create", BPF_LSM_MAC);
  if (hook < 0) return LoadFailure(-hook, "to name the hook socket_create");
  // return 0
  const std::array<bpf_insn, 2> program = {{
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  }};
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.expected_attach_type = BPF_LSM_MAC;
  options.attach_btf_id = static_cast<__u32>(hook);
  const UniqueFd fd(bpf_prog_load(BPF_PROG_TYPE_LSM, "palyra_probe", "GPL", program.data(),
                                  program.size(), &options));
  if (!fd.valid()) return FailErrno(errno, "loading is refused");
  return {};
}

Result<unsigned> OwnCgroupLevel() {
  const LibbpfLog log;
  const LevelSkeleton skeleton(cgroup_level_bpf__open_and_load());
  if (skeleton == nullptr) return LoadFailure(errno, "to load the cgroup level program");
  LIBBPF_OPTS(bpf_test_run_opts, options);
  const int program = bpf_program__fd(skeleton->progs.palyra_cgroup_level);
  if (bpf_prog_test_run_opts(program, &options) != 0) {
    return LoadFailure(errno, "to run the cgroup level program");
  }
  if (skeleton->bss->found == 0) {
    return Fail(ErrorCode::kUnsupported, "this process's cgroup lies too deep");
  }
  return skeleton->bss->level;
}

}  // namespace palyra::engine
