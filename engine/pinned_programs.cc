#include "engine/pinned_programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/unique_fd.h"
#include "engine/libbpf_log.h"

namespace palyra::engine {

Result<void> ShareMaps(const bpf_object* object, const std::string& directory) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;
    const std::string path = directory + '/' + bpf_map__name(map);
    const UniqueFd pinned(bpf_obj_get(path.c_str()));
    if (!pinned.valid()) continue;
    if (const int failure = bpf_map__reuse_fd(map, pinned.get()); failure != 0) {
      return FailErrno(-failure, "cannot share the map \"" + path + '"');
    }
  }
  return {};
}

Result<void> PinNewMaps(const bpf_object* object, const std::string& directory) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;
    const std::string path = directory + '/' + bpf_map__name(map);
    if (access(path.c_str(), F_OK) == 0) continue;
    if (const int failure = bpf_map__pin(map, path.c_str()); failure != 0) {
      return FailErrno(-failure, "cannot pin the map \"" + path + '"');
    }
  }
  return {};
}

std::string LinkPath(const std::string& directory, const std::string& program) {
  return directory + "/link_" + program;
}

Result<void> PinLink(bpf_link* link, const std::string& program, const std::string& directory) {
  const int failure = errno;
  const std::unique_ptr<bpf_link, int (*)(bpf_link*)> owned(link, bpf_link__destroy);
  if (owned == nullptr) return LoadFailure(failure, "to attach " + program);
  const std::string path = LinkPath(directory, program);
  if (const int refused = bpf_link__pin(owned.get(), path.c_str()); refused != 0) {
    return FailErrno(-refused, "cannot pin the link \"" + path + '"');
  }
  return {};
}

}  // namespace palyra::engine
