// A random sequence of calls on a tree of files, which a seed decides, and what came of them.

#ifndef PALYRA_TESTS_PROBES_STORM_H_
#define PALYRA_TESTS_PROBES_STORM_H_

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace palyra::probes {

// What files hold that nobody may read.
inline constexpr std::string_view kCanary = "palyra-canary";

class Storm {
 public:
  // Of one kind of call.
  struct Count {
    uint64_t succeeded = 0;
    uint64_t denied = 0;  // EACCES, EPERM, EROFS, EXDEV or EBUSY.
    uint64_t failed = 0;  // Another errno: nothing of that name, not empty, no directory …
  };

  // `tree` is absolute; tests/e2e/files_storm_test.cc says what is in it.
  Storm(std::string tree, uint64_t seed);

  void Step();

  [[nodiscard]] const std::map<std::string_view, Count>& counts() const { return counts_; }
  // "leaked CALL PATH": a canary was read; "mapped PATH": as a program.
  [[nodiscard]] const std::set<std::string>& findings() const { return findings_; }

 private:
  // 0, an errno, or kNothing where there is nothing to call it with.
  using Call = int (Storm::*)();
  struct Kind {
    std::string_view name;
    uint32_t weight;
    Call call;
  };
  static constexpr int kNothing = -1;
  static std::span<const Kind> Kinds();

  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(dice_() % bound); }
  std::string_view OneOf(std::span<const std::string_view> words);
  std::string Name();                           // One component.
  std::string Path();                           // Of anything, in any spelling.
  std::string Beside(const std::string& path);  // Often of the same directory.
  std::string Program();                        // Where programs lie, if nobody moved them.
  int Flags();
  int Descriptor();  // One that is open, or -1.
  int Keep(int fd);  // 0 or errno; what is open is read.
  void Look(int fd);

  int Open();
  int OpenAt2();
  int OpenPath();
  int OpenBelow();
  int Reopen();
  int Write();
  int CopyRange();
  int Truncate();
  int TruncateOpen();
  int MakeDirectory();
  int RemoveDirectory();
  int MakeNode();
  int MakeSymlink();
  int MakeLink();
  int LinkOpen();
  int Unlink();
  int Move(unsigned flags);
  int Rename();
  int Exchange();
  int RenameNoReplace();
  int ChangeMode();
  int ChangeModeOpen();
  int ChangeOwner();
  int ChangeTimes();
  int ChangeTimesOpen();
  int ChangeAttribute();
  int ChangeAttributeOpen();
  int ChangeDirectory();
  int MapShared();
  int MapProgram();
  int Execute();
  int ExecuteOpen();

  std::string tree_;
  std::mt19937_64 dice_;
  std::array<UniqueFd, 12> open_;
  std::string call_;  // What is being called, for findings.
  std::map<std::string_view, Count> counts_;
  std::set<std::string> findings_;
};

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_STORM_H_
