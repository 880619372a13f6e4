#include "engine/unix_places.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "bpf/abi.h"
#include "engine/bound_sockets.h"

namespace palyra::engine {
namespace {

using policy::Automaton;
using policy::NameRules;
using policy::Verdict;

constexpr uint32_t kPathFlag = 0;
constexpr uint32_t kAbstractFlag = 1;
constexpr size_t kMostPaths = 256;
constexpr size_t kLongest = PALYRA_UNIX_PATH_LENGTH - 1;

bool Permits(const NameRules& rules, uint32_t state, uint32_t flag) {
  const size_t leaf = size_t{rules.automaton.ClassAt(state)} * rules.flag_count + flag;
  return leaf < rules.leaves.size() && rules.leaves[leaf].verdict == Verdict::kAllow;
}

// From where a text leads to a permitted path.
std::vector<bool> UsefulStates(const NameRules& rules) {
  const Automaton& automaton = rules.automaton;
  std::vector<bool> useful(automaton.state_count());
  for (uint32_t state = 0; state < useful.size(); ++state) {
    useful[state] = Permits(rules, state, kPathFlag);
  }
  const auto leads_on = [&](uint32_t state) {
    return useful[automaton.FallbackOf(state)] ||
           std::ranges::any_of(automaton.EdgesOf(state),
                               [&](const Automaton::Edge& edge) { return useful[edge.next]; });
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t state = 0; state < useful.size(); ++state) {
      if (useful[state] || !leads_on(state)) continue;
      useful[state] = true;
      changed = true;
    }
  }
  return useful;
}

// Every permitted path, by walking from the start; false as soon as there are too many.
class PathLister {
 public:
  explicit PathLister(const NameRules& rules) : rules_(rules), useful_(UsefulStates(rules)) {}

  bool List(std::vector<std::string>& paths) {
    return !useful_[Automaton::kStart] || ListFrom(Automaton::kStart, paths);
  }

 private:
  const NameRules& rules_;
  const std::vector<bool> useful_;
  std::string text_;

  bool ListFrom(uint32_t state, std::vector<std::string>& paths) {
    const Automaton& automaton = rules_.automaton;
    if (Permits(rules_, state, kPathFlag)) paths.push_back(text_);
    // The fallback is for bytes that no rule names.
    const bool is_open = useful_[automaton.FallbackOf(state)];
    if (is_open || paths.size() > kMostPaths || text_.size() > PALYRA_TEXT_LENGTH) return false;
    for (const Automaton::Edge& edge : automaton.EdgesOf(state)) {
      if (!useful_[edge.next]) continue;
      for (size_t byte = 1; byte < automaton.byte_classes().size(); ++byte) {
        if (automaton.byte_classes().at(byte) != edge.symbol) continue;
        text_ += static_cast<char>(byte);
        const bool listed = ListFrom(edge.next, paths);
        text_.pop_back();
        if (!listed) return false;
      }
    }
    return true;
  }
};

// Every text that does not begin with kOwnSockets leads to a permit. States of the walk: one of the
// automaton, and how much of that prefix has been read, or that the text has left it.
bool PermitsEveryPath(const NameRules& rules) {
  const Automaton& automaton = rules.automaton;
  const std::string_view own = kOwnSockets;
  const size_t left = own.size();
  std::vector<bool> seen(automaton.state_count() * (own.size() + 1));
  std::deque<std::pair<uint32_t, size_t>> queue;
  const auto push = [&](uint32_t state, size_t matched) {
    const size_t index = state * (own.size() + 1) + matched;
    if (!seen[index]) queue.emplace_back(state, matched);
    seen[index] = true;
  };
  push(Automaton::kStart, 0);
  while (!queue.empty()) {
    const auto [state, matched] = queue.front();
    queue.pop_front();
    if (!Permits(rules, state, kPathFlag)) return false;
    for (unsigned byte = 1; byte < 256; ++byte) {
      const char text = static_cast<char>(byte);
      const bool goes_on = matched < left && own[matched] == text;
      // Complete: whatever follows is Palyra's own.
      if (goes_on && matched + 1 == own.size()) continue;
      push(automaton.StateAfter(state, {&text, 1}), goes_on ? matched + 1 : left);
    }
  }
  return true;
}

bool SomeAbstract(const NameRules& rules) {
  for (uint32_t state = 0; state < rules.automaton.state_count(); ++state) {
    if (Permits(rules, state, kAbstractFlag)) return true;
  }
  return false;
}

std::optional<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(realpath(path.c_str(), nullptr), std::free);
  return real == nullptr ? std::nullopt : std::optional<std::string>(real.get());
}

