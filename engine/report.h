// What is enforced for a run on this kernel, by which mechanism, and what is not.

#ifndef PALYRA_ENGINE_REPORT_H_
#define PALYRA_ENGINE_REPORT_H_

#include <string>
#include <vector>

#include "engine/features.h"
#include "engine/file_view.h"
#include "engine/kernel_objects.h"
#include "engine/tool_user.h"
#include "policy/egress_mode.h"

namespace palyra::engine {

struct Promise {
  std::string name;  // "tcp and connected udp".
  bool held = false;
  std::string mechanism;  // "cgroup/connect4, connect6"; why not, where it is not held.
};

struct EnforcementReport {
  std::vector<Promise> promises;
};

// What holds files: the view of a run without BPF LSM, null where no policy speaks of them.
struct FileFacts {
  const FileView* view = nullptr;
  std::vector<std::string> unheld;  // Promises that whoever starts the run goes without.
};

EnforcementReport BuildReport(const KernelObjects& objects, Features& features,
                              const ToolUser& user, policy::EgressEnforcementMode egress,
                              const FileFacts& files = {});

// One line for each promise, in columns; ends with a newline.
std::string ReportText(const EnforcementReport& report);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_REPORT_H_
