// What a FileView makes of a file system, as Landlock and the kernel's mounts have it: told apart
// from the lowering, so that both can be compared.

#ifndef PALYRA_TESTS_UNIT_ENGINE_VIEW_MODEL_H_
#define PALYRA_TESTS_UNIT_ENGINE_VIEW_MODEL_H_

#include <map>
#include <string>
#include <vector>

#include "engine/file_tree.h"
#include "engine/file_view.h"
#include "policy/rule_set.h"

namespace palyra::engine {

class FakeTree final : public FileTree {
 public:
  FakeTree() { nodes_["/"] = FileKind::kDirectory; }

  // With the directories on the way.
  void Add(const std::string& path, FileKind kind);
  void AddDirectory(const std::string& path) { Add(path, FileKind::kDirectory); }
  void AddFile(const std::string& path) { Add(path, FileKind::kFile); }

  [[nodiscard]] const std::map<std::string, FileKind>& nodes() const { return nodes_; }

  [[nodiscard]] Result<std::optional<FileKind>> KindOf(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<FileEntry>> List(const std::string& path) const override;

 private:
  std::map<std::string, FileKind> nodes_;
};

// The directory that a path other than "/" is in.
std::string ParentOf(const std::string& path);

class ViewModel {
 public:
  // `tree` with the view's placeholders in it. Borrows both.
  ViewModel(const FileView& view, const FakeTree& tree) : view_(view), tree_(tree) {}

  // Whether the run can do it: to what is there, or to a new name in a directory that is there.
  [[nodiscard]] bool Allows(policy::NameAction action, const std::string& path) const;

  // Readable and not noexec: ld.so would start it.
  [[nodiscard]] bool IsMappable(const std::string& path) const;

  [[nodiscard]] bool IsMountPoint(const std::string& path) const;

 private:
  [[nodiscard]] FileRights RightsOn(const std::string& path) const;
  [[nodiscard]] FileMount MountOf(const std::string& path) const;
  [[nodiscard]] FileKind KindAt(const std::string& path) const;

  const FileView& view_;
  const FakeTree& tree_;
};

}  // namespace palyra::engine

#endif  // PALYRA_TESTS_UNIT_ENGINE_VIEW_MODEL_H_
