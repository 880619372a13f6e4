// Compiled rules, kept for the next run that would compile the same.
//
//     <directory>/KEY    one entry; KEY is SHA-256 in hexadecimal of all that the rules come from
//
// Nothing depends on an entry: what is missing, not whole, not root's or not of this program is
// compiled, and takes its place. An entry is put there by one rename.

#ifndef PALYRA_CLI_RULE_CACHE_H_
#define PALYRA_CLI_RULE_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/sha256.h"
#include "policy/rule_set.h"

namespace palyra::cli {

struct CachedRules {
  int64_t compiled_ms = 0;  // Wall clock, since the epoch: what `context.now` was.
  policy::RuleSet rules;
  std::string warnings;         // As they were rendered.
  bool may_deny_start = false;  // RunRules::may_deny_start
};

class RuleCache {
 public:
  static constexpr size_t kMostEntries = 128;
  static constexpr size_t kMostBytes = size_t{32} << 20;  // Of all together.
  static constexpr size_t kMostOfOne = size_t{8} << 20;

  // The directory is made when something is stored; its parent too, likewise for root alone.
  explicit RuleCache(std::string directory) : directory_(std::move(directory)) {}

  // The entry, if what it says holds at `now_ms`: it was compiled then or before, and the rules
  // are valid. It counts as used now.
  [[nodiscard]] std::optional<CachedRules> Find(const base::Sha256Digest& key,
                                                int64_t now_ms) const;

  // Puts it there, and removes the entries that were not used for longest until all are within the
  // bounds. Where that fails, the next run compiles again.
  void Store(const base::Sha256Digest& key, const CachedRules& entry) const;

 private:
  std::string directory_;

  void Trim() const;
};

// By what the linker has named this program, which is another for each build; empty where it has
// no name, and then nothing can be kept.
std::string BuildId();

}  // namespace palyra::cli

#endif  // PALYRA_CLI_RULE_CACHE_H_
