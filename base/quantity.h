// Amounts as people write them: sizes, numbers, times.

#ifndef PALYRA_BASE_QUANTITY_H_
#define PALYRA_BASE_QUANTITY_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace palyra::base {

// Whole bytes, or a whole number with K, M, G or T: times 1024, and so on. At most 2^60.
// kInvalidArgument, with the text in quotes, for everything else; likewise all of these.
Result<uint64_t> ParseSize(std::string_view text);

// A whole number from 1 to `most`.
Result<uint64_t> ParseCount(std::string_view text, uint64_t most);

// "90", "1.5", "90s", "5m", "2h": more than zero, at most a year.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// "64 MiB", "1000 bytes": exactly, in the largest unit of which it is a whole number.
std::string SizeText(uint64_t bytes);

}  // namespace palyra::base

#endif  // PALYRA_BASE_QUANTITY_H_
