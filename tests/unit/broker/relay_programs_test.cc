// Real programs on both sides: curl and openssl s_client through the relay to one nginx that serves
// two names on one address. One of the names may be reached.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/broker/relay_rig.h"

namespace palyra::tests {
namespace {

using broker::RelayReason;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kNginx = "/usr/sbin/nginx";
constexpr const char* kOpenSsl = "/usr/bin/openssl";
constexpr const char* kCurl = "/usr/bin/curl";

Feature Program(const std::string& path) {
  Feature feature{.name = path, .since = {}, .state = {}};
  if (access(path.c_str(), X_OK) != 0) {
    feature.state = Fail(ErrorCode::kNotFound, "it is not installed");
  }
  return feature;
}

// A port of 127.0.0.1 that nobody has.
uint16_t FreePort() {
  const UniqueFd taken(*broker::ListenAt(Loopback(0)));
  return broker::LocalOf(taken.get())->port;
}

// allowed.test and denied.test, each with its certificate, on one port with TLS and one without.
class Servers {
 public:
  Servers() : tls_(FreePort()), plain_(FreePort()) {
    for (const std::string name : {"allowed", "denied"}) MakeCertificate(name);
    nginx_ = std::make_unique<Subprocess>(std::vector<std::string>{
        kNginx, "-p", directory_.path(), "-c", directory_.Write("nginx.conf", Configuration())});
  }

  [[nodiscard]] broker::Endpoint tls() const { return Loopback(tls_); }
  [[nodiscard]] broker::Endpoint plain() const { return Loopback(plain_); }
  [[nodiscard]] std::string Certificate() const { return directory_.Path("both.pem"); }

  // Both names answer without the relay, with both protocols: the positive control.
  [[nodiscard]] bool BothAnswer() const {
    for (const std::string name : {"allowed.test", "denied.test"}) {
      for (const auto& [scheme, port] :
           {std::pair("https://", tls_), std::pair("http://", plain_)}) {
        const std::string at = name + ":" + std::to_string(port);
        const Ended ended =
            RunProgram({kCurl, "-q", "-sS", "--noproxy", "*", "--cacert", Certificate(), "--retry",
                        "50", "--retry-delay", "1", "--retry-connrefused", "--max-time", "60",
                        "--resolve", at + ":127.0.0.1", scheme + at + "/control"});
        if (ended.output != "hello from " + name + "\n") return false;
      }
    }
    return true;
  }

  // What nginx was asked, a line for each request: "name path".
  [[nodiscard]] std::string Log() const { return ReadText(directory_.Path("access.log")); }

 private:
  void MakeCertificate(const std::string& name) {
    const std::string certificate = directory_.Path(name + ".pem");
    const Ended made =
        RunProgram({kOpenSsl, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=" + name + ".test", "-addext", "subjectAltName=DNS:" + name + ".test",
                    "-keyout", directory_.Path(name + ".key"), "-out", certificate});
    EXPECT_EQ(made.status, 0) << Describe(made);
    both_ += ReadText(certificate);
    (void)directory_.Write("both.pem", both_);
  }

  [[nodiscard]] std::string Server(const std::string& name) const {
    std::ostringstream text;
    text << "server { listen 127.0.0.1:" << tls_ << " ssl http2; listen 127.0.0.1:" << plain_
         << "; server_name " << name << ".test; ssl_certificate " << name
         << ".pem; ssl_certificate_key " << name
         << ".key; location / { client_max_body_size 64m; default_type text/plain; "
            "return 200 \"hello from "
         << name << ".test\\n\"; } }\n";
    return text.str();
  }

  [[nodiscard]] std::string Configuration() const {
    std::ostringstream text;
    text << "daemon off; master_process off; error_log stderr; pid nginx.pid;\nevents {}\nhttp {\n"
            "log_format short '$server_name $uri $status'; access_log access.log short;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      text << kind << "_temp_path " << kind << ";\n";
    }
    text << Server("allowed") << Server("denied") << "}\n";
    return text.str();
  }

  TempDir directory_;
  uint16_t tls_;
  uint16_t plain_;
  std::string both_;
  std::unique_ptr<Subprocess> nginx_;
};

class RelayPrograms : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {kNginx, kOpenSsl, kCurl}) PALYRA_REQUIRE_FEATURE(Program(program));
    servers_ = std::make_unique<Servers>();
    ASSERT_TRUE(servers_->BothAnswer());
  }

  void Serve(const broker::Endpoint& server) {
    server_ = server;
    rig_.authority().destination = server;
    rig_.authority().addresses["allowed.test"] = {server};
  }

  // curl as if its connection had been redirected to the relay.
  Ended Curl(const std::string& url_start, const std::string& path,
             const std::vector<std::string>& options = {}) {
    const std::string at = std::to_string(server_.port);
    std::vector<std::string> arguments = {
        kCurl,
        "-q",
        "-sS",
        "--noproxy",
        "*",
        "--cacert",
        servers_->Certificate(),
        "--max-time",
        "60",
        "--connect-to",
        ":" + at + ":127.0.0.1:" + std::to_string(rig_.endpoint().port),
        url_start + ":" + at + path};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return RunProgram(arguments);
  }

  Ended SClient(const std::vector<std::string>& options) {
    std::vector<std::string> arguments = {
        kOpenSsl,   "s_client",
        "-connect", "127.0.0.1:" + std::to_string(rig_.endpoint().port),
        "-CAfile",  servers_->Certificate()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return RunProgram(arguments);
  }

  std::unique_ptr<Servers> servers_;
  broker::Endpoint server_ = Loopback(0);
  RelayRig rig_;
};

