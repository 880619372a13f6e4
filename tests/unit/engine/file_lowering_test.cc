#include "engine/file_lowering.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/engine/view_model.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::engine {
namespace {

using policy::NameAction;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Rule(const std::string& effect, const std::string& actions,
                 const std::string& resource) {
  const std::string_view scope = actions == "file.any" || actions == "file.modify" ? "in" : "==";
  return effect + " (principal, action " + std::string(scope) + " Palyra::Action::\"" + actions +
         "\", " + resource + ");\n";
}

std::string In(const std::string& directory) {
  return "resource in Palyra::Directory::\"" + directory + '"';
}

std::string Permit(const std::string& actions, const std::string& directory) {
  return Rule("permit", actions, In(directory));
}

std::string Forbid(const std::string& actions, const std::string& directory) {
  return Rule("forbid", actions, In(directory));
}

std::string ForbidLike(const std::string& actions, const std::string& pattern) {
  const std::string text = Rule("forbid", actions, "resource");
  return text.substr(0, text.size() - 2) + " when { resource.path like \"" + pattern + "\" };\n";
}

// A system to read and to run programs of, and a workspace.
const char* const kWorkspacePolicies =
    R"(permit (principal, action == Palyra::Action::"file.read", resource);
       permit (principal, action == Palyra::Action::"process.exec", resource in Palyra::Directory::"/usr");
       permit (principal, action in Palyra::Action::"file.modify", resource in Palyra::Directory::"/w");
)";

Result<FileView> Lower(const std::string& policies, const FakeTree& tree,
                       const UnheldFiles& unheld = {}, const LoweringLimits& limits = {}) {
  const policy::CompileFixture fixture(policies, policy::Coverage::kFiles);
  const auto compiled = fixture.Compile();
  EXPECT_TRUE(compiled.has_value()) << policies;
  return LowerFiles(compiled->rules, tree, unheld, limits);
}

std::string RefusalOf(const std::string& policies, const FakeTree& tree,
                      const LoweringLimits& limits = {}) {
  const Result<FileView> view = Lower(policies, tree, {}, limits);
  if (view) return "held";
  EXPECT_EQ(view.error().code, ErrorCode::kRefused);
  return view.error().message;
}

FakeTree SmallSystem() {
  FakeTree tree;
  for (const char* path : {"/usr/bin/tool", "/usr/lib/libc.so", "/etc/passwd", "/w/a.c",
                           "/w/.git/config", "/w/.git/hooks/x", "/home/u/.ssh/id"}) {
    tree.AddFile(path);
  }
  return tree;
}

TEST(FileLoweringTest, ASystemToReadAndAWorkspaceToWrite) {
  const FakeTree tree = SmallSystem();
  const Result<FileView> view = Lower(kWorkspacePolicies, tree);
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_TRUE(view->root_read_only);
  EXPECT_TRUE(view->root_no_exec);
  EXPECT_THAT(view->placeholders, IsEmpty());
  EXPECT_THAT(view->mounts,
              ElementsAre(Field(&FileMount::path, "/usr"), Field(&FileMount::path, "/w")));
  EXPECT_THAT(view->grants,
              ElementsAre(Field(&FileGrant::path, "/"), Field(&FileGrant::path, "/usr"),
                          Field(&FileGrant::path, "/w")));
  EXPECT_TRUE(view->mounts[0].read_only);
  EXPECT_FALSE(view->mounts[0].no_exec);
  EXPECT_FALSE(view->mounts[1].read_only);
  EXPECT_TRUE(view->mounts[1].no_exec);
  const ViewModel model(*view, tree);
  EXPECT_TRUE(model.Allows(NameAction::kFileWrite, "/w/a.c"));
  EXPECT_FALSE(model.Allows(NameAction::kFileWrite, "/etc/passwd"));
  EXPECT_TRUE(model.Allows(NameAction::kProcessExec, "/usr/bin/tool"));
  EXPECT_FALSE(model.IsMappable("/w/a.c"));
}

TEST(FileLoweringTest, AProtectedDirectoryAndTheWayToItCannotBeMoved) {
  const FakeTree tree = SmallSystem();
  const Result<FileView> view =
      Lower(kWorkspacePolicies + Forbid("file.modify", "/w/.git/hooks"), tree);
  ASSERT_TRUE(view) << view.error().message;
  const ViewModel model(*view, tree);
  EXPECT_TRUE(model.IsMountPoint("/w/.git"));
  EXPECT_TRUE(model.IsMountPoint("/w/.git/hooks"));
  EXPECT_FALSE(model.Allows(NameAction::kFileCreate, "/w/.git/hooks/y"));
  EXPECT_FALSE(model.Allows(NameAction::kFileRename, "/w/.git"));
  EXPECT_TRUE(model.Allows(NameAction::kFileCreate, "/w/.git/index"));
}

