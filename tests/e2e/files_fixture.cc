#include "tests/e2e/files_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/require_feature.h"
#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kUid = 1000;

void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string Describe(const fs::path& path) {
  struct stat status = {};
  if (lstat(path.c_str(), &status) != 0) return "gone";
  std::ostringstream text;
  text << status.st_ino << ' ' << std::oct << status.st_mode << std::dec << ' ' << status.st_uid
       << ' ' << status.st_nlink << ' ' << status.st_size << ' ' << status.st_mtim.tv_sec << '.'
       << status.st_mtim.tv_nsec << ' ' << status.st_ctim.tv_sec << '.' << status.st_ctim.tv_nsec;
  return text.str();
}

SpawnOptions AsTool() {
  SpawnOptions options;
  options.in_child = [] {
    return setresgid(kUid, kUid, kUid) == 0 && setresuid(kUid, kUid, kUid) == 0 ? 0 : 99;
  };
  return options;
}

std::vector<std::string> Probe(const std::vector<std::string>& arguments) {
  std::vector<std::string> command = {BinaryPath("palyra_probe")};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

}  // namespace

std::vector<std::string> TryArguments(const std::vector<FileAttempt>& attempts) {
  std::vector<std::string> arguments = {"try"};
  for (const FileAttempt& attempt : attempts) {
    if (arguments.size() > 1) arguments.emplace_back(",");
    arguments.insert(arguments.end(), attempt.words.begin(), attempt.words.end());
  }
  return arguments;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void Files::SetUp() {
  PALYRA_REQUIRE_FEATURE(Root());
  PALYRA_REQUIRE_FEATURE(BpfLsm());
  MakeTree();
}

void Files::MakeTree() const {
  for (const char* name : {"ws", "out"}) fs::remove_all(tree() + '/' + name);
  for (const char* name : {"d", "scratch", "secret", ".git/hooks", "bin", "data"}) {
    fs::create_directories(Ws(name));
  }
  fs::create_directories(Out("d"));
  for (const std::string& path : {Ws("own"), Ws("own2"), Ws("keep"), Ws("secretfoo"),
                                  Ws(".git/config"), Out("o"), Out("readable")}) {
    Write(path, "o");
  }
  Write(Ws("secret/s"), "s");
  for (const std::string& path : {Ws("bin/tool"), Ws("data/tool"), Out("tool")}) {
    fs::copy_file(BinaryPath("palyra_probe"), path);
    fs::permissions(path, fs::perms(0755));
  }
  for (const auto& entry : fs::recursive_directory_iterator(tree())) {
    ASSERT_EQ(lchown(entry.path().c_str(), kUid, kUid), 0);
  }
}

std::string Files::Policy() const {
  const auto in = [this](const std::string& name) {
    return "resource in Palyra::Directory::\"" + tree() + '/' + name + '"';
  };
  return "permit (principal, action in Palyra::Action::\"file.any\", " + in("ws") +
         ");\n"
         "permit (principal, action == Palyra::Action::\"file.read\", resource) when { "
         "resource.path == \"" +
         Out("readable") +
         "\" || resource.path like \"/lib*\" || resource.path like \"/usr/*\" };\n" +
         "permit (principal, action == Palyra::Action::\"file.write\", "
         "resource == Palyra::Path::\"/dev/null\");\n"
         "forbid (principal, action in Palyra::Action::\"file.any\", " +
         in("ws/secret") +
         ");\n"
         "forbid (principal, action in Palyra::Action::\"file.modify\", " +
         in("ws/.git/hooks") +
         ");\n"
         "forbid (principal, action == Palyra::Action::\"file.remove\", "
         "resource == Palyra::Path::\"" +
         Ws("keep") +
         "\");\n"
         "permit (principal, action == Palyra::Action::\"process.exec\", " +
         in("ws/bin") +
         ");\n"
         "permit (principal, action == Palyra::Action::\"process.exec\", resource) when { "
         "resource.path == \"" +
         BinaryPath("palyra_probe") +
         "\" || resource.path like \"/lib*\" || resource.path like \"/usr/lib*\" };\n"
         "permit (principal, action == Palyra::Action::\"process.signal\", resource) when { "
         "resource.same_run };\n";
}

std::map<std::string, std::string> Files::Snapshot() const {
  std::map<std::string, std::string> snapshot;
  for (const char* top : {"/ws", "/out"}) {
    for (auto entry = fs::recursive_directory_iterator(tree() + top);
         entry != fs::recursive_directory_iterator(); ++entry) {
      if (entry->path() == Ws("scratch")) {
        entry.disable_recursion_pending();
        continue;
      }
      snapshot[entry->path()] = Describe(entry->path());
    }
  }
  return snapshot;
}

std::vector<std::string> Files::TryInRun(const PalyraRun& run,
                                         const std::vector<FileAttempt>& attempts,
                                         std::string& raw) {
  const Ended ended = run.Run(Probe(TryArguments(attempts)));
  raw = tests::Describe(ended);
  return Lines(ended.output);
}

void ExpectAnswers(const std::vector<std::string>& lines, const std::vector<FileAttempt>& attempts,
                   const std::string& raw) {
  ASSERT_EQ(lines.size(), attempts.size()) << raw;
  for (size_t i = 0; i < attempts.size(); ++i) {
    EXPECT_EQ(lines[i], attempts[i].words[0] + ' ' + attempts[i].expected)
        << attempts[i].words.back() << '\n'
        << raw;
  }
}

void Files::ExpectHeld(const std::string& policy, const std::vector<FileAttempt>& attempts) {
  for (const FileAttempt& attempt : attempts) {
    MakeTree();
    const Ended bare = RunProgram(Probe(TryArguments({attempt})), AsTool());
    EXPECT_EQ(bare.output, attempt.words[0] + ' ' + attempt.or_bare + '\n')
        << attempt.words.back() << "\n"
        << tests::Describe(bare);
  }
  MakeTree();
  const auto before = Snapshot();
  PalyraRun run;
  run.Policy(policy);
  std::string raw;
  const std::vector<std::string> lines = TryInRun(run, attempts, raw);
  ExpectAnswers(lines, attempts, raw);
  EXPECT_EQ(Snapshot(), before);
  EXPECT_GE(run.Audit().size(), attempts.size()) << "what was denied is not in the log";
}

void Files::ExpectAllowed(const std::string& policy,
                          const std::vector<std::vector<std::string>>& all) {
  MakeTree();
  std::vector<FileAttempt> attempts;
  for (const std::vector<std::string>& words : all)
    attempts.push_back({.words = words, .expected = "none"});
  PalyraRun run;
  run.Policy(policy);
  std::string raw;
  const std::vector<std::string> lines = TryInRun(run, attempts, raw);
  ExpectAnswers(lines, attempts, raw);
  EXPECT_TRUE(run.Audit().empty()) << raw;
}

}  // namespace palyra::tests
