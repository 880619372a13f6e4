// palyra-run as a wrapper: what goes in, what comes out, and how it says that something is wrong.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "tests/e2e/policies.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

class RunTest : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }

  static std::vector<std::string> Probe(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), BinaryPath("palyra_probe"));
    return arguments;
  }

  static int StatusOf(const std::vector<std::string>& probe_arguments) {
    const Ended ended = PalyraRun().Run(Probe(probe_arguments));
    EXPECT_FALSE(ended.signaled) << Describe(ended);
    return ended.status;
  }
};

TEST_F(RunTest, ExitsWithTheStatusOfItsCommand) {
  for (const int status : {0, 1, 7, 42, 255}) {
    EXPECT_EQ(StatusOf({"exit-with", std::to_string(status)}), status);
  }
}

TEST_F(RunTest, ExitsWith128PlusTheSignalThatKilledItsCommand) {
  for (const int number : {SIGHUP, SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM}) {
    EXPECT_EQ(StatusOf({"raise", std::to_string(number)}), 128 + number);
  }
}

TEST_F(RunTest, ExitsWith124WhenTheTimeIsUp) {
  const Ended ended =
      PalyraRun().Option("--timeout", "1").Run(Probe({"linger", "timeout-mark", "wait", "deaf"}));
  EXPECT_EQ(ended.status, 124) << Describe(ended);
  EXPECT_EQ(ended.output, "ready\n");
}

TEST_F(RunTest, OfADryRunIsShownEverythingAndNothingRuns) {
  const TempDir directory;
  const std::string mark = directory.Path("mark");
  PalyraRun dry;
  dry.Option("--allow-net", "192.0.2.1:443").Option("--workspace", directory.path());
  EXPECT_EQ(dry.Run({"touch", "/dev/null"}).status, 0) << "the control";
  const Ended shown = dry.Option("--dry-run").Run({"touch", mark});
  EXPECT_EQ(shown.status, 0) << Describe(shown);
  for (const std::string& part :
       {std::string("rules "), std::string("layer mandatory: "),
        std::string("--allow-net 192.0.2.1:443"), "${workspace} " + directory.path(),
        std::string("held      net.connect")}) {
    EXPECT_NE(shown.output.find(part), std::string::npos) << part << Describe(shown);
  }
  EXPECT_NE(access(mark.c_str(), F_OK), 0);
  // What is refused is refused here too.
  EXPECT_EQ(PalyraRun().Option("--dry-run").Policy("permit (principal, action);").Run({}).status,
            125);
}

TEST_F(RunTest, StartsWhereItIsTold) {
  const TempDir directory;
  const std::string real = directory.Path("real");
  ASSERT_EQ(mkdir(real.c_str(), 0755), 0);
  ASSERT_EQ(symlink("real", directory.Path("link").c_str()), 0);
  const Ended ended = PalyraRun()
                          .Option("--chdir", directory.Path("link"))
                          .Run({"/bin/sh", "-c", "pwd; env | grep ^PWD="});
  EXPECT_EQ(ended.output, real + "\nPWD=" + real + '\n') << Describe(ended);
  EXPECT_EQ(PalyraRun().Option("--chdir", directory.Path("none")).Run({"true"}).status, 125);
}

TEST_F(RunTest, ATimeoutThatIsNotReachedChangesNothing) {
  const Ended ended = PalyraRun().Option("--timeout", "600").Run(Probe({"exit-with", "7"}));
  EXPECT_EQ(ended.status, 7) << Describe(ended);
}

TEST_F(RunTest, ExitsWith126WhenTheCommandIsNotExecutable) {
  const TempDir directory;
  const std::string file = directory.Write("data", "no program\n");
  for (const std::string& command : {file, directory.path()}) {
    const Ended ended = PalyraRun().Run({command});
    EXPECT_EQ(ended.status, 126) << Describe(ended);
    EXPECT_NE(ended.error_output.find(command), std::string::npos) << Describe(ended);
  }
}

TEST_F(RunTest, ExitsWith127WhenTheCommandIsNotThere) {
  SpawnOptions options;
  options.environment = {{"PATH=/usr/bin:/bin"}};
  for (const std::string command : {"/no/such/program", "no-such-program-anywhere"}) {
    const Ended ended = PalyraRun().Run({command}, options);
    EXPECT_EQ(ended.status, 127) << Describe(ended);
    EXPECT_NE(ended.error_output.find(command), std::string::npos) << Describe(ended);
  }
}

TEST_F(RunTest, PassesArgumentsExactly) {
  const std::vector<std::string> arguments = {"",         "a b",      "\"q'",    "line\nbreak",
                                              "--",       "-x",       "$(x)",    "*",
                                              "\xc3\xbc", "\xff\x01", "--policy"};
  std::vector<std::string> probe = {"args-print"};
  probe.insert(probe.end(), arguments.begin(), arguments.end());
  std::string expected;
  for (const std::string& argument : arguments) expected.append(argument).push_back('\0');
  const Ended ended = PalyraRun().Run(Probe(probe));
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, expected);
}

TEST_F(RunTest, LeavesTheThreeStreamsAsTheyAre) {
  SpawnOptions options;
  std::string inverted;
  for (int i = 0; i < 1 << 18; ++i) {
    const auto byte = static_cast<char>((i * 7 + i / 256) & 0xff);
    options.input.push_back(byte);
    inverted.push_back(static_cast<char>(~byte));
  }
  const std::string input = options.input;
  const Ended ended = PalyraRun().Run(Probe({"copy-streams"}), options);
  EXPECT_EQ(ended.status, 0);
  EXPECT_TRUE(ended.output == input) << ended.output.size() << " bytes on stdout";
  EXPECT_TRUE(ended.error_output == inverted) << ended.error_output.size() << " bytes on stderr";
}

