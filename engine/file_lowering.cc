#include "engine/file_lowering.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/file_refusals.h"
#include "policy/path_states.h"

namespace palyra::engine {
namespace {

using policy::FileActions;
using policy::NameAction;
using policy::PathStates;
using State = PathStates::State;
using Place = FilePlace;

std::string Child(const std::string& directory, const std::string& name) {
  return directory == "/" ? '/' + name : directory + '/' + name;
}

// What holds for a path before anything is said of it.
struct Around {
  FileRights granted = 0;
  bool read_only = false;
  bool no_exec = false;
  // Names beside it can be made or removed.
  bool is_loose = false;
  // So whatever is special about it needs a mount, which nobody can rename or remove.
  bool needs_pin = false;
  // Where patterns go on: behind the slash of a name that no rule names.
  std::optional<State> anywhere = std::nullopt;
};

class Lowering {
 public:
  Lowering(const policy::RuleSet& rules, const FileTree& tree, const UnheldFiles& unheld,
           const LoweringLimits& limits)
      : states_(rules), tree_(tree), unheld_(unheld), limits_(limits) {}

  Result<FileView> Run() {
    const State root = states_.After(PathStates::Start(), "/");
    Result<void> lowered = Directory({.path = "/", .own = root, .below = root}, {});
    if (lowered && makes_only_ && makes_and_removes_) {
      lowered = Refuse("FILE-RENAME", "/", root, kRemove,
                       "making names is permitted in some directories with removing them and in "
                       "others without, and Landlock does not tell renaming between those apart",
                       "permit file.remove where file.create is permitted, or nowhere");
    }
    if (!lowered) return std::unexpected(lowered.error());
    return std::move(view_);
  }

 private:
  const PathStates states_;
  const FileTree& tree_;
  const UnheldFiles& unheld_;
  const LoweringLimits& limits_;
  FileView view_;
  std::set<std::string> made_;  // Placeholders, with the directories on the way to them.
  size_t entries_ = 0;
  bool makes_only_ = false;
  bool makes_and_removes_ = false;

  // ---- What the rules say, with what may go unheld as the mechanisms have it. ----

  [[nodiscard]] FileActions Adjust(FileActions actions) const {
    if (unheld_.attributes && Any(actions, kChanges)) actions |= kAttributes;
    if (unheld_.names) {
      actions = Without(actions, kRename | kLink);
      if (All(actions, kCreate | kRemove)) actions |= kRename;
      if (Any(actions, kCreate)) actions |= kLink;
    }
    return actions;
  }

  [[nodiscard]] FileActions Permitted(const Place& place) const {
    return Adjust(states_.Permitted(place.own));
  }
  [[nodiscard]] FileActions EverBelow(const Place& place) const {
    return Adjust(states_.EverBelow(place.below));
  }

  [[nodiscard]] Place In(const Place& directory, const std::string& name) const {
    const State own = states_.After(directory.below, name);
    return {.path = Child(directory.path, name), .own = own, .below = states_.After(own, "/")};
  }

  // ---- Refusals. ----

  [[nodiscard]] std::unexpected<Error> Refuse(const std::string& code, const std::string& path,
                                              const State& state, FileActions actions,
                                              const std::string& what,
                                              const std::string& hint) const {
    return RefuseFiles(states_, {.code = code, .path = path, .state = state, .actions = actions},
                       what, hint);
  }

  // ---- What is found. ----

  Result<void> Count(const Place& place) {
    if (++entries_ <= limits_.entries) return {};
    return Refuse("FILE-SIZE", place.path, place.below, kRead,
                  "the rules tell more files apart than are looked at (" +
                      std::to_string(limits_.entries) + ")",
                  "name directories instead of patterns with * before a name");
  }

  Result<void> Grant(const Place& place, bool is_directory, FileRights rights,
                     const Around& around) {
    if (!is_directory) rights &= kOnFiles;
    if ((rights & ~around.granted) == 0) return {};
    view_.grants.push_back({.path = place.path, .is_directory = is_directory, .rights = rights});
    if (view_.grants.size() <= limits_.grants) return {};
    return Refuse("FILE-SIZE", place.path, place.below, kRead,
                  "the rules need more grants than " + std::to_string(limits_.grants),
                  "permit directories instead of single files");
  }

