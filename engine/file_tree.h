// The file system as the lowering of file rules sees it: what is where, without following links.

#ifndef PALYRA_ENGINE_FILE_TREE_H_
#define PALYRA_ENGINE_FILE_TREE_H_

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace palyra::engine {

enum class FileKind {
  kDirectory,
  kFile,
  kSpecial,  // A device, a pipe or a socket: can be written where its mount is read-only.
  kSymlink,
};

struct FileEntry {
  std::string name;
  FileKind kind;
};

class FileTree {
 public:
  virtual ~FileTree() = default;

  // Nothing where there is nothing, or a directory on the way is a symbolic link.
  [[nodiscard]] virtual Result<std::optional<FileKind>> KindOf(const std::string& path) const = 0;

  // What is in a directory, in any order, without "." and "..". A directory that has gone, or
  // that root may not list either, is empty.
  [[nodiscard]] virtual Result<std::vector<FileEntry>> List(const std::string& path) const = 0;

 protected:
  FileTree() = default;
  FileTree(const FileTree&) = default;
  FileTree& operator=(const FileTree&) = default;
};

// The machine's own, without the paths in `absent`.
class RealFileTree final : public FileTree {
 public:
  explicit RealFileTree(std::set<std::string> absent = {}) : absent_(std::move(absent)) {}

  [[nodiscard]] Result<std::optional<FileKind>> KindOf(const std::string& path) const override;
  [[nodiscard]] Result<std::vector<FileEntry>> List(const std::string& path) const override;

 private:
  std::set<std::string> absent_;
};

// O_PATH, and never through a symbolic link on the way or at the end; -1 with errno. Allocates
// nothing.
int OpenPathWithoutLinks(const char* path);
// Likewise, to list it.
int OpenDirectoryWithoutLinks(const char* path);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_FILE_TREE_H_
