#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/sha256.h"
#include "policy/rule_set.h"
#include "policy/rule_set_form.h"

namespace palyra::policy {
namespace {

class HashSink {
 public:
  void Append(std::span<const uint8_t> bytes) {
    if (bytes.size() > buffer_.size() - used_) Flush();
    if (bytes.size() > buffer_.size()) {
      hash_.Update(bytes);
      return;
    }
    std::ranges::copy(bytes, buffer_.begin() + static_cast<ptrdiff_t>(used_));
    used_ += bytes.size();
  }
  base::Sha256Digest Finish() {
    Flush();
    return hash_.Finish();
  }

 private:
  void Flush() {
    hash_.Update(std::span(buffer_).first(used_));
    used_ = 0;
  }

  base::Sha256 hash_;
  std::array<uint8_t, 4096> buffer_;
  size_t used_ = 0;
};

}  // namespace

base::Sha256Digest Digest(const RuleSet& rules) {
  HashSink sink;
  FormWriter(sink).Write(rules);
  return sink.Finish();
}

}  // namespace palyra::policy
