#include "engine/policy_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/file.h"
#include "base/trusted_file.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHistory = "history";
constexpr const char* kVersions = "versions";
constexpr std::string_view kHead = "palyra-policy-history 1";
constexpr size_t kDigestDigits = 64;

bool IsDigest(std::string_view text) {
  return text.size() == kDigestDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string HistoryText(const PolicyHistory& history) {
  std::string text = std::string(kHead) + "\nin-force " + std::to_string(history.in_force) + '\n';
  for (const PolicyVersion& version : history.versions) {
    text += std::to_string(version.number) + ' ' + std::to_string(version.loaded_ms) + ' ' +
            std::to_string(version.before) + ' ' + version.digest + '\n';
  }
  return text;
}

std::optional<PolicyHistory> ParseHistory(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  PolicyHistory history;
  if (!std::getline(lines, line) || line != kHead) return std::nullopt;
  if (!std::getline(lines, line) || !line.starts_with("in-force ")) return std::nullopt;
  std::istringstream(line.substr(line.find(' '))) >> history.in_force;
  while (std::getline(lines, line)) {
    PolicyVersion version = {};
    std::istringstream words(line);
    words >> version.number >> version.loaded_ms >> version.before >> version.digest;
    history.versions.push_back(std::move(version));
  }
  // Nothing but what is written that way.
  if (HistoryText(history) != text) return std::nullopt;
  const bool in_order =
      std::ranges::is_sorted(history.versions, std::ranges::less_equal(), &PolicyVersion::number);
  const bool have_digests = std::ranges::all_of(history.versions, IsDigest, &PolicyVersion::digest);
  if (!in_order || !have_digests || history.Find(history.in_force) == nullptr) return std::nullopt;
  return history;
}

// The oldest go first.
void Trim(PolicyHistory& history) {
  const PolicyVersion* in_force = history.Find(history.in_force);
  const uint64_t before = in_force == nullptr ? 0 : in_force->before;
  auto next = history.versions.begin();
  while (history.versions.size() > PolicyStore::kKept && next != history.versions.end()) {
    const bool stays = next->number == history.in_force || next->number == before;
    next = stays ? next + 1 : history.versions.erase(next);
  }
}

}  // namespace

const PolicyVersion* PolicyHistory::Find(uint64_t number) const {
  const auto found = std::ranges::find(versions, number, &PolicyVersion::number);
  return found == versions.end() ? nullptr : &*found;
}

Result<std::optional<PolicyHistory>> PolicyStore::History() const {
  const std::string path = path_ + '/' + kHistory;
  const Result<std::string> text = base::ReadTrustedFile(path);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  std::optional<PolicyHistory> history = ParseHistory(*text);
  if (history) return history;
  return Fail(ErrorCode::kInternal, "\"" + path +
                                        "\" is damaged: move it away, and load the operator's "
                                        "policies with \"palyra policy load\"");
}

Result<PolicyBundle> PolicyStore::Read(const PolicyVersion& version) const {
  const std::string path = path_ + '/' + kVersions + '/' + version.digest;
  const Result<std::string> bytes = base::ReadTrustedFile(path, kMostBytes);
  if (!bytes) return std::unexpected(bytes.error());
  if (BundleDigest(*bytes) != version.digest) {
    return Fail(ErrorCode::kInternal, "\"" + path +
                                          "\" is damaged: load the operator's policies again with "
                                          "\"palyra policy load\"");
  }
  return ParseBundle(*bytes);
}

Result<std::optional<PolicyStore::Stored>> PolicyStore::InForce() const {
  // Once more where the version was removed between the two, which takes kKept loads.
  for (int tries = 2;; --tries) {
    const Result<std::optional<PolicyHistory>> history = History();
    if (!history) return std::unexpected(history.error());
    if (!*history) return std::nullopt;
    const PolicyVersion& version = *(*history)->Find((*history)->in_force);
    Result<PolicyBundle> bundle = Read(version);
    if (bundle) return Stored{.version = version, .bundle = *std::move(bundle)};
    if (tries == 1 || bundle.error().code != ErrorCode::kNotFound) {
      return std::unexpected(bundle.error());
    }
  }
}

