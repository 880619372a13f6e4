// What is enforced for a run on this kernel, by which mechanism, and what is not. The one list of
// promises: `palyra-run --report`, `palyra doctor` and the records of runs show it.

#ifndef PALYRA_ENGINE_REPORT_H_
#define PALYRA_ENGINE_REPORT_H_

#include <string>
#include <vector>

#include "engine/features.h"
#include "engine/kernel_objects.h"
#include "engine/limit_mechanisms.h"
#include "engine/run_limits.h"
#include "engine/tier.h"
#include "engine/tool_user.h"
#include "policy/egress_mode.h"

namespace palyra::engine {

struct Promise {
  std::string topic;  // "egress", "files", …: promises of a topic stand together.
  std::string name;   // "net.send: unconnected udp"; the same on every kernel.
  bool held = false;
  std::string mechanism;    // "BPF cgroup/sendmsg4, sendmsg6"; why not, where it is not held.
  std::string remedy = {};  // NOLINT(readability-redundant-member-init): What to do about it, if.
};

struct EnforcementReport {
  std::vector<Promise> promises;
};

struct FileFacts {
  bool judged = false;                   // Policies speak of files and programs.
  std::vector<std::string> unheld = {};  // NOLINT(readability-redundant-member-init): --unheld.
  // LinkedFiles::left_out
  std::vector<std::string> unlinked = {};  // NOLINT(readability-redundant-member-init)
};

struct LimitFacts {
  Controllers controllers = {};  // NOLINT(readability-redundant-member-init)
  RunLimits asked = {};          // NOLINT(readability-redundant-member-init)
};

// `judges` are KernelObjects::judges(), or JudgesFor() where nothing needs to be installed.
EnforcementReport BuildReport(const Judges& judges, Features& features, const ToolUser& user,
                              Tier tier, policy::EgressEnforcementMode egress,
                              const FileFacts& files = {}, const LimitFacts& limits = {});

// What a run of an ordinary user gets here whose policies speak of everything.
EnforcementReport ReportOfMachine(Features& features,
                                  const Controllers& controllers = FindControllers());

// One line for each promise, in columns; ends with a newline.
std::string ReportText(const EnforcementReport& report);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_REPORT_H_