TEST_F(RelayPrograms, CurlReachesOneNameOfAnAddressAndNotTheOtherByTls) {
  Serve(servers_->tls());
  for (const char* version : {"--http1.1", "--http2"}) {
    const Ended allowed = Curl("https://allowed.test", "/through", {version});
    EXPECT_EQ(allowed.output, "hello from allowed.test\n") << Describe(allowed);
  }
  for (const char* version : {"--tlsv1.3", "--tls-max"}) {
    std::vector<std::string> options = {version};
    if (options[0] == "--tls-max") options.emplace_back("1.2");
    const Ended denied = Curl("https://denied.test", "/through", options);
    EXPECT_EQ(denied.status, 35) << Describe(denied);
    EXPECT_THAT(denied.error_output, HasSubstr("unrecognized name"));
  }
  EXPECT_THAT(servers_->Log(), HasSubstr("allowed.test /through 200"));
  EXPECT_THAT(servers_->Log(), Not(HasSubstr("denied.test /through")));
}

TEST_F(RelayPrograms, CurlReachesOneNameOfAnAddressAndNotTheOtherWithoutTls) {
  Serve(servers_->plain());
  const Ended allowed = Curl("http://allowed.test", "/through");
  EXPECT_EQ(allowed.output, "hello from allowed.test\n") << Describe(allowed);
  const Ended denied = Curl("http://denied.test", "/through", {"-w", "%{http_code}"});
  EXPECT_EQ(denied.output, "palyra: denied.test: the name is not one that this run may reach\n403");
  const Ended disguised = Curl("http://allowed.test", "/disguised", {"-H", "Host: denied.test"});
  EXPECT_THAT(disguised.output, HasSubstr("may reach"));
  const Ended upgrade = Curl("http://allowed.test", "/upgrade", {"--http2"});
  EXPECT_THAT(upgrade.output, HasSubstr("Upgrade"));
  const Ended prior = Curl("http://allowed.test", "/prior", {"--http2-prior-knowledge"});
  EXPECT_NE(prior.status, 0) << Describe(prior);
  EXPECT_THAT(servers_->Log(), HasSubstr("allowed.test /through 200"));
  for (const char* never : {"denied.test /through", "/disguised", "/upgrade", "/prior"}) {
    EXPECT_THAT(servers_->Log(), Not(HasSubstr(never)));
  }
}

TEST_F(RelayPrograms, CurlUploadsAndKeepsItsConnection) {
  Serve(servers_->plain());
  const TempDir directory;
  const std::string file = directory.Write("upload", std::string(size_t{8} * 1024 * 1024, 'u'));
  const std::string url = "http://allowed.test:" + std::to_string(server_.port);
  const Ended ended = Curl("http://allowed.test", "/sized",
                           {"-T",
                            file,
                            "--next",
                            "-q",
                            "-sS",
                            "--noproxy",
                            "*",
                            "--connect-to",
                            "::127.0.0.1:" + std::to_string(rig_.endpoint().port),
                            "-T",
                            file,
                            "-H",
                            "Transfer-Encoding: chunked",
                            url + "/chunked",
                            "--next",
                            "--noproxy",
                            "*",
                            "-sS",
                            "--connect-to",
                            "::127.0.0.1:" + std::to_string(rig_.endpoint().port),
                            url + "/get"});
  EXPECT_EQ(ended.output,
            "hello from allowed.test\nhello from allowed.test\nhello from "
            "allowed.test\n")
      << Describe(ended);
  for (const char* path : {"/sized", "/chunked", "/get"}) {
    EXPECT_THAT(servers_->Log(), HasSubstr(std::string("allowed.test ") + path + " 200"));
  }
}

TEST_F(RelayPrograms, OpenSslSeesTheCertificateOfTheServerItself) {
  Serve(servers_->tls());
  const Ended allowed = SClient({"-servername", "allowed.test", "-verify_hostname", "allowed.test",
                                 "-verify_return_error", "-alpn", "http/1.1"});
  EXPECT_THAT(allowed.output, HasSubstr("Verify return code: 0 (ok)")) << Describe(allowed);
  EXPECT_THAT(allowed.output, HasSubstr("ALPN protocol: http/1.1"));
}

TEST_F(RelayPrograms, OpenSslGetsAnAlertForAnotherNameAndForNone) {
  Serve(servers_->tls());
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{"-servername", "denied.test"},
        std::vector<std::string>{"-noservername"},
        std::vector<std::string>{"-servername", "denied.test", "-tls1_2"}}) {
    const Ended denied = SClient(options);
    EXPECT_NE(denied.status, 0);
    EXPECT_THAT(denied.error_output, HasSubstr("SSL alert number 112")) << Describe(denied);
    EXPECT_THAT(denied.output, Not(HasSubstr("BEGIN CERTIFICATE")));
  }
  const auto events = rig_.authority().Events(3);
  EXPECT_EQ(events[0].reason, RelayReason::kNameNotAllowed);
  EXPECT_EQ(events[1].reason, RelayReason::kNoServerName);
}

}  // namespace
}  // namespace palyra::tests
