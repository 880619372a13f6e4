#include "engine/cell_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/engine/view_model.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;

FakeTree Machine() {
  FakeTree tree;
  for (const char* directory :
       {"/usr/bin", "/etc/ssl", "/home/a/.cargo", "/home/a/.ssh", "/home/a/work/src", "/home/b",
        "/tmp/old", "/var/lib", "/var/tmp", "/run/user", "/dev/shm", "/dev/pts", "/proc/1",
        "/sys/devices/system", "/opt"}) {
    tree.Add(std::string(directory) + "/x", FileKind::kFile);
  }
  for (const char* device : {"/dev/null", "/dev/zero", "/dev/kvm", "/dev/sda"}) {
    tree.Add(device, FileKind::kSpecial);
  }
  tree.Add("/run/user/socket", FileKind::kSpecial);
  tree.Add("/bin", FileKind::kSymlink);
  return tree;
}

std::string Permit(const std::string& actions, const std::string& resource) {
  const std::string scope = actions == "file.any" || actions == "file.modify" ? "in" : "==";
  return "permit (principal, action " + scope + " Palyra::Action::\"" + actions + "\", " +
         resource + ");\n";
}

std::string In(const std::string& directory) {
  return "resource in Palyra::Directory::\"" + directory + '"';
}

CellView ViewOf(const policy::RuleSet& rules, const CellFacts& facts) {
  const FakeTree tree = Machine();
  Result<CellView> view = ViewOfCell(rules, tree, facts);
  EXPECT_TRUE(view) << view.error().message;
  return view ? *view : CellView{};
}

CellView View(const std::string& policies,
              const CellFacts& facts = {.workspace = "/", .start = "/"}) {
  const policy::CompileFixture fixture(policies, policy::Coverage::kFiles);
  const auto compiled = fixture.Compile();
  EXPECT_TRUE(compiled.has_value()) << policies;
  return ViewOf(compiled->rules, facts);
}

// "/usr", or "/home/a/work (writable)", without the devices that are always there.
std::vector<std::string> Shown(const CellView& view) {
  std::vector<std::string> shown;
  for (const ShownPath& each : view.shown) {
    if (each.path == "/dev/null" || each.path == "/dev/zero") continue;
    shown.push_back(each.path + (each.writable ? " (writable)" : ""));
  }
  return shown;
}

TEST(CellViewTest, ShowsWhatRulesPermitAndNothingBeside) {
  EXPECT_THAT(Shown(View(Permit("file.read", In("/usr")) + Permit("process.exec", In("/usr")) +
                         Permit("file.any", In("/home/a/work")))),
              ElementsAre("/home/a/work (writable)", "/usr"));
  EXPECT_THAT(Shown(View(Permit("file.read", "resource == Palyra::Path::\"/etc/ssl/x\""))),
              ElementsAre("/etc/ssl/x"));
}

TEST(CellViewTest, AnAskIsShown) {
  EXPECT_THAT(Shown(View("@ask(\"look\")\n" + Permit("file.read", In("/opt")))),
              ElementsAre("/opt"));
}

TEST(CellViewTest, WhatIsForbiddenIsNotThere) {
  const CellView view =
      View(Permit("file.read", In("/home/a")) +
           "forbid (principal, action, resource is Palyra::Path in Palyra::Directory::\"/home\");");
  EXPECT_THAT(Shown(view), ElementsAre());
}

// Rules hold what is denied below; the view is coarser.
TEST(CellViewTest, APatternShowsTheDirectoryWhole) {
  EXPECT_THAT(
      Shown(View("permit (principal, action == Palyra::Action::\"file.read\", resource) when "
                 "{ resource.path like \"/home/*.txt\" };")),
      ElementsAre("/home"));
}

TEST(CellViewTest, APermitOfEverythingShowsAllButOwnPlaces) {
  EXPECT_THAT(Shown(View(Permit("file.read", "resource"))),
              ElementsAre("/etc", "/home", "/opt", "/usr", "/var"));
  EXPECT_THAT(Shown(View(Permit("file.read", "resource") + Permit("file.any", In("/opt")))),
              ElementsAre("/etc", "/home", "/opt (writable)", "/usr", "/var"));
}

TEST(CellViewTest, OwnPlacesAreTheCellsOwn) {
  const CellView view = View(Permit("file.any", In("/tmp")) + Permit("file.any", In("/dev/shm")) +
                             Permit("file.read", In("/proc")) + Permit("file.any", In("/var")) +
                             Permit("file.read", In("/sys")) + Permit("file.read", In("/dev/pts")));
  EXPECT_THAT(Shown(view), ElementsAre("/var (writable)"));
  EXPECT_TRUE(view.IsOfHost("/var/lib/x"));
  EXPECT_FALSE(view.IsOfHost("/var/tmp/x"));
  EXPECT_FALSE(view.IsOfHost("/tmp/old"));
  EXPECT_FALSE(view.IsOfHost("/usr"));
}