std::vector<std::string> SpellingsOf(const std::string& path) {
  constexpr std::string_view kRun = "/run/";
  std::vector<std::string> spellings = {path};
  struct stat link;
  const bool has_link = lstat("/var/run", &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid == 0;
  if (path.starts_with(kRun) && has_link && RealPath("/var/run") == "/run") {
    spellings.push_back("/var" + path);
  }
  std::erase_if(spellings, [](const std::string& each) { return each.size() > kLongest; });
  return spellings;
}

// Whether every symbolic link on the way is root's: nobody's trap for whoever reads of it.
bool IsWayOfRoot(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    struct stat status;
    const bool is_there = lstat(path.substr(0, end).c_str(), &status) == 0;
    if (!is_there || (S_ISLNK(status.st_mode) && status.st_uid != 0)) return false;
    if (end == std::string::npos) return true;
  }
}

// Nothing where no socket is there that may be mounted.
Result<std::optional<UnixPlace>> FindSocket(const std::string& path, const std::string& place,
                                            const BoundSockets& bound) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const UniqueFd fd(
      static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof(how))));
  if (!fd.valid() && errno == ELOOP) {
    const std::optional<std::string> real = IsWayOfRoot(path) ? RealPath(path) : std::nullopt;
    return Fail(ErrorCode::kRefused,
                "UNIX-SYMLINK: the policies permit unix.connect to \"" + path +
                    "\", which leads through a symbolic link; sockets are known by their real "
                    "path" +
                    (real ? ": write \"" + *real + '"' : ""));
  }
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0) return std::nullopt;
  // Another name of the inode may be one that no rule permits.
  if (!S_ISSOCK(status.st_mode) || status.st_nlink != 1) return std::nullopt;
  // What somebody moved there since is another server's.
  const auto is_bound = [&](const std::string& name) { return bound.Has(name, status.st_ino); };
  if (std::ranges::none_of(SpellingsOf(path), is_bound)) return std::nullopt;
  return UnixPlace{.real = path, .place = place, .device = status.st_dev, .inode = status.st_ino};
}

Result<void> Write(const KernelObjects& objects, const palyra_unix_key& key,
                   const palyra_unix_socket& value) {
  if (bpf_map_update_elem(objects.fd(Table::kUnixSockets), &key, &value, BPF_ANY) == 0) return {};
  const int failure = errno;
  if (failure == E2BIG) {
    return Fail(ErrorCode::kExhausted,
                "the kernel table \"unix_sockets\" is full: other runs may use many; end one");
  }
  return FailErrno(failure, "cannot write the kernel table \"unix_sockets\"");
}

}  // namespace

UnixPermits UnixPermitsOf(const policy::RuleSet& rules) {
  UnixPermits permits;
  const NameRules* names = policy::FindRules(rules, policy::NameAction::kUnixConnect);
  if (names == nullptr) return permits;
  permits.some_abstract = SomeAbstract(*names);
  permits.every_path = PermitsEveryPath(*names);
  permits.is_listable = !permits.every_path && PathLister(*names).List(permits.paths);
  if (!permits.is_listable) permits.paths.clear();
  return permits;
}

