// Servers that people really have on unix sockets, and their own clients: bare they speak, in a run
// they do not, in a run that may use the socket they do again.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Service {
  const char* name;
  const char* program;
  // Shell scripts. SOCKET stands for the path of the socket, DIR for the directory above it.
  const char* server;  // Stays in the foreground.
  const char* client;
  const char* works;  // What the client prints where it works,
  const char* fails;  // and where it may not connect.
};

void PrintTo(const Service& service, std::ostream* stream) { *stream << service.name; }

// Docker's is HTTP over a unix socket, which nginx speaks too.
constexpr auto kServices = std::to_array<Service>({
    {"Docker", "/usr/sbin/nginx",
     "printf 'daemon off; master_process off; error_log stderr; pid DIR/pid; events {} http { "
     "access_log off; client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; "
     "uwsgi_temp_path DIR; scgi_temp_path DIR; server { listen unix:SOCKET; "
     "location / { return 200 \"its version\"; } } }' >DIR/conf; exec nginx -p DIR -c DIR/conf",
     "curl -sS --max-time 20 --unix-socket SOCKET http://docker/version", "its version",
     "curl: (7)"},
    {"SshAgent", "/usr/bin/ssh-agent", "exec ssh-agent -D -a SOCKET",
     "SSH_AUTH_SOCK=SOCKET ssh-add -l", "The agent has no identities", "Error connecting to agent"},
    {"GpgAgent", "/usr/bin/gpg-agent",
     "GNUPGHOME=DIR exec gpg-agent --daemon --no-detach --extra-socket SOCKET sleep 300",
     "gpg-connect-agent --no-autostart -S SOCKET 'GETINFO version' /bye", "\nOK", "can't connect"},
    {"DBus", "/usr/bin/dbus-daemon",
     "exec dbus-daemon --session --nofork --nopidfile --address=unix:path=SOCKET",
     "dbus-send --bus=unix:path=SOCKET --print-reply --dest=org.freedesktop.DBus / "
     "org.freedesktop.DBus.GetId",
     "string \"", "Failed to open connection"},
});

class RealSocket : public testing::TestWithParam<Service> {
 protected:
  void SetUp() override {
    PALYRA_REQUIRE_FEATURE(Root());
    Feature program{.name = GetParam().program, .since = {}, .state = {}};
    if (access(GetParam().program, X_OK) != 0) {
      program.state = Fail(ErrorCode::kNotFound, "it is not installed; run tools/setup");
    }
    PALYRA_REQUIRE_FEATURE(program);
    chmod(directory_.path().c_str(), 0755);
    ASSERT_EQ(chown(directory_.path().c_str(), kUid, kUid), 0);
    server_ = std::make_unique<Subprocess>(AsUser(GetParam().server), Options());
    ASSERT_TRUE(Eventually([this] { return access(Socket().c_str(), F_OK) == 0; }));
  }

  [[nodiscard]] std::string Socket() const { return directory_.Path("socket"); }

  [[nodiscard]] std::vector<std::string> Script(std::string script) const {
    const auto replace = [&script](const std::string& word, const std::string& with) {
      for (size_t at = script.find(word); at != std::string::npos;
           at = script.find(word, at + with.size())) {
        script.replace(at, word.size(), with);
      }
    };
    replace("SOCKET", Socket());
    replace("DIR", directory_.path());
    return {"/bin/sh", "-c", script};
  }

  [[nodiscard]] std::vector<std::string> AsUser(const std::string& script) const {
    const std::string uid = std::to_string(kUid);
    std::vector<std::string> command = {"/usr/bin/setpriv", "--reuid", uid,
                                        "--regid",          uid,       "--clear-groups"};
    for (const std::string& word : Script(script)) command.push_back(word);
    return command;
  }

  static SpawnOptions Options() {
    SpawnOptions options;
    options.environment = {{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent"}};
    return options;
  }

  static constexpr uid_t kUid = 1000;
  TempDir directory_;
  std::unique_ptr<Subprocess> server_;
};

TEST_P(RealSocket, IsReachedWhereItsSocketIsPermitted) {
  const Ended control = RunProgram(AsUser(GetParam().client), Options());
  EXPECT_THAT(control.output, HasSubstr(GetParam().works)) << Describe(control);

  const std::vector<std::string> command = Script(GetParam().client);
  const std::string user = std::to_string(kUid);
  PalyraRun closed;
  const Ended denied = closed.User(user).Run(command, Options());
  EXPECT_THAT(denied.output, Not(HasSubstr(GetParam().works))) << Describe(denied);
  EXPECT_THAT(denied.output + denied.error_output, HasSubstr(GetParam().fails)) << Describe(denied);
  EXPECT_THAT(denied.error_output, HasSubstr("allow it with --allow-unix " + Socket()));

  const Ended allowed =
      PalyraRun().User(user).Option("--allow-unix", Socket()).Run(command, Options());
  EXPECT_THAT(allowed.output, HasSubstr(GetParam().works)) << Describe(allowed);
}

INSTANTIATE_TEST_SUITE_P(All, RealSocket, testing::ValuesIn(kServices),
                         [](const testing::TestParamInfo<Service>& service) {
                           return service.param.name;
                         });

}  // namespace
}  // namespace palyra::tests