TEST(CellViewTest, WhatIsNamedIsShownInOwnPlacesToo) {
  const std::string policies = Permit("file.any", In("/tmp"));
  EXPECT_THAT(Shown(View(policies, {.workspace = "/tmp/old", .start = "/tmp/old"})),
              ElementsAre("/tmp/old (writable)"));
  EXPECT_THAT(Shown(View(policies, {.workspace = "/", .start = "/", .named = {"/tmp/old"}})),
              ElementsAre("/tmp/old (writable)"));
  EXPECT_THAT(Shown(View(Permit("file.read", In("/tmp/old")))), ElementsAre("/tmp/old"));
}

TEST(CellViewTest, DevicesAreThoseThatKeepNothingAndWhatIsNamed) {
  const CellView view = View(Permit("file.read", "resource") +
                             Permit("file.write", "resource == Palyra::Path::\"/dev/kvm\""));
  std::vector<std::string> devices;
  for (const ShownPath& shown : view.shown) {
    if (shown.is_device) devices.push_back(shown.path);
  }
  EXPECT_THAT(devices, ElementsAre("/dev/kvm", "/dev/null", "/dev/zero"));
}

TEST(CellViewTest, WithoutRulesOnFilesOnlyTheWorkspaceIsWritable) {
  const policy::RuleSet none;
  EXPECT_THAT(Shown(ViewOf(none, {.workspace = "/home/a/work", .start = "/home/a/work/src"})),
              ElementsAre("/etc", "/home", "/home/a/work (writable)", "/opt", "/usr", "/var"));
  EXPECT_THAT(Shown(ViewOf(none, {.workspace = "/", .start = "/"})),
              ElementsAre("/etc", "/home", "/opt", "/usr", "/var"));
  EXPECT_THAT(Shown(ViewOf(none, {.workspace = "/", .start = "/tmp/old"})),
              ElementsAre("/etc", "/home", "/opt", "/tmp/old", "/usr", "/var"));
}

TEST(CellViewTest, SocketsThatMayBeUsedAreShown) {
  const std::string policies = Permit("file.read", In("/usr"));
  EXPECT_THAT(
      Shown(View(policies, {.workspace = "/", .start = "/", .sockets = {"/run/user/socket"}})),
      ElementsAre("/run/user/socket", "/usr"));
  EXPECT_THAT(
      Shown(View(policies, {.workspace = "/", .start = "/", .sockets = {}, .any_socket = true})),
      ElementsAre("/run", "/usr"));
}

std::vector<std::string> Names(const FileTree& tree, const std::string& path) {
  Result<std::vector<FileEntry>> entries = tree.List(path);
  EXPECT_TRUE(entries);
  std::vector<std::string> names;
  for (const FileEntry& entry : *entries) names.push_back(entry.name);
  std::ranges::sort(names);
  return names;
}

TEST(CellTreeTest, IsTheMachineAsTheCellSeesIt) {
  const FakeTree host = Machine();
  const CellView view =
      View(Permit("file.read", In("/usr")) + Permit("file.any", In("/home/a/work")) +
           Permit("file.any", In("/tmp")));
  const CellTree tree(view, host);
  EXPECT_THAT(Names(tree, "/"), IsSupersetOf({"dev", "home", "proc", "run", "sys", "tmp", "usr"}));
  EXPECT_THAT(Names(tree, "/"), Not(Contains("etc")));
  EXPECT_THAT(Names(tree, "/home"), ElementsAre("a"));
  EXPECT_THAT(Names(tree, "/home/a"), ElementsAre("work"));
  EXPECT_THAT(Names(tree, "/home/a/work"), ElementsAre("src"));
  EXPECT_THAT(Names(tree, "/tmp"), ElementsAre());
  EXPECT_EQ(*tree.KindOf("/tmp/old"), std::nullopt);
  EXPECT_EQ(*tree.KindOf("/home/a/.ssh"), std::nullopt);
  EXPECT_EQ(*tree.KindOf("/home/a"), FileKind::kDirectory);
  EXPECT_EQ(*tree.KindOf("/dev/null"), FileKind::kSpecial);
  EXPECT_EQ(*tree.KindOf("/dev/sda"), std::nullopt);
  EXPECT_EQ(*tree.KindOf("/proc/1"), FileKind::kDirectory);
}

}  // namespace
}  // namespace palyra::engine
