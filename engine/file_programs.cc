#include "engine/file_programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "bpf/files.skel.h"
#include "engine/libbpf_log.h"
#include "engine/pinned_programs.h"
#include "engine/programs.h"
#include "engine/table_image.h"
#include "policy/path_states.h"

namespace palyra::engine {
namespace {

// Since Linux 6.2; before, path_truncate and inode_setxattr see the same calls.
constexpr std::array<std::string_view, 3> kLaterHooks = {"file_truncate", "inode_set_acl",
                                                         "inode_remove_acl"};

// Pinned last.
constexpr const char* kLastPinned = "palyra_path_rename";

// One of those that ask for digests, all of which end like it.
constexpr const char* kDigestProgram = "palyra_mmap_by_digest";
constexpr std::string_view kByDigest = "_by_digest";

// Of a program in section "?lsm/HOOK".
std::string HookOf(const bpf_program* program) {
  const std::string_view section = bpf_program__section_name(program);
  return std::string(section.substr(section.rfind('/') + 1));
}

// What the running kernel passes to the programs of a hook.
class Hooks {
 public:
  static Result<Hooks> Load() {
    Hooks hooks(btf__load_vmlinux_btf());
    if (hooks.btf_ == nullptr) return LoadFailure(errno, "to read the types of the kernel");
    return hooks;
  }

  [[nodiscard]] bool HasFunction(const char* name) const {
    return btf__find_by_name_kind(btf_.get(), name, BTF_KIND_FUNC) > 0;
  }

  // Nothing where there is no such hook.
  [[nodiscard]] std::optional<unsigned> ArgumentCount(const std::string& hook) const {
    const int id = btf__find_by_name_kind(btf_.get(), ("bpf_lsm_" + hook).c_str(), BTF_KIND_FUNC);
    if (id < 0) return std::nullopt;
    const btf_type* function = btf__type_by_id(btf_.get(), static_cast<__u32>(id));
    const btf_type* prototype =
        function == nullptr ? nullptr : btf__type_by_id(btf_.get(), function->type);
    if (prototype == nullptr) return std::nullopt;
    return btf_vlen(prototype);
  }

 private:
  explicit Hooks(btf* loaded) : btf_(loaded, btf__free) {}

  std::unique_ptr<btf, void (*)(btf*)> btf_;
};

// Two programs are for inode_setattr, one of which fits.
bool Fits(const bpf_program* program, unsigned argument_count) {
  constexpr unsigned kWithIdmap = 3;
  const std::string_view name = bpf_program__name(program);
  if (name == "palyra_inode_setattr") return argument_count < kWithIdmap;
  if (name == "palyra_inode_setattr_idmap") return argument_count == kWithIdmap;
  return true;
}

Result<void> ChoosePrograms(const files_bpf& skeleton, bool with_digests) {
  Result<Hooks> hooks = Hooks::Load();
  if (!hooks) return std::unexpected(hooks.error());
  skeleton.rodata->can_cast = hooks->HasFunction("bpf_rdonly_cast") ? 1 : 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    const std::string hook = HookOf(program);
    const std::optional<unsigned> argument_count = hooks->ArgumentCount(hook);
    if (!argument_count && std::ranges::find(kLaterHooks, hook) == kLaterHooks.end()) {
      return Fail(ErrorCode::kUnsupported, "this kernel has no hook " + hook);
    }
    const bool is_wanted =
        with_digests || !std::string_view(bpf_program__name(program)).ends_with(kByDigest);
    bpf_program__set_autoload(program,
                              is_wanted && argument_count && Fits(program, *argument_count));
  }
  return {};
}

// Nothing where nothing is installed: what is stays as it is, and costs no try.
std::optional<std::string> InstalledPins(const Host& host) {
  std::string pins = PalyraPins(host) + '/' + GenerationName();
  const bool are_there = access(LinkPath(pins, kProgramNames[0]).c_str(), F_OK) == 0;
  return are_there ? std::optional(std::move(pins)) : std::nullopt;
}

Result<void> AttachAndPin(const bpf_program* program, const std::string& directory) {
  return PinLink(bpf_program__attach_lsm(program), bpf_program__name(program), directory);
}

Result<void> AttachAll(const files_bpf& skeleton, const std::string& directory, bool by_digest) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    const std::string_view name = bpf_program__name(program);
    const bool is_among_them = name != kLastPinned && name.ends_with(kByDigest) == by_digest;
    if (bpf_program__fd(program) < 0 || !is_among_them) continue;
    if (Result<void> attached = AttachAndPin(program, directory); !attached) return attached;
  }
  return {};
}

}  // namespace

