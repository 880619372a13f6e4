// What is permitted of files and programs where nobody has said anything, and what nobody can
// permit: for a user whose home is /home/a and who works in /home/a/src/app.

#include "policy/defaults.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "policy/compile/compiler.h"
#include "policy/compile/places.h"
#include "policy/compile/verify.h"
#include "policy/mandatory.h"
#include "policy/schema/palyra_schema.h"
#include "policy/validate/engine_policies.h"
#include "tests/unit/policy/parse_helpers.h"

namespace palyra::policy {
namespace {

using enum NameAction;

constexpr NameAction kModify[] = {kFileWrite,  kFileCreate, kFileRemove,
                                  kFileRename, kFileLink,   kFileAttributes};

// The mandatory layer, and a caller's with defaults.
class Compiled {
 public:
  explicit Compiled(const std::string& callers = "",
                    const std::string& workspace = "/home/a/src/app",
                    const std::string& home = "/home/a")
      : schema_(PalyraSchema({}).value()) {
    const Places places = {.workspace = workspace, .home = home, .tmp = "/tmp"};
    const PolicySet mandatory =
        PolicySet::Parse(MandatorySources({.files = FileParts::kLsm})).value();
    mandatory_ = ExpandPlaces(mandatory, places).value();
    const PolicySet caller = WithDefaults(MustParsePolicies(callers), schema_.action_entities(), {},
                                          DefaultSources(FileParts::kLsm))
                                 .value();
    caller_ = ExpandPlaces(caller, places).value();
    input_.emplace(CompileInput{.principal = EntityUid("Palyra::Agent", "unknown"),
                                .context = Value::Record({{"workspace", Value::String(workspace)}}),
                                .layers = {{Layer::kMandatory, &mandatory_, &none_},
                                           {Layer::kCaller, &caller_, &schema_.action_entities()}},
                                .coverage = Coverage::kFiles});
    auto output = CompileRules(*input_);
    if (!output) throw std::runtime_error(Render(output.error()));
    output_ = *std::move(output);
  }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() = default;

  [[nodiscard]] Verdict At(NameAction action, const std::string& path) const {
    return Decide(output_.rules, NameEvent{.action = action, .name = path}).verdict;
  }
  [[nodiscard]] const CompileInput& input() const { return *input_; }
  [[nodiscard]] const CompileOutput& output() const { return output_; }

