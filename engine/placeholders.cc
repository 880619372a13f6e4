#include "engine/placeholders.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <string_view>

#include "base/file.h"
#include "base/unique_fd.h"
#include "engine/run_lock.h"

namespace palyra::engine {
namespace {

struct Made {
  bool is_directory;
  off_t size;  // Of a file, 0 else.
  dev_t device;
  ino_t inode;
  std::string path;
};

std::string DirectoryOf(const std::string& runtime_directory) {
  return runtime_directory + "/placeholders";
}

std::string RecordOf(const std::string& directory, const std::string& run_id) {
  return std::string(directory).append("/").append(run_id);
}

// "d 0 2049 1234 /path", and NUL, which no path has.
std::string TextOf(const std::vector<Made>& all) {
  std::string text;
  for (const Made& made : all) {
    text += (made.is_directory ? "d " : "f ") + std::to_string(made.size) + ' ' +
            std::to_string(made.device) + ' ' + std::to_string(made.inode) + ' ' + made.path + '\0';
  }
  return text;
}

std::vector<Made> ReadRecord(const std::string& path) {
  std::vector<Made> all;
  const Result<std::string> text = base::ReadFile(path);
  if (!text) return all;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\0', at), text->size());
    std::istringstream line(text->substr(at, end - at));
    char kind = 0;
    Made made = {};
    line >> kind >> made.size >> made.device >> made.inode;
    line.get();
    std::getline(line, made.path, '\0');
    made.is_directory = kind == 'd';
    if (!made.path.empty()) all.push_back(std::move(made));
    at = end + 1;
  }
  return all;
}

// Whoever is killed meanwhile leaves what was noted before.
Result<void> AddToRecord(const std::string& path, const std::vector<Made>& some) {
  const Result<UniqueFd> file = base::OpenFile(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (!file) return std::unexpected(file.error());
  return base::WriteAll(file->get(), TextOf(some), path);
}

// Nobody else makes, looks for or removes placeholders meanwhile.
Result<UniqueFd> Lock(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + directory + '"');
  }
  Result<UniqueFd> fd = base::OpenFile(directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return fd;
  while (flock(fd->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(errno, "cannot lock \"" + directory + '"');
  }
  return fd;
}

std::vector<std::string> RunsIn(const std::string& directory) {
  std::vector<std::string> runs;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failure)) {
    runs.push_back(entry.path().filename().string());
  }
  return runs;
}

std::vector<Made> OfOthers(const std::string& directory, const std::string& run_id) {
  std::vector<Made> all;
  for (const std::string& run : RunsIn(directory)) {
    if (run == run_id) continue;
    std::ranges::move(ReadRecord(RecordOf(directory, run)), std::back_inserter(all));
  }
  return all;
}

// The directory that the name is in, never through a symbolic link.
struct Place {
  UniqueFd parent;
  std::string name;
};

Place PlaceOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  open_how how = {};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
  return {.parent = UniqueFd(
              static_cast<int>(syscall(SYS_openat2, AT_FDCWD, parent.c_str(), &how, sizeof(how)))),
          .name = path.substr(slash + 1)};
}

