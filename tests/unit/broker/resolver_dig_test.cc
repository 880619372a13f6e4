// The resolver between dig and dnsmasq, which know nothing of this code.

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/broker/resolver_fixture.h"

namespace palyra::broker {
namespace {

constexpr const char* kDig = "/usr/bin/dig";
constexpr const char* kDnsmasq = "/usr/sbin/dnsmasq";

tests::Feature Program(const char* path, const char* package) {
  // No kernel brings it, so that its absence is nowhere a failure.
  tests::Feature feature{.name = path, .since = {.major = 1 << 20}, .state = {}};
  if (access(path, X_OK) != 0) {
    feature.state = Fail(ErrorCode::kNotFound, std::string("install the package ") + package);
  }
  return feature;
}

class DigTest : public testing::Test {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Program(kDig, "bind9-dnsutils"));
    PALYRA_REQUIRE_FEATURE(Program(kDnsmasq, "dnsmasq-base"));
    uint16_t port = 0;
    {
      const SocketPair pair = OpenSocketPair();
      port = pair.port;
    }
    for (int i = 0; i < 60; ++i) {
      lines_ += "host-record=many.test,8.8.7." + std::to_string(i) + "\n";
    }
    const std::string configuration = directory_.Write(
        "dnsmasq.conf",
        "port=" + std::to_string(port) +
            "\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nno-daemon\n"
            "user=\ngroup=\npid-file\nlog-queries\nlog-facility=-\nlocal=/test/\n"
            "host-record=www.test,8.8.8.8,2606:4700::1,120\nhost-record=inside.test,10.0.0.1\n"
            "host-record=denied.test,8.8.8.8\ncname=alias.test,www.test\n"
            "srv-host=_http._tcp.test,www.test,80\ntxt-record=www.test,secret\n" +
            lines_);
    server_ = std::make_unique<tests::Subprocess>(
        std::vector<std::string>{kDnsmasq, "--conf-file=" + configuration});
    resolver_ = std::make_unique<RunningResolver>(
        std::vector<Endpoint>{{Address::V4({127, 0, 0, 1}), port}}, PatientOptionsButQuick());
    WaitForServer();
  }

  static ResolverOptions PatientOptionsButQuick() {
    ResolverOptions options = PatientOptions();
    options.upstream_timeout = std::chrono::seconds(5);
    return options;
  }

  void WaitForServer() const {
    const UdpClient client(*resolver_);
    for (int i = 0; i < 600; ++i) {
      if (RcodeOf(client.Ask("www.test", kTypeCname)) == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    FAIL() << "dnsmasq does not answer";
  }

  // The output of dig for `arguments`.
  [[nodiscard]] std::string Dig(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command = {kDig, "@127.0.0.1", "-p",
                                        std::to_string(resolver_->endpoint().port), "+tries=1"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    const tests::Ended ended = tests::RunProgram(command);
    EXPECT_EQ(ended.status, 0) << tests::Describe(ended);
    EXPECT_EQ(ended.output.find("WARNING"), std::string::npos) << ended.output;
    EXPECT_EQ(ended.output.find("Warning"), std::string::npos) << ended.output;
    return ended.output;
  }

  std::string lines_;
  tests::TempDir directory_;
  std::unique_ptr<tests::Subprocess> server_;
  std::unique_ptr<RunningResolver> resolver_;
};

TEST_F(DigTest, GetsAddresses) {
  EXPECT_EQ(Dig({"+short", "www.test", "A"}), "8.8.8.8\n");
  EXPECT_EQ(Dig({"+short", "www.test", "AAAA"}), "2606:4700::1\n");
  EXPECT_EQ(Dig({"+short", "+tcp", "www.test", "A"}), "8.8.8.8\n");
  EXPECT_EQ(Dig({"+short", "+noedns", "WWW.Test.", "A"}), "8.8.8.8\n");
  EXPECT_EQ(Dig({"+short", "localhost", "A"}), "127.0.0.1\n");
}

TEST_F(DigTest, GetsChainsAndServers) {
  EXPECT_EQ(Dig({"+short", "alias.test", "A"}), "www.test.\n8.8.8.8\n");
  EXPECT_EQ(Dig({"+short", "_http._tcp.test", "SRV"}), "0 0 80 www.test.\n");
}

TEST_F(DigTest, GetsManyAddressesWithAndWithoutTcp) {
  for (const char* option : {"+bufsize=4096", "+bufsize=512", "+tcp", "+noedns"}) {
    const std::string output = Dig({"+short", option, "many.test", "A"});
    EXPECT_EQ(std::ranges::count(output, '\n'), 60) << option;
  }
}

TEST_F(DigTest, IsRefusedWhatTheRulesDeny) {
  const std::string denied = Dig({"denied.test", "A"});
  EXPECT_NE(denied.find("status: NXDOMAIN"), std::string::npos) << denied;
  EXPECT_NE(denied.find("EDE: 15 (Blocked)"), std::string::npos) << denied;
  const std::string inside = Dig({"inside.test", "A"});
  EXPECT_NE(inside.find("status: NOERROR"), std::string::npos) << inside;
  EXPECT_NE(inside.find("EDE: 17 (Filtered)"), std::string::npos) << inside;
  EXPECT_EQ(inside.find("10.0.0.1"), std::string::npos) << inside;
  const std::string text = Dig({"www.test", "TXT"});
  EXPECT_NE(text.find("status: REFUSED"), std::string::npos) << text;
  // What dnsmasq has heard of it.
  server_->Signal(SIGTERM);
  const tests::Ended ended = server_->Wait();
  const std::string log = ended.output + ended.error_output;
  EXPECT_NE(log.find("query[A] inside.test"), std::string::npos) << log;
  EXPECT_EQ(log.find("denied.test"), std::string::npos) << log;
  EXPECT_EQ(log.find("query[TXT]"), std::string::npos) << log;
}

TEST_F(DigTest, HearsThatANameDoesNotExist) {
  const std::string output = Dig({"nowhere.test", "A"});
  EXPECT_NE(output.find("status: NXDOMAIN"), std::string::npos) << output;
}

}  // namespace
}  // namespace palyra::broker
