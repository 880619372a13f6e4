#include "base/accounts.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <ranges>
#include <string_view>

#include "base/file.h"
#include "base/unique_fd.h"

namespace palyra::base {
namespace {

constexpr size_t kMostAnswerBytes = size_t{1} << 20;

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (const auto part : text | std::views::split(separator)) parts.emplace_back(part);
  return parts;
}

std::vector<std::string_view> Words(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n";
  std::vector<std::string_view> words;
  size_t at = text.find_first_not_of(kBlank);
  while (at != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(kBlank, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kBlank, end);
  }
  return words;
}

std::string TextOf(const std::string& path) { return ReadFile(path).value_or(std::string()); }

// passwd(5); nothing for comments, and for the + and - of NIS.
std::optional<Account> ParseAccount(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ':');
  if (fields.size() != 7 || fields[0].empty() || fields[0][0] == '+' || fields[0][0] == '-') {
    return std::nullopt;
  }
  const std::optional<uint32_t> uid = ParseId(fields[2]);
  const std::optional<uint32_t> gid = ParseId(fields[3]);
  if (!uid || !gid) return std::nullopt;
  return Account{.name = std::string(fields[0]),
                 .uid = *uid,
                 .gid = *gid,
                 .home = std::string(fields[5]),
                 .shell = std::string(fields[6])};
}

struct Group {
  std::string_view name;
  gid_t gid;
  std::vector<std::string_view> members;
};

// group(5)
std::optional<Group> ParseGroup(std::string_view line) {
  const std::vector<std::string_view> fields = Split(line, ':');
  if (fields.size() != 4 || fields[0].empty() || fields[0][0] == '+' || fields[0][0] == '-') {
    return std::nullopt;
  }
  const std::optional<uint32_t> gid = ParseId(fields[2]);
  if (!gid) return std::nullopt;
  return Group{.name = fields[0], .gid = *gid, .members = Split(fields[3], ',')};
}

void Add(std::vector<gid_t>& groups, gid_t gid) {
  if (std::ranges::find(groups, gid) == groups.end()) groups.push_back(gid);
}

}  // namespace

std::optional<uint32_t> ParseId(std::string_view text) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole && id != UINT32_MAX ? std::optional(id) : std::nullopt;
}

std::optional<Account> UserDatabase::Find(uid_t uid) const {
  return FindAccount([uid](const Account& each) { return each.uid == uid; }, std::to_string(uid));
}

std::optional<Account> UserDatabase::Find(const std::string& name) const {
  // getent takes a number for a uid.
  if (name.empty() || ParseId(name)) return std::nullopt;
  return FindAccount([&name](const Account& each) { return each.name == name; }, name);
}

template <typename Matches>
std::optional<Account> UserDatabase::FindAccount(const Matches& matches,
                                                 const std::string& key) const {
  if (IsInFiles("passwd")) {
    const std::string text = TextOf(places_.passwd);
    for (const std::string_view line : Split(text, '\n')) {
      std::optional<Account> account = ParseAccount(line);
      if (account && matches(*account)) return account;
    }
  }
  const std::string answer = Ask("passwd", key).value_or(std::string());
  std::optional<Account> account = ParseAccount(answer.substr(0, answer.find('\n')));
  return account && matches(*account) ? account : std::nullopt;
}

std::vector<gid_t> UserDatabase::GroupsOf(const Account& account) const {
  std::vector<gid_t> groups = {account.gid};
  if (IsInFiles("group")) {
    const std::string text = TextOf(places_.group);
    for (const std::string_view line : Split(text, '\n')) {
      const std::optional<Group> group = ParseGroup(line);
      if (group && std::ranges::find(group->members, account.name) != group->members.end()) {
        Add(groups, group->gid);
      }
    }
    return groups;
  }
  const std::string answer = Ask("initgroups", account.name).value_or(std::string());
  for (const std::string_view word : Words(answer) | std::views::drop(1)) {
    if (const std::optional<uint32_t> gid = ParseId(word)) Add(groups, *gid);
  }
  return groups;
}

Result<std::optional<gid_t>> UserDatabase::FindGroup(const std::string& name) const {
  const Result<std::string> text =
      IsInFiles("group") ? ReadFile(places_.group) : Ask("group", name);
  if (!text) return std::unexpected(text.error());
  for (const std::string_view line : Split(*text, '\n')) {
    const std::optional<Group> group = ParseGroup(line);
    if (group && group->name == name) return group->gid;
  }
  return std::nullopt;
}

// Whether the files come first and nothing but systemd's own users, who are in no other group,
// comes behind them. Without nsswitch.conf there are only files.
bool UserDatabase::IsInFiles(const char* database) const {
  const std::string text = TextOf(places_.nsswitch);
  for (const std::string_view line : Split(text, '\n')) {
    const std::vector<std::string_view> words = Words(line.substr(0, line.find('#')));
    if (words.empty() || words[0] != std::string(database) + ':') continue;
    return words.size() > 1 && words[1] == "files" &&
           std::ranges::all_of(words | std::views::drop(2),
                               [](std::string_view word) { return word == "systemd"; });
  }
  return true;
}

Result<std::string> UserDatabase::Ask(const char* database, const std::string& key) const {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return FailErrno(errno, "no pipe for getent");
  const UniqueFd answer(ends[0]);
  UniqueFd output(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::array<std::string, 4> texts = {places_.getent, database, "--", key};
  std::array<char*, 5> arguments = {texts[0].data(), texts[1].data(), texts[2].data(),
                                    texts[3].data(), nullptr};
  std::array<char*, 1> no_environment = {nullptr};
  pid_t child = -1;
  const int failure = posix_spawn(&child, places_.getent.c_str(), &actions, nullptr,
                                  arguments.data(), no_environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) return FailErrno(failure, "cannot run \"" + places_.getent + '"');
  output.Reset();
  Result<std::string> text = ReadAll(answer.get(), kMostAnswerBytes, "getent");
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!text) return text;
  constexpr int kNotThere = 2;  // getent(1)
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNotThere) return std::string();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Fail(ErrorCode::kUnavailable, std::string("getent ") + database + " failed");
  }
  return text;
}

}  // namespace palyra::base