TEST(FileLoweringTest, WhatIsNotThereYetIsHeldByPlaceholders) {
  FakeTree tree;
  tree.AddDirectory("/w");
  const std::string policies =
      kWorkspacePolicies + Forbid("file.modify", "/w/.git/hooks") +
      Rule("forbid", "file.modify", "resource == Palyra::Path::\"/w/.envrc\"");
  const Result<FileView> view = Lower(policies, tree);
  ASSERT_TRUE(view) << view.error().message;
  ASSERT_EQ(view->placeholders.size(), 3U);
  EXPECT_EQ(view->placeholders[0].path, "/w/.envrc");
  EXPECT_FALSE(view->placeholders[0].is_directory);
  EXPECT_EQ(view->placeholders[1].path, "/w/.git");
  EXPECT_EQ(view->placeholders[2].path, "/w/.git/hooks");
  EXPECT_TRUE(view->placeholders[2].is_directory);
}

TEST(FileLoweringTest, ASecretBelowWhatCanBeReadIsMasked) {
  const FakeTree tree = SmallSystem();
  const std::string policies = kWorkspacePolicies + Forbid("file.any", "/home/u/.ssh");
  const Result<FileView> view = Lower(policies, tree);
  ASSERT_TRUE(view) << view.error().message;
  const ViewModel model(*view, tree);
  EXPECT_FALSE(model.Allows(NameAction::kFileRead, "/home/u/.ssh/id"));
  EXPECT_FALSE(model.Allows(NameAction::kFileRead, "/home/u/.ssh"));
  EXPECT_TRUE(model.Allows(NameAction::kFileRead, "/home/u"));
  EXPECT_TRUE(model.Allows(NameAction::kFileRead, "/etc/passwd"));
}

TEST(FileLoweringTest, PatternsAreHeldWhereTheRunMakesNothing) {
  FakeTree tree = SmallSystem();
  tree.AddFile("/home/u/deep/.ssh/id");
  const std::string reads =
      R"(permit (principal, action == Palyra::Action::"file.read", resource);)";
  const Result<FileView> view = Lower(reads + ForbidLike("file.any", "*/.ssh*"), tree);
  ASSERT_TRUE(view) << view.error().message;
  const ViewModel model(*view, tree);
  EXPECT_FALSE(model.Allows(NameAction::kFileRead, "/home/u/.ssh/id"));
  EXPECT_FALSE(model.Allows(NameAction::kFileRead, "/home/u/deep/.ssh"));
  EXPECT_TRUE(model.Allows(NameAction::kFileRead, "/home/u/deep"));
}

TEST(FileLoweringTest, RefusesWhatNeitherRightsNorMountsSay) {
  const FakeTree tree = SmallSystem();
  const std::string base = kWorkspacePolicies;
  EXPECT_THAT(RefusalOf(base + ForbidLike("file.any", "*.env"), tree),
              testing::AllOf(HasSubstr("FILE-PATTERN: \"/w\""), HasSubstr("policy3 (caller)")));
  EXPECT_THAT(RefusalOf(Permit("file.read", "/w") + Permit("file.write", "/w"), tree),
              HasSubstr("FILE-ATTRIBUTES: \"/w\""));
  EXPECT_THAT(RefusalOf(base + Forbid("file.attributes", "/w"), tree),
              HasSubstr("FILE-ATTRIBUTES: \"/w\""));
  EXPECT_THAT(RefusalOf(base + Forbid("file.rename", "/w"), tree), HasSubstr("FILE-RENAME"));
  EXPECT_THAT(RefusalOf(base + Forbid("file.link", "/w"), tree), HasSubstr("FILE-LINK"));
  EXPECT_THAT(RefusalOf(Permit("process.exec", "/usr"), tree), HasSubstr("FILE-EXEC: \"/usr\""));
  EXPECT_THAT(RefusalOf(base + Forbid("file.write", "/w/.git"), tree),
              HasSubstr("FILE-NESTED: \"/w/.git\""));
  EXPECT_THAT(RefusalOf(base + Forbid("file.read", "/w/.git"), tree),
              HasSubstr("FILE-NESTED: \"/w/.git\""));
  EXPECT_THAT(RefusalOf(base + Permit("file.modify", "/w2"), tree),
              HasSubstr("FILE-MISSING: \"/w2\""));
  EXPECT_THAT(
      RefusalOf(base + Rule("permit", "file.modify", "resource == Palyra::Path::\"/etc/passwd\""),
                tree),
      HasSubstr("FILE-NAMES: \"/etc/passwd\""));
  EXPECT_THAT(RefusalOf(base + ForbidLike("file.modify", "/w"), tree), HasSubstr("FILE-LIST"));
  EXPECT_EQ(RefusalOf(base, tree), "held");
}

