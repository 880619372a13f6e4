// Programs that people really run, with names: one that a policy permits and one that it does not,
// both of the same server at the same address; and through the relay, which tells the two apart
// where a policy asks for that.
//
// Outside are nginx, with TLS and without, and sshd. The upstream DNS server is the test's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/upstream_dns.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/broker/fake_server.h"

namespace palyra::tests {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kGood = "www.good.test";
constexpr const char* kEvil = "www.evil.test";
constexpr const char* kPolicy =
    "permit (principal, action, resource in Palyra::Domain::\"good.test\");\n";

constexpr const char* kVerifyPolicy =
    "@verify(\"sni\") permit (principal, action == Palyra::Action::\"net.connect\", "
    "resource in Palyra::Domain::\"good.test\");\n";

SpawnOptions Options() {
  SpawnOptions options;
  options.environment = {{kPath, "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1"}};
  options.directory = "/tmp";
  return options;
}

Ended Shell(const std::string& script) { return RunProgram({"/bin/sh", "-ec", script}, Options()); }

broker::Messages Respond(const broker::Asked& asked) {
  const bool is_known = asked.name == kGood || asked.name == kEvil;
  constexpr uint16_t kNameError = 3;
  broker::Message message = broker::ResponseTo(asked, is_known ? 0 : kNameError);
  if (is_known && asked.type == broker::kTypeA) {
    message.Answer(broker::WirePointer(broker::kToQuestion), asked.type, 300,
                   broker::WireV4(std::string(kPublicV4)));
  }
  return {message.bytes()};
}

// The servers of both names, at kPublicV4: ports 80, 443 and 22.
class NamedServers {
 public:
  NamedServers() {
    const Ended ended = Shell(
        "cd " + directory_.path() +
        "; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test "
        "-addext subjectAltName=DNS:www.good.test,DNS:www.evil.test "
        "-keyout key.pem -out ca.pem 2>/dev/null; "
        "git init -q -b main source; cd source; echo content >file; git add file; "
        "git -c user.name=Test -c user.email=test@example.com commit -q -m first; cd ..; "
        "git clone -q --bare source repository.git; git -C repository.git update-server-info; "
        "cp source/file file; "
        "ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f client; "
        "for n in www.good.test www.evil.test; do echo \"$n $(cat host.pub)\"; done >known; "
        "mkdir -p /run/sshd; chmod -R a+rX .; chmod 600 host client");
    EXPECT_EQ(ended.status, 0) << Describe(ended);
    nginx_ = Start({"/usr/sbin/nginx", "-p", directory_.path(), "-c", NginxConfiguration()});
    sshd_ = Start({"/usr/sbin/sshd", "-D", "-e", "-f", SshdConfiguration()});
  }

  [[nodiscard]] const std::string& path() const { return directory_.path(); }
  [[nodiscard]] std::string EvilLog() const { return ReadText(directory_.Path("evil.log")); }
  // Lines of the other one's log.
  [[nodiscard]] int64_t Served() const {
    return std::ranges::count(ReadText(directory_.Path("good.log")), '\n');
  }

  // Waits until both answer; what was wrong if they do not.
  static std::string Ready() {
    const Ended ended = Shell(
        "curl -sS --fail --retry 30 --retry-delay 1 --retry-connrefused -o /dev/null "
        "http://203.0.112.5/file; "
        "for i in $(seq 30); do "
        "ssh-keyscan -T 2 203.0.112.5 2>/dev/null | grep -q ssh && exit 0; sleep 1; done; "
        "echo no ssh; exit 1");
    return ended.status == 0 ? "" : Describe(ended);
  }