  Result<void> Mount(const Place& place, FileMount mount, const Around& around) {
    if (place.path == "/") {
      view_.root_read_only = mount.read_only;
      view_.root_no_exec = mount.no_exec;
      return {};
    }
    const bool differs =
        mount.read_only != around.read_only || mount.no_exec != around.no_exec || mount.masked;
    if (!differs && !around.needs_pin) return {};
    mount.path = place.path;
    view_.mounts.push_back(std::move(mount));
    if (view_.mounts.size() <= limits_.mounts) return {};
    return Refuse("FILE-SIZE", place.path, place.below, kChanges | kExec,
                  "the rules need more mounts than " + std::to_string(limits_.mounts),
                  "permit and forbid directories instead of single files");
  }

  Result<void> Mask(const Place& place, bool is_directory, FileActions some, const Around& around) {
    if (some == 0) {
      return Mount(place,
                   {.path = {},
                    .is_directory = is_directory,
                    .read_only = true,
                    .no_exec = true,
                    .no_devices = true,
                    .masked = true},
                   around);
    }
    const FileActions denied = Without(kRead | kChanges | kExec, some);
    return Refuse("FILE-NESTED", place.path, place.below, denied,
                  "it is denied below a directory where it is permitted, and without BPF LSM only "
                  "everything, every change, or executing can be taken away there",
                  "forbid all of file.any and process.exec there, or all of file.modify, or permit "
                  "less around it");
  }

  // Of something that has a name in a directory where others have none: a permit to make, remove,
  // rename or link it.
  Result<void> CheckOwnName(const Place& place, FileActions own, FileActions inside,
                            const Around& around) const {
    if (around.is_loose || place.path == "/") return {};
    const FileActions names = own & kOnNames;
    if (All(inside, names)) return {};
    return Refuse("FILE-NAMES", place.path, place.own, names,
                  "its name may be changed and those beside it may not, which Landlock does not "
                  "tell apart",
                  "permit file.create, file.remove, file.rename and file.link in the directory "
                  "around it, or permit file.write and file.attributes alone");
  }

  Result<void> File(const Place& place, bool is_special, const Around& around) {
    const FileActions own = Permitted(place);
    Result<void> ok = CheckOwnName(place, own, 0, around);
    // Whether its name may be changed makes no difference to what it is.
    if (ok) ok = CheckCombination(states_, place, Without(own, kOnNames), is_special);
    if (!ok) return ok;
    const FileRights rights = RightsFor(own) & kOnFiles;
    const bool read_only = !Any(own, kAttributes);
    const bool is_readable = Any(own, kRead) || (around.granted & kReadFileRight) != 0;
    const bool no_exec = is_readable ? !Any(own, kExec) : around.no_exec;
    const FileRights extra = around.granted & kOnFiles & ~rights;
    const bool writes_anyway = is_special && (extra & kWriteRight) != 0;
    if (writes_anyway || !CanTakeAway(extra, read_only, no_exec)) {
      return Mask(place, /*is_directory=*/false, Without(own, kOnNames), around);
    }
    ok = Mount(place,
               {.path = {},
                .is_directory = false,
                .read_only = read_only,
                .no_exec = no_exec,
                .no_devices = false,
                .masked = false},
               around);
    return ok ? Grant(place, /*is_directory=*/false, rights, around) : ok;
  }

  Result<void> Entry(const Place& place, FileKind kind, const Around& around) {
    if (Result<void> counted = Count(place); !counted) return counted;
    switch (kind) {
      case FileKind::kDirectory:
        return Directory(place, around);
      case FileKind::kSymlink:
        if (!around.needs_pin) return {};
        return Refuse("FILE-SYMLINK", place.path, place.own, kChanges,
                      "it is a symbolic link, which the run could replace by a directory",
                      "put a directory there, or permit no changes in the directory around it");
      case FileKind::kFile:
      case FileKind::kSpecial:
        return File(place, kind == FileKind::kSpecial, around);
    }
    return {};
  }

