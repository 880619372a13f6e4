#include "engine/file_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

int OpenWithoutLinks(const char* path, uint64_t flags) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  return static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
}

FileKind KindOfMode(mode_t mode) {
  if (S_ISDIR(mode)) return FileKind::kDirectory;
  if (S_ISLNK(mode)) return FileKind::kSymlink;
  return S_ISREG(mode) ? FileKind::kFile : FileKind::kSpecial;
}

bool IsAbsence(int failure) {
  return failure == ENOENT || failure == ENOTDIR || failure == ELOOP || failure == ENAMETOOLONG;
}

// Of root.
bool IsDenial(int failure) { return failure == EACCES || failure == EPERM; }

}  // namespace

int OpenPathWithoutLinks(const char* path) { return OpenWithoutLinks(path, O_PATH); }

int OpenDirectoryWithoutLinks(const char* path) {
  return OpenWithoutLinks(path, O_RDONLY | O_DIRECTORY);
}

Result<std::optional<FileKind>> RealFileTree::KindOf(const std::string& path) const {
  if (absent_.contains(path)) return std::optional<FileKind>();
  // O_NOFOLLOW with O_PATH opens the link itself, which RESOLVE_NO_SYMLINKS allows at the end.
  const UniqueFd fd(OpenWithoutLinks(path.c_str(), O_PATH | O_NOFOLLOW));
  struct stat status;
  if (!fd.valid() && IsAbsence(errno)) return std::optional<FileKind>();
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    return FailErrno(errno, "cannot look at \"" + path + '"');
  }
  return std::optional(KindOfMode(status.st_mode));
}

Result<std::vector<FileEntry>> RealFileTree::List(const std::string& path) const {
  std::vector<FileEntry> entries;
  UniqueFd fd(OpenDirectoryWithoutLinks(path.c_str()));
  if (!fd.valid() && (IsAbsence(errno) || IsDenial(errno))) return entries;
  if (!fd.valid()) return FailErrno(errno, "cannot list \"" + path + '"');
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(fd.get()), closedir);
  if (directory == nullptr) return FailErrno(errno, "cannot list \"" + path + '"');
  (void)fd.Release();
  const int at = dirfd(directory.get());
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (!absent_.empty() && absent_.contains(path + '/' + entry->d_name)) continue;
    mode_t mode = DTTOIF(entry->d_type);
    struct stat status;
    if (entry->d_type == DT_UNKNOWN) {
      if (at < 0 || fstatat(at, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (IsAbsence(errno)) continue;
        return FailErrno(errno, "cannot look at \"" + path + '/' + std::string(name) + '"');
      }
      mode = status.st_mode;
    }
    entries.push_back({.name = std::string(name), .kind = KindOfMode(mode)});
  }
  // A process of /proc that ended meanwhile, or that shows itself to nobody.
  if (errno != 0 && !IsAbsence(errno) && !IsDenial(errno))
    return FailErrno(errno, "cannot list \"" + path + '"');
  return entries;
}

}  // namespace palyra::engine
