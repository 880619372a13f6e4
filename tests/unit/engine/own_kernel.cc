#include "tests/unit/engine/own_kernel.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "engine/cgroup.h"
#include "engine/profile.h"
#include "engine/profile_cache.h"
#include "engine/sweep.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

template <typename T>
T OrThrow(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return *std::move(result);
}

void MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0) throw std::runtime_error("cannot make " + path);
}

// Every key of these tables is a multiple of four bytes and at most this long.
constexpr size_t kMostKeyWords = 30;

size_t CountEntries(int map) {
  std::array<uint32_t, kMostKeyWords> key = {};
  const void* previous = nullptr;
  size_t count = 0;
  while (bpf_map_get_next_key(map, previous, key.data()) == 0) {
    ++count;
    previous = key.data();
  }
  return count;
}

// How many there are; adds the places that their automata hold.
size_t NameRulesOf(const KernelObjects& objects, uint32_t profile,
                   std::set<std::pair<uint32_t, uint32_t>>& taken) {
  size_t count = 0;
  for (uint8_t action = 0; action < PALYRA_NAME_ACTIONS; ++action) {
    palyra_name_rules_key key = {};
    key.profile = profile;
    key.action = static_cast<palyra_name_action>(action);
    palyra_name_rules rules;
    if (bpf_map_lookup_elem(objects.fd(Table::kNameRules), &key, &rules) != 0) continue;
    ++count;
    taken.emplace(rules.automaton, rules.entry_count);
  }
  return count;
}

// No place is held twice, and all of them are as many entries as the profiles say.
bool AreDisjoint(const std::set<std::pair<uint32_t, uint32_t>>& taken, size_t entries) {
  uint32_t end = 1;
  size_t sum = 0;
  for (const auto& [first, count] : taken) {
    if (first < end) return false;
    end = first + count;
    sum += count;
  }
  return sum == entries;
}

bool JoinCgroup(const std::string& path) {
  const Result<UniqueFd> members = base::OpenFile(path + "/cgroup.procs", O_WRONLY);
  return members && base::WriteAll(members->get(), "0", path);
}

void KeepOnly(int kept) {
  constexpr unsigned kFirst = STDERR_FILENO + 1;
  if (kept < 0) {
    syscall(SYS_close_range, kFirst, ~0U, 0);
    return;
  }
  const auto own = static_cast<unsigned>(kept);
  if (own > kFirst) syscall(SYS_close_range, kFirst, own - 1, 0);
  syscall(SYS_close_range, own + 1, ~0U, 0);
}

}  // namespace

OwnKernel& OwnKernel::Get() {
  static OwnKernel kernel("palyra-test-" + std::to_string(getpid()));
  return kernel;
}

OwnKernel::OwnKernel(const std::string& name, Features features)
    : features_(std::move(features)), host_(OrThrow(PrepareHost())) {
  host_.cgroup2.mount_point += '/' + name;
  host_.cgroup2.root += '/' + name;
  host_.bpffs += '/' + name;
  host_.runtime_directory = runtime_.path();
  MakeDirectory(host_.cgroup2.mount_point);
  MakeDirectory(host_.bpffs);
  objects_.emplace(OrThrow(KernelObjects::Open(host_, features_)));
}

OwnKernel::~OwnKernel() {
  (void)Uninstall(host_);
  (void)RemoveCgroup(host_.cgroup2.mount_point);
  rmdir(host_.bpffs.c_str());
}

std::vector<std::string> OwnKernel::Runs() const {
  std::vector<std::string> runs;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(objects_->cgroup_path(), failure)) {
    if (entry.is_directory(failure)) runs.push_back(entry.path().filename());
  }
  return runs;
}

std::map<std::string, size_t> OwnKernel::Entries() const {
  std::map<std::string, size_t> counts = {{"runs", objects_->runs().Cgroups().size()}};
  for (const Table table :
       {Table::kRingOwners, Table::kGrants, Table::kNames, Table::kRelayed, Table::kUnfinished,
        Table::kUnixSockets, Table::kLinkedNames, Table::kPathGrants}) {
    counts[TableName(table)] = CountEntries(objects_->fd(table));
  }
  return counts;
}

std::map<std::string, size_t> OwnKernel::ProfileEntries() const {
  std::map<std::string, size_t> counts;
  for (const Table table :
       {Table::kProfiles, Table::kDigests, Table::kAddresses4, Table::kAddresses6, Table::kHosts4,
        Table::kHosts6, Table::kRows, Table::kReasons, Table::kNameRules, Table::kNameLeaves,
        Table::kProgramDigests}) {
    counts[TableName(table)] = CountEntries(objects_->fd(table));
  }
  return counts;
}

bool OwnKernel::HoldsWholeProfilesOnly() const {
  std::map<std::string, size_t> expected = {};
  size_t hosts = 0;
  size_t automata = 0;
  std::set<std::pair<uint32_t, uint32_t>> taken;
  for (const ProfileRecord& record : ReadProfileRecords(*objects_)) {
    if (record.profile.complete == 0) return false;
    expected["profiles"] += 1;
    expected["digests"] += 1;
    expected["addresses4"] += record.profile.addresses4;
    expected["addresses6"] += record.profile.addresses6;
    hosts += record.profile.hosts;
    expected["rows"] += record.profile.rows;
    expected["reasons"] += record.profile.reasons;
    expected["name_leaves"] += record.profile.name_leaves;
    expected["program_digests"] += record.profile.program_digests;
    automata += record.profile.automata;
    expected["name_rules"] += NameRulesOf(*objects_, record.id, taken);
  }
  std::map<std::string, size_t> found = ProfileEntries();
  if (found["hosts4"] + found["hosts6"] != hosts) return false;
  found.erase("hosts4");
  found.erase("hosts6");
  for (const auto& [table, count] : found) {
    if (count != expected[table]) return false;
  }
  if (!AreDisjoint(taken, automata)) return false;
  const CacheState cache = ReadCacheState(*objects_);
  return cache.idle <= PALYRA_MAX_IDLE_PROFILES && cache.idle_entries <= PALYRA_MAX_IDLE_ENTRIES;
}

Features CgroupProgramsAlone() {
  return Features([](Feature feature) {
    if (feature == Feature::kBpfLsm || feature == Feature::kProgramDigests ||
        feature == Feature::kUnixSocketPrograms) {
      return FeatureState{.present = false, .detail = "left out"};
    }
    return ProbeKernel(feature);
  });
}

pid_t StartInCgroup(const std::string& path, const std::function<void()>& body, int kept) {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const UniqueFd joined(ends[0]);
  UniqueFd join(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    const bool inside = JoinCgroup(path);
    if (inside) (void)!write(join.get(), "j", 1);
    KeepOnly(kept);
    if (inside) body();
    _exit(inside ? 0 : 1);
  }
  join.Reset();
  char byte = 0;
  if (read(joined.get(), &byte, 1) != 1) throw std::runtime_error("cannot join " + path);
  // Until it holds none of this process's descriptors: with them go their locks.
  while (read(joined.get(), &byte, 1) > 0) continue;
  return child;
}

void End(pid_t child) {
  if (child <= 0) return;
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

bool IsEmptyCgroup(const std::string& path) {
  const Result<std::string> events = base::ReadFile(path + "/cgroup.events");
  return !events || events->find("populated 0") != std::string::npos;
}

void SleepForever() {
  while (true) pause();
}

}  // namespace palyra::engine
