#include "engine/held_records.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>

#include "base/file.h"
#include "engine/run_lock.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostBytes = size_t{1} << 20;

std::string DirectoryOf(const std::string& runtime_directory) {
  return runtime_directory + "/held";
}

std::string DirectoryOf(const std::string& runtime_directory, const std::string& run_id) {
  return DirectoryOf(runtime_directory) + '/' + run_id;
}

std::string FileOf(const std::string& directory, uint64_t call) {
  return directory + '/' + std::to_string(call);
}

std::string Below(const std::string& directory, const std::string& name) {
  return std::string(directory).append("/").append(name);
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(directory, failure)) {
    names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<void> MakeDirectory(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return FailErrno(errno, "cannot make the directory \"" + path + '"');
}

}  // namespace

Result<HeldRecords> HeldRecords::Make(const std::string& runtime_directory,
                                      const std::string& run_id) {
  if (Result<void> made = MakeDirectory(DirectoryOf(runtime_directory)); !made) {
    return std::unexpected(made.error());
  }
  std::string directory = DirectoryOf(runtime_directory, run_id);
  if (Result<void> made = MakeDirectory(directory); !made) return std::unexpected(made.error());
  return HeldRecords(std::move(directory));
}

HeldRecords::~HeldRecords() {
  std::error_code failure;
  if (!directory_.empty()) fs::remove_all(directory_, failure);
}

Result<void> HeldRecords::Write(uint64_t call, std::string_view text) const {
  return base::ReplaceFile(directory_, std::to_string(call), text, 0600);
}

bool HeldRecords::Has(uint64_t call) const {
  return access(FileOf(directory_, call).c_str(), F_OK) == 0;
}

void HeldRecords::Remove(uint64_t call) const { unlink(FileOf(directory_, call).c_str()); }

std::vector<std::string> ReadHeldRecords(const std::string& runtime_directory) {
  std::vector<std::string> texts;
  const std::string all = DirectoryOf(runtime_directory);
  for (const std::string& run : NamesIn(all)) {
    const std::string directory = DirectoryOf(runtime_directory, run);
    // By number: the tenth does not come before the second.
    std::map<std::pair<size_t, std::string>, std::string> by_call;
    for (const std::string& call : NamesIn(directory)) {
      if (!std::ranges::all_of(call, [](char c) { return c >= '0' && c <= '9'; })) continue;
      Result<std::string> text = base::ReadFile(Below(directory, call), kMostBytes);
      if (text) by_call[{call.size(), call}] = *std::move(text);
    }
    for (auto& [call, text] : by_call) texts.push_back(std::move(text));
  }
  return texts;
}

Result<void> RemoveHeldRecord(const std::string& runtime_directory, const std::string& run_id,
                              uint64_t call) {
  const bool is_name = run_id.find('/') == std::string::npos && !run_id.starts_with('.');
  const std::string file = FileOf(DirectoryOf(runtime_directory, run_id), call);
  if (is_name && unlink(file.c_str()) == 0) return {};
  return Fail(ErrorCode::kNotFound, "no such call waits; \"palyra held\" lists those that do");
}

void SweepHeldRecords(const std::string& runtime_directory) {
  const std::string all = DirectoryOf(runtime_directory);
  for (const std::string& run : NamesIn(all)) {
    const Result<std::optional<RunLock>> lock = RunLock::TakeAbandoned(runtime_directory, run);
    std::error_code failure;
    if (lock && *lock) fs::remove_all(Below(all, run), failure);
  }
}

}  // namespace palyra::engine
