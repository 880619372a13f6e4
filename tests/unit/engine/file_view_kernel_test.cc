// Views of the file system on the real kernel: what a process in one can do is what the rules say,
// as an unprivileged user and by real calls.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "engine/features.h"
#include "engine/file_judge.h"
#include "engine/file_lowering.h"
#include "engine/file_mounts.h"
#include "engine/landlock.h"
#include "engine/placeholders.h"
#include "policy/compile/named_resource.h"
#include "policy/path_states.h"
#include "tests/support/require_feature.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/engine/random_files.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;
using policy::NameAction;

constexpr uid_t kUid = 1000;
constexpr int kHeld = 6;    // Sets of policies that are tried,
constexpr int kMost = 500;  // of at most so many.
constexpr int kBroken = 250;

// 0 where the call succeeded, else errno.
int ErrnoUnless(bool succeeded) { return succeeded ? 0 : errno; }

int TryOpen(const std::string& path, int flags) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600));
  return ErrnoUnless(fd.valid());
}

int TryMap(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  return ErrnoUnless(mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd.get(), 0) !=
                     MAP_FAILED);
}

int TryExecute(const std::string& path) {
  char* arguments[] = {nullptr};
  execve(path.c_str(), arguments, arguments);
  // It holds no program; the kernel has looked.
  return errno == ENOEXEC ? 0 : errno;
}

bool IsDenial(int failure) {
  return failure == EACCES || failure == EROFS || failure == EBUSY || failure == EXDEV ||
         failure == EPERM;
}

// A tree of files of the tool's user, and a view of it.
class KernelView {
 public:
  KernelView(const FakeTree& tree, std::string root) : tree_(tree), root_(std::move(root)) {}

  // Whatever the last call has changed.
  void Restore(const FileView& view) const {
    for (const auto& [path, kind] : tree_.nodes()) {
      const bool is_placeholder =
          std::ranges::find(view.placeholders, path, &Placeholder::path) != view.placeholders.end();
      if (path.starts_with(root_ + '/') && !is_placeholder) Make(path, kind);
    }
    std::vector<fs::path> stray;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (!tree_.nodes().contains(entry.path().string())) stray.push_back(entry.path());
    }
    for (const fs::path& path : stray) fs::remove_all(path);
  }

  // In a process that sees files as the view says: what `attempt` gives.
  [[nodiscard]] static int Try(const FileView& view, const std::string& runtime,
                               const std::function<int()>& attempt) {
    const Result<FileMounts> mounts = PrepareFileMounts(view, runtime);
    const Result<UniqueFd> ruleset = MakeFileRuleset(LandlockAbi(), false, view.grants);
    if (!mounts || !ruleset) {
      ADD_FAILURE() << (mounts ? ruleset.error().message : mounts.error().message);
      return kBroken;
    }
    std::vector<int> trees(mounts->steps.size());
    const pid_t child = fork();
    if (child == 0) _exit(Enter(*mounts, trees, ruleset->get()) ? attempt() : kBroken);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : kBroken;
  }

 private:
  const FakeTree& tree_;
  std::string root_;

  static void Make(const std::string& path, FileKind kind) {
    if (kind == FileKind::kDirectory) {
      mkdir(path.c_str(), 0755);
    } else if (kind == FileKind::kSpecial) {
      mkfifo(path.c_str(), 0755);
    } else {
      const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));
      EXPECT_EQ(write(fd.get(), "text", 4), 4);
    }
    EXPECT_EQ(chown(path.c_str(), kUid, kUid), 0);
    EXPECT_EQ(chmod(path.c_str(), 0755), 0);
  }

  static bool Enter(const FileMounts& mounts, std::vector<int>& trees, int ruleset) {
    return unshare(CLONE_NEWNS) == 0 && mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) == 0 &&
           ApplyFileMounts(mounts, trees) == 0 && setresgid(kUid, kUid, kUid) == 0 &&
           setresuid(kUid, kUid, kUid) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           EnterLandlockDomain(ruleset) == 0;
  }
};

// One call for each action on a path that is there, or is not.
std::function<int()> AttemptOf(NameAction action, const std::string& path,
                               std::optional<FileKind> kind) {
  const bool is_directory = kind == FileKind::kDirectory;
  switch (action) {
    case NameAction::kFileRead:
      return [=] { return TryOpen(path, is_directory ? O_RDONLY | O_DIRECTORY : O_RDONLY); };
    case NameAction::kFileWrite:
      return [=] {
        // Of a pipe without a reader this asks, and then fails otherwise.
        return TryOpen(path, kind == FileKind::kSpecial ? O_WRONLY : O_WRONLY | O_TRUNC);
      };
    case NameAction::kFileCreate:
      return [=] { return ErrnoUnless(mknod(path.c_str(), S_IFREG | 0600, 0) == 0); };
    case NameAction::kFileRemove:
      return [=] {
        return ErrnoUnless((is_directory ? rmdir(path.c_str()) : unlink(path.c_str())) == 0);
      };
    case NameAction::kFileRename:
      return [=] { return ErrnoUnless(rename(path.c_str(), (path + "~").c_str()) == 0); };
    case NameAction::kFileLink:
      return [=] { return ErrnoUnless(link(path.c_str(), (path + "~").c_str()) == 0); };
    case NameAction::kFileAttributes:
      return [=] { return ErrnoUnless(chmod(path.c_str(), 0700) == 0); };
    default:
      return [=] { return TryExecute(path); };
  }
}

