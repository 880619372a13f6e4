// The requests of an HTTP client: heads, bodies and what is refused do not depend on how the bytes
// arrive, and nothing but whole heads passes as a head.

#include "broker/http_head.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http_requests.h"
#include "tests/fuzz/targets/target.h"

namespace broker = palyra::broker;
using broker::RequestStream;
using palyra::tests::Require;

namespace {

struct Answer {
  std::string passed;
  std::vector<std::string> hosts;
  bool rejected = false;
  bool operator==(const Answer&) const = default;
};

// Every step must pass something on or end.
Answer ReadInParts(std::string_view bytes, size_t first_part) {
  RequestStream stream;
  Answer answer;
  std::string held;
  for (size_t part = first_part; !bytes.empty(); part = part % 11 + first_part) {
    held += bytes.substr(0, part);
    bytes.remove_prefix(std::min(part, bytes.size()));
    while (true) {
      const auto step = stream.Next(held);
      answer.rejected = !step;
      if (!step) return answer;
      if (step->kind == RequestStream::Kind::kMore) break;
      Require(step->size > 0 && step->size <= held.size());
      if (step->kind == RequestStream::Kind::kHead) {
        Require(step->size <= broker::kLongestHead);
        Require(std::string_view(held).substr(0, step->size).ends_with("\r\n\r\n"));
        Require(!stream.head().host.empty());
        answer.hosts.push_back(stream.head().host);
      }
      answer.passed += held.substr(0, step->size);
      held.erase(0, step->size);
    }
  }
  return answer;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Answer whole = ReadInParts(bytes, std::max(size, size_t{1}));
  Require(bytes.starts_with(whole.passed));
  Require(whole == ReadInParts(bytes, 1));
  broker::HttpHeadReader reader;
  const auto head = reader.Read(bytes);
  Require(!head || !*head || (!whole.hosts.empty() && (*head)->host == whole.hosts.front()));
  return 0;
}
