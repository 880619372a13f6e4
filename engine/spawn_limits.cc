#include "engine/spawn_limits.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace palyra::engine {
namespace {

// The command's copy must survive exec, which dup2 sees to unless both are the same.
int Replace(int fd, int place) {
  if (fd < 0) return 0;
  return dup2(fd, place) == place ? 0 : errno;
}

}  // namespace

int JoinCgroups1(const SpawnLimits& limits) {
  for (const int members : limits.cgroup1_members) {
    if (write(members, "0", 1) != 1) return errno;  // The writer itself.
  }
  return 0;
}

int ReplaceOutput(const SpawnLimits& limits) {
  if (const int failure = Replace(limits.output, STDOUT_FILENO); failure != 0) return failure;
  return Replace(limits.error_output, STDERR_FILENO);
}

int SetProcessLimits(const SpawnLimits& limits) {
  for (const ProcessLimit& limit : limits.process_limits) {
    rlimit now;
    if (getrlimit(limit.resource, &now) != 0) return errno;
    now.rlim_max = std::min<rlim_t>(now.rlim_max, limit.most);
    now.rlim_cur = now.rlim_max;
    if (setrlimit(limit.resource, &now) != 0) return errno;
  }
  return 0;
}

}  // namespace palyra::engine
