// As whom a command runs, with which rights, and what of its caller it inherits: nothing unasked.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

constexpr std::string_view kNoCapabilities = "0000000000000000";

class RunIdentity : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }

  // The words after each name of caps-print.
  static std::map<std::string, std::vector<std::string>> Shown(const PalyraRun& run,
                                                               const SpawnOptions& options = {}) {
    const Ended ended = run.Run({BinaryPath("palyra_probe"), "caps-print"}, options);
    EXPECT_EQ(ended.status, 0) << Describe(ended);
    std::map<std::string, std::vector<std::string>> shown;
    std::istringstream lines(ended.output);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string name;
      words >> name;
      for (std::string word; words >> word;) shown[name].push_back(word);
    }
    return shown;
  }

  // Real, effective, saved and file system id.
  static std::vector<std::string> AllFour(const std::string& id) { return {id, id, id, id}; }

  static std::vector<std::string> Split(const std::string& text) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, '\0');) parts.push_back(part);
    return parts;
  }
};

TEST_F(RunIdentity, HasNoCapabilitiesAndCannotGainAny) {
  for (const std::string user : {"1000", "0"}) {
    auto shown = Shown(PalyraRun().User(user));
    for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
      ASSERT_EQ(shown[set].size(), 1U) << set;
      EXPECT_EQ(shown[set].front(), kNoCapabilities) << set << " as " << user;
    }
    EXPECT_EQ(shown["NoNewPrivs:"], std::vector<std::string>{"1"});
    EXPECT_EQ(shown["Seccomp:"], std::vector<std::string>{"2"});
  }
}

TEST_F(RunIdentity, IsTheUserThatIsNamed) {
  auto shown = Shown(PalyraRun().User("1000"));
  EXPECT_EQ(shown["Uid:"], AllFour("1000"));
  EXPECT_EQ(std::ranges::count(shown["Gid:"], "0"), 0);
  EXPECT_EQ(std::ranges::count(shown["Groups:"], "0"), 0);
}

TEST_F(RunIdentity, IsTheUserBehindSudo) {
  SpawnOptions options;
  options.environment = {{"PATH=/usr/bin:/bin", "SUDO_UID=1000", "SUDO_GID=1000"}};
  options.directory = "/";
  auto shown = Shown(PalyraRun().User(""), options);
  EXPECT_EQ(shown["Uid:"], AllFour("1000"));
  EXPECT_EQ(std::ranges::count(shown["Groups:"], "0"), 0);
}

TEST_F(RunIdentity, IsElseTheOwnerOfTheDirectory) {
  const TempDir directory;
  ASSERT_EQ(chown(directory.path().c_str(), 1000, 1000), 0);
  SpawnOptions options;
  options.environment = {{"PATH=/usr/bin:/bin"}};
  options.directory = directory.path();
  auto shown = Shown(PalyraRun().User(""), options);
  EXPECT_EQ(shown["Uid:"], AllFour("1000"));
  EXPECT_EQ(std::ranges::count(shown["Gid:"], "0"), 0);
  EXPECT_EQ(std::ranges::count(shown["Groups:"], "0"), 0);
}

TEST_F(RunIdentity, InheritsNoDescriptorButTheStreams) {
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const UniqueFd high(fcntl(file.get(), F_DUPFD_CLOEXEC, 700));
  SpawnOptions options;
  options.inherited = {file.get(), socket_fd.get(), high.get()};
  const std::vector<std::string> probe = {BinaryPath("palyra_probe"), "fds-print"};
  const Ended bare = RunProgram(probe, options);
  EXPECT_NE(bare.output.find("\n700 /dev/null\n"), std::string::npos) << Describe(bare);

  const Ended ended = PalyraRun().Run(probe, options);
  std::istringstream lines(ended.output);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(line.starts_with("0 ") || line.starts_with("1 ") || line.starts_with("2 ")) << line;
  }
  EXPECT_EQ(count, 3) << Describe(ended);
  EXPECT_EQ(PalyraRun().Probe({"inherited-fd"}, options).Summary(), "denied EBADF");
}

TEST_F(RunIdentity, SeesOfTheEnvironmentWhatIsHarmlessOrAskedFor) {
  SpawnOptions options;
  options.environment = {{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TERM=dumb", "KEPT=kept value",
                          "AWS_SECRET_ACCESS_KEY=secret", "GITHUB_TOKEN=secret",
                          "SSH_AUTH_SOCK=/run/agent", "LD_PRELOAD=/lib/none.so",
                          "LD_LIBRARY_PATH=/lib", "BASH_ENV=/etc/evil", "ANYTHING_ELSE=secret"}};
  const Ended ended = PalyraRun()
                          .Option("--env", "KEPT")
                          .Option("--env", "GIVEN=given=value")
                          .Option("--env", "ABSENT")
                          .Run({BinaryPath("palyra_probe"), "env-print"}, options);
  const std::vector<std::string> environment = Split(ended.output);
  const auto has = [&environment](std::string_view entry) {
    return std::ranges::find(environment, entry) != environment.end();
  };
  EXPECT_TRUE(has("PATH=/usr/bin:/bin")) << ended.output;
  EXPECT_TRUE(has("LANG=C.UTF-8")) << ended.output;
  EXPECT_TRUE(has("TERM=dumb")) << ended.output;
  EXPECT_TRUE(has("KEPT=kept value")) << ended.output;
  EXPECT_TRUE(has("GIVEN=given=value")) << ended.output;
  EXPECT_EQ(ended.output.find("secret"), std::string::npos) << ended.output;
  for (const std::string name :
       {"ABSENT", "SSH_AUTH_SOCK", "LD_PRELOAD", "LD_LIBRARY_PATH", "BASH_ENV", "ANYTHING_ELSE"}) {
    const auto named = [&name](const std::string& entry) { return entry.starts_with(name + "="); };
    EXPECT_TRUE(std::ranges::none_of(environment, named)) << name;
  }
}

}  // namespace
}  // namespace palyra::tests