 private:
  Schema schema_;
  EntityStore none_;
  PolicySet mandatory_;
  PolicySet caller_;
  std::optional<CompileInput> input_;
  CompileOutput output_;
};

const Compiled& Typical() {
  static const Compiled kTypical;
  return kTypical;
}

// Whatever is not forbidden.
const Compiled& PermitsAll() {
  static const Compiled kPermitsAll("permit (principal, action, resource);");
  return kPermitsAll;
}

std::string Text(NameAction action, const std::string& path) {
  return EventText(NameEvent{.action = action, .name = path});
}

TEST(Defaults, LetADeveloperRead) {
  for (const char* path : {"/home/a/src/app",
                           "/home/a/src/app/main.c",
                           "/home/a/src/app/.git/config",
                           "/home/a/src/app/.env",
                           "/home/a/src/app/a/.env.local",
                           "/home/a/src/app/.vscode/x",
                           "/tmp/x",
                           "/var/tmp/x",
                           "/",
                           "/usr/bin/env",
                           "/usr/lib/x86_64-linux-gnu/libc.so.6",
                           "/lib64/ld-linux-x86-64.so.2",
                           "/bin/sh",
                           "/etc/passwd",
                           "/etc/ssl/certs/ca.pem",
                           "/etc/ssh/ssh_config",
                           "/opt/node/bin/node",
                           "/run/systemd/resolve/stub-resolv.conf",
                           "/home/a/.cache/pip/x",
                           "/home/a/.cargo/config.toml",
                           "/home/a/.cargo/bin/cargo",
                           "/home/a/.rustup/toolchains/x",
                           "/home/a/.npm/_cacache/x",
                           "/home/a/go/pkg/mod/x",
                           "/home/a/.local/lib/python3.11/x",
                           "/home/a/.local/bin/x",
                           "/home/a/.nvm/x",
                           "/home/a/.gitconfig",
                           "/home/a/.config/git/config",
                           "/home/a/.npmrc",
                           "/proc/1234/status",
                           "/proc/9/task/9/comm",
                           "/proc",
                           "/proc/cpuinfo",
                           "/proc/sys/kernel/random/uuid",
                           "/dev/null",
                           "/dev/urandom",
                           "/dev/tty",
                           "/dev/pts/3",
                           "/dev/shm/x",
                           "/sys/devices/system/cpu/online",
                           "/sys/fs/cgroup/cpu.max"}) {
    EXPECT_EQ(Typical().At(kFileRead, path), Verdict::kAllow) << path;
  }
}

TEST(Defaults, DoNotLetAnybodyReadTheRest) {
  for (const char* path : {"/home",
                           "/home/a",
                           "/home/a/notes",
                           "/home/a/src",
                           "/home/a/src/application",
                           "/home/a/src/other/x",
                           "/home/b/x",
                           "/root/x",
                           "/home/a/.bashrc",
                           "/home/a/.local/share/x",
                           "/home/a/.m2/settings.xml",
                           "/home/a/.gradle/gradle.properties",
                           "/var/log/syslog",
                           "/srv/x",
                           "/proc/kallsyms",
                           "/proc/interrupts",
                           "/sys/class/net",
                           "/sys/kernel/security",
                           "/dev/video0",
                           "/dev/snd/pcmC0D0c",
                           "/dev/dri/card0",
                           "/boot/x",
                           "/media/x",
                           "/home/a/.cachex",
                           "/usrx"}) {
    EXPECT_EQ(Typical().At(kFileRead, path), Verdict::kDeny) << path;
    EXPECT_EQ(PermitsAll().At(kFileRead, path), Verdict::kAllow) << path << ": the control";
  }
}

TEST(Mandatory, KeepsSecretsFromBeingReadWhateverIsPermitted) {
  for (const char* path : {"/home/a/.ssh",
                           "/home/a/.ssh/id_ed25519",
                           "/home/a/.ssh/sub/x",
                           "/home/a/.aws/credentials",
                           "/home/a/.config/gcloud/credentials.db",
                           "/home/a/.netrc",
                           "/home/a/.gnupg/secring.gpg",
                           "/home/a/.git-credentials",
                           "/home/a/.config/gh/hosts.yml",
                           "/home/a/.kube/config",
                           "/home/a/.docker/config.json",
                           "/home/a/.cargo/credentials.toml",
                           "/home/a/.mozilla/firefox/x/logins.json",
                           "/home/a/.config/google-chrome/Default/Cookies",
                           "/home/a/.cache/mozilla/firefox/x",
                           "/home/a/.config/chromium/x",
                           "/home/a/.claude/.credentials.json",
                           "/home/a/.codex/auth.json",
                           "/home/a/.local/share/keyrings/login.keyring",
                           "/home/a/src/.env",
                           "/home/a/.env",
                           "/home/a/src/other/.env.production",
                           "/srv/.env",
                           "/tmp/.env",
                           "/etc/shadow",
                           "/etc/gshadow-",
                           "/etc/sudoers.d/x",
                           "/etc/ssh/ssh_host_ed25519_key",
                           "/etc/ssl/private/x.key",
                           "/run/palyra/rules/x",
                           "/var/lib/palyra/policy/history",
                           "/sys/fs/bpf/palyra/runs",
                           "/proc/kcore",
                           "/dev/mem",
                           "/dev/sda1",
                           "/dev/nvme0n1",
                           "/dev/input/event0",
                           "/sys/kernel/debug/x"}) {
    EXPECT_EQ(PermitsAll().At(kFileRead, path), Verdict::kDeny) << path;
    EXPECT_EQ(Typical().At(kFileRead, path), Verdict::kDeny) << path;
  }
  for (const char* path :
       {"/home/a/.sshfoo", "/home/a/.ssh2/x", "/home/a/.docker/x", "/home/a/src/app/.env",
        "/home/a/src/.environment", "/home/a/x.env", "/etc/ssh/ssh_host_ed25519_key.pub",
        "/etc/ssh/ssh_config", "/home/b/.ssh/x", "/dev/null", "/run/palyrax"}) {
    EXPECT_EQ(PermitsAll().At(kFileRead, path), Verdict::kAllow) << path;
  }
}

TEST(Defaults, LetADeveloperChange) {
  for (const char* path : {"/home/a/src/app/main.c",
                           "/home/a/src/app/a/b/c",
                           "/home/a/src/app/.git/index",
                           "/home/a/src/app/.git/HEAD",
                           "/home/a/src/app/.git/refs/heads/feature/config",
                           "/home/a/src/app/.git/modules/m/index",
                           "/home/a/src/app/.git/worktrees/w/commondir",
                           "/home/a/src/app/.env",
                           "/home/a/src/app/package.json",
                           "/home/a/src/app/.gitignore",
                           "/home/a/src/app/.claude/notes",
                           "/home/a/src/app/.vscodex",
                           "/home/a/src/app/x.bashrc",
                           "/home/a/src/app/node_modules/x/.vscode/settings.json",
                           "/tmp/x",
                           "/tmp/clone/.git/config",
                           "/tmp/clone/.git/hooks/pre-commit.sample",
                           "/tmp/clone/.vscode/tasks.json",
                           "/var/tmp/x",
                           "/home/a/.cache/pip/x",
                           "/home/a/.cache/pre-commit/r/.git/config",
                           "/home/a/.cargo/registry/src/x/.envrc",
                           "/home/a/.cargo/git/db/x",
                           "/home/a/.npm/_logs/x",
                           "/home/a/go/pkg/mod/x",
                           "/home/a/.m2/repository/x",
                           "/dev/shm/x"}) {
    for (const NameAction action : kModify) {
      EXPECT_EQ(Typical().At(action, path), Verdict::kAllow) << Text(action, path);
    }
  }
  for (const char* path : {"/dev/null", "/dev/tty", "/dev/pts/3", "/proc/12/oom_score_adj"}) {
    EXPECT_EQ(Typical().At(kFileWrite, path), Verdict::kAllow) << path;
    EXPECT_EQ(Typical().At(kFileAttributes, path), Verdict::kAllow) << path;
    EXPECT_EQ(Typical().At(kFileRemove, path), Verdict::kDeny) << path;
    EXPECT_EQ(Typical().At(kFileCreate, path), Verdict::kDeny) << path;
  }
}

TEST(Defaults, DoNotLetAnybodyChangeTheRest) {
  for (const char* path : {"/", "/usr/bin/env", "/etc/passwd", "/home/a", "/home/a/x",
                           "/home/a/src", "/home/a/src/application", "/home/a/.cargo/bin/x",
                           "/home/a/.cargo/config.toml", "/home/a/.local/bin/x", "/home/a/go/bin/x",
                           "/home/a/.npmrc", "/home/a/.rustup/x", "/home/b/x", "/dev/x"}) {
    for (const NameAction action : kModify) {
      EXPECT_EQ(Typical().At(action, path), Verdict::kDeny) << Text(action, path);
      EXPECT_EQ(PermitsAll().At(action, path), Verdict::kAllow) << Text(action, path);
    }
  }
}

TEST(Mandatory, KeepsSeedsFromBeingPlantedAtAnyDepth) {
  for (const std::string directory :
       {"/home/a/src/app", "/home/a/src/app/a/b/c/d", "/home/a", "/srv/x", "/home/b"}) {
    for (const std::string name : {".git/hooks",
                                   ".git/hooks/pre-commit",
                                   ".git/hooks/sub/x",
                                   ".git/config",
                                   ".git/config.worktree",
                                   ".git/commondir",
                                   ".bashrc",
                                   ".bash_profile",
                                   ".profile",
                                   ".zshrc",
                                   ".zshenv",
                                   ".envrc",
                                   ".gitconfig",
                                   ".vimrc",
                                   ".vscode",
                                   ".vscode/tasks.json",
                                   ".idea",
                                   ".idea/runConfigurations/x.xml",
                                   ".devcontainer/devcontainer.json",
                                   ".mcp.json",
                                   ".claude/settings.json",
                                   ".claude/settings.local.json",
                                   ".claude/commands/x.md",
                                   ".claude/hooks/x",
                                   ".cursor/mcp.json"}) {
      for (const NameAction action : kModify) {
        std::string path = directory;
        path += '/' + name;
        EXPECT_EQ(PermitsAll().At(action, path), Verdict::kDeny) << Text(action, path);
        EXPECT_EQ(Typical().At(action, path), Verdict::kDeny) << Text(action, path);
      }
    }
  }
}

TEST(Mandatory, KeepsTheRestFromBeingChangedWhateverIsPermitted) {
  for (const char* path : {"/home/a/.ssh/authorized_keys",
                           "/home/a/.ssh/config",
                           "/home/a/.aws/config",
                           "/home/a/.gnupg/gpg.conf",
                           "/home/a/.config/autostart/x.desktop",
                           "/home/a/.config/systemd/user/x.service",
                           "/home/a/.config/environment.d/x",
                           "/home/a/.config/fish/config.fish",
                           "/home/a/.config/palyra/policy.d/x.cedar",
                           "/home/a/.local/share/systemd/user/x",
                           "/home/a/src/app/.git/modules/m/config",
                           "/home/a/src/app/.git/modules/a/b/hooks/x",
                           "/etc/crontab",
                           "/etc/cron.d/x",
                           "/var/spool/cron/crontabs/a",
                           "/etc/ld.so.preload",
                           "/etc/profile.d/x",
                           "/etc/sudoers",
                           "/etc/palyra/policy.d/x.cedar",
                           "/var/lib/palyra/x",
                           "/run/palyra/x",
                           "/sys/fs/bpf/palyra/x",
                           "/sys/kernel/x",
                           "/sys/fs/cgroup/x/cgroup.procs",
                           "/proc/sys/kernel/core_pattern",
                           "/proc/sysrq-trigger",
                           "/dev/mem",
                           "/dev/sda",
                           "/dev/dm-0"}) {
    for (const NameAction action : kModify) {
      EXPECT_EQ(PermitsAll().At(action, path), Verdict::kDeny) << Text(action, path);
      EXPECT_EQ(Typical().At(action, path), Verdict::kDeny) << Text(action, path);
    }
  }
}

// What is exempt below /tmp is not where somebody works.
TEST(Mandatory, KeepsSeedsFromAWorkspaceThatLiesWhereTheyAreLeftAlone) {
  const Compiled below("", "/tmp/work");
  EXPECT_EQ(below.At(kFileCreate, "/tmp/work/.git/config"), Verdict::kDeny);
  EXPECT_EQ(below.At(kFileCreate, "/tmp/work/.vscode/x"), Verdict::kDeny);
  EXPECT_EQ(below.At(kFileCreate, "/tmp/work/x"), Verdict::kAllow);
  EXPECT_EQ(below.At(kFileCreate, "/tmp/other/.git/config"), Verdict::kAllow);
}

TEST(Defaults, LetADeveloperExecuteTheSystemAndWhatWasBuilt) {
  for (const char* path :
       {"/usr/bin/gcc", "/bin/sh", "/lib64/ld-linux-x86-64.so.2", "/opt/x/bin/y",
        "/home/a/src/app/build/a.out", "/tmp/go-build1/x", "/home/a/.cargo/bin/cargo",
        "/home/a/.rustup/toolchains/x/bin/rustc", "/home/a/.nvm/versions/node/x/bin/node",
        "/home/a/.cache/uv/x/python", "/home/a/.local/bin/x"}) {
    EXPECT_EQ(Typical().At(kProcessExec, path), Verdict::kAllow) << path;
  }
  for (const char* path : {"/home/a/x", "/home/b/x", "/srv/x", "/etc/x", "/media/usb/x"}) {
    EXPECT_EQ(Typical().At(kProcessExec, path), Verdict::kDeny) << path;
    EXPECT_EQ(PermitsAll().At(kProcessExec, path), Verdict::kAllow) << path;
  }
}

TEST(Defaults, LetProcessesOfARunSignalAndTraceEachOther) {
  for (const NameAction action : {kProcessSignal, kProcessTrace}) {
    const auto at = [&](bool same_run) {
      return Decide(Typical().output().rules,
                    NameEvent{.action = action, .name = "", .flag = same_run})
          .verdict;
    };
    EXPECT_EQ(at(true), Verdict::kAllow);
    EXPECT_EQ(at(false), Verdict::kDeny);
  }
}

// Whoever starts a run there has not chosen to have all of the machine changed.
TEST(Defaults, DoNotTakeTheRootDirectoryForAWorkspace) {
  const Compiled root("", "/", "/root");
  EXPECT_EQ(root.At(kFileWrite, "/srv/x"), Verdict::kDeny);
  EXPECT_EQ(root.At(kFileWrite, "/usr/bin/x"), Verdict::kDeny);
  EXPECT_EQ(root.At(kFileRead, "/srv/x"), Verdict::kDeny);
  EXPECT_EQ(root.At(kProcessExec, "/srv/x"), Verdict::kDeny);
}

TEST(Defaults, FillOnlyWhatTheCallerDoesNotSpeakOf) {
  const Compiled reads(
      "permit (principal, action == Palyra::Action::\"file.read\", "
      "resource in Palyra::Directory::\"/srv\");");
  EXPECT_EQ(reads.At(kFileRead, "/srv/x"), Verdict::kAllow);
  EXPECT_EQ(reads.At(kFileRead, "/usr/bin/env"), Verdict::kDeny) << "reading is the caller's";
  EXPECT_EQ(reads.At(kFileWrite, "/home/a/src/app/x"), Verdict::kAllow);
  EXPECT_EQ(reads.At(kProcessExec, "/usr/bin/env"), Verdict::kAllow);

  const Compiled writes(
      "permit (principal, action == Palyra::Action::\"file.write\", "
      "resource in Palyra::Directory::\"/srv\");");
  EXPECT_EQ(writes.At(kFileWrite, "/home/a/src/app/x"), Verdict::kDeny);
  EXPECT_EQ(writes.At(kFileCreate, "/home/a/src/app/x"), Verdict::kDeny) << "one topic";
  EXPECT_EQ(writes.At(kFileRead, "/home/a/src/app/x"), Verdict::kAllow);

  const Compiled net("permit (principal, action == Palyra::Action::\"net.connect\", resource);");
  EXPECT_EQ(net.At(kFileRead, "/usr/bin/env"), Verdict::kAllow);

  const Compiled narrower(
      "forbid (principal, action in Palyra::Action::\"file.any\", "
      "resource in Palyra::Directory::\"/home/a/src/app/vendor\");");
  EXPECT_EQ(narrower.At(kFileRead, "/home/a/src/app/vendor/x"), Verdict::kDeny);
  EXPECT_EQ(narrower.At(kFileRead, "/home/a/src/app/x"), Verdict::kAllow);
}

TEST(Defaults, AreAddedToByShorthands) {
  const SourcePtr shorthand = std::make_shared<const SourceFile>(
      "command line",
      "permit (principal, action in Palyra::Action::\"file.any\", "
      "resource in Palyra::Directory::\"/srv\");");
  const EntityStore entities = PalyraSchema({}).value().action_entities();
  const PolicySet policies = PolicySet::Parse({shorthand}).value();
  const std::vector<SourcePtr> additions = {shorthand};
  const size_t all = WithDefaults({}, entities, {}, DefaultSources(FileParts::kLsm))->size();
  EXPECT_GT(all, 5U);
  EXPECT_EQ(WithDefaults(policies, entities, additions, DefaultSources(FileParts::kLsm))->size(),
            all + 1);
  EXPECT_LT(WithDefaults(policies, entities, {}, DefaultSources(FileParts::kLsm))->size(), all);
  const auto filled = WithDefaults(policies, entities, additions, DefaultSources(FileParts::kLsm));
  EXPECT_NE(filled->Find("policy" + std::to_string(all)), nullptr) << "numbered on";
}

TEST(Topics, ArePermittedByPermitsWithAllOfTheirGroup) {
  const EntityStore entities = PalyraSchema({}).value().action_entities();
  const auto topics = [&](const std::string& text) {
    return TopicsPermitted(MustParsePolicies(text), entities);
  };
  const auto bit = [](NameAction action) { return 1U << static_cast<unsigned>(action); };
  unsigned modify = 0;
  for (const NameAction action : kModify) modify |= bit(action);
  EXPECT_EQ(topics("forbid (principal, action, resource);"), 0U);
  EXPECT_EQ(topics("permit (principal, action == Palyra::Action::\"net.connect\", resource);"), 0U);
  EXPECT_EQ(topics("permit (principal, action == Palyra::Action::\"file.link\", resource);"),
            modify);
  EXPECT_EQ(topics("permit (principal, action in Palyra::Action::\"file.any\", resource);"),
            modify | bit(kFileRead));
  EXPECT_EQ(topics("permit (principal, action == Palyra::Action::\"process.trace\", resource);"),
            bit(kProcessSignal) | bit(kProcessTrace));
  EXPECT_EQ(topics("permit (principal, action, resource);"),
            modify | bit(kFileRead) | bit(kProcessExec) | bit(kProcessSignal) | bit(kProcessTrace));
}

TEST(Defaults, AreValidAndHaveNoWarnings) {
  const auto schema = PalyraSchema({}).value();
  for (const FileParts parts : {FileParts::kLsm, FileParts::kLandlock}) {
    const PolicySet mandatory = PolicySet::Parse(MandatorySources({.files = parts})).value();
    const PolicySet defaults = PolicySet::Parse(DefaultSources(parts)).value();
    for (const PolicySet* policies : {&mandatory, &defaults}) {
      const auto warnings = ValidateForEngine(*policies, schema);
      EXPECT_TRUE(warnings) << Render(warnings.error());
      if (warnings) {
        EXPECT_EQ(Render(*warnings), "");
      }
    }
  }
  EXPECT_EQ(Render(Typical().output().warnings), "");
}

// The tables are the policies; and small, because every run has them.
TEST(Defaults, AreLoweredExactlyToFewStates) {
  const Verification result =
      VerifyRules(Typical().input(), Typical().output().partitions, Typical().output().rules);
  EXPECT_TRUE(result.passed()) << (result.examples.empty() ? "" : result.examples.front());
  EXPECT_GT(result.name_cells, 30U);
  for (const NameRules& names : Typical().output().rules.names) {
    EXPECT_LT(names.automaton.state_count(), 2'500U) << static_cast<int>(names.action);
  }
}

}  // namespace
}  // namespace palyra::policy
