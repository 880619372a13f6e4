#include "broker/dns_query.h"

#include <algorithm>
#include <new>

#include "broker/ldns_handles.h"

namespace palyra::broker {
namespace {

// The OPT record (RFC 6891 section 6.1) if there is one. False if that is not all there is.
bool ReadAdditional(RecordReader& reader, uint16_t count, Query& query, uint32_t& version) {
  if (count > 1) return false;
  if (count == 1) {
    const RecordPtr record = reader.Next(LDNS_SECTION_ADDITIONAL);
    if (!record || ldns_rr_get_type(record.get()) != LDNS_RR_TYPE_OPT) return false;
    if (NameOf(ldns_rr_owner(record.get())) != "") return false;
    query.edns = true;
    query.udp_size =
        std::max(static_cast<uint16_t>(ldns_rr_get_class(record.get())), kPlainUdpSize);
    version = (ldns_rr_ttl(record.get()) >> 16) & 0xff;
  }
  return reader.at_end();
}

QueryFault ReadSections(std::span<const uint8_t> packet, Query& query) {
  const uint8_t* header = packet.data();
  if (LDNS_QDCOUNT(header) != 1 || LDNS_ANCOUNT(header) != 0 || LDNS_NSCOUNT(header) != 0) {
    return QueryFault::kMalformed;
  }
  RecordReader reader(packet);
  const RecordPtr question = reader.Next(LDNS_SECTION_QUESTION);
  if (!question) return QueryFault::kMalformed;
  const ldns_rdf* name = ldns_rr_owner(question.get());
  // A first name has nothing that it could point to.
  const size_t size = ldns_rdf_size(name) + 4;
  if (reader.position() != kDnsHeaderSize + size) return QueryFault::kMalformed;
  query.wire = packet.subspan(kDnsHeaderSize, size);
  query.question.type = static_cast<RecordType>(ldns_rr_get_type(question.get()));
  uint32_t version = 0;
  if (!ReadAdditional(reader, LDNS_ARCOUNT(header), query, version)) return QueryFault::kMalformed;
  if (version != 0) return QueryFault::kEdnsVersion;
  if (ldns_rr_get_class(question.get()) != LDNS_RR_CLASS_IN) return QueryFault::kClass;
  std::optional<std::string> canonical = NameOf(name);
  if (!canonical || canonical->empty()) return QueryFault::kNameNotCanonical;
  query.question.name = *std::move(canonical);
  return QueryFault::kNone;
}

}  // namespace

std::optional<Rcode> RcodeOf(QueryFault fault) {
  switch (fault) {
    case QueryFault::kNone:
      return Rcode::kNoError;
    case QueryFault::kShort:
    case QueryFault::kIsResponse:
      return std::nullopt;
    case QueryFault::kOpcode:
      return Rcode::kNotImplemented;
    case QueryFault::kMalformed:
      return Rcode::kFormatError;
    case QueryFault::kEdnsVersion:
      return Rcode::kBadVersion;
    case QueryFault::kClass:
      return Rcode::kRefused;
    case QueryFault::kNameNotCanonical:
      return Rcode::kNameError;
  }
  return std::nullopt;
}

Query ParseQuery(std::span<const uint8_t> packet) {
  Query query;
  const uint8_t* header = packet.data();
  if (packet.size() < kDnsHeaderSize) {
    query.fault = QueryFault::kShort;
    return query;
  }
  query.id = LDNS_ID_WIRE(header);
  query.recursion_desired = LDNS_RD_WIRE(header) != 0;
  query.checking_disabled = LDNS_CD_WIRE(header) != 0;
  if (LDNS_QR_WIRE(header) != 0) {
    query.fault = QueryFault::kIsResponse;
  } else if (LDNS_OPCODE_WIRE(header) != LDNS_PACKET_QUERY) {
    query.fault = QueryFault::kOpcode;
  } else {
    query.fault = ReadSections(packet, query);
  }
  // What is malformed is not repeated.
  if (query.fault == QueryFault::kMalformed) query.wire = {};
  return query;
}

std::vector<uint8_t> EncodeQuery(uint16_t id, const Question& question, bool edns) {
  const PacketPtr packet(ldns_pkt_query_new(NameField(question.name).release(),
                                            static_cast<ldns_rr_type>(question.type),
                                            LDNS_RR_CLASS_IN, LDNS_RD));
  if (!packet) throw std::bad_alloc();
  ldns_pkt_set_id(packet.get(), id);
  if (edns) ldns_pkt_set_edns_udp_size(packet.get(), kOwnUdpSize);
  uint8_t* bytes = nullptr;
  size_t size = 0;
  if (ldns_pkt2wire(&bytes, packet.get(), &size) != LDNS_STATUS_OK) throw std::bad_alloc();
  const std::unique_ptr<uint8_t, LdnsFree<free>> owner(bytes);
  return {bytes, bytes + size};
}

}  // namespace palyra::broker
