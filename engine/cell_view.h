// What a cell shows of the host's file system: as much as its rules permit something of, and the
// rest is not there. Everything else in it is the cell's own (IsOwnPlace).
//
// This is a second wall, coarser than the rules: what is shown still has to be permitted, and a
// directory where rules tell names apart by patterns is shown whole.

#ifndef PALYRA_ENGINE_CELL_VIEW_H_
#define PALYRA_ENGINE_CELL_VIEW_H_

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/file_tree.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// A file or directory of the host's, at the same path in the cell, with what is mounted below it.
struct ShownPath {
  std::string path;
  bool is_directory;
  bool is_device;
  bool writable;
};

// A symbolic link that is made again, because what it leads to, or lies beside, is shown.
struct ShownLink {
  std::string path;
  std::string target;
};

struct CellView {
  std::vector<ShownPath> shown;  // Outer before inner.
  std::vector<ShownLink> links;

  // Whether what is there in the cell is the host's.
  [[nodiscard]] bool IsOfHost(const std::string& path) const;

  // Whether the cell has something of its own there, whatever is shown.
  [[nodiscard]] static bool IsOwn(const std::string& path);
};

struct CellFacts {
  std::string workspace;  // "/" where nobody chose one: then none is shown as such.
  std::string start;      // Where the command starts.
  // Which the caller has named, below an own place too.
  std::vector<std::string> named = {};  // NOLINT(readability-redundant-member-init)
  // Unix sockets that may be connected to where they are, and whether that is no list.
  std::vector<std::string> sockets = {};  // NOLINT(readability-redundant-member-init)
  bool any_socket = false;
};

// Directories of the cell's own, empty as it begins: /tmp, /var/tmp, /dev with shm and pts,
// /proc, /sys, /run.
bool IsOwnPlace(const std::string& path);

// Where no rule speaks of files: everything that is not the cell's own, read-only but for the
// workspace.
Result<CellView> ViewOfCell(const policy::RuleSet& rules, const FileTree& tree,
                            const CellFacts& facts);

// The machine's files as they are in a cell.
class CellTree final : public FileTree {
 public:
  // Borrows both.
  CellTree(const CellView& view, const FileTree& host) : view_(view), host_(host) {}

  [[nodiscard]] Result<std::optional<FileKind>> KindOf(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<FileEntry>> List(const std::string& path) const override;

 private:
  const CellView& view_;
  const FileTree& host_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_CELL_VIEW_H_
