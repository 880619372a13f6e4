#include "engine/cell_view.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/file_refusals.h"
#include "policy/path_states.h"

namespace palyra::engine {
namespace {

using policy::FileActions;
using policy::PathStates;
using State = PathStates::State;

constexpr std::array<std::string_view, 8> kOwnPlaces = {"/tmp",     "/var/tmp", "/dev", "/dev/shm",
                                                        "/dev/pts", "/proc",    "/sys", "/run"};

// Which the kernel itself fills in.
constexpr std::array<std::string_view, 2> kKernelPlaces = {"/proc", "/sys"};

constexpr std::array<std::string_view, 6> kDevices = {"/dev/null",   "/dev/zero",    "/dev/full",
                                                      "/dev/random", "/dev/urandom", "/dev/tty"};

// proc(5), pts(4).
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kDeviceLinks = {
    {{"/dev/fd", "/proc/self/fd"},
     {"/dev/stdin", "/proc/self/fd/0"},
     {"/dev/stdout", "/proc/self/fd/1"},
     {"/dev/stderr", "/proc/self/fd/2"},
     {"/dev/ptmx", "pts/ptmx"}}};

// Below /run: where names of hosts are asked, and what a system is made of.
constexpr std::array<std::string_view, 4> kOfSystem = {"/run/systemd/resolve", "/run/resolvconf",
                                                       "/run/NetworkManager/resolv.conf",
                                                       "/run/current-system"};

constexpr size_t kMostEntries = 20'000;  // Looked at; beyond, directories are shown whole.
constexpr size_t kMostNames = 256;       // That rules tell apart in one directory; likewise.
constexpr size_t kMostLinks = 1'000;     // In one directory that is not shown itself.

std::string Child(std::string_view directory, std::string_view name) {
  std::string path(directory == "/" ? "" : directory);
  path += '/';
  path += name;
  return path;
}

bool IsBelow(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) && path.size() > directory.size() &&
         (directory == "/" || path[directory.size()] == '/');
}

bool IsIn(std::string_view path, std::string_view directory) {
  return path == directory || IsBelow(path, directory);
}

size_t LengthOfOwnPlace(std::string_view path) {
  size_t longest = 0;
  for (const std::string_view place : kOwnPlaces) {
    if (IsIn(path, place)) longest = std::max(longest, place.size());
  }
  return longest;
}

bool IsKernels(std::string_view path) {
  return std::ranges::any_of(kKernelPlaces,
                             [&](std::string_view place) { return IsIn(path, place); });
}

enum class Access { kHidden, kReadOnly, kWritable };

Access AccessFor(FileActions actions) {
  if (Any(actions, kChanges)) return Access::kWritable;
  return actions == 0 ? Access::kHidden : Access::kReadOnly;
}

class ViewBuilder {
 public:
  ViewBuilder(const policy::RuleSet& rules, const FileTree& tree, const CellFacts& facts)
      : rules_(rules), states_(rules, policy::Asks::kPermit), tree_(tree), facts_(facts) {}

  Result<CellView> Build() {
    const bool is_judged = FindRules(rules_, policy::NameAction::kFileRead) != nullptr;
    Result<void> ok = is_judged ? AddJudged() : AddUnjudged();
    if (ok) ok = AddAlways();
    if (ok) ok = AddLinks();
    if (!ok) return std::unexpected(ok.error());
    return std::move(view_);
  }

 private:
  const policy::RuleSet& rules_;
  const PathStates states_;
  const FileTree& tree_;
  const CellFacts& facts_;
  CellView view_;
  std::set<std::string, std::less<>> seen_;
  size_t entries_ = 0;

  void Show(const std::string& path, FileKind kind, Access access) {
    if (access == Access::kHidden || !seen_.insert(path).second) return;
    view_.shown.push_back({.path = path,
                           .is_directory = kind == FileKind::kDirectory,
                           .is_device = kind == FileKind::kSpecial && path.starts_with("/dev/"),
                           .writable = access == Access::kWritable});
  }

  Result<void> ShowIfThere(std::string_view path, Access access) {
    const std::string text(path);
    const Result<std::optional<FileKind>> kind = tree_.KindOf(text);
    if (!kind) return std::unexpected(kind.error());
    if (*kind && **kind != FileKind::kSymlink) Show(text, **kind, access);
    return {};
  }

  // ---- Where no rule speaks of files. ----

