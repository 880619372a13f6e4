#include "cli/policy/live_verbs.h"

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "cli/live_kernel.h"
#include "engine/live_tables.h"
#include "engine/rule_update.h"
#include "engine/table_image.h"

namespace palyra::cli {
namespace {

Result<void> DumpRun(const engine::KernelObjects& objects, const std::string& id,
                     const CompiledPolicy* compiled, LiveDump& dump) {
  Result<engine::Cgroup> cgroup = engine::CgroupOfRun(objects, id);
  if (!cgroup) return std::unexpected(cgroup.error());
  const std::optional<uint32_t> profile = objects.runs().ProfileOf(cgroup->id());
  if (!profile) return Fail(ErrorCode::kNotFound, fmt::format("run {} is in no table", id));
  Result<engine::TableImage> live = engine::ReadTables(objects, *profile);
  if (!live) return std::unexpected(live.error());
  Result<std::string> text = engine::StoredText(*live);
  if (!text) return std::unexpected(text.error());
  dump.text += fmt::format("run {} profile {}\n{}", id, *profile, *text);
  if (compiled == nullptr) return {};
  Result<engine::TableImage> expected = engine::BuildTableImage(compiled->rules(), *profile);
  if (!expected) return std::unexpected(expected.error());
  const std::vector<std::string> differences = engine::DifferencesBetween(*expected, *live);
  for (const std::string& difference : differences) dump.text += difference + '\n';
  dump.all_equal = dump.all_equal && differences.empty();
  dump.text += differences.empty() ? "these are exactly the tables of the policies\n"
                                   : "these are other tables than those of the policies\n";
  return {};
}

}  // namespace

Result<LiveDump> DumpLive(const std::string& run, const CompiledPolicy* compiled) {
  const Result<LiveKernel> kernel = OpenLiveKernel();
  if (!kernel) return std::unexpected(kernel.error());
  LiveDump dump;
  for (const std::string& id :
       run.empty() ? LiveRunIds(*kernel->objects) : std::vector<std::string>{run}) {
    const Result<void> dumped = DumpRun(*kernel->objects, id, compiled, dump);
    // One that ends meanwhile is no failure, unless it was asked for.
    if (!dumped && (!run.empty() || dumped.error().code != ErrorCode::kNotFound)) {
      return std::unexpected(dumped.error());
    }
  }
  return dump;
}

Result<std::string> ApplyToRun(const std::string& run, const CompiledPolicy& compiled) {
  const Result<LiveKernel> kernel = OpenLiveKernel();
  if (!kernel) return std::unexpected(kernel.error());
  Result<engine::Replacement> replaced =
      engine::ReplaceRulesOfRun(*kernel->objects, run, compiled.rules());
  if (!replaced) return std::unexpected(replaced.error());
  std::string said = fmt::format("in force for run {}; {} connections that it denies were ended\n",
                                 run, replaced->flows_cut);
  if (replaced->cut) {
    said += fmt::format("not all could be ended, their packets are denied all the same: {}\n",
                        replaced->cut->message);
  }
  return said;
}

}  // namespace palyra::cli
