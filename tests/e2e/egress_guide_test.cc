// docs/egress.md: every command of it, as somebody with sudo would type it.

#include <string>

#include "tests/e2e/names_fixture.h"
#include "tests/support/guide.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {
namespace {

std::string PrintedBySudo(const std::string& command, const std::string& directory) {
  constexpr std::string_view kSudo = "sudo ";
  EXPECT_TRUE(command.starts_with(kSudo)) << command;
  SpawnOptions options;
  options.directory = directory;
  const std::string programs = BinaryPath("palyra-run");
  const Ended ended = RunProgram({"/usr/bin/env", "SUDO_UID=" + std::string(kToolUser), "sh", "-c",
                                  "PATH=" + programs.substr(0, programs.rfind('/')) + ":$PATH; " +
                                      command.substr(kSudo.size())},
                                 options);
  return ended.output + ended.error_output;
}

class EgressGuide : public Names {};

TEST_F(EgressGuide, DoesWhatItSays) {
  const TempDir directory;
  EXPECT_GE(Guide(PALYRA_SOURCE_DIR "/docs/egress.md").Run(directory, PrintedBySudo), 5);
}

}  // namespace
}  // namespace palyra::tests