  // Nothing is there.
  Result<void> Absence(const Place& place, FileActions usual, const Around& around) {
    const FileActions some = Permitted(place) | EverBelow(place);
    const bool can_come = Any(usual, kCreate);
    const bool is_freer =
        All(Permitted(place), usual) && All(Adjust(states_.AlwaysBelow(place.below)), usual);
    if (unheld_.missing && is_freer) return {};
    if (Any(Without(some, usual), can_come ? kRead | kChanges | kExec : kCreate)) {
      return Refuse("FILE-MISSING", place.path, place.own, Without(some, usual),
                    "it is not there, and what it is permitted beyond the directory around it "
                    "cannot be granted before",
                    "make it first, or take that permit out");
    }
    if (!can_come) return {};
    const bool is_directory =
        !states_.IsUniform(place.below) || Adjust(states_.AlwaysBelow(place.below)) != usual;
    made_.insert(place.path);
    view_.placeholders.push_back({.path = place.path, .is_directory = is_directory});
    return Entry(place, is_directory ? FileKind::kDirectory : FileKind::kFile, around);
  }

  Result<std::optional<FileKind>> KindOf(const std::string& path) const {
    const size_t slash = path.rfind('/');
    // Below a placeholder nothing is.
    if (made_.contains(path.substr(0, slash))) return std::optional<FileKind>();
    return tree_.KindOf(path);
  }

  // ---- Directories. ----

  Result<void> Directory(const Place& place, const Around& around) {
    std::optional<PathStates::Names> names;
    if (states_.IsUniform(place.below)) {
      names = PathStates::Names{.usual = states_.AlwaysBelow(place.below), .others = {}};
    } else {
      names = states_.NamesIn(place.below, limits_.names);
    }
    if (names) names->usual = Adjust(names->usual);
    if (CanMake(place)) {
      if (names) return Whole(place, *names, around);
      if (unheld_.patterns) return AsItIs(place, around);
      return Refuse("FILE-PATTERN", place.path, place.below, PatternActions(place),
                    "the run may make names in it, and the rules tell more of them apart than can "
                    "be listed",
                    "name files and directories by their whole path, or permit no changes there");
    }
    if (!names) return OneByOne(place, around);
    // Nothing new comes into being: where the whole does not fit, each entry has what it needs.
    const Sizes before = SizesNow();
    Result<void> whole = Whole(place, *names, around);
    if (whole || !IsOfParts(whole.error())) return whole;
    BackTo(before);
    return OneByOne(place, around) ? Result<void>() : whole;
  }

  // Whether it is the whole that does not fit, and each part might.
  static bool IsOfParts(const Error& error) {
    return error.message.starts_with("FILE-NESTED") || error.message.starts_with("FILE-LIST");
  }

  // Whether names that are not there yet may be made right here. A single directory that may be
  // made, as the top of what a policy permits, has to be there already.
  [[nodiscard]] bool CanMake(const Place& place) const {
    if (!Any(states_.EverChild(place.below), kCreate)) return false;
    const auto makers = states_.NamesIn(place.below, limits_.names, kCreate);
    return !makers || Any(makers->usual, kCreate);
  }

  struct Sizes {
    size_t mounts;
    size_t placeholders;
    size_t grants;
    bool makes_only;
    bool makes_and_removes;
  };

  [[nodiscard]] Sizes SizesNow() const {
    return {.mounts = view_.mounts.size(),
            .placeholders = view_.placeholders.size(),
            .grants = view_.grants.size(),
            .makes_only = makes_only_,
            .makes_and_removes = makes_and_removes_};
  }

  void BackTo(const Sizes& sizes) {
    while (view_.placeholders.size() > sizes.placeholders) {
      made_.erase(view_.placeholders.back().path);
      view_.placeholders.pop_back();
    }
    view_.mounts.resize(sizes.mounts);
    view_.grants.resize(sizes.grants);
    makes_only_ = sizes.makes_only;
    makes_and_removes_ = sizes.makes_and_removes;
  }

  [[nodiscard]] FileActions PatternActions(const Place& place) const {
    return static_cast<FileActions>(states_.EverBelow(place.below) ^
                                    states_.AlwaysBelow(place.below));
  }

  // ---- Patterns that need not be held for everything that comes. ----