TEST(FileLoweringTest, RefusesDigestsAndLinksAndWhatIsTooLarge) {
  FakeTree tree = SmallSystem();
  const std::string base = kWorkspacePolicies;
  EXPECT_THAT(RefusalOf(R"(permit (principal, action == Palyra::Action::"process.exec", resource)
                           when { resource has sha256 && resource.sha256 == "ab" };)",
                        tree),
              HasSubstr("FILE-DIGEST"));
  tree.Add("/w/link", FileKind::kSymlink);
  EXPECT_THAT(RefusalOf(base + Forbid("file.modify", "/w/link"), tree),
              HasSubstr("FILE-SYMLINK: \"/w/link\""));
  tree.Add("/home/u/link", FileKind::kSymlink);
  EXPECT_THAT(RefusalOf(base + Forbid("file.any", "/home/u/link"), tree),
              HasSubstr("FILE-SYMLINK: \"/home/u/link\""));
  EXPECT_EQ(RefusalOf(base + Permit("process.exec", "/home/u/link"), tree), "held");
  EXPECT_THAT(RefusalOf(base + ForbidLike("file.read", "/usr/*x*"), tree, {.entries = 3}),
              HasSubstr("FILE-SIZE"));
}

TEST(FileLoweringTest, WhatMayGoUnheldDoes) {
  const FakeTree tree = SmallSystem();
  const std::string base = kWorkspacePolicies;
  EXPECT_TRUE(Lower(base + Forbid("file.attributes", "/w"), tree, {.attributes = true}));
  EXPECT_TRUE(Lower(base + Forbid("file.rename", "/w"), tree, {.names = true}));
  const Result<FileView> view =
      Lower(base + ForbidLike("file.any", "*/config"), tree, {.patterns = true});
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_FALSE(ViewModel(*view, tree).Allows(NameAction::kFileRead, "/w/.git/config"));
}

std::vector<std::string> PathsOf(const std::vector<Placeholder>& placeholders) {
  std::vector<std::string> paths;
  for (const Placeholder& each : placeholders) paths.push_back(each.path);
  return paths;
}

// Names at any depth that nobody may make.
std::string Seeds() {
  std::string text = kWorkspacePolicies;
  for (const char* pattern : {"*/.envrc", "*/.git/hooks", "*/.git/hooks/*", "*/.git/commondir",
                              "*/.vscode", "*/.vscode/*"}) {
    text += ForbidLike("file.modify", pattern);
  }
  return text;
}

TEST(FileLoweringTest, PatternsThatAreUnheldHoldForWhatIsMissingAtTheTop) {
  const FakeTree tree = SmallSystem();
  const Result<FileView> view = Lower(Seeds(), tree, {.patterns = true});
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_THAT(PathsOf(view->placeholders),
              ElementsAre("/w/.envrc", "/w/.git/commondir", "/w/.vscode"))
      << "and in .git what is special there alone";
  const ViewModel model(*view, tree);
  for (const char* path : {"/w/.envrc", "/w/.envrc/x", "/w/.git/commondir", "/w/.vscode/x",
                           "/w/.git/hooks/x", "/w/.git/hooks/new"}) {
    EXPECT_FALSE(model.Allows(NameAction::kFileCreate, path)) << path;
    EXPECT_FALSE(model.Allows(NameAction::kFileWrite, path)) << path;
  }
  for (const char* path : {"/w/a.c", "/w/new/deep", "/w/.git/config", "/w/.git/new"}) {
    EXPECT_TRUE(model.Allows(NameAction::kFileWrite, path)) << path;
  }
}

