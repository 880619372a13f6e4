#include "broker/dns_reply.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <span>
#include <string>

#include "broker/ldns_handles.h"

namespace palyra::broker {
namespace {

// Type, class, TTL and size of a record, after its owner.
constexpr size_t kRecordHeaderSize = 10;
constexpr size_t kTtlOffset = 4;

void Push(const RecordPtr& record, ldns_rdf_type type, std::span<const uint8_t> bytes) {
  ldns_rdf* field = ldns_rdf_new_frm_data(type, bytes.size(), bytes.data());
  if (field == nullptr || !ldns_rr_push_rdf(record.get(), field)) throw std::bad_alloc();
}

void PushName(const RecordPtr& record, const std::string& name) {
  if (!ldns_rr_push_rdf(record.get(), NameField(name).release())) throw std::bad_alloc();
}

void PushNumber(const RecordPtr& record, uint16_t number) {
  std::array<uint8_t, 2> bytes = {};
  ldns_write_uint16(bytes.data(), number);
  Push(record, LDNS_RDF_TYPE_INT16, bytes);
}

// Collects the records of one reply. TTLs are written later.
class RecordList {
 public:
  explicit RecordList(const Question& question)
      : question_(question), owner_(question.name), packet_(ldns_pkt_new()) {
    if (!packet_) throw std::bad_alloc();
    RecordPtr record = New(static_cast<ldns_rr_type>(question.type));
    ldns_rr_set_question(record.get(), true);
    Add(LDNS_SECTION_QUESTION, std::move(record));
  }

  void AddAlias(const std::string& target) {
    RecordPtr record = New(LDNS_RR_TYPE_CNAME);
    PushName(record, target);
    Add(LDNS_SECTION_ANSWER, std::move(record));
    owner_ = target;
  }

  void AddAddress(const Address& address) {
    const bool is_v4 = question_.type == RecordType::kA;
    RecordPtr record = New(is_v4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA);
    const Address::V6Bytes whole = address.ToV6();
    Push(record, is_v4 ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
         std::span(whole).last(is_v4 ? 4 : 16));
    Add(LDNS_SECTION_ANSWER, std::move(record));
  }

  void AddServer(const ServerRecord& server) {
    RecordPtr record = New(LDNS_RR_TYPE_SRV);
    PushNumber(record, server.priority);
    PushNumber(record, server.weight);
    PushNumber(record, server.port);
    PushName(record, server.target);
    Add(LDNS_SECTION_ANSWER, std::move(record));
  }

  void AddService(const ServiceRecord& service) {
    RecordPtr record = New(static_cast<ldns_rr_type>(question_.type));
    PushNumber(record, service.priority);
    PushName(record, service.target);
    if (!service.params.empty()) Push(record, LDNS_RDF_TYPE_SVCPARAMS, service.params);
    Add(LDNS_SECTION_ANSWER, std::move(record));
  }

  void AddZone(const std::string& zone) {
    owner_ = zone;
    RecordPtr record = New(LDNS_RR_TYPE_SOA);
    PushName(record, "");
    PushName(record, "");
    constexpr std::array<uint8_t, 4> kZero = {};
    for (int i = 0; i < 5; ++i) Push(record, LDNS_RDF_TYPE_INT32, kZero);
    Add(LDNS_SECTION_AUTHORITY, std::move(record));
  }

  [[nodiscard]] uint16_t Count(ldns_pkt_section section) const {
    return ldns_pkt_section_count(packet_.get(), section);
  }

  // What follows the question.
  [[nodiscard]] std::vector<uint8_t> Encode() const {
    uint8_t* bytes = nullptr;
    size_t size = 0;
    if (ldns_pkt2wire(&bytes, packet_.get(), &size) != LDNS_STATUS_OK) throw std::bad_alloc();
    const std::unique_ptr<uint8_t, LdnsFree<free>> owner(bytes);
    const size_t question_size = question_.name.size() + 2 + 4;
    return {bytes + kDnsHeaderSize + question_size, bytes + size};
  }

