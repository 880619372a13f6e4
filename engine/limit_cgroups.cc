#include "engine/limit_cgroups.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <ranges>
#include <utility>

#include "base/file.h"
#include "engine/cgroup.h"

namespace palyra::engine {
namespace {

using Version = ControllerPlace::Version;

constexpr uint64_t kPeriodUs = 100'000;

std::string ParentIn(const std::string& hierarchy) { return hierarchy + "/palyra"; }

// kUnsupported where this kernel has no such file.
Result<void> WriteControl(const std::string& path, const std::string& text) {
  Result<UniqueFd> fd = base::OpenFile(path, O_WRONLY);
  if (!fd && fd.error().code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kUnsupported,
                "the limit cannot be held: this kernel has no \"" + path + "\"; boot one that has");
  }
  if (!fd) return std::unexpected(fd.error());
  if (write(fd->get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return FailErrno(errno, "cannot write \"" + text + "\" to \"" + path + '"');
}

bool MachineHasSwap() {
  // A line of titles, and one for each.
  const std::string swaps = base::ReadFile("/proc/swaps").value_or("\n\n");
  return std::ranges::count(swaps, '\n') > 1;
}

// The kernel may count no swap. Where there is none, that holds any limit.
Result<void> WriteSwap(const std::string& path, uint64_t bytes) {
  if (access(path.c_str(), F_OK) != 0 && !MachineHasSwap()) return {};
  return WriteControl(path, std::to_string(bytes));
}

// "MAJOR:MINOR" of whole disks, at which reads and writes are throttled.
std::vector<std::string> Disks() {
  std::vector<std::string> disks;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/block", failure)) {
    if (std::filesystem::exists(entry.path() / "partition", failure)) continue;
    std::string numbers = base::ReadFile(entry.path() / "dev").value_or("");
    const std::string size = base::ReadFile(entry.path() / "size").value_or("0\n");
    if (!numbers.empty()) numbers.pop_back();
    if (!numbers.empty() && size != "0\n") disks.push_back(numbers);
  }
  return disks;
}

Result<void> ThrottleDisks(const std::string& path, const std::string& before_rate,
                           const std::string& after_rate, uint64_t rate) {
  if (access(path.c_str(), W_OK) != 0) return WriteControl(path, "");
  for (const std::string& disk : Disks()) {
    std::string text = disk;
    text.append(before_rate).append(std::to_string(rate)).append(after_rate);
    Result<void> written = WriteControl(path, text);
    // Gone since, or one that has no queue to throttle.
    const bool is_no_disk = !written && (written.error().system_errno == ENODEV ||
                                         written.error().system_errno == ENXIO ||
                                         written.error().system_errno == EOPNOTSUPP);
    if (!written && !is_no_disk) return written;
  }
  return {};
}

// Writes what one controller is to hold, in cgroups that have it.
class Writer {
 public:
  Writer(const RunLimits& limits, LimitCgroups& made) : limits_(limits), made_(made) {}

  Result<void> WriteV2(Controller controller, const std::string& cgroup) {
    switch (controller) {
      case Controller::kMemory:
        return WriteMemoryV2(cgroup);
      case Controller::kProcesses:
        return WriteProcesses(cgroup, LimitEvents::Told::kPoll);
      case Controller::kProcessors:
        return WriteControl(cgroup + "/cpu.max",
                            std::to_string(Quota()) + ' ' + std::to_string(kPeriodUs));
      case Controller::kIo: {
        const std::string rate = std::to_string(*limits_.io);
        return ThrottleDisks(cgroup + "/io.max", " rbps=", " wbps=" + rate, *limits_.io);
      }
    }
    std::unreachable();
  }

  Result<void> WriteV1(Controller controller, const std::string& cgroup) {
    switch (controller) {
      case Controller::kMemory:
        return WriteMemoryV1(cgroup);
      case Controller::kProcesses:
        return WriteProcesses(cgroup, LimitEvents::Told::kNot);
      case Controller::kProcessors:
        if (Result<void> written =
                WriteControl(cgroup + "/cpu.cfs_period_us", std::to_string(kPeriodUs));
            !written) {
          return written;
        }
        return WriteControl(cgroup + "/cpu.cfs_quota_us", std::to_string(Quota()));
      case Controller::kIo:
        if (Result<void> written =
                ThrottleDisks(cgroup + "/blkio.throttle.read_bps_device", " ", "", *limits_.io);
            !written) {
          return written;
        }
        return ThrottleDisks(cgroup + "/blkio.throttle.write_bps_device", " ", "", *limits_.io);
    }
    std::unreachable();
  }

 private:
  [[nodiscard]] uint64_t Quota() const { return *limits_.processors * kPeriodUs / 1000; }

  Result<void> WriteMemoryV2(const std::string& cgroup) {
    for (const auto& [file, value] :
         {std::pair("/memory.max", *limits_.memory), std::pair("/memory.oom.group", uint64_t{1})}) {
      Result<void> written = WriteControl(cgroup + file, std::to_string(value));
      if (!written) return written;
    }
    made_.events.push_back(
        {.kind = LimitKind::kMemory, .path = cgroup + "/memory.events", .counter = "oom_kill"});
    return WriteSwap(cgroup + "/memory.swap.max", limits_.swap.value_or(0));
  }

