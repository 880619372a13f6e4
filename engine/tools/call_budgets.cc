#include "engine/tools/call_budgets.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/file.h"
#include "base/trusted_file.h"
#include "base/unique_fd.h"
#include "policy/datetime.h"

namespace palyra::engine {
namespace {

constexpr size_t kSlot = sizeof(int64_t);
constexpr size_t kMostBytes = CallBudget::kMostCalls * kSlot;

int64_t WindowMs(const CallBudget& budget) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(budget.window).count();
}

// The calls of one tool, locked.
class Calls {
 public:
  static Result<Calls> Open(const std::string& path, CallBudget budget) {
    Calls calls(path, budget);
    Result<UniqueFd> fd = base::OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (!fd) return std::unexpected(fd.error());
    calls.fd_ = *std::move(fd);
    while (flock(calls.fd_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return FailErrno(errno, "cannot lock \"" + path + '"');
    }
    const Result<std::string> bytes = base::ReadAll(calls.fd_.get(), kMostBytes, path);
    if (!bytes) return std::unexpected(bytes.error());
    calls.times_.resize(bytes->size() / kSlot);
    if (!calls.times_.empty()) {
      std::memcpy(calls.times_.data(), bytes->data(), calls.times_.size() * kSlot);
    }
    return calls;
  }

  // Since the epoch, in ms; nothing where one is left.
  Result<std::optional<int64_t>> FreeAgain(int64_t now) {
    std::vector<int64_t> counted;
    for (size_t i = 0; i < times_.size(); ++i) {
      if (times_[i] > now) {
        if (Result<void> set = Set(i, now); !set) return std::unexpected(set.error());
      }
      if (IsCounted(times_[i], now)) counted.push_back(times_[i]);
    }
    if (counted.size() < budget_.calls) return std::nullopt;
    // When so many have ended that fewer than all are left.
    const size_t ends = counted.size() - budget_.calls;
    std::ranges::sort(counted);
    return counted[ends] + WindowMs(budget_);
  }

  Result<void> Add(int64_t now) {
    size_t slot = 0;
    while (slot < times_.size() && IsCounted(times_[slot], now)) ++slot;
    return Set(slot, now);
  }

 private:
  Calls(std::string path, CallBudget budget) : path_(std::move(path)), budget_(budget) {}

  [[nodiscard]] bool IsCounted(int64_t time, int64_t now) const {
    return time > now - WindowMs(budget_);
  }

  Result<void> Set(size_t slot, int64_t time) {
    if (slot == times_.size()) times_.push_back(time);
    times_[slot] = time;
    if (pwrite(fd_.get(), &time, kSlot, static_cast<off_t>(slot * kSlot)) == kSlot) return {};
    return FailErrno(errno, "cannot write \"" + path_ + '"');
  }

  std::string path_;
  CallBudget budget_;
  UniqueFd fd_;
  std::vector<int64_t> times_;  // Those that are counted no more are free slots.
};

std::unexpected<Error> Refuse(const std::string& name, uid_t caller, const CallBudget& budget,
                              int64_t free_ms) {
  const std::string whose = name == kAllTools ? "of all tools" : "of the tool \"" + name + '"';
  return Fail(ErrorCode::kRefused,
              "refused: the budget " + whose + " for uid " + std::to_string(caller) +
                  " is spent, which is " + BudgetText(budget) + "; free again at " +
                  policy::Datetime(free_ms).ToString().value_or("a later time"));
}

}  // namespace

Result<void> CallBudgets::Take(uid_t caller, const Asked& asked, int64_t now_ms) const {
  if (asked.empty()) return {};
  const std::string directory = directory_ + '/' + std::to_string(caller);
  if (Result<void> made = base::MakeDirectories(directory); !made) return made;
  for (const std::string& ours : {directory_, directory}) {
    if (chmod(ours.c_str(), 0700) != 0) return FailErrno(errno, "cannot change \"" + ours + '"');
  }
  if (Result<void> ours = base::RequireTrusted(directory); !ours) return ours;
  // Everybody takes locks in one order.
  Asked ordered = asked;
  std::ranges::sort(ordered, {}, &Asked::value_type::first);
  std::vector<Calls> all;
  for (const auto& [name, budget] : ordered) {
    std::string path = directory;
    path.append("/").append(name);
    Result<Calls> calls = Calls::Open(path, budget);
    if (!calls) return std::unexpected(calls.error());
    const Result<std::optional<int64_t>> free_again = calls->FreeAgain(now_ms);
    if (!free_again) return std::unexpected(free_again.error());
    if (*free_again) return Refuse(name, caller, budget, **free_again);
    all.push_back(*std::move(calls));
  }
  for (Calls& calls : all) {
    if (Result<void> added = calls.Add(now_ms); !added) return added;
  }
  return {};
}

}  // namespace palyra::engine
