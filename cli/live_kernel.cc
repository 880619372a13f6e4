#include "cli/live_kernel.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "engine/host.h"

namespace palyra::cli {

Result<LiveKernel> OpenLiveKernel() {
  if (geteuid() != 0) {
    return Fail(ErrorCode::kPermissionDenied, "this needs root; start it with sudo");
  }
  Result<engine::Host> host = engine::PrepareHost();
  if (!host) return std::unexpected(host.error());
  LiveKernel kernel;
  Result<engine::KernelObjects> objects = engine::KernelObjects::Open(*host, kernel.features);
  if (!objects) return std::unexpected(objects.error());
  kernel.objects.emplace(*std::move(objects));
  return kernel;
}

std::vector<std::string> LiveRunIds(const engine::KernelObjects& objects) {
  std::vector<std::string> ids;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(objects.cgroup_path(), failure)) {
    if (entry.is_directory(failure)) ids.push_back(entry.path().filename());
  }
  std::ranges::sort(ids);
  return ids;
}

}  // namespace palyra::cli