tests::Feature LandlockThatTruncates() {
  return {.name = "Landlock ABI 3",
          .since = {.major = 6, .minor = 2},
          .state = LandlockAbi() >= kLandlockFileAbi
                       ? Result<void>()
                       : Fail(ErrorCode::kUnsupported, "the kernel has an older one, or none")};
}

class FileViewKernelTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(tests::Root());
    PALYRA_REQUIRE_FEATURE(LandlockThatTruncates());
    ASSERT_EQ(chown(root_.path().c_str(), kUid, kUid), 0);
  }

  [[nodiscard]] static bool Decides(const policy::RuleSet& rules, NameAction action,
                                    const std::string& path) {
    return policy::Decide(rules, policy::NameEvent{.action = action, .name = path}).verdict ==
           policy::Verdict::kAllow;
  }

  tests::TempDir root_;
  tests::TempDir runtime_;
};

// What a set of policies makes of one path, tried and decided.
struct Question {
  const policy::RuleSet& rules;
  const FileView& view;
  const KernelView& kernel;
  const ViewModel& model;
  std::string runtime;
};

// The first difference, or nothing.
std::string Compare(const Question& question, NameAction action, const std::string& path,
                    std::optional<FileKind> kind) {
  const auto decides = [&](const std::string& name) {
    return policy::Decide(question.rules, policy::NameEvent{.action = action, .name = name})
               .verdict == policy::Verdict::kAllow;
  };
  const bool makes_other = action == NameAction::kFileRename || action == NameAction::kFileLink;
  const bool decided = decides(path) && (!makes_other || decides(path + "~"));
  const int failure =
      KernelView::Try(question.view, question.runtime, AttemptOf(action, path, kind));
  if (failure == kBroken) return "broken";
  const bool denied = IsDenial(failure);
  const bool is_on_name =
      action >= NameAction::kFileCreate && action <= NameAction::kFileAttributes;
  const bool is_documented =
      denied && is_on_name && (kind == FileKind::kDirectory || question.model.IsMountPoint(path));
  // Nobody made a placeholder executable.
  const bool is_placeholder =
      action == NameAction::kProcessExec && denied &&
      std::ranges::find(question.view.placeholders, path, &Placeholder::path) !=
          question.view.placeholders.end();
  // A pipe in a read-only part.
  const bool is_pipe = kind == FileKind::kSpecial && action == NameAction::kFileWrite && !denied;
  if (decided != denied || is_documented || is_pipe || is_placeholder) return "";
  return std::string(policy::ActionName(action)) + ' ' + path + ": errno " +
         std::to_string(failure);
}

// From each directory to each other one: what is moved may lose its name, and have the new one.
void CheckMoves(const Question& question, const FakeTree& tree, const std::string& root,
                const std::string& message) {
  std::vector<std::string> directories;
  for (const auto& [path, kind] : tree.nodes()) {
    if (kind == FileKind::kDirectory && path.starts_with(root)) directories.push_back(path);
  }
  for (const auto& [path, kind] : tree.nodes()) {
    if (!path.starts_with(root + '/')) continue;
    for (const std::string& directory : directories) {
      const std::string target = directory + "/moved";
      for (const NameAction action : {NameAction::kFileRename, NameAction::kFileLink}) {
        const auto attempt = [&] {
          return ErrnoUnless((action == NameAction::kFileRename
                                  ? rename(path.c_str(), target.c_str())
                                  : link(path.c_str(), target.c_str())) == 0);
        };
        if (KernelView::Try(question.view, question.runtime, attempt) != 0) continue;
        const auto decides = [&](const std::string& name) {
          return policy::Decide(question.rules, policy::NameEvent{.action = action, .name = name})
                     .verdict == policy::Verdict::kAllow;
        };
        EXPECT_TRUE(decides(path) && decides(target)) << message << path << " to " << target;
        question.kernel.Restore(question.view);
      }
    }
  }
}

