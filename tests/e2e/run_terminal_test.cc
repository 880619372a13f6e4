// palyra-run on a terminal.

#include <gtest/gtest.h>

#include "tests/e2e/policies.h"
#include "tests/support/palyra_run.h"
#include "tests/support/require_feature.h"

namespace palyra::tests {
namespace {

class RunTerminal : public testing::Test {
 protected:
  void SetUp() override { PALYRA_REQUIRE_FEATURE(Root()); }

  static SpawnOptions OnTerminal() {
    SpawnOptions options;
    options.terminal = true;
    return options;
  }
};

TEST_F(RunTerminal, PassesTheTerminalThrough) {
  const Ended ended = PalyraRun().Run({BinaryPath("palyra_probe"), "tty-print"}, OnTerminal());
  EXPECT_EQ(ended.status, 0) << Describe(ended);
  EXPECT_EQ(ended.output, "0 1 2 foreground\r\n") << Describe(ended);
}

TEST_F(RunTerminal, ACommandReadsWhatIsTyped) {
  const PalyraRun run;
  Subprocess command(run.CommandLine({BinaryPath("palyra_probe"), "copy-streams"}), OnTerminal());
  command.Type("typed\n");
  EXPECT_TRUE(command.WaitForOutput("typed\r\ntyped\r\n"));  // The echo, then the copy.
  command.Type("\x04");
  EXPECT_EQ(command.Wait().status, 0);
}

TEST_F(RunTerminal, ControlCEndsTheCommand) {
  const PalyraRun run;
  Subprocess command(run.CommandLine({BinaryPath("palyra_probe"), "linger", "ctrl-c", "wait"}),
                     OnTerminal());
  ASSERT_TRUE(command.WaitForOutput("ready"));
  command.Type("\x03");
  const Ended ended = command.Wait();
  EXPECT_EQ(ended.status, 130) << Describe(ended);
}

TEST_F(RunTerminal, NothingCanBeTypedIntoItFromInside) {
  const PalyraRun run;
  Subprocess command(run.CommandLine({BinaryPath("palyra_probe"), "tiocsti"}), OnTerminal());
  const Ended ended = command.Wait();
  EXPECT_EQ(ended.status, 1) << Describe(ended);
}

}  // namespace
}  // namespace palyra::tests
