#include "cli/rule_cache.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/trusted_file.h"
#include "base/unique_fd.h"
#include "policy/rule_set_binary.h"

namespace palyra::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "palyra-cached-rules 2\n";
constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

std::string NumberText(uint64_t value) {
  std::string text(sizeof(value), '\0');
  std::memcpy(text.data(), &value, sizeof(value));
  return text;
}

// Takes from the front of `text`.
std::optional<std::string_view> Take(std::string_view& text, size_t size) {
  if (size > text.size()) return std::nullopt;
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

std::optional<uint64_t> TakeNumber(std::string_view& text) {
  const std::optional<std::string_view> bytes = Take(text, sizeof(uint64_t));
  if (!bytes) return std::nullopt;
  uint64_t value = 0;
  std::memcpy(&value, bytes->data(), sizeof(value));
  return value;
}

// The key is in it too: one that was put under another name is none.
std::string BytesOf(const base::Sha256Digest& key, const CachedRules& entry) {
  std::string bytes(kMagic);
  bytes.append(reinterpret_cast<const char*>(key.data()), key.size());
  bytes += NumberText(static_cast<uint64_t>(entry.compiled_ms));
  bytes += NumberText(entry.may_deny_start ? 1 : 0);
  bytes += NumberText(entry.warnings.size());
  bytes += entry.warnings;
  bytes += policy::WriteRules(entry.rules);
  return bytes;
}

std::optional<CachedRules> Parse(std::string_view bytes, const base::Sha256Digest& key) {
  const std::string_view key_text(reinterpret_cast<const char*>(key.data()), key.size());
  if (Take(bytes, kMagic.size()) != kMagic || Take(bytes, key.size()) != key_text) {
    return std::nullopt;
  }
  const std::optional<uint64_t> compiled = TakeNumber(bytes);
  const std::optional<uint64_t> may_deny = compiled ? TakeNumber(bytes) : std::nullopt;
  const std::optional<uint64_t> size = may_deny ? TakeNumber(bytes) : std::nullopt;
  const std::optional<std::string_view> warnings = size ? Take(bytes, *size) : std::nullopt;
  if (!warnings) return std::nullopt;
  Result<policy::RuleSet> rules = policy::ReadRules(bytes);
  if (!rules) return std::nullopt;
  return CachedRules{.compiled_ms = static_cast<int64_t>(*compiled),
                     .rules = *std::move(rules),
                     .warnings = std::string(*warnings),
                     .may_deny_start = *may_deny != 0};
}

// Whether nobody else could have put something there.
bool IsOurs(const std::string& directory) {
  struct stat status;
  return lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == geteuid() && (status.st_mode & kOthers) == 0 &&
         base::RequireTrusted(directory);
}

bool MakeDirectory(const std::string& directory) {
  const std::string parent = fs::path(directory).parent_path();
  if (mkdir(parent.c_str(), S_IRWXU) != 0 && errno != EEXIST) return false;
  if (mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) return false;
  return IsOurs(directory);
}

int AddBuildId(dl_phdr_info* info, size_t /*size*/, void* out) {
  auto& id = *static_cast<std::string*>(out);
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = info->dlpi_phdr[i];
    if (part.p_type != PT_NOTE) continue;
    const ElfW(Addr) address = info->dlpi_addr + part.p_vaddr;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): so the loader says where it is.
    std::string_view notes(reinterpret_cast<const char*>(address), part.p_memsz);
    while (const std::optional<std::string_view> head = Take(notes, sizeof(ElfW(Nhdr)))) {
      ElfW(Nhdr) note;
      std::memcpy(&note, head->data(), sizeof(note));
      const auto aligned = [](size_t length) { return (length + 3) & ~size_t{3}; };
      const std::optional<std::string_view> name = Take(notes, aligned(note.n_namesz));
      const std::optional<std::string_view> text =
          name ? Take(notes, aligned(note.n_descsz)) : std::nullopt;
      if (!text) break;
      const bool is_gnu = note.n_namesz == sizeof(ELF_NOTE_GNU) && name->starts_with(ELF_NOTE_GNU);
      if (is_gnu && note.n_type == NT_GNU_BUILD_ID) id = text->substr(0, note.n_descsz);
    }
  }
  return 1;  // The first is the program itself.
}

}  // namespace

std::optional<CachedRules> RuleCache::Find(const base::Sha256Digest& key, int64_t now_ms) const {
  if (!IsOurs(directory_)) return std::nullopt;
  const std::string path = directory_ + '/' + base::HexText(key);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status;
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != geteuid() || (status.st_mode & kOthers) != 0) {
    return std::nullopt;
  }
  const Result<std::string> bytes = base::ReadAll(fd.get(), kMostOfOne, path);
  if (!bytes) return std::nullopt;
  std::optional<CachedRules> entry = Parse(*bytes, key);
  if (!entry || now_ms < entry->compiled_ms) return std::nullopt;
  if (entry->rules.valid_until_ms && now_ms >= *entry->rules.valid_until_ms) return std::nullopt;
  futimens(fd.get(), nullptr);
  return entry;
}

void RuleCache::Store(const base::Sha256Digest& key, const CachedRules& entry) const {
  const std::string bytes = BytesOf(key, entry);
  if (bytes.size() > kMostOfOne || !MakeDirectory(directory_)) return;
  const std::string path = directory_ + '/' + base::HexText(key);
  const std::string unfinished = path + ".new-" + std::to_string(getpid());
  {
    const UniqueFd fd(open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                           S_IRUSR | S_IWUSR));
    if (!fd.valid()) return;
    if (!base::WriteAll(fd.get(), bytes, unfinished) ||
        rename(unfinished.c_str(), path.c_str()) != 0) {
      unlink(unfinished.c_str());
      return;
    }
  }
  Trim();
}

void RuleCache::Trim() const {
  struct Entry {
    fs::file_time_type used;
    size_t size;
    fs::path path;
  };
  std::vector<Entry> entries;
  size_t total = 0;
  std::error_code failure;
  for (const fs::directory_entry& file : fs::directory_iterator(directory_, failure)) {
    Entry entry{.used = file.last_write_time(failure),
                .size = static_cast<size_t>(file.file_size(failure)),
                .path = file.path()};
    if (failure) continue;  // It has just gone.
    total += entry.size;
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &Entry::used);
  size_t left = entries.size();
  for (const Entry& entry : entries) {
    if (left <= kMostEntries && total <= kMostBytes) return;
    unlink(entry.path.c_str());
    total -= entry.size;
    --left;
  }
}

std::string BuildId() {
  std::string id;
  dl_iterate_phdr(AddBuildId, &id);
  return id;
}

}  // namespace palyra::cli
