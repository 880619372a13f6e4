// What the fuzz targets share. A target is one function that libFuzzer calls with any bytes; it
// crashes, hangs or runs out of memory where the code under it is wrong.

#ifndef PALYRA_TESTS_FUZZ_TARGETS_TARGET_H_
#define PALYRA_TESTS_FUZZ_TARGETS_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "policy/source.h"

namespace palyra::tests {

inline policy::SourcePtr InputSource(const uint8_t* data, size_t size) {
  return std::make_shared<const policy::SourceFile>("input", std::string(data, data + size));
}

// A promise of ours that was broken: libFuzzer keeps the input.
inline void Require(bool kept) {
  if (!kept) std::abort();
}

}  // namespace palyra::tests

// The name that libFuzzer looks for.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // PALYRA_TESTS_FUZZ_TARGETS_TARGET_H_
