#include "engine/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace palyra::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::StartsWith;
using Variables = std::vector<std::string>;

ToolUser Alice() {
  ToolUser user;
  user.name = "alice";
  user.home = "/home/alice";
  user.shell = "/bin/zsh";
  return user;
}

Variables Build(const Variables& caller, const Variables& requested,
                const ToolUser& user = Alice()) {
  Result<Variables> built = BuildEnvironment(caller, requested, user);
  EXPECT_TRUE(built) << built.error().message;
  return built ? *built : Variables();
}

TEST(Environment, OfNothingIsTheUsersOwnAndAPath) {
  EXPECT_THAT(Build({}, {}),
              ElementsAre("HOME=/home/alice", "LOGNAME=alice", "PATH=/usr/local/bin:/usr/bin:/bin",
                          "SHELL=/bin/zsh", "USER=alice"));
}

TEST(Environment, PassesWhatSaysHowToTalkToPeople) {
  const Variables harmless = {"COLORTERM=truecolor", "COLUMNS=80", "EDITOR=vi",   "LANG=C.UTF-8",
                              "LANGUAGE=de",         "LC_ALL=C",   "LC_TIME=C",   "LINES=24",
                              "NO_COLOR=1",          "PAGER=less", "PATH=/opt/x", "PWD=/srv",
                              "TERM=xterm",          "TZ=UTC"};
  const Variables built = Build(harmless, {});
  for (const std::string& variable : harmless) EXPECT_THAT(built, Contains(variable));
}

TEST(Environment, KeepsSecretsAndLoaderSettingsOutside) {
  const Variables caller = {
      "AWS_SECRET_ACCESS_KEY=s",    "GITHUB_TOKEN=s", "SSH_AUTH_SOCK=/s", "LD_PRELOAD=/x.so",
      "LD_LIBRARY_PATH=/x",         "PYTHONPATH=/x",  "BASH_ENV=/x",      "http_proxy=x",
      "DBUS_SESSION_BUS_ADDRESS=x", "PATHS=/x",       "TERMINFO=/x",      "LC=x"};
  EXPECT_EQ(Build(caller, {}), Build({}, {}));
  for (const std::string& variable : caller) {
    EXPECT_FALSE(PassesByDefault(variable.substr(0, variable.find('=')))) << variable;
  }
}

TEST(Environment, ReplacesTheCallersIdentity) {
  const Variables built =
      Build({"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "MAIL=/x"}, {});
  EXPECT_EQ(built, Build({}, {}));
}

TEST(Environment, NamesNoUserForAUidThatHasNone) {
  ToolUser nobody;
  nobody.home = "/";
  nobody.shell = "/bin/sh";
  const Variables built = Build({"USER=root", "LOGNAME=root"}, {}, nobody);
  EXPECT_THAT(built, Contains("HOME=/"));
  EXPECT_THAT(built, Not(Contains(StartsWith("USER="))));
  EXPECT_THAT(built, Not(Contains(StartsWith("LOGNAME="))));
}

struct RequestCase {
  Variables requested;
  std::string expected;  // Is there.
};

TEST(Environment, GivesWhatIsAskedForByName) {
  const RequestCase cases[] = {
      {{"TOKEN"}, "TOKEN=secret"},
      {{"TOKEN=other"}, "TOKEN=other"},
      {{"NEW=1"}, "NEW=1"},
      {{"EMPTY="}, "EMPTY="},
      {{"A=1", "A=2"}, "A=2"},
      {{"TOKEN=other", "TOKEN"}, "TOKEN=secret"},
      {{"HOME=/elsewhere"}, "HOME=/elsewhere"},
      {{"URL=http://x/?a=b"}, "URL=http://x/?a=b"},
      {{"PATH=/only"}, "PATH=/only"},
  };
  for (const RequestCase& each : cases) {
    EXPECT_THAT(Build({"TOKEN=secret", "PATH=/bin"}, each.requested), Contains(each.expected));
  }
}

TEST(Environment, GivesNothingForANameThatTheCallerLacks) {
  EXPECT_EQ(Build({}, {"TOKEN"}), Build({}, {}));
}

TEST(Environment, RefusesARequestWithoutAName) {
  for (const std::string request : {"", "=", "=value"}) {
    const Result<Variables> built = BuildEnvironment({}, {request}, Alice());
    ASSERT_FALSE(built) << request;
    EXPECT_EQ(built.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(built.error().message, StartsWith('"' + request + '"'));
  }
}

// As getenv(3) reads it.
TEST(Environment, TakesTheFirstOfEqualNamesAndNoneWithoutAValue) {
  const Variables built = Build({"TERM=first", "TERM=second", "LANG", "=x"}, {});
  EXPECT_THAT(built, Contains("TERM=first"));
  EXPECT_THAT(built, Not(Contains("TERM=second")));
  EXPECT_THAT(built, Not(Contains(StartsWith("LANG"))));
  EXPECT_THAT(built, Not(Contains(StartsWith("="))));
}

}  // namespace
}  // namespace palyra::engine