 private:
  [[nodiscard]] std::string NginxConfiguration() const {
    const std::string address(kPublicV4);
    const auto server = [&](const std::string& name, const std::string& log) {
      return "server { listen " + address + ":80; listen " + address + ":443 ssl; server_name " +
             name + "; ssl_certificate ca.pem; ssl_certificate_key key.pem; root " +
             directory_.path() + "; access_log " + directory_.Path(log) + "; }\n";
    };
    return directory_.Write("nginx.conf",
                            "daemon off; master_process off; user root; error_log stderr; pid " +
                                directory_.Path("nginx.pid") + ";\nevents {}\nhttp {\n" +
                                server(kGood, "good.log") + server(kEvil, "evil.log") + "}\n");
  }

  [[nodiscard]] std::string SshdConfiguration() const {
    return directory_.Write("sshd.conf", "ListenAddress " + std::string(kPublicV4) + "\nHostKey " +
                                             directory_.Path("host") + "\nAuthorizedKeysFile " +
                                             directory_.Path("client.pub") +
                                             "\nStrictModes no\nUsePAM no\nPidFile none\n"
                                             "PermitRootLogin prohibit-password\n");
  }

  static std::unique_ptr<Subprocess> Start(const std::vector<std::string>& arguments) {
    SpawnOptions options = Options();
    const int outside = TestNetwork::Get().outside();
    options.in_child = [outside] { return setns(outside, CLONE_NEWNET) == 0 ? 0 : 126; };
    return std::make_unique<Subprocess>(arguments, options);
  }

  TempDir directory_;
  std::unique_ptr<Subprocess> nginx_;
  std::unique_ptr<Subprocess> sshd_;
};

struct Tool {
  const char* name;
  const char* program;
  // A shell script. NAME stands for the host, DIR for where the servers' files are, SSH for ssh
  // with its options.
  const char* script;
  const char* works;  // What it prints where it works,
  const char* fails;  // and where the name is not found.
  enum class Says : uint8_t {
    kItsServer,  // By TLS or HTTP.
    kOtherThings,
    kNothing,  // It opens no connection.
  } says;
};

void PrintTo(const Tool& tool, std::ostream* stream) { *stream << tool.name; }

constexpr auto kTools = std::to_array<Tool>({
    {"Curl", "/usr/bin/curl", "curl -sS --max-time 20 --cacert DIR/ca.pem https://NAME/file",
     "content", "Could not resolve host: www.evil.test", Tool::Says::kItsServer},
    {"CurlWithoutTls", "/usr/bin/curl", "curl -sS --noproxy '*' --max-time 20 http://NAME/file",
     "content", "Could not resolve host: www.evil.test", Tool::Says::kItsServer},
    {"Wget", "/usr/bin/wget",
     "wget -nv -O - --tries=1 --timeout=20 --ca-certificate=DIR/ca.pem https://NAME/file",
     "content", "unable to resolve host address", Tool::Says::kItsServer},
    {"PythonRequests", "/usr/bin/python3",
     "/usr/bin/python3 -c 'import requests; "
     "print(requests.get(\"https://NAME/file\", verify=\"DIR/ca.pem\", timeout=20).text)'",
     "content", "Name or service not known", Tool::Says::kItsServer},
    {"NodeFetch", "/usr/bin/node",
     "NODE_EXTRA_CA_CERTS=DIR/ca.pem node -e 'fetch(\"https://NAME/file\").then(r => r.text())"
     ".then(console.log, e => { console.error(e.cause.code); process.exit(1); })'",
     "content", "ENOTFOUND", Tool::Says::kItsServer},
    {"OpenSsl", "/usr/bin/openssl",
     "printf 'GET /file HTTP/1.0\\r\\nHost: NAME\\r\\n\\r\\n' | openssl s_client -quiet "
     "-connect NAME:443 -servername NAME -CAfile DIR/ca.pem -verify_return_error",
     "content", "Name or service not known", Tool::Says::kItsServer},
    {"GitOverHttps", "/usr/bin/git",
     "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; git -c http.sslCAInfo=DIR/ca.pem "
     "clone -q https://NAME/repository.git \"$d/clone\" && cat \"$d/clone/file\"",
     "content", "Could not resolve host: www.evil.test", Tool::Says::kItsServer},
    {"Ssh", "/usr/bin/ssh", "SSH root@NAME cat DIR/file", "content",
     "Could not resolve hostname www.evil.test", Tool::Says::kOtherThings},
    {"GitOverSsh", "/usr/bin/git",
     "d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT; GIT_SSH_COMMAND='SSH' "
     "git clone -q root@NAME:DIR/repository.git \"$d/clone\" && cat \"$d/clone/file\"",
     "content", "Could not resolve hostname www.evil.test", Tool::Says::kOtherThings},
    {"DigOverUdp", "/usr/bin/dig", "dig +tries=1 NAME | grep -E 'status|IN' ; exit 0",
     "203.0.112.5", "status: NXDOMAIN", Tool::Says::kNothing},
    {"DigOverTcp", "/usr/bin/dig", "dig +tcp +tries=1 NAME | grep -E 'status|IN'; exit 0",
     "203.0.112.5", "status: NXDOMAIN", Tool::Says::kNothing},
});

class RealName : public EgressTest, public testing::WithParamInterface<Tool> {
 protected:
  static void SetUpTestSuite() {
    if (JudgeHere(Root()) != Requirement::kMet) return;
    TestNetwork::Get();
    UseUpstreamDns();
  }