  // What is there is told apart; what is not, where a mount keeps this directory in its place.
  Result<void> AsItIs(const Place& place, const Around& around) {
    const FileActions usual = Adjust(states_.UnnamedIn(place.below));
    Result<std::optional<Around>> inside = Top(place, usual, around);
    if (!inside) return std::unexpected(inside.error());
    if (!*inside) return {};
    Result<std::vector<FileEntry>> entries = tree_.List(place.path);
    if (!entries) return std::unexpected(entries.error());
    std::optional<PathStates::Names> apart;
    if (around.needs_pin || !around.is_loose) {
      apart = states_.NamesApart(place.below, limits_.names);
      if (!apart) {
        return Refuse("FILE-SIZE", place.path, place.below, PatternActions(place),
                      "the rules tell more names in it apart than " + std::to_string(limits_.names),
                      "forbid fewer names, or permit no changes there");
      }
    }
    std::set<std::string> protects;
    for (const std::string& name : apart ? apart->others : std::vector<std::string>()) {
      // In a directory that is special itself, what is so nowhere else.
      const bool is_so_anywhere =
          around.anywhere && In(place, name).own == states_.After(*around.anywhere, name);
      if (!is_so_anywhere) protects.insert(name);
    }
    if (apart) (*inside)->anywhere = states_.After(states_.UnnamedAfter(place.below), "/");
    std::ranges::sort(*entries, {}, &FileEntry::name);
    Result<void> ok;
    for (const FileEntry& entry : *entries) {
      const Place other = In(place, entry.name);
      const bool below_differs =
          entry.kind == FileKind::kDirectory &&
          (!states_.IsUniform(other.below) || Adjust(states_.AlwaysBelow(other.below)) != usual);
      const bool differs = below_differs || Permitted(other) != usual;
      if (ok && differs && !protects.contains(entry.name)) {
        ok = Found(other, entry.kind, usual, **inside);
      }
    }
    for (const std::string& name : protects) {
      if (ok) ok = Protected(In(place, name), usual, **inside);
    }
    return ok;
  }

  // Nobody renames it while something in it has a mount.
  Result<void> Found(const Place& place, FileKind kind, FileActions usual, const Around& around) {
    const size_t first = view_.mounts.size();
    if (kind == FileKind::kDirectory && OnlyChangesAreDenied(place, usual)) {
      return Seal(place, /*is_directory=*/true, around);
    }
    Result<void> ok = CheckLink(place, kind, usual);
    if (ok) ok = Entry(place, kind, around);
    if (!ok || view_.mounts.size() == first || view_.mounts[first].path == place.path) return ok;
    Around pinned = around;
    pinned.needs_pin = true;
    ok = Mount(place,
               {.path = {},
                .is_directory = kind == FileKind::kDirectory,
                .read_only = around.read_only,
                .no_exec = around.no_exec,
                .no_devices = false,
                .masked = false},
               pinned);
    std::rotate(view_.mounts.begin() + static_cast<ptrdiff_t>(first), view_.mounts.end() - 1,
                view_.mounts.end());
    return ok;
  }

  // What a pattern names, be it there or not. Nothing comes into being there, and not below it
  // either.
  Result<void> Protected(const Place& place, FileActions usual, Around around) {
    around.needs_pin = around.is_loose;
    Result<std::optional<FileKind>> kind = KindOf(place.path);
    if (!kind) return std::unexpected(kind.error());
    if (!*kind) return Any(usual, kCreate) ? MakeSealed(place, around) : Result<void>();
    if (**kind == FileKind::kDirectory && OnlyChangesAreDenied(place, usual)) {
      return Seal(place, /*is_directory=*/true, around);
    }
    const Result<void> ok = CheckLink(place, **kind, usual);
    return ok ? Entry(place, **kind, around) : ok;
  }

  // Of a directory, whatever is said of changes below it.
  [[nodiscard]] bool OnlyChangesAreDenied(const Place& place, FileActions usual) const {
    const FileActions kept = Without(usual, kChanges);
    return !Any(Permitted(place), kChanges) && All(Permitted(place), kept) &&
           All(Adjust(states_.AlwaysBelow(place.below)), kept);
  }

