// Programs and files where policies ask: a program waits for a grant, and a file is there once it
// has one.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/e2e/files_fixture.h"
#include "tests/e2e/held_fixture.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

class HeldExec : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    ASSERT_TRUE(HeldNow().empty());
    run_.Policy(Policy());
  }

  // From now on rules ask about these, and what they ask about waits.
  PalyraRun& Asking(const std::string& action, const std::vector<std::string>& paths) {
    std::string condition;
    for (const std::string& path : paths) {
      condition +=
          (condition.empty() ? "resource.path == \"" : " || resource.path == \"") + path + '"';
    }
    return run_.Policy(AskWhen(action, condition)).Option("--hold", "600");
  }

  static HeldLine Await() {
    const std::vector<HeldLine> held = AwaitHeld(1);
    return held.empty() ? HeldLine{.run = {}, .event = {}, .asking = {}, .grant = {}, .refuse = {}}
                        : held[0];
  }

  PalyraRun run_;
};

TEST_F(HeldExec, AProgramWaitsForAGrantAndIsThenExecuted) {
  const std::string tool = Ws("data/tool");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"exec", tool}, {"exec-as", tool, "other"}, {"exec-path", tool}}) {
    PalyraRun run;
    run.Policy(Policy())
        .Policy(AskWhen("process.exec", "resource.path == \"" + tool + '"'))
        .Option("--hold", "600");
    Subprocess process(run.CommandLine({BinaryPath("palyra_probe"), "try", words[0], words[1],
                                        words.size() > 2 ? words[2] : ","}));
    const HeldLine line = Await();
    EXPECT_EQ(line.event, "process.exec " + tool);
    EXPECT_EQ(line.asking, std::vector<std::string>{"is it needed?"});
    ASSERT_EQ(Answer(line.grant), 0);
    const Ended ended = process.Wait();
    EXPECT_EQ(ended.output, words[0] + " none\n") << Describe(ended);
  }
}

TEST_F(HeldExec, AGrantOfOneUseIsForOneExecution) {
  const std::string tool = Ws("data/tool");
  Subprocess process(Asking("process.exec", {tool})
                         .CommandLine({BinaryPath("palyra_probe"), "try", "exec", tool, ",", "map",
                                       tool, ",", "exec", tool}));
  const HeldLine first = Await();
  ASSERT_EQ(Answer(first.grant), 0);
  // Another process, which only maps it, has none.
  ASSERT_TRUE(process.WaitForOutput("map "));
  const HeldLine second = Await();
  EXPECT_EQ(second.event, first.event);
  EXPECT_EQ(second.call, 2);
  ASSERT_EQ(Answer(second.refuse), 0);
  const Ended ended = process.Wait();
  EXPECT_EQ(ended.output, "exec none\nmap EACCES\nexec EACCES\n") << Describe(ended);
}

TEST_F(HeldExec, TheCommandItselfWaits) {
  const std::string tool = Ws("data/tool");
  Subprocess granted(Asking("process.exec", {tool}).CommandLine({tool, "show-arguments", "x"}));
  ASSERT_EQ(Answer(Await().grant), 0);
  const Ended ended = granted.Wait();
  EXPECT_NE(ended.status, 126) << Describe(ended);
  Subprocess refused(run_.CommandLine({tool, "show-arguments", "x"}));
  ASSERT_EQ(Answer(Await().refuse), 0);
  EXPECT_EQ(refused.Wait().status, 126);
}

TEST_F(HeldExec, InACellTooTheCommandAndItsChildrenWait) {
  const std::string tool = Ws("data/tool");
  SpawnOptions in_workspace;
  in_workspace.directory = tree() + "/ws";
  Subprocess process(Asking("process.exec", {tool})
                         .Option("--tier", "cell")
                         .CommandLine({tool, "try", "exec", tool}),
                     in_workspace);
  const HeldLine first = Await();
  EXPECT_EQ(first.event, "process.exec " + tool);
  ASSERT_EQ(Answer(first.grant), 0);
  HeldLine second;
  ASSERT_TRUE(Eventually([&] {
    second = Await();
    return second.call == 2;
  }));
  EXPECT_EQ(second.event, "process.exec " + tool);
  ASSERT_EQ(Answer(second.grant), 0);
  const Ended ended = process.Wait();
  EXPECT_EQ(ended.output, "exec none\n") << Describe(ended);
}

TEST_F(HeldExec, ACommandThatWaitsEndsAtTheDeadlineOfTheRun) {
  const std::string tool = Ws("data/tool");
  const Ended ended =
      Asking("process.exec", {tool}).Option("--timeout", "1").Run({tool, "show-arguments"});
  EXPECT_EQ(ended.status, 124) << Describe(ended);
  EXPECT_TRUE(HeldNow().empty());
}

TEST_F(HeldExec, WhatIsNotAskedDoesNotWait) {
  const Ended ended = Asking("process.exec", {Ws("data/tool")})
                          .Run({BinaryPath("palyra_probe"), "try", "exec", Ws("bin/tool"), ",",
                                "exec", Out("tool"), ",", "exec", Ws("missing")});
  EXPECT_EQ(ended.output, "exec none\nexec EACCES\nexec ENOENT\n") << Describe(ended);
  EXPECT_EQ(ended.error_output.find("waits"), std::string::npos) << Describe(ended);
}

