// What the kernel's tables hold, read back: to decide by them as the programs do, to print them,
// and to compare them with what was compiled.

#ifndef PALYRA_ENGINE_LIVE_TABLES_H_
#define PALYRA_ENGINE_LIVE_TABLES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/kernel_objects.h"
#include "engine/table_image.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// What the first `count` of these spans decide; `event` is at an address of theirs.
policy::Ruling DecideBySpans(std::span<const palyra_span> spans, uint32_t count,
                             const policy::NetEvent& event);

// What the programs decide under `profile` about addresses without a name, without grants and
// deadlines. `event` is in canonical form. A profile that is not there denies everything. Under the
// lock of the profiles.
policy::Ruling DecideByTables(const KernelObjects& objects, uint32_t profile,
                              const policy::NetEvent& event);

// Every entry of one profile, found by looking through whole tables: what is there, not what should
// be. Entries are sorted by key. Takes the lock of the profiles, shared.
Result<TableImage> ReadTables(const KernelObjects& objects, uint32_t profile);

// The entries as rules again: prefixes, classes and spans as policy::DumpText prints them. Spans
// that were cut into parts by port are whole again. `reasons` is empty: the kernel holds text
// alone, which ReasonTexts() gives. What no address leads to is not in the tables and so not here.
// kInternal where the entries contradict each other: then they are not what any rules become.
Result<policy::RuleSet> RulesOf(const TableImage& image);

// By reason id; as long as the kernel stores it, 119 bytes. An id without an entry gives an empty
// text.
std::vector<std::string> ReasonTexts(const TableImage& image);

// The text of `image`, and of `rules` as the kernel would hold them: what is the same in the kernel
// is the same text. policy::DumpText with the stored form of the reasons.
Result<std::string> StoredText(const TableImage& image);
Result<std::string> StoredText(const policy::RuleSet& rules);

// One line for each entry of `live` that `expected` does not have, lacks, or has otherwise; empty
// where the tables are exactly what was compiled. At most `most` lines, then one with the count of
// the others. Both are of the same profile id.
std::vector<std::string> DifferencesBetween(const TableImage& expected, const TableImage& live,
                                            size_t most = 20);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIVE_TABLES_H_