// As whom this thread asks file systems, who then owns what is made.
Result<Made> TryMake(const Placeholder& wanted, uid_t uid) {
  const Place place = PlaceOf(wanted.path);
  const std::string what = "cannot make \"" + wanted.path + "\", which the run must not";
  if (!place.parent.valid()) return FailErrno(errno, what);
  const char* const name = place.name.c_str();
  const int parent = place.parent.get();
  if (wanted.is_directory && mkdirat(parent, name, 0755) != 0) return FailErrno(errno, what);
  const int flags = wanted.is_directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL;
  const UniqueFd fd(openat(parent, name, flags | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fd.valid() && !wanted.is_directory) return FailErrno(errno, what);
  struct stat status;
  const auto size = static_cast<ssize_t>(wanted.text.size());
  const bool is_there =
      fd.valid() && fstat(fd.get(), &status) == 0 &&
      (size == 0 || write(fd.get(), wanted.text.data(), wanted.text.size()) == size);
  const int failure = is_there ? EEXIST : errno;
  // Somebody may have put something else there meanwhile.
  if (!is_there || status.st_uid != uid) {
    unlinkat(parent, name, wanted.is_directory ? AT_REMOVEDIR : 0);
    return FailErrno(failure, what);
  }
  return Made{.is_directory = wanted.is_directory,
              .size = size,
              .device = status.st_dev,
              .inode = status.st_ino,
              .path = wanted.path};
}

// The user's, as the run would make it, so that it may make what it is allowed below. Where the
// user may not, root's: nobody shall write there what only root may make.
Result<Made> MakeOne(const Placeholder& wanted, const ToolUser& user) {
  AskFilesAs(user.uid, user.gid);
  Result<Made> made = TryMake(wanted, user.uid);
  AskFilesAs(geteuid(), getegid());
  if (made || (made.error().system_errno != EACCES && made.error().system_errno != EPERM)) {
    return made;
  }
  return TryMake(wanted, geteuid());
}

// As it was made.
bool IsThere(const Made& made, const Place& place) {
  struct stat status;
  return place.parent.valid() &&
         fstatat(place.parent.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
         status.st_dev == made.device && status.st_ino == made.inode &&
         (made.is_directory || status.st_size == made.size);
}

bool IsThere(const Made& made) { return IsThere(made, PlaceOf(made.path)); }

void RemoveOne(const Made& made) {
  const Place place = PlaceOf(made.path);
  if (!IsThere(made, place)) return;
  unlinkat(place.parent.get(), place.name.c_str(), made.is_directory ? AT_REMOVEDIR : 0);
}

// Inner before outer.
void RemoveAll(const std::vector<Made>& all, const std::vector<Made>& kept) {
  for (const Made& made : std::views::reverse(all)) {
    const bool is_kept = std::ranges::any_of(kept, [&](const Made& other) {
      return other.inode == made.inode && other.device == made.device;
    });
    if (!is_kept) RemoveOne(made);
  }
}

void RemoveOf(const std::string& directory, const std::string& run_id) {
  const std::string record = RecordOf(directory, run_id);
  if (access(record.c_str(), F_OK) != 0) return;
  const Result<UniqueFd> lock = Lock(directory);
  if (!lock) return;
  RemoveAll(ReadRecord(record), OfOthers(directory, run_id));
  unlink(record.c_str());
}

}  // namespace

Result<void> MakePlaceholdersInside(const std::vector<Placeholder>& placeholders,
                                    const ToolUser& user) {
  for (const Placeholder& wanted : placeholders) {
    if (Result<Made> made = MakeOne(wanted, user); !made) return std::unexpected(made.error());
  }
  return {};
}

Result<Placeholders> Placeholders::Make(const std::string& runtime_directory,
                                        const std::string& run_id, const FileView& view,
                                        const ToolUser& user) {
  const std::string directory = DirectoryOf(runtime_directory);
  const Result<UniqueFd> lock = Lock(directory);
  if (!lock) return std::unexpected(lock.error());
  const std::vector<Made> others = OfOthers(directory, run_id);
  std::vector<Made> all;
  for (const Made& made : others) {
    const auto is_protected = [&](const FileMount& mount) { return mount.path == made.path; };
    if (std::ranges::any_of(view.mounts, is_protected)) all.push_back(made);
  }
  const std::string record = RecordOf(directory, run_id);
  const auto give_up = [&](Error error) -> std::unexpected<Error> {
    RemoveAll(all, others);
    unlink(record.c_str());
    return std::unexpected(std::move(error));
  };
  Result<void> noted = all.empty() ? Result<void>() : AddToRecord(record, all);
  if (!noted) return give_up(noted.error());
  for (const Placeholder& wanted : view.placeholders) {
    const auto is_wanted = [&](const Made& made) {
      return made.path == wanted.path && IsThere(made);
    };
    if (std::ranges::any_of(all, is_wanted)) continue;
    Result<Made> made = MakeOne(wanted, user);
    if (!made) {
      Error error = made.error();
      if (error.system_errno == EEXIST) error.code = ErrorCode::kUnavailable;
      return give_up(std::move(error));
    }
    all.push_back(*std::move(made));
    // Each at once: whoever is killed now leaves what the sweep knows.
    noted = AddToRecord(record, {all.back()});
    if (!noted) return give_up(noted.error());
  }
  return Placeholders(directory, run_id);
}

std::set<std::string> Placeholders::PathsThereAre(const std::string& runtime_directory) {
  std::set<std::string> paths;
  for (const Made& made : OfOthers(DirectoryOf(runtime_directory), "")) paths.insert(made.path);
  return paths;
}

void Placeholders::Remove() const { RemoveOf(directory_, run_id_); }

void SweepPlaceholders(const std::string& runtime_directory) {
  const std::string directory = DirectoryOf(runtime_directory);
  for (const std::string& run : RunsIn(directory)) {
    const Result<std::optional<RunLock>> lock = RunLock::TakeAbandoned(runtime_directory, run);
    if (lock && *lock) RemoveOf(directory, run);
  }
}

}  // namespace palyra::engine
