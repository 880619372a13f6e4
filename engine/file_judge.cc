#include "engine/file_judge.h"

#include <algorithm>
#include <array>
#include <utility>

#include "engine/file_programs.h"
#include "engine/linked_names.h"
#include "policy/compile/named_resource.h"
#include "policy/compile/spoken_names.h"

namespace palyra::engine {
namespace {

using policy::NameAction;
using policy::Verdict;

struct Promise {
  std::string_view name;
  std::string_view code;  // Of the refusals that it takes back.
};

constexpr std::array<Promise, 7> kPromises = {{{"file-attributes", "FILE-ATTRIBUTES"},
                                               {"file-names", "FILE-RENAME"},
                                               {"file-names", "FILE-LINK"},
                                               {"file-patterns", "FILE-PATTERN"},
                                               {"file-links", "FILE-LINKED"},
                                               {"program-digests", "FILE-DIGEST"},
                                               {"processes", "PROCESS-SCOPE"}}};

// The refusal, with what the user can say to have the run all the same.
Error WithWayOut(Error error) {
  for (const Promise& promise : kPromises) {
    if (!error.message.starts_with(promise.code)) continue;
    error.message += "; or weaken the run by --unheld " + std::string(promise.name);
  }
  return error;
}

// Leaves of a process: of another run, of the same.
Result<void> CheckScope(const policy::RuleSet& rules, NameAction action) {
  const policy::NameRules* names = FindRules(rules, action);
  if (names == nullptr) return {};
  const auto permits = [&](bool same_run) {
    return Decide(rules, policy::NameEvent{.action = action, .name = "", .flag = same_run})
               .verdict == Verdict::kAllow;
  };
  if (permits(true) && !permits(false)) return {};
  return Fail(ErrorCode::kRefused,
              "PROCESS-SCOPE: without BPF LSM " + std::string(policy::ActionName(action)) +
                  " reaches every process of the run and none outside; permit it when { "
                  "resource.same_run }, and there alone");
}

// Each name of a file is judged by itself, so the other one would do.
Result<void> RefuseLinks(const policy::RuleSet& rules) {
  const LinkedFiles found = FindLinkedFiles(rules);
  if (Result<void> all = RequireAll(found); !all) return all;
  if (found.files.empty()) return {};
  return Fail(ErrorCode::kRefused,
              "FILE-LINKED: \"" + found.files[0].path +
                  "\" is forbidden and has other hard links, which lead to it all the same; remove "
                  "them");
}

}  // namespace

FileJudge FileJudgeOf(const Host& host, Features& features) {
  if (CanJudgeFiles(host, features)) return FileJudge::kLsm;
  return features.Has(Feature::kLandlockFiles) ? FileJudge::kLandlock : FileJudge::kNone;
}

policy::RuleSet TakeRulesForViews(policy::RuleSet& rules) {
  const bool speaks = std::ranges::any_of(rules.names, [](const policy::NameRules& names) {
    return names.action != NameAction::kUnixConnect;
  });
  if (!speaks) return {};
  Features features;
  if (FileJudgeOf(Host(), features) == FileJudge::kLsm) return {};
  return policy::TakeFileRules(rules);
}

Result<void> AddUnheld(std::string_view list, Unheld& unheld) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    const std::string name(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    if (name == "file-attributes") {
      unheld.files.attributes = true;
    } else if (name == "file-names") {
      unheld.files.names = true;
    } else if (name == "file-patterns") {
      unheld.files.patterns = true;
    } else if (name == "file-links") {
      unheld.links = true;
    } else if (name == "program-digests") {
      unheld.files.digests = true;
    } else if (name == "processes") {
      unheld.processes = true;
    } else {
      return Fail(ErrorCode::kInvalidArgument,
                  "--unheld: \"" + name +
                      "\" is none of file-attributes, file-names, file-patterns, file-links, "
                      "program-digests, processes");
    }
    unheld.names.push_back(name);
  }
  return {};
}

Result<std::optional<FileView>> LowerForLandlock(const policy::RuleSet& rules, Features& features,
                                                 const FileTree& tree, const Unheld& unheld) {
  const bool judges_files = FindRules(rules, NameAction::kFileRead) != nullptr;
  const bool judges_processes = FindRules(rules, NameAction::kProcessSignal) != nullptr ||
                                FindRules(rules, NameAction::kProcessTrace) != nullptr;
  if (!judges_files && !judges_processes) return std::optional<FileView>();
  if (!features.Has(Feature::kLandlockFiles)) {
    return Fail(ErrorCode::kRefused,
                "FILE-KERNEL: the policies speak of files, programs or processes, and nothing on "
                "this kernel holds that: it takes BPF LSM, or Landlock of Linux 6.2");
  }
  if (!unheld.processes) {
    for (const NameAction action : {NameAction::kProcessSignal, NameAction::kProcessTrace}) {
      Result<void> checked = CheckScope(rules, action);
      if (!checked) return std::unexpected(WithWayOut(checked.error()));
    }
    if (judges_processes && !features.Has(Feature::kLandlockScopes)) {
      return std::unexpected(WithWayOut(
          {.code = ErrorCode::kRefused,
           .system_errno = 0,
           .message = "PROCESS-SCOPE: this kernel's Landlock does not hold signals (it takes ABI "
                      "6); leave process.signal out"}));
    }
  }
  if (!judges_files) return std::optional<FileView>();
  Result<FileView> view = LowerFiles(rules, tree, unheld.files);
  if (!view) return std::unexpected(WithWayOut(view.error()));
  if (Result<void> checked = unheld.links ? Result<void>() : RefuseLinks(rules); !checked) {
    return std::unexpected(WithWayOut(checked.error()));
  }
  return std::optional(*std::move(view));
}

}  // namespace palyra::engine
