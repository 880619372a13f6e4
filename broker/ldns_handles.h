// Owners for what libldns allocates, and the few calls that reading messages needs. Only the files
// dns_*.cc include this.

#ifndef PALYRA_BROKER_LDNS_HANDLES_H_
#define PALYRA_BROKER_LDNS_HANDLES_H_

#include <ldns/ldns.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace palyra::broker {

template <auto kFree>
struct LdnsFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using RecordPtr = std::unique_ptr<ldns_rr, LdnsFree<ldns_rr_free>>;
using FieldPtr = std::unique_ptr<ldns_rdf, LdnsFree<ldns_rdf_deep_free>>;
using PacketPtr = std::unique_ptr<ldns_pkt, LdnsFree<ldns_pkt_free>>;

// Reads a message record by record. ldns_wire2pkt() would do it in one call, but leaks where a
// message has two OPT or TSIG records, and stops early for the latter.
class RecordReader {
 public:
  // `message` has at least the size of a header, and outlives the reader.
  explicit RecordReader(std::span<const uint8_t> message);

  // The next record, or null if it is malformed or not there.
  RecordPtr Next(ldns_pkt_section section);

  [[nodiscard]] size_t position() const { return position_; }
  [[nodiscard]] bool at_end() const { return position_ == message_.size(); }

 private:
  std::span<const uint8_t> message_;
  size_t position_;
};

// The canonical form of a name; empty for the root, nullopt if there is none.
std::optional<std::string> NameOf(const ldns_rdf* name);

// A name for a record; the root if it is empty. Never null.
FieldPtr NameField(const std::string& name);

// The bytes of a field of a record; empty if there is no such field.
std::span<const uint8_t> FieldBytes(const ldns_rr* record, size_t index);

// The number in a field of two bytes; 0 if there is no such field.
uint16_t FieldNumber(const ldns_rr* record, size_t index);

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_LDNS_HANDLES_H_