  Result<void> AddUnjudged() {
    Result<std::vector<FileEntry>> entries = tree_.List("/");
    if (!entries) return std::unexpected(entries.error());
    for (const FileEntry& entry : *entries) {
      const std::string path = Child("/", entry.name);
      if (IsOwnPlace(path) || entry.kind == FileKind::kSymlink) continue;
      Show(path, entry.kind, Access::kReadOnly);
    }
    for (const std::string_view path : kOfSystem) {
      if (Result<void> ok = ShowIfThere(path, Access::kReadOnly); !ok) return ok;
    }
    for (const std::string& path : facts_.named) {
      if (CellView::IsOwn(path)) continue;
      if (Result<void> ok = ShowIfThere(path, Access::kReadOnly); !ok) return ok;
    }
    if (!CellView::IsOwn(facts_.workspace)) {
      if (Result<void> ok = ShowIfThere(facts_.workspace, Access::kWritable); !ok) return ok;
    }
    const bool is_shown = CellView::IsOwn(facts_.start) || view_.IsOfHost(facts_.start);
    return is_shown ? Result<void>() : ShowIfThere(facts_.start, Access::kReadOnly);
  }

  // ---- Where rules do. ----

  [[nodiscard]] FilePlace In(const FilePlace& directory, std::string_view name) const {
    const State own = states_.After(directory.below, name);
    return {.path = Child(directory.path, name), .own = own, .below = states_.After(own, "/")};
  }

  [[nodiscard]] FilePlace At(const std::string& path) const {
    const State own = states_.After(PathStates::Start(), path);
    return {.path = path, .own = own, .below = states_.After(own, "/")};
  }

  Result<void> AddJudged() {
    const State below = states_.After(PathStates::Start(), "/");
    const FilePlace root = {.path = "/", .own = below, .below = below};
    Result<std::vector<FileEntry>> entries = tree_.List("/");
    if (!entries) return std::unexpected(entries.error());
    std::ranges::sort(*entries, {}, &FileEntry::name);
    for (const FileEntry& entry : *entries) {
      if (Result<void> ok = Add(In(root, entry.name), Access::kHidden); !ok) return ok;
    }
    std::vector<std::string> named = facts_.named;
    named.push_back(facts_.workspace);
    named.push_back(facts_.start);
    std::ranges::sort(named);
    for (const std::string& path : named) {
      if (CellView::IsOwn(path)) continue;
      const Access around = view_.IsOfHost(path) ? AccessAround(path) : Access::kHidden;
      if (Result<void> ok = Add(At(path), around); !ok) return ok;
    }
    return {};
  }

  [[nodiscard]] Access AccessAround(std::string_view path) const {
    size_t longest = 0;
    Access access = Access::kHidden;
    for (const ShownPath& shown : view_.shown) {
      if (!IsIn(path, shown.path) || shown.path.size() < longest) continue;
      longest = shown.path.size();
      access = shown.writable ? Access::kWritable : Access::kReadOnly;
    }
    return access;
  }

  Result<void> Add(const FilePlace& place, Access around) {
    const FileActions ever = states_.Permitted(place.own) | states_.EverBelow(place.below);
    if (IsKernels(place.path)) return {};
    const bool is_own = IsOwnPlace(place.path);
    const bool holds_own = std::ranges::any_of(
        kOwnPlaces, [&](std::string_view own) { return IsBelow(own, place.path); });
    if (AccessFor(ever) <= around && !holds_own && !is_own) return {};
    if (++entries_ > kMostEntries && around != Access::kHidden) return {};
    const Result<std::optional<FileKind>> kind = tree_.KindOf(place.path);
    if (!kind) return std::unexpected(kind.error());
    if (!*kind || **kind == FileKind::kSymlink) return {};
    if (**kind == FileKind::kDirectory) return Directory(place, ever, around, is_own);
    if (const Access access = AccessFor(states_.Permitted(place.own)); access > around) {
      Show(place.path, **kind, access);
    }
    return {};
  }

  Result<void> Directory(const FilePlace& place, FileActions ever, Access around, bool is_own) {
    const bool is_whole = states_.IsUniform(place.below) || entries_ > kMostEntries;
    const std::optional<PathStates::Names> names =
        is_whole ? std::nullopt : states_.NamesIn(place.below, kMostNames);
    if (!names) {
      const Access access = AccessFor(ever);
      if (!is_own && access > around) Show(place.path, FileKind::kDirectory, access);
      return {};
    }
    const State unnamed = states_.UnnamedAfter(place.below);
    const FileActions usual =
        states_.Permitted(unnamed) | states_.EverBelow(states_.After(unnamed, "/"));
    Access inside = std::max(around, AccessFor(usual));
    if (is_own) {
      inside = Access::kHidden;
    } else if (inside > around) {
      Show(place.path, FileKind::kDirectory, inside);
    }
    for (const std::string& name : names->others) {
      if (Result<void> ok = Add(In(place, name), inside); !ok) return ok;
    }
    return {};
  }

  // ---- In both. ----