  // An empty directory, which most programs take for nothing: shells do not read it, git does not
  // see it. Without a text for it git fails where this one is.
  Result<void> MakeSealed(const Place& place, const Around& around) {
    const bool is_directory = !place.path.ends_with("/.git/commondir");
    made_.insert(place.path);
    view_.placeholders.push_back(
        {.path = place.path, .is_directory = is_directory, .text = is_directory ? "" : ".\n"});
    return Seal(place, is_directory, around);
  }

  Result<void> Seal(const Place& place, bool is_directory, const Around& around) {
    return Mount(place,
                 {.path = {},
                  .is_directory = is_directory,
                  .read_only = true,
                  .no_exec = around.no_exec,
                  .no_devices = false,
                  .masked = false},
                 around);
  }

  Result<void> Whole(const Place& place, const PathStates::Names& names, const Around& around) {
    Result<std::optional<Around>> top = Top(place, names.usual, around);
    if (!top) return std::unexpected(top.error());
    if (!*top) return {};
    Around& inside = **top;
    inside.needs_pin = inside.is_loose;
    Result<void> ok;
    for (const std::string& name : names.others) {
      if (!ok) return ok;
      const Place other = In(place, name);
      Result<std::optional<FileKind>> kind = KindOf(other.path);
      if (!kind) return std::unexpected(kind.error());
      ok = *kind ? CheckLink(other, **kind, names.usual) : Result<void>();
      if (ok) ok = *kind ? Entry(other, **kind, inside) : Absence(other, names.usual, inside);
    }
    return ok;
  }

  // The directory itself, where names in it are usually permitted that. What holds inside; nothing
  // where it is masked.
  Result<std::optional<Around>> Top(const Place& place, FileActions usual, const Around& around) {
    const FileActions own = Permitted(place);
    Result<void> ok = CheckOwnName(place, own, usual, around);
    if (ok) ok = CheckCombination(states_, place, usual, /*is_special=*/false);
    if (ok) ok = CheckTop(place, own, usual, around);
    if (!ok) return std::unexpected(ok.error());
    const FileRights rights = RightsFor(usual);
    const bool read_only = !Any(usual, kAttributes);
    // Where nothing can be read it makes no difference.
    const bool is_readable =
        Any(usual, kRead) || (around.granted & kReadFileRight) != 0 || place.path == "/";
    const bool no_exec = is_readable ? !Any(usual, kExec) : around.no_exec;
    const FileRights extra = around.granted & ~rights;
    const FileActions some = Without(own, kOnNames) | EverBelow(place);
    // Pipes can be written where a mount is read-only.
    const bool masks_all = some == 0 && (extra & kWriteRight) != 0;
    if (masks_all || !CanTakeAway(extra, read_only, no_exec)) {
      ok = Mask(place, /*is_directory=*/true, some, around);
      if (!ok) return std::unexpected(ok.error());
      return std::nullopt;
    }
    makes_only_ = makes_only_ || (Any(usual, kCreate) && !Any(usual, kRemove));
    makes_and_removes_ = makes_and_removes_ || All(usual, kCreate | kRemove);
    ok = Mount(place,
               {.path = {},
                .is_directory = true,
                .read_only = read_only,
                .no_exec = no_exec,
                // They can be written where a mount is read-only.
                .no_devices = (extra & kWriteRight) != 0,
                .masked = false},
               around);
    if (ok) ok = Grant(place, /*is_directory=*/true, rights, around);
    if (!ok) return std::unexpected(ok.error());
    return Around{.granted = around.granted | rights,
                  .read_only = read_only,
                  .no_exec = no_exec,
                  .is_loose = Any(usual, kCreate | kRemove),
                  .needs_pin = false,
                  .anywhere = around.anywhere};
  }

  // Who forbids a link means what it leads to, and that has another path.
  [[nodiscard]] Result<void> CheckLink(const Place& place, FileKind kind, FileActions usual) const {
    const FileActions all = Permitted(place) & Adjust(states_.AlwaysBelow(place.below));
    if (kind != FileKind::kSymlink || All(all, usual)) return {};
    return Refuse("FILE-SYMLINK", place.path, place.own, Without(usual, all),
                  "it is a symbolic link, and files are known by their real paths",
                  "forbid what it leads to");
  }

