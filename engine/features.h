// What this kernel and host can do. Probed by trying, never inferred from a version.

#ifndef PALYRA_ENGINE_FEATURES_H_
#define PALYRA_ENGINE_FEATURES_H_

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace palyra::engine {

enum class Feature {
  kCgroup2,
  kCgroupSocketPrograms,  // connect, sendmsg, sock_create
  kCgroupPacketPrograms,  // cgroup_skb
  kBpfRingBuffer,
  kBpffs,
  kSeccompFilter,
  kCgroupKill,
  kLandlock,
  kLandlockFiles,
  kLandlockScopes,
  kBpfLsm,
  kProgramDigests,
  kUnixSocketPrograms,
  kSeccompNotify,
  kKernelBtf,
  kIoUring,
  kUserNamespaces,
  kMemoryController,
  kPidsController,
  kCpuController,
};
inline constexpr int kFeatureCount = 20;

struct FeatureInfo {
  Feature feature;
  std::string_view name;     // As `palyra doctor` prints it.
  std::string_view purpose;  // What it is used for.
  std::string_view lack;     // What its absence costs.
  std::string_view remedy;   // What to do about its absence.
  bool required;             // Without it no run starts.
  bool by_setup = false;     // How the machine is set up decides, and not the kernel alone.
};

// In the order of the enumeration.
const std::array<FeatureInfo, kFeatureCount>& AllFeatures();
const FeatureInfo& InfoOf(Feature feature);

struct FeatureState {
  bool present = false;
  std::string
      detail;  // "at /sys/fs/cgroup/unified", "ABI 7", or why not: "Operation not permitted".
};

// Tries feature by feature on the running kernel. Leaves nothing behind.
FeatureState ProbeKernel(Feature feature);

// Answers from a prober, which is asked once for each feature, when it is first needed.
class Features {
 public:
  using Prober = std::function<FeatureState(Feature)>;
  explicit Features(Prober prober = ProbeKernel) : prober_(std::move(prober)) {}

  const FeatureState& Get(Feature feature);
  bool Has(Feature feature) { return Get(feature).present; }

 private:
  Prober prober_;
  std::array<std::optional<FeatureState>, kFeatureCount> known_;
};

// kUnsupported, naming the first feature that every run needs and this kernel lacks.
Result<void> RequireFeatures(Features& features);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FEATURES_H_