// Names without end cannot be listed, and take nothing from those that can.
TEST(FileLoweringTest, PatternsWithinNamesLeaveTheOthersProtected) {
  const FakeTree tree = SmallSystem();
  for (const char* pattern : {"*/.env.*", "*.pem", "*/a*b", "*/.v*"}) {
    const Result<FileView> view =
        Lower(Seeds() + ForbidLike("file.modify", pattern), tree, {.patterns = true});
    ASSERT_TRUE(view) << pattern << ": " << view.error().message;
    const ViewModel model(*view, tree);
    for (const char* path : {"/w/.envrc", "/w/.git/commondir", "/w/.git/hooks/new"}) {
      EXPECT_FALSE(model.Allows(NameAction::kFileCreate, path)) << pattern << ' ' << path;
    }
    EXPECT_TRUE(model.Allows(NameAction::kFileCreate, "/w/new")) << pattern;
  }
  std::string many = Seeds();
  for (int i = 0; i < 300; ++i) many += ForbidLike("file.modify", "*/name" + std::to_string(i));
  const Result<FileView> refused = Lower(many, tree, {.patterns = true});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("FILE-SIZE: \"/w\""));
}

TEST(FileLoweringTest, PlaceholdersAreNothingThatProgramsTakeForAFile) {
  const Result<FileView> view = Lower(Seeds(), SmallSystem(), {.patterns = true});
  ASSERT_TRUE(view) << view.error().message;
  ASSERT_EQ(view->placeholders.size(), 3U);
  EXPECT_TRUE(view->placeholders[0].is_directory);
  EXPECT_FALSE(view->placeholders[1].is_directory) << "git opens it";
  EXPECT_EQ(view->placeholders[1].text, ".\n");
  EXPECT_TRUE(view->placeholders[2].is_directory);
}

TEST(FileLoweringTest, WhatLeadsToAProtectedPlaceCannotBeRenamed) {
  FakeTree tree = SmallSystem();
  tree.AddFile("/w/lib/part/.vscode/tasks.json");
  tree.AddFile("/w/other/file");
  const Result<FileView> view = Lower(Seeds(), tree, {.patterns = true});
  ASSERT_TRUE(view) << view.error().message;
  std::vector<std::string> below_lib;
  for (const FileMount& mount : view->mounts) {
    if (mount.path.starts_with("/w/lib")) below_lib.push_back(mount.path);
    EXPECT_FALSE(mount.path.starts_with("/w/other")) << "nothing in it is protected";
  }
  EXPECT_THAT(below_lib, ElementsAre("/w/lib", "/w/lib/part", "/w/lib/part/.vscode"))
      << "outer before inner";
  const ViewModel model(*view, tree);
  EXPECT_FALSE(model.Allows(NameAction::kFileWrite, "/w/lib/part/.vscode/tasks.json"));
  EXPECT_TRUE(model.Allows(NameAction::kFileWrite, "/w/lib/part/new"));
}

TEST(FileLoweringTest, ADirectoryBySuchANameIsNotChanged) {
  FakeTree tree = SmallSystem();
  tree.AddFile("/w/.envrc/file");
  const Result<FileView> view = Lower(Seeds(), tree, {.patterns = true});
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_FALSE(ViewModel(*view, tree).Allows(NameAction::kFileWrite, "/w/.envrc/file"));
}

TEST(FileLoweringTest, PermitsForWhatIsMissingMayBeLeftOut) {
  const FakeTree tree = SmallSystem();
  const std::string policies = kWorkspacePolicies + Permit("file.modify", "/home/u/.cache");
  EXPECT_THAT(RefusalOf(policies, tree), HasSubstr("FILE-MISSING: \"/home/u/.cache\""));
  const Result<FileView> view = Lower(policies, tree, {.missing = true});
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_THAT(view->placeholders, IsEmpty());
  EXPECT_FALSE(ViewModel(*view, tree).Allows(NameAction::kFileCreate, "/home/u/.cache"));
}

TEST(FileLoweringTest, AskDenies) {
  const FakeTree tree = SmallSystem();
  const Result<FileView> view = Lower("@ask(\"?\") " + Permit("file.read", "/w"), tree);
  ASSERT_TRUE(view);
  EXPECT_THAT(view->grants, IsEmpty());
}

TEST(FileLoweringTest, ADeviceIsWrittenWhereItsMountIsReadOnly) {
  FakeTree tree = SmallSystem();
  tree.Add("/dev/null", FileKind::kSpecial);
  const std::string null = "resource == Palyra::Path::\"/dev/null\"";
  const Result<FileView> view =
      Lower(Rule("permit", "file.read", null) + Rule("permit", "file.write", null), tree);
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_THAT(view->mounts, IsEmpty());
  EXPECT_TRUE(ViewModel(*view, tree).Allows(NameAction::kFileWrite, "/dev/null"));
}

}  // namespace
}  // namespace palyra::engine
