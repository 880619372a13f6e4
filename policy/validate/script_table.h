// Which scripts characters belong to, and which of them identifiers should have.
// https://www.unicode.org/reports/tr39/ (Unicode security mechanisms), made by
// tools/make_script_table.

#ifndef PALYRA_POLICY_VALIDATE_SCRIPT_TABLE_H_
#define PALYRA_POLICY_VALIDATE_SCRIPT_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace palyra::policy {

inline constexpr size_t kMaxScripts = 192;

// The numbers of the scripts that East Asian writing mixes.
inline constexpr uint8_t kHan = 0;
inline constexpr uint8_t kHiragana = 1;
inline constexpr uint8_t kKatakana = 2;
inline constexpr uint8_t kHangul = 3;
inline constexpr uint8_t kBopomofo = 4;

// Sorted. Each row holds for the characters from its first one to that of the next row:
// first << 10 | set << 1 | allowed. Set 0 goes with every script (Common, Inherited).
std::span<const uint32_t> ScriptRows();

// Sets 1, 2, … one behind the other, each as its size and the numbers of its scripts.
std::span<const uint8_t> ScriptSets();

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_VALIDATE_SCRIPT_TABLE_H_
