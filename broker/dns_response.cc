#include "broker/dns_response.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/ldns_handles.h"
#include "broker/service_params.h"

namespace palyra::broker {
namespace {

// In all sections; each may cost a walk over all pointers of a message.
constexpr size_t kMaxRecords = 512;

template <typename T>
bool Contains(const std::vector<T>& all, const T& one) {
  return std::ranges::find(all, one) != all.end();
}

// RFC 2181 section 8: a TTL with the top bit set counts as 0.
std::chrono::seconds TtlOf(uint32_t ttl) {
  return std::chrono::seconds(ttl > 0x7fffffff ? 0 : ttl);
}

std::chrono::seconds TtlOf(const RecordPtr& record) { return TtlOf(ldns_rr_ttl(record.get())); }

RecordType TypeOf(const RecordPtr& record) {
  return static_cast<RecordType>(ldns_rr_get_type(record.get()));
}

// The records of class IN of one section, with canonical owners.
struct OwnedRecord {
  std::string owner;
  RecordPtr record;
};

struct Sections {
  std::vector<OwnedRecord> answer;
  std::vector<OwnedRecord> authority;
  uint32_t extended_rcode = 0;
};

bool ReadSection(RecordReader& reader, ldns_pkt_section section, size_t count,
                 std::vector<OwnedRecord>& records) {
  for (; count > 0; --count) {
    RecordPtr record = reader.Next(section);
    if (!record) return false;
    if (ldns_rr_get_class(record.get()) != LDNS_RR_CLASS_IN) continue;
    if (std::optional<std::string> owner = NameOf(ldns_rr_owner(record.get()))) {
      records.push_back({*std::move(owner), std::move(record)});
    }
  }
  return true;
}

std::optional<Sections> ReadSections(RecordReader& reader, const uint8_t* header) {
  const size_t answers = LDNS_ANCOUNT(header);
  const size_t authorities = LDNS_NSCOUNT(header);
  const size_t additional = LDNS_ARCOUNT(header);
  if (answers + authorities + additional > kMaxRecords) return std::nullopt;
  Sections sections;
  if (!ReadSection(reader, LDNS_SECTION_ANSWER, answers, sections.answer) ||
      !ReadSection(reader, LDNS_SECTION_AUTHORITY, authorities, sections.authority)) {
    return std::nullopt;
  }
  for (size_t i = 0; i < additional; ++i) {
    const RecordPtr record = reader.Next(LDNS_SECTION_ADDITIONAL);
    if (!record) return std::nullopt;
    if (ldns_rr_get_type(record.get()) == LDNS_RR_TYPE_OPT) {
      sections.extended_rcode = ldns_rr_ttl(record.get()) >> 24;
    }
  }
  if (!reader.at_end()) return std::nullopt;
  return sections;
}

// Follows the CNAMEs from the question's name, and gives the name at their end.
std::expected<std::string, ResponseFault> FollowChain(const std::vector<OwnedRecord>& records,
                                                      const Question& question, Answer& answer) {
  std::map<std::string, const ldns_rr*, std::less<>> aliases;
  for (const OwnedRecord& one : records) {
    if (TypeOf(one.record) == RecordType::kCname) aliases.emplace(one.owner, one.record.get());
  }
  std::string name = question.name;
  for (auto alias = aliases.find(name); alias != aliases.end(); alias = aliases.find(name)) {
    std::optional<std::string> target = NameOf(ldns_rr_rdf(alias->second, 0));
    if (!target || target->empty()) return std::unexpected(ResponseFault::kMalformed);
    if (*target == question.name || Contains(answer.chain, *target)) {
      return std::unexpected(ResponseFault::kChainLoops);
    }
    if (answer.chain.size() == kMaxChain) return std::unexpected(ResponseFault::kChainTooLong);
    name = *std::move(target);
    answer.chain.push_back(name);
    answer.ttl = std::min(answer.ttl, TtlOf(ldns_rr_ttl(alias->second)));
    if (question.type == RecordType::kCname) break;
  }
  return name;
}

bool AddAddress(const ldns_rr* record, Answer& answer) {
  const std::optional<Address> address = Address::FromBytes(FieldBytes(record, 0));
  if (!address || answer.addresses.size() == kMaxAddresses) return false;
  if (Contains(answer.addresses, *address)) return false;
  answer.addresses.push_back(*address);
  return true;
}

bool AddServer(const ldns_rr* record, Answer& answer) {
  if (ldns_rr_rd_count(record) != 4 || answer.servers.size() == kMaxServices) return false;
  std::optional<std::string> target = NameOf(ldns_rr_rdf(record, 3));
  if (!target) return false;
  answer.servers.push_back({.priority = FieldNumber(record, 0),
                            .weight = FieldNumber(record, 1),
                            .port = FieldNumber(record, 2),
                            .target = *std::move(target)});
  return true;
}

bool AddService(const ldns_rr* record, Answer& answer) {
  if (ldns_rr_rd_count(record) < 2 || answer.services.size() == kMaxServices) return false;
  std::optional<std::string> target = NameOf(ldns_rr_rdf(record, 1));
  auto params = KeptServiceParams(FieldBytes(record, 2));
  if (!target || !params) return false;
  answer.services.push_back({.priority = FieldNumber(record, 0),
                             .target = *std::move(target),
                             .params = *std::move(params)});
  return true;
}

// False if the record adds nothing.
bool AddRecord(RecordType type, const ldns_rr* record, Answer& answer) {
  switch (type) {
    case RecordType::kA:
    case RecordType::kAaaa:
      return AddAddress(record, answer);
    case RecordType::kSrv:
      return AddServer(record, answer);
    case RecordType::kSvcb:
    case RecordType::kHttps:
      return AddService(record, answer);
    case RecordType::kCname:
    case RecordType::kPtr:
      break;
  }
  return false;
}

bool IsAtOrBelow(const std::string& name, const std::string& zone) {
  if (zone.empty() || name == zone) return true;
  return name.size() > zone.size() && name.ends_with(zone) &&
         name[name.size() - zone.size() - 1] == '.';
}

// How long it holds that there is nothing (RFC 2308 section 5).
void AddZone(const std::vector<OwnedRecord>& authority, const std::string& name, Answer& answer) {
  for (const OwnedRecord& one : authority) {
    const std::span<const uint8_t> minimum = FieldBytes(one.record.get(), 6);
    if (ldns_rr_get_type(one.record.get()) != LDNS_RR_TYPE_SOA || minimum.size() != 4) continue;
    if (!IsAtOrBelow(name, one.owner)) continue;
    answer.zone = one.owner;
    answer.ttl = std::min({answer.ttl, TtlOf(one.record), TtlOf(ldns_read_uint32(minimum.data()))});
    return;
  }
  answer.ttl = std::chrono::seconds(0);
}

std::expected<Answer, ResponseFault> MakeAnswer(const Sections& sections, Rcode rcode,
                                                const Question& question) {
  Answer answer;
  answer.rcode = rcode;
  answer.ttl = std::chrono::seconds(0x7fffffff);
  const auto name = FollowChain(sections.answer, question, answer);
  if (!name) return std::unexpected(name.error());
  for (const OwnedRecord& one : sections.answer) {
    if (rcode != Rcode::kNoError || TypeOf(one.record) != question.type) continue;
    if (one.owner == *name && AddRecord(question.type, one.record.get(), answer)) {
      answer.ttl = std::min(answer.ttl, TtlOf(one.record));
    }
  }
  if (answer.IsNegative(question.type)) AddZone(sections.authority, *name, answer);
  return answer;
}

// The question comes back as it was asked.
bool IsQuestion(RecordReader& reader, const Question& question) {
  const RecordPtr record = reader.Next(LDNS_SECTION_QUESTION);
  return record && TypeOf(record) == question.type &&
         ldns_rr_get_class(record.get()) == LDNS_RR_CLASS_IN &&
         NameOf(ldns_rr_owner(record.get())) == question.name;
}

}  // namespace

std::expected<Answer, ResponseFault> ParseResponse(std::span<const uint8_t> packet, uint16_t id,
                                                   const Question& question) {
  const uint8_t* header = packet.data();
  if (packet.size() < kDnsHeaderSize || LDNS_QR_WIRE(header) == 0 ||
      LDNS_OPCODE_WIRE(header) != LDNS_PACKET_QUERY) {
    return std::unexpected(ResponseFault::kNotAResponse);
  }
  if (LDNS_ID_WIRE(header) != id) return std::unexpected(ResponseFault::kWrongId);
  const auto rcode = static_cast<Rcode>(LDNS_RCODE_WIRE(header));
  const bool is_failure = rcode != Rcode::kNoError && rcode != Rcode::kNameError;
  RecordReader reader(packet);
  // A server that cannot read a query may not repeat it.
  const bool is_bare_failure = is_failure && LDNS_QDCOUNT(header) == 0;
  if (!is_bare_failure && (LDNS_QDCOUNT(header) != 1 || !IsQuestion(reader, question))) {
    return std::unexpected(ResponseFault::kWrongQuestion);
  }
  if (is_failure) return std::unexpected(ResponseFault::kServerFailed);
  if (LDNS_TC_WIRE(header) != 0) return std::unexpected(ResponseFault::kTruncated);
  const std::optional<Sections> sections = ReadSections(reader, header);
  if (!sections) return std::unexpected(ResponseFault::kMalformed);
  if (sections->extended_rcode != 0) return std::unexpected(ResponseFault::kServerFailed);
  return MakeAnswer(*sections, rcode, question);
}

}  // namespace palyra::broker