TEST_F(HeldExec, OfAScriptItsInterpreterIsAskedAboutToo) {
  const std::string script = Ws("data/script");
  std::ofstream(script) << "#!" << Ws("data/tool") << "\n";
  fs::permissions(script, fs::perms(0755));
  Subprocess process(Asking("process.exec", {script, Ws("data/tool")})
                         .CommandLine({BinaryPath("palyra_probe"), "try", "exec", script}));
  const HeldLine first = Await();
  EXPECT_EQ(first.event, "process.exec " + script);
  ASSERT_EQ(Answer(first.grant), 0);
  HeldLine second;
  ASSERT_TRUE(Eventually([&] {
    second = Await();
    return second.call == 2;
  }));
  EXPECT_EQ(second.event, "process.exec " + Ws("data/tool"));
  ASSERT_EQ(Answer(second.grant), 0);
  const Ended ended = process.Wait();
  EXPECT_EQ(ended.output, "exec none\n") << Describe(ended);
}

TEST_F(HeldExec, AGrantIsForOnePathAndActionAndRun) {
  const std::string tool = Ws("data/tool");
  const std::string other = Ws("data/tool2");
  fs::copy_file(tool, other);
  PalyraRun first;
  first.Policy(Policy())
      .Policy(AskWhen("process.exec", "resource.path like \"" + Ws("data/*") + '"'))
      .Option("--hold", "600");
  Subprocess process(
      first.CommandLine({BinaryPath("palyra_probe"), "try", "exec", tool, ",", "exec", other}));
  const HeldLine line = Await();
  std::vector<std::string> grant = line.grant;
  ASSERT_EQ(grant.back(), "--once");
  grant.pop_back();
  std::vector<std::string> of_write = grant;
  of_write[3] = "file.write";
  ASSERT_EQ(Answer(of_write), 0);
  std::vector<std::string> of_other_run = grant;
  of_other_run[2] = std::string(32, '0');
  EXPECT_NE(Answer(of_other_run), 0);
  std::vector<std::string> too_long = grant;
  too_long[4] = '/' + std::string(600, 'x');
  EXPECT_NE(Answer(too_long), 0);
  EXPECT_EQ(Await().call, 1) << "it still waits";
  ASSERT_EQ(Answer(grant), 0);
  HeldLine second;
  ASSERT_TRUE(Eventually([&] {
    second = Await();
    return second.call == 2;
  }));
  EXPECT_EQ(second.event, "process.exec " + other);
  ASSERT_EQ(Answer(second.refuse), 0);
  const Ended ended = process.Wait();
  EXPECT_EQ(ended.output, "exec none\nexec EACCES\n") << Describe(ended);
}

// Nothing pauses these: denied, and then, with a grant, allowed.
TEST_F(HeldExec, AFileIsThereOnceItIsGranted) {
  const std::string loop = BinaryPath("palyra_probe") + " try open-write " + Out("o") +
                           " , open-read " + Out("o") + "; read line; ";
  run_.Policy("permit (principal, action == Palyra::Action::\"process.exec\", resource);");
  run_.Policy(
      "permit (principal, action == Palyra::Action::\"file.read\", resource) unless { "
      "resource.path == \"" +
      Out("o") + "\" };");
  SpawnOptions terminal;
  terminal.terminal = true;
  Subprocess process(Asking("file.write", {Out("o")}).CommandLine({"/bin/sh", "-c", loop + loop}),
                     terminal);
  ASSERT_TRUE(process.WaitForOutput("open-read EACCES"));
  const Ended runs = RunProgram({BinaryPath("palyra"), "policy", "dump", "--live"});
  const size_t start = runs.output.find(' ') + 1;
  const std::string run = runs.output.substr(start, runs.output.find(' ', start) - start);
  const auto grant = [&](const std::string& action, const std::string& granted) {
    return RunProgram({BinaryPath("palyra"), "grant", run, action, granted}).status;
  };
  EXPECT_EQ(grant("file.write", Out("o")), 0);
  EXPECT_EQ(grant("file.read", Out("o")), 0) << "which changes nothing: it is not asked about";
  const Ended listed = RunProgram({BinaryPath("palyra"), "grants", run});
  EXPECT_NE(listed.output.find("file.write " + Out("o") + " until its run ends"), std::string::npos)
      << Describe(listed);
  process.Type("\n");
  ASSERT_TRUE(process.WaitForOutput("open-write none"));
  EXPECT_EQ(RunProgram({BinaryPath("palyra"), "revoke", run, "file.write", Out("o")}).status, 0);
  process.Type("\n");
  const Ended ended = process.Wait();
  EXPECT_NE(ended.output.find("open-write EACCES"), std::string::npos);
  EXPECT_EQ(ended.output.find("open-read none"), std::string::npos) << Describe(ended);
}

}  // namespace
}  // namespace palyra::tests
