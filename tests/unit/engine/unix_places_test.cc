#include "engine/unix_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "policy/compile/compiler.h"
#include "policy/mandatory.h"
#include "tests/support/temp_dir.h"

namespace palyra::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

policy::RuleSet Compile(const std::string& text) {
  const auto source = std::make_shared<const policy::SourceFile>("test.cedar", text);
  const auto policies = policy::PolicySet::Parse({source});
  const policy::EntityStore entities;
  return policy::CompileRules(
             {.principal = policy::EntityUid("Palyra::Agent", "any"),
              .context = policy::Value::Record({}),
              .layers = {{policy::Layer::kMandatory, &policy::MandatoryPolicies(), &entities},
                         {policy::Layer::kCaller, &policies.value(), &entities}},
              .coverage = policy::Coverage::kNetworkAndUnix})
      .value()
      .rules;
}

std::string PermitWhen(const std::string& condition) {
  return "permit (principal, action == Palyra::Action::\"unix.connect\", resource) when { " +
         condition + " };\n";
}

TEST(UnixPermitsTest, WithoutAPermitThereIsNone) {
  for (const policy::RuleSet& rules : {Compile(""), policy::RuleSet{}}) {
    const UnixPermits permits = UnixPermitsOf(rules);
    EXPECT_FALSE(permits.every_path);
    EXPECT_TRUE(permits.is_listable);
    EXPECT_THAT(permits.paths, IsEmpty());
    EXPECT_FALSE(permits.some_abstract);
  }
}

TEST(UnixPermitsTest, ListsWhatIsNamed) {
  const UnixPermits permits = UnixPermitsOf(
      Compile(PermitWhen("!resource.abstract && resource.path == \"/run/docker.sock\"") +
              PermitWhen("!resource.abstract && [\"/run/a\", \"/run/ab\", \"/run/palyra/x\"]"
                         ".contains(resource.path)") +
              PermitWhen("resource.abstract && resource.path == \"dbus\"")));
  EXPECT_TRUE(permits.is_listable);
  EXPECT_THAT(permits.paths, ElementsAre("/run/a", "/run/ab", "/run/docker.sock"));
  EXPECT_TRUE(permits.some_abstract);
  EXPECT_FALSE(permits.every_path);
}

TEST(UnixPermitsTest, ListsWhatIsLeftOfAPattern) {
  const UnixPermits permits = UnixPermitsOf(
      Compile(PermitWhen("!resource.abstract && [\"/run/a\", \"/tmp/b\"].contains(resource.path)") +
              "forbid (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
              "resource.path like \"/tmp/*\" };"));
  EXPECT_THAT(permits.paths, ElementsAre("/run/a"));
}

TEST(UnixPermitsTest, APatternCannotBeListed) {
  for (const char* pattern : {"/run/*", "*", "/run/*.sock", "*/docker.sock"}) {
    const UnixPermits permits = UnixPermitsOf(
        Compile(PermitWhen("!resource.abstract && resource.path like \"" + std::string(pattern) +
                           "\" && resource.path != \"/run/x\"")));
    EXPECT_FALSE(permits.is_listable) << pattern;
    EXPECT_FALSE(permits.every_path) << pattern;
    EXPECT_THAT(permits.paths, IsEmpty());
  }
}

TEST(UnixPermitsTest, EveryPathIsAllButPalyrasOwn) {
  EXPECT_TRUE(UnixPermitsOf(Compile("permit (principal, action, resource);")).every_path);
  EXPECT_TRUE(UnixPermitsOf(Compile(PermitWhen("!resource.abstract"))).every_path);
  const std::string forbid =
      "permit (principal, action, resource);"
      "forbid (principal, action == Palyra::Action::\"unix.connect\", resource) when { "
      "resource.path == ";
  for (const char* path :
       {"\"/run/docker.sock\"", "\"/run/palyra\"", "\"/run/palyrb/x\"", "\"x\"", "\"/\""}) {
    EXPECT_FALSE(UnixPermitsOf(Compile(forbid + path + " };")).every_path) << path;
  }
  EXPECT_TRUE(UnixPermitsOf(Compile(forbid + "\"/run/palyra/x\" };")).every_path);
}

