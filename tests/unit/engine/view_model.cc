#include "tests/unit/engine/view_model.h"

#include <algorithm>

namespace palyra::engine {
namespace {

using policy::NameAction;

bool Holds(const std::string& directory, const std::string& path) {
  return directory == "/" || path == directory || path.starts_with(directory + '/');
}

}  // namespace

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

void FakeTree::Add(const std::string& path, FileKind kind) {
  if (path == "/") return;
  Add(ParentOf(path), FileKind::kDirectory);
  nodes_[path] = kind;
}

Result<std::optional<FileKind>> FakeTree::KindOf(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? std::optional<FileKind>() : std::optional(found->second);
}

Result<std::vector<FileEntry>> FakeTree::List(const std::string& path) const {
  std::vector<FileEntry> entries;
  for (const auto& [node, kind] : nodes_) {
    if (node != "/" && ParentOf(node) == path) {
      entries.push_back({.name = node.substr(node.rfind('/') + 1), .kind = kind});
    }
  }
  return entries;
}

FileRights ViewModel::RightsOn(const std::string& path) const {
  FileRights rights = 0;
  for (const FileGrant& grant : view_.grants) {
    if (grant.path == path || (grant.is_directory && Holds(grant.path, path))) {
      rights |= grant.rights;
    }
  }
  return rights;
}

FileMount ViewModel::MountOf(const std::string& path) const {
  FileMount innermost = {.path = "/",
                         .is_directory = true,
                         .read_only = view_.root_read_only,
                         .no_exec = view_.root_no_exec,
                         .no_devices = false,
                         .masked = false};
  for (const FileMount& mount : view_.mounts) {
    const bool holds = Holds(mount.path, path);
    if (holds && mount.path.size() >= innermost.path.size()) innermost = mount;
  }
  return innermost;
}

FileKind ViewModel::KindAt(const std::string& path) const {
  const auto found = tree_.nodes().find(path);
  return found == tree_.nodes().end() ? FileKind::kFile : found->second;
}

bool ViewModel::IsMountPoint(const std::string& path) const {
  return std::ranges::find(view_.mounts, path, &FileMount::path) != view_.mounts.end();
}

bool ViewModel::IsMappable(const std::string& path) const {
  return Allows(NameAction::kFileRead, path) && !MountOf(path).no_exec;
}

bool ViewModel::Allows(NameAction action, const std::string& path) const {
  const FileMount mount = MountOf(path);
  const FileRights rights = RightsOn(path);
  const FileKind kind = KindAt(path);
  const auto on_name = [&](FileRights needed) {
    const std::string parent = ParentOf(path);
    const FileMount around = MountOf(parent);
    return path != "/" && !IsMountPoint(path) && !around.read_only && !around.masked &&
           (RightsOn(parent) & needed) == needed;
  };
  switch (action) {
    case NameAction::kFileRead:
      return !mount.masked &&
             (rights & (kind == FileKind::kDirectory ? kListRight : kReadFileRight)) != 0;
    case NameAction::kFileWrite: {
      const bool is_writable = kind == FileKind::kSpecial ? !mount.masked && !mount.no_devices
                                                          : !mount.read_only && !mount.masked;
      return is_writable && (rights & kWriteRight) != 0;
    }
    case NameAction::kFileCreate:
    case NameAction::kFileLink:
      return on_name(kMakeRights);
    case NameAction::kFileRemove:
      return on_name(kRemoveRights);
    case NameAction::kFileRename:
      return on_name(kRemoveRights | kMakeRights);
    case NameAction::kFileAttributes:
      return !mount.read_only && !mount.masked;
    case NameAction::kProcessExec:
      return !mount.no_exec && !mount.masked && (rights & kExecuteRight) != 0 &&
             (rights & kReadFileRight) != 0;
    default:
      return false;
  }
}

}  // namespace palyra::engine
