#include "engine/host.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/file.h"

namespace palyra::engine {
namespace {

// mountinfo writes space, tab, newline and backslash as a backslash and three octal digits.
std::string DecodeOctal(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
      decoded += static_cast<char>(value);
      i += 3;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool HasOption(std::string_view options, std::string_view wanted) {
  const std::vector<std::string_view> all = Split(options, ',');
  return std::ranges::find(all, wanted) != all.end();
}

// "36 35 98:0 /root /mount/point rw,noatime shared:1 - type source super-options"
std::optional<MountEntry> ParseMountLine(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ' ');
  const auto separator = std::ranges::find(fields, "-");
  if (separator - fields.begin() < 6 || fields.end() - separator < 3) return std::nullopt;
  // Of this mount, or of the file system behind all of its mounts.
  const bool read_only = HasOption(fields[5], "ro") || HasOption(fields.back(), "ro");
  return MountEntry{.root = DecodeOctal(fields[3]),
                    .mount_point = DecodeOctal(fields[4]),
                    .type = std::string(separator[1]),
                    .read_only = read_only,
                    .super_options = std::string(fields.back())};
}

bool IsBpffs(const std::string& path) {
  struct statfs status;
  return statfs(path.c_str(), &status) == 0 &&
         static_cast<unsigned long>(status.f_type) == BPF_FS_MAGIC;
}

Result<void> MountBpffs(const std::string& path) {
  if (IsBpffs(path)) return {};
  if (mount("bpf", path.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0) {
    return {};
  }
  if (errno == ENOENT) {
    return Fail(ErrorCode::kUnsupported, "no directory \"" + path +
                                             "\" to mount the BPF file system on; mount sysfs at "
                                             "/sys, or bpffs there yourself");
  }
  return FailErrno(errno, "cannot mount the BPF file system at \"" + path +
                              "\" (run as root, or mount bpffs there yourself)");
}

}  // namespace

std::vector<MountEntry> ParseMountInfo(std::string_view text) {
  std::vector<MountEntry> mounts;
  for (const std::string_view line : Split(text, '\n')) {
    if (std::optional<MountEntry> entry = ParseMountLine(line)) mounts.push_back(*entry);
  }
  return mounts;
}

Result<MountEntry> FindCgroup2(const std::vector<MountEntry>& mounts) {
  const MountEntry* best = nullptr;
  for (const MountEntry& entry : mounts) {
    if (entry.type != "cgroup2" || entry.read_only) continue;
    if (best == nullptr || entry.root.size() < best->root.size()) best = &entry;
  }
  if (best != nullptr) return *best;
  return Fail(ErrorCode::kUnsupported,
              "no writable cgroup2 file system is mounted; mount one with \"mount -t cgroup2 none "
              "/sys/fs/cgroup\" (in a container, run it with a writable cgroup mount)");
}

Result<Host> PrepareHost() {
  Result<std::string> mountinfo = base::ReadFile("/proc/self/mountinfo");
  if (!mountinfo) return std::unexpected(mountinfo.error());
  const std::vector<MountEntry> mounts = ParseMountInfo(*mountinfo);

  Host host;
  Result<MountEntry> cgroup2 = FindCgroup2(mounts);
  if (!cgroup2) return std::unexpected(cgroup2.error());
  host.cgroup2 = *std::move(cgroup2);

  if (Result<void> mounted = MountBpffs(host.bpffs); !mounted) {
    return std::unexpected(mounted.error());
  }
  host.control_directories = {"/proc/sys", "/proc/sysrq-trigger", host.runtime_directory,
                              "/etc/palyra", "/var/lib/palyra"};
  if (mkdir(host.runtime_directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the directory \"" + host.runtime_directory + "\"");
  }
  // So that what hides it from runs has something to hide.
  if (Result<void> made = base::MakeDirectories("/var/lib/palyra"); !made) {
    return std::unexpected(made.error());
  }
  for (const MountEntry& entry : mounts) {
    if (entry.type == "cgroup" || entry.type == "cgroup2" || entry.type == "bpf") {
      host.control_mounts.push_back(entry.mount_point);
    }
    if (entry.type == "cgroup") host.cgroup1_mounts.push_back(entry.mount_point);
  }
  if (std::ranges::find(host.control_mounts, host.bpffs) == host.control_mounts.end()) {
    host.control_mounts.push_back(host.bpffs);
  }
  return host;
}

}  // namespace palyra::engine
