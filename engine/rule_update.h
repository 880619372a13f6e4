// Replacing the rules of a run while it runs.

#ifndef PALYRA_ENGINE_RULE_UPDATE_H_
#define PALYRA_ENGINE_RULE_UPDATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/cgroup.h"
#include "engine/kernel_objects.h"
#include "engine/run_names.h"
#include "policy/rule_set.h"

namespace palyra::engine {

struct Replacement {
  uint32_t profile;      // Events carry the profile they were judged by.
  uint32_t previous;     // The one before.
  size_t flows_cut = 0;  // Connections that the new rules deny, now destroyed.
  std::optional<Error>
      cut;  // Why some of them could not be; their packets are denied all the same.
};

// Puts `rules` in force for the run with that cgroup, from one decision to the next: they are
// written beside the old ones first, and then the run's entry names them, in one store. Connections
// that they deny are ended. An error means that the old rules are in force, whole; so does the
// death of the caller at any moment before that store. kNotFound: the run has ended.
//
// `names` are those of the run, where it has some: they are written for the new rules before that
// store. Where they are null and the run has a resolver: kUnsupported.
Result<Replacement> ReplaceRules(const KernelObjects& objects, const Cgroup& cgroup,
                                 const policy::RuleSet& rules, RunNames* names = nullptr);

// The same for a run of this generation by its id, from any process. kRefused: it is offline.
Result<Replacement> ReplaceRulesOfRun(const KernelObjects& objects, const std::string& run_id,
                                      const policy::RuleSet& rules);

// The cgroup of a live run of this generation. kNotFound where there is none.
Result<Cgroup> CgroupOfRun(const KernelObjects& objects, const std::string& run_id);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_RULE_UPDATE_H_