  void SetUp() override {
    EgressTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (const char* program : {"/usr/sbin/nginx", "/usr/sbin/sshd", GetParam().program}) {
      Feature feature{.name = program, .since = {}, .state = {}};
      if (access(program, X_OK) != 0) {
        feature.state = Fail(ErrorCode::kNotFound, "it is not installed; run tools/setup");
      }
      PALYRA_REQUIRE_FEATURE(feature);
    }
    const auto address = broker::Address::Parse(kUpstreamDns);
    dns_ = std::make_unique<broker::FakeServer>(Respond, *address);
    static const std::string kProblem = (NameServers(), NamedServers::Ready());
    ASSERT_EQ(kProblem, "");
  }

  static NamedServers& NameServers() {
    static NamedServers servers;
    return servers;
  }

  static std::vector<std::string> CommandFor(const std::string& name) {
    std::string script = GetParam().script;
    const auto replace = [&script](const std::string& word, const std::string& with) {
      for (size_t at = script.find(word); at != std::string::npos;
           at = script.find(word, at + with.size())) {
        script.replace(at, word.size(), with);
      }
    };
    replace("SSH ", "ssh -i DIR/client -o UserKnownHostsFile=DIR/known -o BatchMode=yes -F none ");
    replace("'SSH'",
            "'ssh -i DIR/client -o UserKnownHostsFile=DIR/known -o BatchMode=yes -F none'");
    replace("NAME", name);
    replace("DIR", NameServers().path());
    return {"/bin/sh", "-c", script};
  }

  [[nodiscard]] std::vector<std::string> Asked() const {
    std::vector<std::string> names;
    for (const broker::Asked& asked : dns_->asked()) names.push_back(asked.name);
    return names;
  }