Result<UniqueFd> PolicyStore::Take(Lock kind) const {
  Result<UniqueFd> fd = base::OpenFile(path_ + "/lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
  if (!fd) return fd;
  while (flock(fd->get(), kind == Lock::kShared ? LOCK_SH : LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(errno, "cannot lock \"" + path_ + "/lock\"");
  }
  return fd;
}

Result<void> PolicyStore::Write(const PolicyHistory& history) const {
  return base::ReplaceFile(path_, kHistory, HistoryText(history));
}

// What stays behind harms nobody: it is found by nothing, and goes the next time.
void PolicyStore::RemoveUnkept(const PolicyHistory& history) const {
  std::set<std::string> kept;
  for (const PolicyVersion& version : history.versions) kept.insert(version.digest);
  std::error_code failure;
  std::vector<fs::path> unkept;
  for (const auto& entry : fs::directory_iterator(path_ + '/' + kVersions, failure)) {
    if (!kept.contains(entry.path().filename())) unkept.push_back(entry.path());
  }
  for (const fs::path& path : unkept) unlink(path.c_str());
}

Result<PolicyVersion> PolicyStore::Load(const PolicyBundle& bundle, int64_t now_ms) const {
  const Result<std::string> bytes = BundleBytes(bundle);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() > kMostBytes) {
    return Fail(ErrorCode::kExhausted, "the policies have " + std::to_string(bytes->size()) +
                                           " bytes, and a version at most " +
                                           std::to_string(kMostBytes));
  }
  const std::string versions = path_ + '/' + kVersions;
  if (Result<void> made = base::MakeDirectories(versions); !made) {
    return std::unexpected(made.error());
  }
  if (Result<void> ours = base::RequireTrusted(versions); !ours) {
    return std::unexpected(ours.error());
  }
  const Result<UniqueFd> lock = Take(Lock::kExclusive);
  if (!lock) return std::unexpected(lock.error());
  Result<std::optional<PolicyHistory>> known = History();
  if (!known) return std::unexpected(known.error());
  PolicyHistory history = known->value_or(PolicyHistory());
  const PolicyVersion* in_force = history.Find(history.in_force);
  const std::string digest = BundleDigest(*bytes);
  // Written all the same where it is in force: it may be what is damaged.
  if (Result<void> written = base::ReplaceFile(versions, digest, *bytes); !written) {
    return std::unexpected(written.error());
  }
  if (in_force != nullptr && in_force->digest == digest) return *in_force;
  history.versions.push_back(
      {.number = history.versions.empty() ? 1 : history.versions.back().number + 1,
       .loaded_ms = now_ms,
       .before = history.in_force,
       .digest = digest});
  history.in_force = history.versions.back().number;
  Trim(history);
  if (Result<void> written = Write(history); !written) return std::unexpected(written.error());
  RemoveUnkept(history);
  return history.versions.back();
}

Result<PolicyVersion> PolicyStore::PutInForce(uint64_t number) const {
  const Result<UniqueFd> lock = Take(Lock::kExclusive);
  if (!lock) return std::unexpected(lock.error());
  Result<std::optional<PolicyHistory>> history = History();
  if (!history) return std::unexpected(history.error());
  const PolicyVersion* version = *history ? (*history)->Find(number) : nullptr;
  if (version == nullptr) {
    return Fail(ErrorCode::kNotFound,
                "no version " + std::to_string(number) + " is kept; see \"palyra policy history\"");
  }
  if (Result<PolicyBundle> whole = Read(*version); !whole) return std::unexpected(whole.error());
  (*history)->in_force = number;
  if (Result<void> written = Write(**history); !written) return std::unexpected(written.error());
  return *version;
}

}  // namespace palyra::engine
