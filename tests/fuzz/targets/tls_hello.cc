// The first bytes of a TLS client: what they are does not depend on how they arrive.

#include "broker/tls_hello.h"

#include <algorithm>

#include "base/domain_name.h"
#include "tests/fuzz/targets/target.h"

namespace broker = palyra::broker;
using broker::TlsHelloReader;
using palyra::tests::Require;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  TlsHelloReader whole;
  const auto state = whole.Feed(bytes);
  Require((state == TlsHelloReader::State::kMalformed) == !whole.problem().empty());

  TlsHelloReader parts;
  auto part_state = TlsHelloReader::State::kMore;
  for (size_t at = 0, step = 1; at < size; at += step, step = step % 7 + 1) {
    part_state = parts.Feed(bytes.subspan(at, std::min(step, size - at)));
  }
  Require(state == part_state);
  if (state != TlsHelloReader::State::kDone) return 0;

  Require(whole.hello().server_name == parts.hello().server_name);
  Require(whole.hello().encrypted_hello == parts.hello().encrypted_hello);
  Require(whole.hello().protocols == parts.hello().protocols);
  if (!whole.hello().server_name) return 0;
  Require(!whole.hello().server_name->empty());
  const auto name = palyra::base::CanonicalDomain(*whole.hello().server_name);
  if (name) Require(palyra::base::CanonicalDomain(*name) == name);
  return 0;
}