TEST_F(RunTest, RunsInTheDirectoryOfItsCaller) {
  const TempDir directory;
  SpawnOptions options;
  options.directory = directory.path();
  const Ended ended = PalyraRun().Run(Probe({"cwd-print"}), options);
  EXPECT_EQ(ended.output, directory.path() + "\n") << Describe(ended);
}

TEST_F(RunTest, SaysOneLineOnStderrWhenItDeniedSomething) {
  const Ended ended =
      PalyraRun().Policy("// nothing\n").Run(Probe({"udp-sendto", "127.0.0.1", "7002"}));
  EXPECT_EQ(ended.status, 1) << Describe(ended);
  EXPECT_EQ(std::ranges::count(ended.error_output, '\n'), 1) << Describe(ended);
  EXPECT_EQ(ended.output, "udp-sendto denied EPERM\n") << Describe(ended);
}

class RunRefusal : public RunTest {
 protected:
  void SetUp() override {
    RunTest::SetUp();
    proof_ = directory_.Path("ran");
  }

  // A command that proves that it ran.
  [[nodiscard]] std::vector<std::string> Command() const { return Probe({"touch", proof_}); }
  [[nodiscard]] bool Ran() const { return access(proof_.c_str(), F_OK) == 0; }

  void ExpectRefused(const Ended& ended, std::string_view said) const {
    EXPECT_EQ(ended.status, 125) << Describe(ended);
    EXPECT_NE(ended.error_output.find(said), std::string::npos) << "not said: " << said << '\n'
                                                                << Describe(ended);
    EXPECT_FALSE(Ran()) << "the command ran all the same";
    EXPECT_EQ(ended.output, "");
  }

  TempDir directory_;
  std::string proof_;
};

TEST_F(RunRefusal, DoesNotHappenWithoutAReason) {
  const Ended ended = PalyraRun().Policy(kPermitAll).User("0").Run(Command());
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_TRUE(Ran());
}

TEST_F(RunRefusal, APolicyThatDoesNotParseIsShownWithItsPlace) {
  const std::string policy =
      "permit (principal, action, resource);\nforbid (principal, action resource);\n";
  const std::string file = directory_.Write("broken.cedar", policy);
  const Ended ended = PalyraRun().User("0").Option("--policy", file).Run(Command());
  ExpectRefused(ended, file + ":2:");
  ExpectRefused(ended, "error:");
  // The line itself, and below it a caret under the word that should not be there.
  const std::string line = "forbid (principal, action resource);\n";
  const size_t at = ended.error_output.find(line);
  ASSERT_NE(at, std::string::npos) << Describe(ended);
  const size_t line_start = ended.error_output.rfind('\n', at) + 1;
  const size_t caret_line = at + line.size();
  const size_t caret = ended.error_output.find('^', caret_line);
  ASSERT_NE(caret, std::string::npos) << Describe(ended);
  const size_t word = at + line.find("resource") - line_start;
  EXPECT_EQ(caret - caret_line, word) << Describe(ended);
}

TEST_F(RunRefusal, APolicyFileThatIsMissingIsNamed) {
  ExpectRefused(PalyraRun().User("0").Option("--policy", "/no/such.cedar").Run(Command()),
                "/no/such.cedar");
}

TEST_F(RunRefusal, EntitiesThatDoNotParseAreNamed) {
  const std::string file = directory_.Write("entities.json", "[{\"uid\": 1}]\n");
  ExpectRefused(PalyraRun().User("0").Policy(kPermitAll).Option("--entities", file).Run(Command()),
                file);
}

TEST_F(RunRefusal, AnUnknownOptionIsNamed) {
  ExpectRefused(PalyraRun().User("0").Option("--no-such-option").Run(Command()),
                "--no-such-option");
}

TEST_F(RunRefusal, AShorthandThatNamesNoHostIsShown) {
  ExpectRefused(PalyraRun().User("0").Option("--allow-net", "user@example.com").Run(Command()),
                "user@example.com");
}

TEST_F(RunRefusal, AnUnknownUserIsNamed) {
  ExpectRefused(PalyraRun().User("no-such-user").Run(Command()), "no-such-user");
}

TEST_F(RunRefusal, ATimeoutMustBeANumberOfSeconds) {
  for (const std::string value : {"soon", "-1", "1x"}) {
    ExpectRefused(PalyraRun().User("0").Option("--timeout", value).Run(Command()),
                  "\"" + value + "\"");
  }
}

TEST_F(RunRefusal, WithoutACommandThereIsNothingToRun) {
  const Ended ended = RunProgram({BinaryPath("palyra-run")});
  EXPECT_EQ(ended.status, 125) << Describe(ended);
  EXPECT_EQ(ended.output, "");
}

TEST_F(RunRefusal, WithoutRootItSaysSo) {
  chmod(directory_.path().c_str(), 0777);
  SpawnOptions options;
  options.in_child = [] { return setgid(1000) == 0 && setuid(1000) == 0 ? 0 : 99; };
  std::vector<std::string> line = {BinaryPath("palyra-run"), "--"};
  for (const std::string& word : Command()) line.push_back(word);
  ExpectRefused(RunProgram(line, options), "root");
}

}  // namespace
}  // namespace palyra::tests
