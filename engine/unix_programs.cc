#include "engine/unix_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>

#include "bpf/unix.skel.h"
#include "engine/libbpf_log.h"
#include "engine/pinned_programs.h"

namespace palyra::engine {
namespace {

constexpr std::array kByAddressNames = {"palyra_unix_connect", "palyra_unix_sendmsg"};
constexpr std::array kByPeerNames = {"palyra_unix_stream_connect", "palyra_unix_may_send"};

// Newer than the headers that this is built with (include/uapi/linux/bpf.h of Linux 6.7).
constexpr auto kCgroupUnixConnect = static_cast<bpf_attach_type>(49);
constexpr auto kCgroupUnixSendmsg = static_cast<bpf_attach_type>(50);

std::span<const char* const> NamesOf(UnixJudge judge) {
  if (judge == UnixJudge::kByPeer) return kByPeerNames;
  if (judge == UnixJudge::kByAddress) return kByAddressNames;
  return {};
}

Result<void> AttachAndPin(const bpf_program& program, const UnixAttachRequest& request) {
  return PinLink(request.judge == UnixJudge::kByPeer
                     ? bpf_program__attach_lsm(&program)
                     : bpf_program__attach_cgroup(&program, request.cgroup_fd),
                 bpf_program__name(&program), request.pin_directory);
}

}  // namespace

Result<void> AttachUnixPrograms(const UnixAttachRequest& request) {
  if (request.judge == UnixJudge::kNone) return {};
  const LibbpfLog log;
  const std::unique_ptr<unix_bpf, void (*)(unix_bpf*)> skeleton(unix_bpf__open(),
                                                                unix_bpf__destroy);
  if (skeleton == nullptr) return LoadFailure(errno, "to open the programs of unix sockets");
  skeleton->rodata->run_level = request.run_level;
  skeleton->rodata->palyra_cgroup = request.cgroup_id;
  bpf_program__set_expected_attach_type(skeleton->progs.palyra_unix_connect, kCgroupUnixConnect);
  bpf_program__set_expected_attach_type(skeleton->progs.palyra_unix_sendmsg, kCgroupUnixSendmsg);
  for (const char* name : NamesOf(request.judge)) {
    bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj, name), true);
  }
  if (Result<void> shared = ShareMaps(skeleton->obj, request.pin_directory); !shared) return shared;
  if (const int failure = unix_bpf__load(skeleton.get()); failure != 0) {
    return LoadFailure(-failure, "to load the programs of unix sockets");
  }
  if (Result<void> pinned = PinNewMaps(skeleton->obj, request.pin_directory); !pinned) {
    return pinned;
  }
  for (const char* name : NamesOf(request.judge)) {
    Result<void> attached =
        AttachAndPin(*bpf_object__find_program_by_name(skeleton->obj, name), request);
    if (!attached) return attached;
  }
  return {};
}

UnixJudge PinnedUnixJudge(const std::string& pin_directory) {
  const auto all_pinned = [&](UnixJudge judge) {
    return std::ranges::all_of(NamesOf(judge), [&](const char* name) {
      return access(LinkPath(pin_directory, name).c_str(), F_OK) == 0;
    });
  };
  if (all_pinned(UnixJudge::kByPeer)) return UnixJudge::kByPeer;
  return all_pinned(UnixJudge::kByAddress) ? UnixJudge::kByAddress : UnixJudge::kNone;
}

}  // namespace palyra::engine
