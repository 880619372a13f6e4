#include "tests/support/kernel_state.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/unique_fd.h"
#include "bpf/abi.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPins = "/sys/fs/bpf/palyra";

bool HasKeysOfRuns(uint32_t type) {
  return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH ||
         type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_HASH_OF_MAPS ||
         type == BPF_MAP_TYPE_LPM_TRIE;
}

size_t CountEntries(int map, size_t key_size) {
  std::vector<uint8_t> key(key_size);
  size_t count = 0;
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, key.data()) == 0) {
    ++count;
    previous = key.data();
  }
  return count;
}

bool IsOfProfiles(const std::string& name) {
  constexpr std::array<std::string_view, 8> kNames = {
      "profiles", "digests", "addresses4", "addresses6", "hosts4", "hosts6", "rows", "reasons"};
  return std::ranges::find(kNames, name) != kNames.end();
}

void AddProfiles(int map, KernelState* state) {
  uint32_t id = 0;
  const void* previous = nullptr;
  size_t count = 0;
  while (bpf_map_get_next_key(map, previous, &id) == 0) {
    palyra_profile profile = {};
    if (bpf_map_lookup_elem(map, &id, &profile) == 0 && profile.complete == 0) {
      ++state->incomplete_profiles;
    }
    ++count;
    previous = &id;
  }
  state->keeps_too_many_profiles |= count > PALYRA_MAX_IDLE_PROFILES + state->cgroups.size();
}

// Adds the pin if it is a map whose entries come and go with runs; programs and links are not.
void AddMap(const fs::path& pin, KernelState* state) {
  const UniqueFd fd(bpf_obj_get(pin.c_str()));
  if (!fd.valid()) return;
  bpf_map_info info = {};
  uint32_t size = sizeof(info);
  const fs::path kind = fs::read_symlink("/proc/self/fd/" + std::to_string(fd.get()));
  if (kind != "anon_inode:bpf-map") return;
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0 || !HasKeysOfRuns(info.type)) return;
  const std::string name = pin.filename();
  if (name == "profiles" && info.value_size == sizeof(palyra_profile)) AddProfiles(fd.get(), state);
  if (!IsOfProfiles(name)) state->map_entries[pin] = CountEntries(fd.get(), info.key_size);
}

// Of both versions.
std::vector<std::string> CgroupMounts() {
  std::vector<std::string> mounts;
  std::ifstream lines("/proc/self/mounts");
  std::string device;
  std::string path;
  std::string type;
  for (std::string rest; lines >> device >> path >> type && std::getline(lines, rest);) {
    if (type.starts_with("cgroup")) mounts.push_back(path);
  }
  return mounts;
}

// A directory may vanish while it is read: then what is left of it is skipped.
template <typename Visit>
void Walk(const fs::path& top, Visit visit) {
  std::error_code error;
  fs::recursive_directory_iterator next(top, error);
  for (; !error && next != fs::recursive_directory_iterator(); next.increment(error)) visit(*next);
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const KernelState& state) {
  for (const std::string& cgroup : state.cgroups) stream << "\n  cgroup " << cgroup;
  for (const auto& [pin, count] : state.map_entries) stream << "\n  map " << pin << ": " << count;
  stream << "\n  incomplete profiles: " << state.incomplete_profiles
         << (state.keeps_too_many_profiles ? ", and more profiles than the bound" : "");
  return stream;
}

KernelState ReadKernelState() {
  KernelState state;
  for (const std::string& hierarchy : CgroupMounts()) {
    Walk(fs::path(hierarchy) / "palyra", [&state](const fs::directory_entry& entry) {
      std::error_code gone;
      if (entry.is_directory(gone)) state.cgroups.insert(entry.path());
    });
  }
  Walk(kPins, [&state](const fs::directory_entry& entry) {
    std::error_code gone;
    if (!entry.is_directory(gone)) AddMap(entry.path(), &state);
  });
  return state;
}

KernelState AwaitKernelState(const KernelState& expected, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  KernelState state = ReadKernelState();
  while (state != expected && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    state = ReadKernelState();
  }
  return state;
}

std::vector<pid_t> ProbesMarked(std::string_view mark) {
  std::vector<pid_t> pids;
  const std::string argument = '\0' + std::string(mark) + '\0';
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec != std::errc()) continue;
    // A process may be gone between its name and its arguments.
    const Result<std::string> arguments = base::ReadFile(entry.path() / "cmdline");
    if (!arguments) continue;
    const std::string program = arguments->substr(0, arguments->find('\0'));
    if (program.ends_with("palyra_probe") && arguments->find(argument) != std::string::npos) {
      pids.push_back(pid);
    }
  }
  return pids;
}

bool AwaitEnd(const std::vector<pid_t>& pids, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (const pid_t pid : pids) {
    const UniqueFd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!fd.valid()) continue;  // It has been reaped.
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waited = {.fd = fd.get(), .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, static_cast<int>(std::max<int64_t>(0, left.count()))) != 1) return false;
  }
  return true;
}

}  // namespace palyra::tests
