// Programs that people really run, each with one server that it may reach and one that it may not.
//
// Both servers are the same nginx and the same git daemon outside. Bare, each program reaches the
// denied one too; in a run not even a packet does, and the server's log does not grow.

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <memory>
#include <ostream>

#include "tests/e2e/egress_fixture.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/test_network.h"

namespace palyra::tests {
namespace {

constexpr const char* kPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

// A program of this machine, which the whole test needs.
Feature Program(const std::string& path) {
  Feature feature{.name = path, .since = {}, .state = {}};
  if (access(path.c_str(), X_OK) != 0) {
    feature.state = Fail(ErrorCode::kNotFound, "it is not installed");
  }
  return feature;
}

Ended Shell(const std::string& script) {
  SpawnOptions options;
  options.environment = {{kPath, "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1"}};
  return RunProgram({"/bin/sh", "-ec", script}, options);
}

// git-daemon itself: as "git daemon" it would be a child that outlives the one that is killed.
std::string GitDaemonPath() {
  std::string path = Shell("git --exec-path").output;
  if (path.ends_with('\n')) path.pop_back();
  return path + "/git-daemon";
}

// The servers, at both addresses of both hosts: HTTP on port 80, the git protocol on 9418.
class RealServers {
 public:
  RealServers() {
    MakeRepository();
    nginx_ = Start({"/usr/sbin/nginx", "-p", directory_.path(), "-c", WriteNginxConfiguration()});
    git_ = Start({GitDaemonPath(), "--export-all", "--base-path=" + directory_.path(), "--verbose",
                  "--log-destination=stderr", "--reuseaddr"});
  }

  // What was asked of each host, by the server's own account.
  [[nodiscard]] std::string DeniedLog() const { return ReadText(directory_.Path("denied.log")); }
  [[nodiscard]] std::string AllowedLog() const { return ReadText(directory_.Path("allowed.log")); }

  // Both servers answer; waits until they do.
  [[nodiscard]] static bool Ready() {
    constexpr const char* kTry =
        "curl --silent --fail --retry 50 --retry-delay 1 --retry-connrefused --max-time 60 "
        "-o /dev/null http://192.0.2.10/file && "
        "for i in 1 2 3 4 5 6 7 8 9 10; do"
        " git ls-remote git://192.0.2.10/repository.git >/dev/null 2>&1 && exit 0; sleep 1; done; "
        "exit 1";
    return Shell(kTry).status == 0;
  }

 private:
  void MakeRepository() {
    const std::string source = directory_.Path("source");
    const std::string bare = directory_.Path("repository.git");
    const Ended ended =
        Shell("git init -q -b main " + source + "; cd " + source +
              "; echo content >file; git add file; "
              "git -c user.name=Test -c user.email=test@example.com commit -q -m first; "
              "git clone -q --bare " +
              source + " " + bare + "; git -C " + bare +
              " update-server-info; "
              "cp file " +
              directory_.Path("file") + "; chmod -R a+rX " + directory_.path());
    EXPECT_EQ(ended.status, 0) << Describe(ended);
  }

  [[nodiscard]] std::string WriteNginxConfiguration() const {
    const auto server = [this](std::string_view v4, std::string_view v6, const std::string& log) {
      return "server { listen " + std::string(v4) + ":80; listen [" + std::string(v6) +
             "]:80; root " + directory_.path() + "; access_log " + directory_.Path(log) + "; }\n";
    };
    return directory_.Write("nginx.conf",
                            "daemon off; master_process off; user root; error_log stderr; pid " +
                                directory_.Path("nginx.pid") + ";\nevents {}\nhttp {\n" +
                                server(kAllowedV4, kAllowedV6, "allowed.log") +
                                server(kDeniedV4, kDeniedV6, "denied.log") + "}\n");
  }

  static std::unique_ptr<Subprocess> Start(const std::vector<std::string>& arguments) {
    SpawnOptions options;
    options.environment = {{kPath, "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1",
                            "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
                            "GIT_CONFIG_VALUE_0=*"}};
    const int outside = TestNetwork::Get().outside();
    options.in_child = [outside] { return setns(outside, CLONE_NEWNET) == 0 ? 0 : 126; };
    return std::make_unique<Subprocess>(arguments, options);
  }