Result<void> AttachFilePrograms(const FileAttachRequest& request) {
  const LibbpfLog log;
  const std::unique_ptr<files_bpf, void (*)(files_bpf*)> skeleton(files_bpf__open(),
                                                                  files_bpf__destroy);
  if (skeleton == nullptr) return LoadFailure(errno, "to open the programs of files");
  skeleton->rodata->run_level = request.run_level;
  skeleton->rodata->palyra_cgroup = request.cgroup_id;
  skeleton->rodata->judges_digests = request.with_digests ? 1 : 0;
  if (Result<void> chosen = ChoosePrograms(*skeleton, request.with_digests); !chosen) {
    return chosen;
  }
  if (Result<void> shared = ShareMaps(skeleton->obj, request.pin_directory); !shared) return shared;
  if (const int failure = files_bpf__load(skeleton.get()); failure != 0) {
    return LoadFailure(-failure, "to load the programs of files");
  }
  if (Result<void> pinned = PinNewMaps(skeleton->obj, request.pin_directory); !pinned) {
    return pinned;
  }
  // What is attached last is called first: those about digests come after those about names.
  Result<void> attached = AttachAll(*skeleton, request.pin_directory, /*by_digest=*/true);
  if (attached) attached = AttachAll(*skeleton, request.pin_directory, /*by_digest=*/false);
  if (!attached) return attached;
  return AttachAndPin(skeleton->progs.palyra_path_rename, request.pin_directory);
}

bool HasPinnedFilePrograms(const std::string& pin_directory) {
  return access(LinkPath(pin_directory, kLastPinned).c_str(), F_OK) == 0;
}

bool HasPinnedDigestPrograms(const std::string& pin_directory) {
  return access(LinkPath(pin_directory, kDigestProgram).c_str(), F_OK) == 0;
}

bool CanJudgeFiles(const Host& host, Features& features) {
  const std::optional<std::string> pins = InstalledPins(host);
  return pins ? HasPinnedFilePrograms(*pins) : features.Has(Feature::kBpfLsm);
}

bool CanJudgeDigests(const Host& host, Features& features) {
  const std::optional<std::string> pins = InstalledPins(host);
  return pins ? HasPinnedDigestPrograms(*pins) : features.Has(Feature::kProgramDigests);
}

Result<void> RefuseDigests(const policy::RuleSet& rules) {
  const policy::NameRules* programs = FindRules(rules, policy::NameAction::kProcessExec);
  if (programs == nullptr || !policy::DependsOnDigest(*programs)) return {};
  return Fail(
      ErrorCode::kRefused,
      "FILE-DIGEST: the policies ask for the sha256 of programs, which this kernel does not "
      "tell (it takes CONFIG_IMA, with ima_hash=sha256); name programs by path, and permit "
      "nothing to write there");
}

Result<void> RequireFilePrograms(const KernelObjects& objects, const policy::RuleSet& rules) {
  const bool judges_processes = FindRules(rules, policy::NameAction::kProcessSignal) != nullptr ||
                                FindRules(rules, policy::NameAction::kProcessTrace) != nullptr;
  if (JudgedFlags(rules) == 0 && !judges_processes) return {};
  if (!objects.judges_files()) {
    return Fail(ErrorCode::kRefused,
                "FILE-KERNEL: the policies speak of files, programs or processes, and nothing on "
                "this kernel holds that; boot with lsm=…,bpf, or leave them out");
  }
  return objects.judges_digests() ? Result<void>() : RefuseDigests(rules);
}

}  // namespace palyra::engine