  Result<void> WriteMemoryV1(const std::string& cgroup) {
    Result<void> written =
        WriteControl(cgroup + "/memory.limit_in_bytes", std::to_string(*limits_.memory));
    if (!written) return written;
    made_.events.push_back({.kind = LimitKind::kMemory,
                            .path = cgroup + "/memory.oom_control",
                            .counter = "oom_kill",
                            .told = LimitEvents::Told::kEventfd,
                            .control = cgroup + "/cgroup.event_control"});
    return WriteSwap(cgroup + "/memory.memsw.limit_in_bytes",
                     *limits_.memory + limits_.swap.value_or(0));
  }

  Result<void> WriteProcesses(const std::string& cgroup, LimitEvents::Told told) {
    made_.events.push_back({.kind = LimitKind::kProcesses,
                            .path = cgroup + "/pids.events",
                            .counter = "max",
                            .told = told});
    return WriteControl(cgroup + "/pids.max", std::to_string(*limits_.processes));
  }

  const RunLimits& limits_;
  LimitCgroups& made_;
};

// Gives the children of each cgroup from the hierarchy's root down to the run's parent the
// controller. Nobody's processes live between; at the root they may, if it is the real one.
Result<void> GiveToChildren(const Host& host, const std::string& parent, Controller controller) {
  const std::string name(NameOf(controller));
  std::vector<std::string> path;
  for (std::string at = parent; at.size() > host.cgroup2.mount_point.size();
       at.resize(at.rfind('/'))) {
    path.push_back(at);
  }
  path.push_back(host.cgroup2.mount_point);
  for (const std::string& cgroup : std::views::reverse(path)) {
    const std::string file = cgroup + "/cgroup.subtree_control";
    const std::string given = ' ' + base::ReadFile(file).value_or("") + ' ';
    const size_t at = given.find(' ' + name);
    const char after = at == std::string::npos ? '\0' : given.at(at + 1 + name.size());
    if (after == ' ' || after == '\n') continue;
    if (Result<void> written = WriteControl(file, '+' + name); !written) return written;
  }
  return {};
}

std::optional<LimitKind> LimitOf(Controller controller, const RunLimits& limits) {
  constexpr std::array kKinds = {LimitKind::kMemory, LimitKind::kProcesses, LimitKind::kProcessors,
                                 LimitKind::kIo};
  const LimitKind kind = kKinds.at(static_cast<size_t>(controller));
  return IsSet(limits, kind) ? std::optional(kind) : std::nullopt;
}

// One cgroup holds all controllers of a hierarchy.
Result<std::string> MakeInV1(const std::string& hierarchy, LiveRun& run, LimitCgroups& made) {
  const std::string parent = ParentIn(hierarchy);
  std::string cgroup = parent + '/' + run.id();
  if (run.OwnsCgroup(cgroup)) return cgroup;
  if (mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
    return FailErrno(errno, "cannot make the cgroup \"" + parent + '"');
  }
  if (mkdir(cgroup.c_str(), 0755) != 0) {
    return FailErrno(errno, "cannot make the cgroup \"" + cgroup + '"');
  }
  run.OwnCgroup(cgroup);
  Result<UniqueFd> members = base::OpenFile(cgroup + "/cgroup.procs", O_WRONLY);
  if (!members) return std::unexpected(members.error());
  made.cgroup1_members.push_back(*std::move(members));
  return cgroup;
}

}  // namespace

Result<LimitCgroups> HoldByCgroups(const Host& host, LiveRun& run, const RunLimits& limits,
                                   const Controllers& controllers) {
  LimitCgroups made;
  Writer writer(limits, made);
  const std::string& own = run.cgroup().path();
  for (size_t i = 0; i < kControllerCount; ++i) {
    const auto controller = static_cast<Controller>(i);
    const ControllerPlace& place = PlaceOf(controllers, controller);
    if (!LimitOf(controller, limits) || place.version == Version::kNone) continue;
    Result<void> held;
    if (place.version == Version::kV2) {
      held = GiveToChildren(host, own.substr(0, own.rfind('/')), controller);
      if (held) held = writer.WriteV2(controller, own);
    } else {
      const Result<std::string> cgroup = MakeInV1(place.hierarchy, run, made);
      held = cgroup ? writer.WriteV1(controller, *cgroup)
                    : Result<void>(std::unexpected(cgroup.error()));
    }
    if (!held) return std::unexpected(held.error());
  }
  return made;
}

Result<void> RemoveLimitCgroups(const Host& host, const std::string& run_id) {
  for (const std::string& hierarchy : host.cgroup1_mounts) {
    Result<void> removed = RemoveCgroup(ParentIn(hierarchy) + '/' + run_id);
    if (!removed) return removed;
  }
  return {};
}

void RemoveLimitCgroupParents(const Host& host) {
  for (const std::string& hierarchy : host.cgroup1_mounts) {
    rmdir(ParentIn(hierarchy).c_str());
  }
}

}  // namespace palyra::engine