  std::unique_ptr<broker::FakeServer> dns_;
};

// As root without capabilities: the key files are root's.
TEST_P(RealName, WorksWhereThePolicyPermitsIt) {
  PalyraRun run;
  const Ended ended = run.Policy(kPolicy).User("0").Run(CommandFor(kGood), Options());
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_THAT(ended.output, HasSubstr(GetParam().works)) << Describe(ended);
  EXPECT_TRUE(run.Audit().empty()) << Describe(ended);
}

TEST_P(RealName, IsNotFoundWhereNoneDoes) {
  const Ended control = RunProgram(CommandFor(kEvil), Options());
  EXPECT_EQ(control.status, 0) << "the control failed: " << Describe(control);
  EXPECT_THAT(control.output, HasSubstr(GetParam().works)) << Describe(control);
  EXPECT_THAT(Asked(), Contains(kEvil));
  const size_t asked = Asked().size();

  Observer().Start();
  PalyraRun run;
  const Ended ended = run.Policy(kPolicy).User("0").Run(CommandFor(kEvil), Options());
  EXPECT_THAT(ended.output, Not(HasSubstr(GetParam().works))) << Describe(ended);
  EXPECT_THAT(ended.output + ended.error_output, HasSubstr(GetParam().fails)) << Describe(ended);
  EXPECT_THAT(ended.error_output, HasSubstr("denied: resolve www.evil.test")) << Describe(ended);
  EXPECT_EQ(Asked().size(), asked) << "the name left the run";
  ExpectUntouched(kPublicV4);
  const auto names_it = [](const AuditEntry& entry) {
    return entry.action == "resolve" && std::ranges::find(entry.names, kEvil) != entry.names.end();
  };
  EXPECT_TRUE(std::ranges::any_of(run.Audit(), names_it)) << Describe(ended);
}

TEST_P(RealName, SaysItsServerToTheRelay) {
  const int64_t before = NameServers().Served();
  PalyraRun run;
  const Ended ended = run.Policy(kVerifyPolicy).User("0").Run(CommandFor(kGood), Options());
  if (GetParam().says == Tool::Says::kOtherThings) {
    EXPECT_THAT(ended.output, Not(HasSubstr(GetParam().works))) << Describe(ended);
    EXPECT_THAT(ended.error_output, HasSubstr("neither TLS nor HTTP")) << Describe(ended);
    return;
  }
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_THAT(ended.output, HasSubstr(GetParam().works)) << Describe(ended);
  EXPECT_TRUE(run.Audit().empty()) << Describe(ended);
  EXPECT_EQ(NameServers().Served() > before, GetParam().says == Tool::Says::kItsServer);
}

// The tool gets the address from /etc/hosts: what it says is all that tells the names apart.
TEST_P(RealName, SaysAnotherServerToTheRelayInVain) {
  if (GetParam().says != Tool::Says::kItsServer) return;
  const TempDir directory;
  const std::string hosts =
      directory.Write("hosts", std::string(kPublicV4) + " " + kEvil + "\n127.0.0.1 localhost\n");
  SpawnOptions options = Options();
  options.in_child = [&hosts] {
    const bool done = unshare(CLONE_NEWNS) == 0 &&
                      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                      mount(hosts.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) == 0;
    return done ? 0 : 126;
  };
  std::vector<std::string> command = CommandFor(kEvil);
  command.back().insert(0, std::string("getent ahostsv4 ") + kGood + " >/dev/null; ");

  const std::string log = NameServers().EvilLog();
  PalyraRun run;
  const Ended ended = run.Policy(kVerifyPolicy).User("0").Run(command, options);
  EXPECT_THAT(ended.output, Not(HasSubstr(GetParam().works))) << Describe(ended);
  EXPECT_THAT(ended.error_output, HasSubstr("as www.evil.test")) << Describe(ended);
  EXPECT_EQ(NameServers().EvilLog(), log);
  const auto names_it = [](const AuditEntry& entry) {
    return entry.action == "net.connect" && entry.address == kPublicV4 &&
           std::ranges::find(entry.names, kEvil) != entry.names.end();
  };
  EXPECT_TRUE(std::ranges::any_of(run.Audit(), names_it)) << Describe(ended);

  const Ended control = PalyraRun().Policy(kPolicy).User("0").Run(command, options);
  EXPECT_THAT(control.output, HasSubstr(GetParam().works)) << Describe(control);
  EXPECT_TRUE(Eventually([&] { return NameServers().EvilLog() != log; }))
      << "the control left no trace";
}

INSTANTIATE_TEST_SUITE_P(All, RealName, testing::ValuesIn(kTools),
                         [](const testing::TestParamInfo<Tool>& parameter) {
                           return parameter.param.name;
                         });

}  // namespace
}  // namespace palyra::tests
