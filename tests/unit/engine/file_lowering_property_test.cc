// Any policies on files over any small tree: refused, or what Landlock and the mounts make of the
// view is what the rules say.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "engine/file_lowering.h"
#include "policy/compile/named_resource.h"
#include "policy/path_states.h"
#include "tests/unit/engine/random_files.h"
#include "tests/unit/engine/view_model.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::engine {
namespace {

using policy::NameAction;

constexpr int kSets = 2000;

class Comparison {
 public:
  Comparison(const policy::RuleSet& rules, const FileView& view, const FakeTree& tree)
      : rules_(rules), tree_(tree), model_(view, tree) {}

  // The first difference, or nothing.
  std::string Of(const std::string& path) const {
    const auto found = tree_.nodes().find(path);
    const bool is_new = found == tree_.nodes().end();
    const bool is_directory = !is_new && found->second == FileKind::kDirectory;
    // What cannot come into being is nothing to compare but that.
    const bool can_come = !is_new || Decides(NameAction::kFileCreate, path);
    for (int i = 0; i < policy::kFileActionCount; ++i) {
      const auto action = static_cast<NameAction>(i);
      if (is_new && !can_come && action != NameAction::kFileCreate) continue;
      const bool has_no_meaning =
          is_directory && (action == NameAction::kFileWrite || action == NameAction::kProcessExec);
      if (has_no_meaning) continue;
      const bool decided = Decides(action, path);
      const bool allowed = model_.Allows(action, path);
      const bool is_on_name =
          action >= NameAction::kFileCreate && action <= NameAction::kFileAttributes;
      const bool is_documented_denial =
          !allowed && is_on_name && (is_directory || model_.IsMountPoint(path));
      if (decided != allowed && !is_documented_denial) return Tell(action, path, decided);
    }
    const bool is_executable = Decides(NameAction::kProcessExec, path);
    if (can_come && !is_directory && !is_executable && model_.IsMappable(path)) {
      return path + " is mapped executable";
    }
    return "";
  }

  // A directory that holds a mount, and can be renamed.
  std::string LooseDirectory(const FileView& view) const {
    for (const FileMount& mount : view.mounts) {
      for (std::string at = mount.path; at != "/"; at = ParentOf(at)) {
        if (model_.Allows(NameAction::kFileRename, at)) return at + " can be renamed";
      }
    }
    return "";
  }

 private:
  const policy::RuleSet& rules_;
  const FakeTree& tree_;
  ViewModel model_;

  [[nodiscard]] bool Decides(NameAction action, const std::string& path) const {
    return policy::Decide(rules_, policy::NameEvent{.action = action, .name = path}).verdict ==
           policy::Verdict::kAllow;
  }

  static std::string Tell(NameAction action, const std::string& path, bool decided) {
    return std::string(policy::ActionName(action)) + ' ' + path + " should be " +
           (decided ? "allowed" : "denied");
  }
};

std::string TextOf(const FakeTree& tree, const FileView& view) {
  std::string text;
  for (const auto& [path, kind] : tree.nodes()) {
    text += path + ' ' + std::to_string(static_cast<int>(kind)) + '\n';
  }
  text += "root " + std::to_string(view.root_read_only) + std::to_string(view.root_no_exec) + '\n';
  for (const FileMount& mount : view.mounts) {
    text += "mount " + mount.path + ' ' + std::to_string(mount.read_only) +
            std::to_string(mount.no_exec) + std::to_string(mount.masked) + '\n';
  }
  for (const FileGrant& grant : view.grants) {
    text += "grant " + grant.path + ' ' + std::to_string(grant.rights) + '\n';
  }
  return text;
}

TEST(FileLoweringPropertyTest, AnyPoliciesOverAnyTreeAreRefusedOrHeld) {
  const char* given = std::getenv("PALYRA_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  RandomFiles random(seed);
  const std::string seed_text = "PALYRA_SEED=" + std::to_string(seed) + '\n';
  int held = 0;
  int with_mounts = 0;
  int with_placeholders = 0;
  for (int i = 0; i < kSets; ++i) {
    const std::string policies = random.Policies();
    FakeTree tree = random.Tree();
    const policy::CompileFixture fixture(policies, policy::Coverage::kFiles);
    const auto compiled = fixture.Compile();
    if (!compiled) continue;
    const Result<FileView> view = LowerFiles(compiled->rules, tree);
    if (!view) {
      ASSERT_EQ(view.error().code, ErrorCode::kRefused) << seed_text << view.error().message;
      continue;
    }
    ++held;
    with_mounts += view->mounts.empty() ? 0 : 1;
    with_placeholders += view->placeholders.empty() ? 0 : 1;
    for (const Placeholder& made : view->placeholders) {
      tree.Add(made.path, made.is_directory ? FileKind::kDirectory : FileKind::kFile);
    }
    const Comparison comparison(compiled->rules, *view, tree);
    std::vector<std::string> paths;
    for (const auto& [path, kind] : tree.nodes()) {
      if (path != "/") paths.push_back(path);
      if (kind != FileKind::kDirectory) continue;
      for (const char* name : {"a", "b", "ab", "c", "new", "abc"}) {
        paths.push_back((path == "/" ? "" : path) + '/' + name);
      }
    }
    for (const std::string& path : paths) {
      ASSERT_EQ(comparison.Of(path), "") << seed_text << policies << TextOf(tree, *view);
    }
    ASSERT_EQ(comparison.LooseDirectory(*view), "") << seed_text << policies << TextOf(tree, *view);
  }
  EXPECT_GE(held, kSets / 10) << seed_text;
  EXPECT_GE(with_mounts, kSets / 20) << seed_text;
  EXPECT_GE(with_placeholders, kSets / 400) << seed_text;
}

}  // namespace
}  // namespace palyra::engine