  // The directory itself, where what is in it is judged alike.
  Result<void> CheckTop(const Place& place, FileActions own, FileActions usual,
                        const Around& around) const {
    const std::string hint =
        "write resource in Palyra::Directory::\"" + place.path + "\", which holds itself too";
    if (Any(own, kRead) != Any(usual, kRead)) {
      return Refuse("FILE-LIST", place.path, place.own, kRead,
                    "listing it and reading what is in it are not judged alike, which Landlock "
                    "does not tell apart where names are made",
                    hint);
    }
    const bool is_freer = Any(own, kAttributes) && !Any(usual, kAttributes) && !around.is_loose;
    const bool is_stricter = !Any(own, kAttributes) && Any(usual, kAttributes);
    if (!is_freer && !is_stricter) return {};
    return Refuse("FILE-LIST", place.path, place.own, kAttributes,
                  "its own attributes and those of what is in it are not judged alike, which a "
                  "mount does not tell apart",
                  hint);
  }

  // The single names that may be made in a directory where others may not are there.
  Result<void> CheckMissing(const Place& place) {
    const auto makers = states_.NamesIn(place.below, limits_.names, kCreate);
    if (!makers) return {};
    for (const std::string& name : makers->others) {
      const Place other = In(place, name);
      Result<std::optional<FileKind>> kind = KindOf(other.path);
      if (!kind) return std::unexpected(kind.error());
      Result<void> ok = *kind ? Result<void>() : Absence(other, 0, {});
      if (!ok) return ok;
    }
    return {};
  }

  // Nothing new comes into being here: each entry has what is said of it.
  Result<void> OneByOne(const Place& place, const Around& around) {
    const FileActions own = Permitted(place);
    const FileRights rights = Any(own, kRead) ? kListRight : 0;
    const FileRights extra = around.granted & ~rights;
    const bool can_change = (extra & kChangeRights) != 0;
    if ((extra & kListRight) != 0 || (can_change && Any(own, kAttributes) && !around.is_loose)) {
      return Refuse("FILE-NESTED", place.path, place.own, Without(kRead | kAttributes, own),
                    "it is denied below a directory where it is permitted, and without BPF LSM "
                    "cannot be taken away there alone",
                    "forbid all of file.any and process.exec there, or permit less around it");
    }
    Result<void> ok = CheckOwnName(place, own, EverBelow(place), around);
    const bool read_only = can_change || !Any(own, kAttributes);
    if (ok) {
      ok = Mount(place,
                 {.path = {},
                  .is_directory = true,
                  .read_only = read_only,
                  .no_exec = true,
                  .no_devices = false,
                  .masked = false},
                 around);
    }
    if (ok) ok = Grant(place, /*is_directory=*/true, rights, around);
    if (!ok || made_.contains(place.path)) return ok;
    Result<std::vector<FileEntry>> entries = tree_.List(place.path);
    if (!entries) return std::unexpected(entries.error());
    // What is wrong where the run makes names is said before what is too large elsewhere; what the
    // kernel makes up is the largest.
    std::ranges::sort(*entries, {}, [&](const FileEntry& entry) {
      const bool can_make = Any(EverBelow(In(place, entry.name)), kCreate);
      const bool is_made_up = entry.name == "proc" || entry.name == "sys";
      return std::tuple(!can_make, is_made_up, entry.name);
    });
    const Around inside = {
        .granted = around.granted | rights, .read_only = read_only, .no_exec = true};
    for (const FileEntry& entry : *entries) {
      if (ok) ok = Entry(In(place, entry.name), entry.kind, inside);
    }
    return ok ? CheckMissing(place) : ok;
  }
};

}  // namespace

Result<FileView> LowerFiles(const policy::RuleSet& rules, const FileTree& tree,
                            const UnheldFiles& unheld, const LoweringLimits& limits) {
  const policy::NameRules* programs = FindRules(rules, NameAction::kProcessExec);
  if (programs != nullptr && policy::DependsOnDigest(*programs) && !unheld.digests) {
    return Fail(ErrorCode::kRefused,
                "FILE-DIGEST: the policies tell programs apart by sha256, which without BPF LSM "
                "nobody looks at as they are started; name them by path");
  }
  return Lowering(rules, tree, unheld, limits).Run();
}

}  // namespace palyra::engine