  TempDir directory_;
  std::unique_ptr<Subprocess> nginx_;
  std::unique_ptr<Subprocess> git_;
};

struct Tool {
  const char* name;
  const char* program;
  // A shell script; HOST stands for the host as a URL has it. Prints "content" where it works.
  const char* script;
  bool http;  // Else nothing of it is in nginx's log.
};

void PrintTo(const Tool& tool, std::ostream* stream) { *stream << tool.name; }

constexpr auto kTools = std::to_array<Tool>({
    {"Curl", "/usr/bin/curl", "curl --silent --max-time 20 http://HOST/file", true},
    {"Python", "/usr/bin/python3",
     "python3 -c 'import urllib.request as r; "
     "print(r.urlopen(\"http://HOST/file\", timeout=20).read().decode())'",
     true},
    {"GitOverHttp", "/usr/bin/git",
     "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; "
     "git clone -q http://HOST/repository.git \"$d/clone\" && cat \"$d/clone/file\"",
     true},
    {"GitDaemon", "/usr/bin/git",
     "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; "
     "git clone -q git://HOST/repository.git \"$d/clone\" && cat \"$d/clone/file\"",
     false},
});

class RealTool : public testing::TestWithParam<std::tuple<Tool, Family>> {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    PALYRA_REQUIRE_FEATURE(Program("/usr/sbin/nginx"));
    PALYRA_REQUIRE_FEATURE(Program("/usr/bin/git"));
    PALYRA_REQUIRE_FEATURE(Program(tool_.program));
    TestNetwork::Get();
    static const bool kReady = (Servers(), RealServers::Ready());
    ASSERT_TRUE(kReady) << "the servers do not answer";
  }

  static RealServers& Servers() {
    static RealServers servers;
    return servers;
  }

  static PacketObserver& Observer() {
    static PacketObserver observer(TestNetwork::Get());
    return observer;
  }

  [[nodiscard]] std::vector<std::string> CommandAt(const std::string& host) const {
    std::string script = tool_.script;
    const std::string url_host = host.find(':') == std::string::npos ? host : "[" + host + "]";
    script.replace(script.find("HOST"), 4, url_host);
    return {"/bin/sh", "-c", script};
  }

  static SpawnOptions Options() {
    SpawnOptions options;
    options.environment = {{kPath, "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent"}};
    options.directory = "/tmp";
    return options;
  }

  [[nodiscard]] Ended RunBareAt(const std::string& host) const {
    return RunProgram(CommandAt(host), Options());
  }

  [[nodiscard]] Ended RunAt(const std::string& host) const {
    return PalyraRun()
        .Policy(PermitAllowedHost())
        .Option("--env", "GIT_CONFIG_NOSYSTEM")
        .Option("--env", "HOME=/nonexistent")
        .Run(CommandAt(host), Options());
  }

  const Tool tool_ = std::get<0>(GetParam());
  const Family family_ = std::get<1>(GetParam());
};

TEST_P(RealTool, WorksWithTheServerThatItMayReach) {
  const size_t before = Servers().AllowedLog().size();
  const Ended ended = RunAt(AllowedHost(family_));
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_NE(ended.output.find("content"), std::string::npos) << Describe(ended);
  if (tool_.http) {
    EXPECT_GT(Servers().AllowedLog().size(), before);
  }
}

TEST_P(RealTool, FailsWithTheServerThatItMayNotReach) {
  const Ended control = RunBareAt(DeniedHost(family_));
  EXPECT_EQ(control.status, 0) << "the control failed: " << Describe(control);
  const std::string log = Servers().DeniedLog();
  if (tool_.http) {
    EXPECT_NE(log, "") << "the server does not write what it is asked";
  }

  Observer().Start();
  const Ended ended = RunAt(DeniedHost(family_));
  EXPECT_NE(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output.find("content"), std::string::npos) << Describe(ended);
  // The tool's own message, then palyra's one line that says why.
  EXPECT_NE(ended.error_output.find("denied: net.connect tcp"), std::string::npos)
      << Describe(ended);
  EXPECT_EQ(Observer().PacketsFor(CanonicalDeniedHost(family_)), 0U);
  EXPECT_EQ(Servers().DeniedLog(), log);
}

INSTANTIATE_TEST_SUITE_P(All, RealTool,
                         testing::Combine(testing::ValuesIn(kTools),
                                          testing::Values(Family::kV4, Family::kV6)),
                         [](const testing::TestParamInfo<std::tuple<Tool, Family>>& parameter) {
                           return std::string(std::get<0>(parameter.param).name)
                               .append(FamilyName(std::get<1>(parameter.param)));
                         });

}  // namespace
}  // namespace palyra::tests
