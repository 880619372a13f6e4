#include "broker/service_params.h"

#include <cstddef>

namespace palyra::broker {
namespace {

constexpr size_t kMaxKeptSize = 512;

// Service parameter keys.
constexpr uint32_t kMandatory = 0;
constexpr uint32_t kLastKept = 3;  // alpn is 1, no-default-alpn 2, port 3.

uint32_t Number(std::span<const uint8_t> bytes) { return (uint32_t{bytes[0]} << 8U) | bytes[1]; }

// A list of keys that all are kept.
bool AllKept(std::span<const uint8_t> keys) {
  if (keys.empty() || keys.size() % 2 != 0) return false;
  for (; !keys.empty(); keys = keys.subspan(2)) {
    if (Number(keys) > kLastKept) return false;
  }
  return true;
}

}  // namespace

std::optional<std::vector<uint8_t>> KeptServiceParams(std::span<const uint8_t> params) {
  std::vector<uint8_t> kept;
  uint32_t least_key = 0;
  while (!params.empty()) {
    if (params.size() < 4) return std::nullopt;
    const uint32_t key = Number(params);
    const size_t size = 4 + size_t{Number(params.subspan(2))};
    if (key < least_key || params.size() < size) return std::nullopt;
    least_key = key + 1;
    const std::span<const uint8_t> param = params.first(size);
    if (key == kMandatory && !AllKept(param.subspan(4))) return std::nullopt;
    if (key <= kLastKept) kept.insert(kept.end(), param.begin(), param.end());
    params = params.subspan(size);
  }
  if (kept.size() > kMaxKeptSize) return std::nullopt;
  return kept;
}

}  // namespace palyra::broker
