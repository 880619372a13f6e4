#include "broker/ldns_handles.h"

#include <new>

#include "base/domain_name.h"
#include "broker/dns_message.h"

namespace palyra::broker {

RecordReader::RecordReader(std::span<const uint8_t> message)
    : message_(message), position_(kDnsHeaderSize) {}

RecordPtr RecordReader::Next(ldns_pkt_section section) {
  ldns_rr* record = nullptr;
  const ldns_status status =
      ldns_wire2rr(&record, message_.data(), message_.size(), &position_, section);
  if (status != LDNS_STATUS_OK) return nullptr;
  return RecordPtr(record);
}

std::optional<std::string> NameOf(const ldns_rdf* name) {
  if (name == nullptr || ldns_rdf_get_type(name) != LDNS_RDF_TYPE_DNAME) return std::nullopt;
  // Labels with their sizes before them; libldns has checked these and resolved the pointers.
  std::span<const uint8_t> rest(ldns_rdf_data(name), ldns_rdf_size(name));
  std::string text;
  text.reserve(rest.size());
  while (!rest.empty() && rest[0] != 0 && rest[0] < rest.size()) {
    if (!text.empty()) text += '.';
    for (const uint8_t byte : rest.subspan(1, rest[0])) {
      // A dot inside of a label would look like two labels.
      if (byte == '.') return std::nullopt;
      text += static_cast<char>(byte);
    }
    rest = rest.subspan(size_t{1} + rest[0]);
  }
  if (text.empty()) return text;
  return base::CanonicalDomain(text);
}

FieldPtr NameField(const std::string& name) {
  FieldPtr field(ldns_dname_new_frm_str(name.empty() ? "." : name.c_str()));
  // Canonical names are always names.
  if (!field) throw std::bad_alloc();
  return field;
}

std::span<const uint8_t> FieldBytes(const ldns_rr* record, size_t index) {
  if (index >= ldns_rr_rd_count(record)) return {};
  const ldns_rdf* field = ldns_rr_rdf(record, index);
  return {ldns_rdf_data(field), ldns_rdf_size(field)};
}

uint16_t FieldNumber(const ldns_rr* record, size_t index) {
  const std::span<const uint8_t> bytes = FieldBytes(record, index);
  return bytes.size() == 2 ? ldns_read_uint16(bytes.data()) : uint16_t{0};
}

}  // namespace palyra::broker