  Result<void> AddAlways() {
    for (const std::string_view device : kDevices) {
      if (Result<void> ok = ShowIfThere(device, Access::kReadOnly); !ok) return ok;
    }
    for (const std::string& socket : facts_.sockets) {
      if (view_.IsOfHost(socket)) continue;
      if (Result<void> ok = ShowIfThere(socket, Access::kReadOnly); !ok) return ok;
    }
    if (facts_.any_socket) {
      if (Result<void> ok = ShowIfThere("/run", Access::kReadOnly); !ok) return ok;
    }
    std::ranges::sort(view_.shown, {}, &ShownPath::path);
    return {};
  }

  // Of each directory that is there for what it leads to, the links beside that.
  Result<void> AddLinks() {
    std::set<std::string> directories = {"/"};
    for (const ShownPath& shown : view_.shown) {
      for (size_t end = shown.path.rfind('/'); end != 0; end = shown.path.rfind('/', end - 1)) {
        directories.insert(shown.path.substr(0, end));
      }
    }
    for (const std::string& directory : directories) {
      if (view_.IsOfHost(directory) || LengthOfOwnPlace(directory) != 0) continue;
      if (Result<void> ok = AddLinksIn(directory); !ok) return ok;
    }
    for (const auto& [path, target] : kDeviceLinks) {
      view_.links.push_back({.path = std::string(path), .target = std::string(target)});
    }
    // As it is everywhere.
    return AddLink("/var/run");
  }

  Result<void> AddLinksIn(const std::string& directory) {
    Result<std::vector<FileEntry>> entries = tree_.List(directory);
    if (!entries) return std::unexpected(entries.error());
    size_t count = 0;
    for (const FileEntry& entry : *entries) {
      if (entry.kind != FileKind::kSymlink || ++count > kMostLinks) continue;
      if (Result<void> ok = AddLink(Child(directory, entry.name)); !ok) return ok;
    }
    return {};
  }

  Result<void> AddLink(const std::string& path) {
    const bool is_there =
        std::ranges::any_of(view_.links, [&](const ShownLink& link) { return link.path == path; });
    if (view_.IsOfHost(path) || is_there) return {};
    std::error_code failure;
    const std::string target = std::filesystem::read_symlink(path, failure).string();
    if (!failure) view_.links.push_back({.path = path, .target = target});
    return {};
  }
};

}  // namespace

bool IsOwnPlace(const std::string& path) {
  return std::ranges::find(kOwnPlaces, path) != kOwnPlaces.end();
}

bool CellView::IsOwn(const std::string& path) {
  return path == "/" || IsOwnPlace(path) || IsKernels(path);
}

bool CellView::IsOfHost(const std::string& path) const {
  size_t longest = 0;
  for (const ShownPath& each : shown) {
    if (IsIn(path, each.path)) longest = std::max(longest, each.path.size());
  }
  // /run can be both: then it is the host's.
  return longest != 0 && longest >= LengthOfOwnPlace(path);
}

Result<CellView> ViewOfCell(const policy::RuleSet& rules, const FileTree& tree,
                            const CellFacts& facts) {
  return ViewBuilder(rules, tree, facts).Build();
}

Result<std::optional<FileKind>> CellTree::KindOf(const std::string& path) const {
  if (view_.IsOfHost(path) || IsKernels(path)) {
    return host_.KindOf(path);
  }
  const auto leads_to = [&](std::string_view place) { return IsIn(place, path); };
  for (const ShownLink& link : view_.links) {
    if (link.path == path) return std::optional(FileKind::kSymlink);
  }
  const bool is_directory = std::ranges::any_of(kOwnPlaces, leads_to) ||
                            std::ranges::any_of(view_.shown, leads_to, &ShownPath::path);
  return is_directory ? std::optional(FileKind::kDirectory) : std::nullopt;
}

Result<std::vector<FileEntry>> CellTree::List(const std::string& path) const {
  if (view_.IsOfHost(path) || IsKernels(path)) {
    return host_.List(path);
  }
  std::set<std::string> names;
  const auto add = [&](std::string_view place) {
    if (!IsBelow(place, path)) return;
    place.remove_prefix(path == "/" ? 1 : path.size() + 1);
    names.emplace(place.substr(0, place.find('/')));
  };
  for (const std::string_view place : kOwnPlaces) add(place);
  for (const ShownPath& shown : view_.shown) add(shown.path);
  for (const ShownLink& link : view_.links) add(link.path);
  std::vector<FileEntry> entries;
  for (const std::string& name : names) {
    Result<std::optional<FileKind>> kind = KindOf(Child(path, name));
    if (!kind) return std::unexpected(kind.error());
    if (*kind) entries.push_back({.name = name, .kind = **kind});
  }
  return entries;
}

}  // namespace palyra::engine