TEST(UnixSetupTest, WhatNothingJudgesIsRefusedOrClosed) {
  const Result<UnixSetup> closed = PrepareUnix(UnixJudge::kNone, Compile(""), "/run/palyra");
  ASSERT_TRUE(closed);
  EXPECT_TRUE(closed->no_sockets);
  EXPECT_TRUE(closed->keeps_abstract_scope);
  for (const char* condition : {"resource.path == \"/run/a\"", "resource.abstract"}) {
    const Result<UnixSetup> refused =
        PrepareUnix(UnixJudge::kNone, Compile(PermitWhen(condition)), "/run/palyra");
    ASSERT_FALSE(refused) << condition;
    EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
    EXPECT_THAT(refused.error().message, HasSubstr("UNIX-KERNEL"));
  }
}

class UnixPlacesTest : public testing::Test {
 protected:
  static Result<UnixSetup> Prepare(const std::string& path,
                                   UnixJudge judge = UnixJudge::kByAddress) {
    return PrepareUnix(
        judge, Compile(PermitWhen("!resource.abstract && resource.path == \"" + path + '"')),
        "/run/palyra");
  }

  void Bind(const std::string& path) {
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy(path, address.sun_path);
    socket_.Reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }

  tests::TempDir directory_;
  UniqueFd socket_;
};

TEST_F(UnixPlacesTest, ASocketHasAPlace) {
  const std::string path = directory_.Path("a");
  Bind(path);
  const Result<UnixSetup> setup = Prepare(path);
  ASSERT_TRUE(setup);
  ASSERT_EQ(setup->places.size(), 1U);
  EXPECT_EQ(setup->places[0].real, path);
  EXPECT_EQ(setup->places[0].place, "/run/palyra/0");
  EXPECT_TRUE(setup->keeps_abstract_scope);
  const Result<UnixSetup> by_peer = Prepare(path, UnixJudge::kByPeer);
  EXPECT_TRUE(by_peer->places.empty()) << "no need";
  EXPECT_FALSE(by_peer->keeps_abstract_scope) << "it would deny without a word";
}

TEST_F(UnixPlacesTest, WhatIsNoSocketOfOneNameHasNone) {
  EXPECT_TRUE(Prepare(directory_.Path("absent"))->places.empty());
  EXPECT_TRUE(Prepare(directory_.Write("file", "x"))->places.empty());
  Bind(directory_.Path("a"));
  std::filesystem::create_hard_link(directory_.Path("a"), directory_.Path("b"));
  EXPECT_TRUE(Prepare(directory_.Path("a"))->places.empty());
}

TEST_F(UnixPlacesTest, APathThroughALinkIsRefused) {
  Bind(directory_.Path("a"));
  std::filesystem::create_symlink("a", directory_.Path("link"));
  std::filesystem::create_symlink(directory_.path(), directory_.Path("here"));
  for (const char* name : {"link", "here/a"}) {
    const Result<UnixSetup> refused = Prepare(directory_.Path(name));
    ASSERT_FALSE(refused) << name;
    EXPECT_THAT(refused.error().message, HasSubstr("UNIX-SYMLINK"));
    const std::string advice = "write \"" + directory_.Path("a") + '"';
    EXPECT_THAT(refused.error().message, HasSubstr(advice));
    // Whose link it is, his the advice would be.
    ASSERT_EQ(lchown(directory_.Path(std::string(name).substr(0, 4)).c_str(), 65534, 65534), 0);
    EXPECT_THAT(Prepare(directory_.Path(name)).error().message, Not(HasSubstr(advice)));
  }
}

TEST_F(UnixPlacesTest, WhatWasMovedThereHasNone) {
  Bind(directory_.Path("other"));
  const std::string path = directory_.Path("a");
  std::filesystem::rename(directory_.Path("other"), path);
  EXPECT_TRUE(Prepare(path)->places.empty());
  // Nor by a socket of that name that has gone elsewhere.
  const UniqueFd other = std::move(socket_);
  std::filesystem::rename(path, directory_.Path("other"));
  Bind(path);
  EXPECT_EQ(Prepare(path)->places.size(), 1U);
  std::filesystem::rename(path, directory_.Path("away"));
  std::filesystem::rename(directory_.Path("other"), path);
  EXPECT_TRUE(Prepare(path)->places.empty());
}

}  // namespace
}  // namespace palyra::engine