Result<UnixSetup> PrepareUnix(UnixJudge judge, const policy::RuleSet& rules,
                              const std::string& directory) {
  const UnixPermits permits = UnixPermitsOf(rules);
  UnixSetup setup;
  // It denies before BPF LSM programs are asked, which would tell.
  setup.keeps_abstract_scope = judge != UnixJudge::kByPeer && !permits.some_abstract;
  setup.no_sockets = judge == UnixJudge::kNone;
  const bool some_path = permits.every_path || !permits.is_listable || !permits.paths.empty();
  if (judge == UnixJudge::kNone && (some_path || permits.some_abstract)) {
    return Fail(ErrorCode::kRefused,
                "UNIX-KERNEL: the policies permit unix.connect, and nothing on this kernel judges "
                "unix sockets (it takes Linux 6.7 or BPF LSM); leave these permits out, and the "
                "run has no unix sockets but pairs");
  }
  if (judge != UnixJudge::kByAddress || permits.every_path) return setup;
  if (!permits.is_listable) {
    return Fail(ErrorCode::kRefused,
                "UNIX-PATTERN: the policies permit unix.connect to more paths than can be listed, "
                "and without BPF LSM this kernel does not show which socket a path leads to; name "
                "the sockets one by one, as --allow-unix does, or permit every path");
  }
  if (permits.paths.empty()) return setup;
  const Result<BoundSockets> bound = BoundSockets::Read();
  if (!bound) return std::unexpected(bound.error());
  for (const std::string& path : permits.paths) {
    if (path.size() > kLongest || path.empty() || path[0] != '/') continue;
    Result<std::optional<UnixPlace>> found =
        FindSocket(path, directory + '/' + std::to_string(setup.places.size()), *bound);
    if (!found) return std::unexpected(found.error());
    if (*found) setup.places.push_back(**std::move(found));
  }
  return setup;
}

Result<void> RegisterPlaces(const KernelObjects& objects, uint64_t run,
                            const std::vector<UnixPlace>& places) {
  for (const UnixPlace& place : places) {
    palyra_unix_socket value = {};
    if (place.real.size() > kLongest || place.place.size() > kLongest) continue;
    value.real_length = static_cast<uint16_t>(place.real.size());
    value.place_length = static_cast<uint16_t>(place.place.size());
    std::ranges::copy(place.real, value.real);
    std::ranges::copy(place.place, value.place);
    for (const std::string& spelling : SpellingsOf(place.real)) {
      palyra_unix_key key = {};
      key.run = run;
      std::ranges::copy(spelling, key.path);
      if (Result<void> written = Write(objects, key, value); !written) return written;
    }
  }
  return {};
}

Result<void> RegisterEveryPath(const KernelObjects& objects, uint64_t run, uint32_t profile,
                               const policy::RuleSet& rules) {
  if (objects.unix_judge() != UnixJudge::kByAddress) return {};
  const NameRules* names = policy::FindRules(rules, policy::NameAction::kUnixConnect);
  if (names == nullptr || !PermitsEveryPath(*names)) return {};
  palyra_unix_key key = {};
  key.run = run;
  key.profile = profile;
  return Write(objects, key, {});
}

void RemovePlacesOf(const KernelObjects& objects, uint64_t run) {
  const int fd = objects.fd(Table::kUnixSockets);
  std::vector<palyra_unix_key> keys;
  palyra_unix_key key = {};
  palyra_unix_key* previous = nullptr;
  // A key that vanishes meanwhile starts the walk again; the bound ends one that never gets on.
  for (int i = 0; i < 4 * PALYRA_MAX_UNIX_SOCKETS; ++i) {
    if (bpf_map_get_next_key(fd, previous, &key) != 0) break;
    if (key.run == run) keys.push_back(key);
    previous = &key;
  }
  for (const palyra_unix_key& found : keys) bpf_map_delete_elem(fd, &found);
}

}  // namespace palyra::engine