TEST_F(FileViewKernelTest, WhatTheRulesSayIsWhatAProcessCanDo) {
  const char* given = std::getenv("PALYRA_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const std::string seed_text = "PALYRA_SEED=" + std::to_string(seed) + '\n';
  int tried = 0;
  int held = 0;
  for (int i = 0; i < kMost && held < kHeld; ++i) {
    const tests::TempDir root;
    ASSERT_EQ(chown(root.path().c_str(), kUid, kUid), 0);
    // Its name is another each time, so what follows from a seed is the same but for that.
    RandomFiles random(seed + static_cast<uint64_t>(i), root.path());
    const std::string policies = random.Policies();
    FakeTree tree = random.Tree();
    const KernelView kernel(tree, root.path());
    kernel.Restore({});
    const policy::CompileFixture fixture(policies, policy::Coverage::kFiles);
    const auto compiled = fixture.Compile();
    if (!compiled) continue;
    const Result<FileView> view = LowerFiles(compiled->rules, RealFileTree());
    if (!view || view->grants.empty()) continue;
    ++held;
    ToolUser user;
    user.uid = kUid;
    user.gid = kUid;
    const Result<Placeholders> made = Placeholders::Make(runtime_.path(), "test", *view, user);
    ASSERT_TRUE(made) << made.error().message;
    for (const Placeholder& placeholder : view->placeholders) {
      tree.Add(placeholder.path, placeholder.is_directory ? FileKind::kDirectory : FileKind::kFile);
    }
    const ViewModel model(*view, tree);
    const Question question = {.rules = compiled->rules,
                               .view = *view,
                               .kernel = kernel,
                               .model = model,
                               .runtime = runtime_.path()};
    for (const auto& [path, kind] : tree.nodes()) {
      if (!path.starts_with(root.path() + '/')) continue;
      for (int action = 0; action < policy::kFileActionCount; ++action) {
        const auto each = static_cast<NameAction>(action);
        const bool is_directory = kind == FileKind::kDirectory;
        const bool has_no_meaning =
            each == NameAction::kFileCreate ||
            (is_directory && (each == NameAction::kFileWrite || each == NameAction::kFileLink ||
                              each == NameAction::kProcessExec)) ||
            (kind == FileKind::kSpecial && each == NameAction::kProcessExec);
        if (has_no_meaning) continue;
        ++tried;
        ASSERT_EQ(Compare(question, each, path, kind), "") << seed_text << policies;
        kernel.Restore(*view);
      }
      const std::string below = path + "/new";
      if (kind == FileKind::kDirectory && !tree.nodes().contains(below)) {
        ++tried;
        ASSERT_EQ(Compare(question, NameAction::kFileCreate, below, std::nullopt), "")
            << seed_text << policies;
        kernel.Restore(*view);
      }
      const bool is_mapped =
          kind == FileKind::kFile &&
          KernelView::Try(*view, runtime_.path(), [&] { return TryMap(path); }) == 0;
      ASSERT_TRUE(!is_mapped || Decides(compiled->rules, NameAction::kProcessExec, path))
          << seed_text << policies << path << " was mapped executable";
    }
    CheckMoves(question, tree, root.path(), seed_text + policies);
    made->Remove();
    for (const Placeholder& placeholder : view->placeholders) {
      EXPECT_FALSE(fs::exists(placeholder.path)) << seed_text << policies << placeholder.path;
    }
  }
  EXPECT_EQ(held, kHeld) << seed_text;
  EXPECT_GT(tried, kHeld) << seed_text;
}

TEST_F(FileViewKernelTest, WhatWasReplacedEndsTheStart) {
  const std::string place = root_.Path("place");
  for (const bool is_replaced : {false, true}) {
    fs::create_directory(place);
    FileView view;
    view.mounts.push_back({.path = place,
                           .is_directory = true,
                           .read_only = true,
                           .no_exec = true,
                           .no_devices = false,
                           .masked = false});
    const Result<FileMounts> mounts = PrepareFileMounts(view, runtime_.path());
    ASSERT_TRUE(mounts) << mounts.error().message;
    if (is_replaced) {
      fs::rename(place, root_.Path("moved"));
      fs::create_directory(place);
    }
    std::vector<int> trees(1);
    const pid_t child = fork();
    if (child == 0) {
      const bool is_private =
          unshare(CLONE_NEWNS) == 0 && mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) == 0;
      _exit(is_private ? ApplyFileMounts(*mounts, trees) : kBroken);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), is_replaced ? ESTALE : 0);
  }
}

TEST_F(FileViewKernelTest, ALinkIsNeitherMountedNorGranted) {
  fs::create_directory(root_.Path("real"));
  fs::create_symlink(root_.Path("real"), root_.Path("link"));
  FileView view;
  view.mounts.push_back({.path = root_.Path("link"),
                         .is_directory = true,
                         .read_only = true,
                         .no_exec = true,
                         .no_devices = false,
                         .masked = false});
  EXPECT_FALSE(PrepareFileMounts(view, runtime_.path()));
  const RealFileTree tree;
  EXPECT_EQ(*tree.KindOf(root_.Path("link")), FileKind::kSymlink);
  EXPECT_EQ(*tree.KindOf(root_.Path("link") + "/x"), std::nullopt);
  EXPECT_EQ(*tree.KindOf(root_.Path("real")), FileKind::kDirectory);
  EXPECT_EQ(*tree.KindOf(root_.Path("none")), std::nullopt);
}

}  // namespace
}  // namespace palyra::engine