 private:
  [[nodiscard]] RecordPtr New(ldns_rr_type type) const {
    RecordPtr record(ldns_rr_new());
    if (!record) throw std::bad_alloc();
    ldns_rr_set_owner(record.get(), NameField(owner_).release());
    ldns_rr_set_type(record.get(), type);
    ldns_rr_set_class(record.get(), LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(record.get(), 0);
    return record;
  }

  void Add(ldns_pkt_section section, RecordPtr record) {
    if (!ldns_pkt_push_rr(packet_.get(), section, record.get())) throw std::bad_alloc();
    (void)record.release();
  }

  const Question& question_;
  std::string owner_;
  PacketPtr packet_;
};

// Where the header of the record at `position` is: behind its owner.
size_t SkipOwner(std::span<const uint8_t> bytes, size_t position) {
  while (bytes[position] != 0) {
    if (bytes[position] >= 0xc0) return position + 2;
    position += size_t{1} + bytes[position];
  }
  return position + 1;
}

// RFC 8914 in RFC 6891: an OPT record with at most one option.
void AppendOpt(Rcode rcode, const std::optional<ExtendedError>& error,
               std::vector<uint8_t>& reply) {
  const auto extended = static_cast<uint8_t>(static_cast<uint16_t>(rcode) >> 4U);
  const std::array<uint8_t, 11> record = {
      0, 0, LDNS_RR_TYPE_OPT, kOwnUdpSize >> 8, kOwnUdpSize & 0xff, extended, 0, 0, 0, 0, 0};
  reply.insert(reply.end(), record.begin(), record.end());
  if (!error) return;
  reply.back() = 6;
  constexpr uint8_t kExtendedErrorOption = 15;
  const std::array<uint8_t, 6> option = {0, kExtendedErrorOption,        0, 2,
                                         0, static_cast<uint8_t>(*error)};
  reply.insert(reply.end(), option.begin(), option.end());
}

}  // namespace

ReplyRecords::ReplyRecords(const Question& question, const Answer& answer) {
  RecordList list(question);
  for (const std::string& target : answer.chain) list.AddAlias(target);
  for (const Address& address : answer.addresses) list.AddAddress(address);
  for (const ServerRecord& server : answer.servers) list.AddServer(server);
  for (const ServiceRecord& service : answer.services) list.AddService(service);
  if (answer.zone && answer.IsNegative(question.type)) list.AddZone(*answer.zone);
  answers_ = list.Count(LDNS_SECTION_ANSWER);
  authorities_ = list.Count(LDNS_SECTION_AUTHORITY);
  bytes_ = list.Encode();
  size_t position = 0;
  for (int i = 0; i < answers_ + authorities_; ++i) {
    const size_t header = SkipOwner(bytes_, position);
    ttls_.push_back(static_cast<uint16_t>(header + kTtlOffset));
    position =
        header + kRecordHeaderSize + ldns_read_uint16(&bytes_[header + kRecordHeaderSize - 2]);
  }
  // The minimum is the last number of the last record.
  if (authorities_ > 0) negative_ttls_.push_back(static_cast<uint16_t>(position - 4));
}

// Has the right to see what ReplyRecords keeps.
struct ReplyWriter {
  static void Append(const ReplyRecords& records, std::chrono::seconds ttl,
                     std::vector<uint8_t>& reply) {
    const size_t start = reply.size();
    reply.insert(reply.end(), records.bytes_.begin(), records.bytes_.end());
    const auto seconds = static_cast<uint32_t>(ttl.count());
    for (const uint16_t offset : records.ttls_) ldns_write_uint32(&reply[start + offset], seconds);
    for (const uint16_t offset : records.negative_ttls_) {
      ldns_write_uint32(&reply[start + offset], seconds);
    }
    ldns_write_uint16(&reply[LDNS_ANCOUNT_OFF], records.answers_);
    ldns_write_uint16(&reply[LDNS_NSCOUNT_OFF], records.authorities_);
  }
};

void WriteReply(const Query& query, const ReplyRecords& records, const ReplyFields& fields,
                size_t limit, std::vector<uint8_t>& reply) {
  reply.assign(kDnsHeaderSize, 0);
  uint8_t* header = reply.data();
  ldns_write_uint16(header, query.id);
  LDNS_QR_SET(header);
  LDNS_RA_SET(header);
  if (query.recursion_desired) LDNS_RD_SET(header);
  if (query.checking_disabled) LDNS_CD_SET(header);
  header[3] = static_cast<uint8_t>(header[3] | (static_cast<uint16_t>(fields.rcode) & 0x0fU));
  header[LDNS_QDCOUNT_OFF + 1] = query.wire.empty() ? 0 : 1;
  header[LDNS_ARCOUNT_OFF + 1] = query.edns ? 1 : 0;
  reply.insert(reply.end(), query.wire.begin(), query.wire.end());
  const size_t opt_size = !query.edns ? 0 : fields.error ? 17 : 11;
  if (reply.size() + records.size() + opt_size <= limit) {
    ReplyWriter::Append(records, fields.ttl, reply);
  } else {
    LDNS_TC_SET(reply.data());
  }
  if (query.edns) AppendOpt(fields.rcode, fields.error, reply);
}

}  // namespace palyra::broker
