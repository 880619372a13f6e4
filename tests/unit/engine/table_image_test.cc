// The image of a RuleSet answers as the RuleSet does. The interpreter here reads the entries as
// bpf/egress_tables.h reads the maps.

#include "engine/table_image.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/engine/random_rules.h"

namespace palyra::engine {
namespace {

using policy::AddressPrefix;
using policy::NetEvent;
using policy::PortSpan;
using policy::RuleSet;
using policy::Ruling;
using policy::Verdict;

constexpr uint32_t kHasHosts = PALYRA_HAS_HOSTS4 | PALYRA_HAS_HOSTS6;
constexpr uint32_t kProfile = 0xD0FFEE42;
static_assert((kProfile & kHasHosts) == kHasHosts);

class ImageReader {
 public:
  explicit ImageReader(const TableImage& image) : image_(image) {
    for (size_t i = 0; i < image.rows.keys.size(); ++i) {
      const palyra_row_key& key = image.rows.keys[i];
      EXPECT_EQ(key.profile, kProfile);
      const bool added =
          rows_.emplace(std::pair(key.address_class, key.part), &image.rows.values[i]).second;
      EXPECT_TRUE(added) << "two rows of one key";
    }
  }

  [[nodiscard]] Ruling Decide(const NetEvent& event) const {
    const palyra_address_class* found =
        event.is_ipv6 ? Host(image_.hosts6, event) : Host(image_.hosts4, event);
    if (found == nullptr) {
      found = event.is_ipv6 ? Longest(image_.addresses6, event) : Longest(image_.addresses4, event);
    }
    if (found == nullptr) return kNotFound;
    if (found->in_rows == 0) return DecideIn(found->spans, found->span_count, event);
    const uint32_t part = uint32_t{event.port} >> found->port_shift;
    const auto row = rows_.find({found->address_class, part});
    if (row == rows_.end()) return kNotFound;
    return DecideIn(row->second->spans, row->second->span_count, event);
  }

 private:
  static constexpr Ruling kNotFound = {.verdict = Verdict::kDeny, .reason = 0};

  static Ruling DecideIn(const palyra_span* spans, uint32_t count, const NetEvent& event) {
    for (const palyra_span& span : std::span(spans, count)) {
      const bool holds = span.port_first <= event.port && event.port <= span.port_last &&
                         (span.actions >> static_cast<int>(event.action) & 1) != 0 &&
                         (span.protocols >> static_cast<int>(event.protocol) & 1) != 0;
      if (holds) return {.verdict = static_cast<Verdict>(span.verdict), .reason = span.reason};
    }
    return kNotFound;
  }

  static bool SameBits(const uint8_t* a, const uint8_t* b, uint32_t bits) {
    for (uint32_t bit = 0; bit < bits; ++bit) {
      if (((a[bit / 8] ^ b[bit / 8]) & (0x80U >> bit % 8)) != 0) return false;
    }
    return true;
  }

  template <typename Key>
  static const palyra_address_class* Host(const Entries<Key, palyra_address_class>& entries,
                                          const NetEvent& event) {
    for (size_t i = 0; i < entries.keys.size(); ++i) {
      const Key& key = entries.keys[i];
      EXPECT_EQ(key.profile, kProfile);
      if (SameBits(key.address, event.address.data(), 8 * sizeof(key.address))) {
        return &entries.values[i];
      }
    }
    return nullptr;
  }

  template <typename Key>
  static const palyra_address_class* Longest(const Entries<Key, palyra_address_class>& entries,
                                             const NetEvent& event) {
    const palyra_address_class* longest = nullptr;
    uint32_t length = 0;
    for (size_t i = 0; i < entries.keys.size(); ++i) {
      const Key& key = entries.keys[i];
      EXPECT_EQ(key.profile, kProfile);
      if (key.prefix_length < length) continue;
      if (!SameBits(key.address, event.address.data(), key.prefix_length - 32)) continue;
      longest = &entries.values[i];
      length = key.prefix_length;
    }
    return longest;
  }

  const TableImage& image_;
  std::map<std::pair<uint32_t, uint32_t>, const palyra_row*> rows_;
};

TableImage ImageOf(const RuleSet& rules) {
  Result<TableImage> image = BuildTableImage(rules, kProfile);
  EXPECT_TRUE(image) << image.error().message;
  return image ? *std::move(image) : TableImage();
}

// Nothing but a default-deny class 0.
RuleSet Empty() {
  return {.prefixes = {}, .classes = {{}}, .reasons = {{.layers = {{policy::Layer::kCaller, {}}}}}};
}

PortSpan TcpSpan(int first, int last, uint32_t reason = 0) {
  return {.first = static_cast<uint16_t>(first),
          .last = static_cast<uint16_t>(last),
          .actions = PALYRA_NET_CONNECT,
          .protocols = PALYRA_TCP,
          .verdict = Verdict::kAllow,
          .reason = reason};
}

NetEvent TcpConnect(int port) {
  return {.action = policy::NetAction::kConnect,
          .protocol = policy::Protocol::kTcp,
          .is_ipv6 = false,
          .address = {192, 0, 2, 1},
          .port = static_cast<uint16_t>(port)};
}

TEST(TableImage, AnswersEveryQuestionAsItsRuleSet) {
  RandomRules random(20240521);
  std::map<Verdict, int> seen;
  for (int set = 0; set < 200; ++set) {
    const RuleSet rules = random.Rules();
    const TableImage image = ImageOf(rules);
    const ImageReader reader(image);
    for (int i = 0; i < 200; ++i) {
      const NetEvent event = random.Event(rules);
      const Ruling expected = policy::Decide(rules, event);
      ASSERT_EQ(reader.Decide(event), expected) << policy::DumpText(rules);
      ++seen[expected.verdict];
    }
  }
  EXPECT_GT(seen[Verdict::kAllow], 500) << "the questions are not about the rules";
  EXPECT_GT(seen[Verdict::kAsk], 500);
  EXPECT_GT(seen[Verdict::kVerify], 500);
  EXPECT_GT(seen[Verdict::kDeny], 500);
}

TEST(TableImage, OfNoRulesDeniesEverything) {
  const TableImage image = ImageOf(Empty());
  EXPECT_EQ(image.addresses4.keys.size(), 1U);
  EXPECT_EQ(image.addresses6.keys.size(), 1U);
  EXPECT_EQ(image.addresses4.keys[0].prefix_length, 32U) << "every address of this profile";
  EXPECT_TRUE(image.rows.keys.empty());
  EXPECT_EQ(ImageReader(image).Decide(TcpConnect(443)).verdict, Verdict::kDeny);
}

// A class 0 of that many spans of two ports, spread evenly.
RuleSet Spread(int count) {
  RuleSet rules = Empty();
  for (int i = 0; i < count; ++i) rules.classes[0].spans.push_back(TcpSpan(2500 * i, 2500 * i + 1));
  return rules;
}

void ExpectSameForEveryPort(const RuleSet& rules) {
  const TableImage image = ImageOf(rules);
  const ImageReader reader(image);
  for (int port = 0; port < 65536; ++port) {
    ASSERT_EQ(reader.Decide(TcpConnect(port)), policy::Decide(rules, TcpConnect(port))) << port;
  }
}

TEST(TableImage, HasOneEntryForEveryAddress) {
  RuleSet rules = Empty();
  rules.classes.push_back({.spans = {TcpSpan(443, 443)}});
  for (const bool is_ipv6 : {false, true}) {
    rules.prefixes.push_back({.is_ipv6 = is_ipv6, .length = 0, .bytes = {}, .address_class = 1});
  }
  const TableImage image = ImageOf(rules);
  EXPECT_EQ(image.addresses4.keys.size(), 1U) << "a key must not be there twice";
  EXPECT_EQ(image.addresses6.keys.size(), 1U);
  EXPECT_EQ(ImageReader(image).Decide(TcpConnect(443)).verdict, Verdict::kAllow);
}

TEST(TableImage, KeepsFewSpansBesideTheAddress) {
  const RuleSet rules = Spread(PALYRA_INLINE_SPANS);
  const TableImage image = ImageOf(rules);
  EXPECT_TRUE(image.rows.keys.empty());
  EXPECT_EQ(image.addresses4.values[0].in_rows, 0);
  EXPECT_EQ(image.addresses4.values[0].span_count, PALYRA_INLINE_SPANS);
  ExpectSameForEveryPort(rules);
}

TEST(TableImage, KeepsWhatFitsIntoOneRowInOneRow) {
  for (const int count : {PALYRA_INLINE_SPANS + 1, PALYRA_ROW_SPANS}) {
    const RuleSet rules = Spread(count);
    const TableImage image = ImageOf(rules);
    ASSERT_EQ(image.rows.keys.size(), 1U);
    EXPECT_EQ(image.rows.values[0].span_count, static_cast<uint32_t>(count));
    EXPECT_EQ(image.addresses4.values[0].in_rows, 1);
    EXPECT_EQ(image.addresses4.values[0].port_shift, 16U);
    ExpectSameForEveryPort(rules);
  }
}

TEST(TableImage, CutsAClassThatDoesNotFitAsLittleAsPossible) {
  const RuleSet rules = Spread(PALYRA_ROW_SPANS + 1);
  const TableImage image = ImageOf(rules);
  EXPECT_EQ(image.addresses4.values[0].port_shift, 15U);
  EXPECT_EQ(image.rows.keys.size(), 2U);
  ExpectSameForEveryPort(rules);
}

TEST(TableImage, CutsSpansThatCrossTheParts) {
  RuleSet rules = Empty();
  // The widest one touches every part.
  for (int i = 0; i < 40; ++i) rules.classes[0].spans.push_back(TcpSpan(100 + i, 100 + i));
  rules.classes[0].spans.push_back(TcpSpan(500, 65535));
  ExpectSameForEveryPort(rules);
}

TEST(TableImage, HoldsTenThousandPortsOfOneClass) {
  RuleSet rules = Empty();
  for (int i = 0; i < 10'000; ++i) rules.classes[0].spans.push_back(TcpSpan(3 + 6 * i, 3 + 6 * i));
  const TableImage image = ImageOf(rules);
  EXPECT_LE(image.rows.keys.size(), 10'000U);
  const ImageReader reader(image);
  for (int port = 0; port < 65536; ++port) {
    const bool allowed = port % 6 == 3 && port < 60'000;
    ASSERT_EQ(reader.Decide(TcpConnect(port)).verdict, allowed ? Verdict::kAllow : Verdict::kDeny)
        << port;
  }
}

TEST(TableImage, HoldsEveryCombinationOfActionAndProtocolOnOnePort) {
  RuleSet rules = Empty();
  for (uint8_t action = 0; action < policy::kNetActionCount; ++action) {
    for (uint8_t protocol = 0; protocol < policy::kProtocolCount; ++protocol) {
      PortSpan span = TcpSpan(442, 442);
      span.actions = static_cast<uint8_t>(1 << action);
      span.protocols = static_cast<uint8_t>(1 << protocol);
      rules.classes[0].spans.push_back(span);
    }
  }
  // Two ports side by side: 50 spans, cut down to single ports of 25 each.
  for (size_t i = 0; i < 25; ++i) {
    PortSpan span = rules.classes[0].spans[i];
    span.first = span.last = 443;
    rules.classes[0].spans.push_back(span);
  }
  const TableImage image = ImageOf(rules);
  EXPECT_EQ(image.addresses4.values[0].port_shift, 0U);
  ASSERT_EQ(image.rows.values.size(), 2U);
  EXPECT_EQ(image.rows.values[0].span_count, 25U);
}

TEST(TableImage, RefusesSpansThatOverlap) {
  RuleSet rules = Empty();
  rules.classes[0].spans.assign(PALYRA_ROW_SPANS + 1, TcpSpan(443, 443));
  const Result<TableImage> image = BuildTableImage(rules, kProfile);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, ErrorCode::kInternal);
}

std::string ReasonInImage(const std::string& policy_id) {
  RuleSet rules = Empty();
  rules.reasons = {{.layers = {{policy::Layer::kCaller, {policy_id}}}}};
  const TableImage image = ImageOf(rules);
  return image.reasons.values.at(0).policies;
}

TEST(TableImage, TellsReasonsAsText) {
  EXPECT_EQ(ReasonInImage("policy7"), "policy7 (caller)");
  RuleSet rules = Empty();
  rules.reasons.push_back({.layers = {{policy::Layer::kMandatory, {"policy1", "policy2"}}}});
  const TableImage image = ImageOf(rules);
  ASSERT_EQ(image.reasons.keys.size(), 2U);
  EXPECT_EQ(image.reasons.keys[1].reason, 1U);
  EXPECT_STREQ(image.reasons.values[0].policies, "no policy permits it (caller)");
  EXPECT_STREQ(image.reasons.values[1].policies, "policy1, policy2 (mandatory)");
}

TEST(TableImage, CutsLongReasonsBetweenCharacters) {
  constexpr size_t kRoom = PALYRA_REASON_LENGTH - 1;
  const std::string ascii(200, 'x');
  EXPECT_EQ(ReasonInImage(ascii), ascii.substr(0, kRoom));
  // Characters of two, three and four bytes, shifted so that the cut falls on each of their bytes.
  for (const std::string character : {"é", "…", "🦊"}) {
    for (size_t shift = 0; shift < character.size(); ++shift) {
      std::string id(shift, 'x');
      while (id.size() < 200) id += character;
      const size_t whole = (kRoom - shift) / character.size();
      EXPECT_EQ(ReasonInImage(id), id.substr(0, shift + whole * character.size()))
          << character << " shifted by " << shift;
    }
  }
}

TEST(TableImage, FillsAReasonToItsLastByte) {
  const std::string id(PALYRA_REASON_LENGTH - 1 - std::string(" (caller)").size(), 'x');
  EXPECT_EQ(ReasonInImage(id), id + " (caller)");
}

AddressPrefix V4Prefix(uint32_t number) {
  return {.is_ipv6 = false,
          .length = 32,
          .bytes = {static_cast<uint8_t>(number >> 24), static_cast<uint8_t>(number >> 16),
                    static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)},
          .address_class = 0};
}

void ExpectExhausted(const RuleSet& rules, const std::string& what) {
  const Result<TableImage> image = BuildTableImage(rules, kProfile);
  ASSERT_FALSE(image) << what;
  EXPECT_EQ(image.error().code, ErrorCode::kExhausted);
  EXPECT_NE(image.error().message.find(what), std::string::npos) << image.error().message;
}

TEST(TableImage, HasSingleAddressesOnceMoreWhereTheProfileSaysSo) {
  RuleSet rules = Empty();
  rules.prefixes = {V4Prefix(1), V4Prefix(2), V4Prefix(1 << 8), V4Prefix(2 << 8)};
  rules.prefixes[2].length = 24;
  rules.prefixes[3].length = 32 - PALYRA_HOST_BITS - 1;
  rules.prefixes.push_back({.is_ipv6 = true, .length = 128, .bytes = {0x20}, .address_class = 0});
  rules.prefixes.push_back({.is_ipv6 = true, .length = 127, .bytes = {0x21}, .address_class = 0});
  const TableImage image = ImageOf(rules);
  EXPECT_EQ(image.hosts4.keys.size(), 2U);
  EXPECT_EQ(image.hosts6.keys.size(), 3U);
  EXPECT_EQ(image.addresses4.keys.size(), 5U) << "the trie has them too";
  EXPECT_EQ(image.addresses6.keys.size(), 3U);
  const TableImage only4 = *BuildTableImage(rules, kProfile & ~PALYRA_HAS_HOSTS6);
  EXPECT_EQ(only4.hosts4.keys.size(), 2U);
  EXPECT_TRUE(only4.hosts6.keys.empty());
  const TableImage only6 = *BuildTableImage(rules, kProfile & ~PALYRA_HAS_HOSTS4);
  EXPECT_TRUE(only6.hosts4.keys.empty());
  EXPECT_EQ(only6.hosts6.keys.size(), 3U);
}

// Neighbours share prefixes: 10.0.0.0/29 for its first, with others within.
TEST(TableImage, AHostHasTheClassOfTheLongestPrefix) {
  RuleSet rules = Empty();
  const auto add = [&](uint8_t last, int length, uint32_t address_class) {
    rules.classes.emplace_back();
    rules.prefixes.push_back({.is_ipv6 = false,
                              .length = static_cast<uint8_t>(length),
                              .bytes = {10, 0, 0, last},
                              .address_class = address_class});
  };
  add(0, 29, 1);
  add(0, 31, 2);
  add(1, 32, 3);
  add(4, 30, 4);
  add(6, 32, 5);
  const TableImage image = ImageOf(rules);
  ASSERT_EQ(image.hosts4.keys.size(), 8U);
  std::array<uint32_t, 8> classes = {};
  for (size_t i = 0; i < classes.size(); ++i) {
    classes.at(image.hosts4.keys[i].address[3]) = image.hosts4.values[i].address_class;
  }
  EXPECT_EQ(classes, (std::array<uint32_t, 8>{2, 3, 1, 1, 4, 4, 5, 4}));
}

TEST(TableImage, ManyHostsAreNoMoreThanTheTableHolds) {
  RuleSet rules = Empty();
  EXPECT_EQ(HostsFlags(rules), 0U);
  while (rules.prefixes.size() < PALYRA_MAX_HOSTS) {
    rules.prefixes.push_back(V4Prefix(static_cast<uint32_t>(rules.prefixes.size())));
  }
  EXPECT_EQ(HostsFlags(rules), PALYRA_HAS_HOSTS4);
  rules.prefixes.push_back(V4Prefix(PALYRA_MAX_HOSTS));
  EXPECT_EQ(HostsFlags(rules), 0U);
  rules.prefixes.pop_back();
  for (AddressPrefix& prefix : rules.prefixes) prefix.length = 32 - PALYRA_HOST_BITS - 1;
  EXPECT_EQ(HostsFlags(rules), 0U) << "not one of them is for few addresses";
  for (AddressPrefix& prefix : rules.prefixes) {
    prefix.is_ipv6 = true;
    prefix.length = 128;
  }
  EXPECT_EQ(HostsFlags(rules), PALYRA_HAS_HOSTS6);
}

TEST(TableImage, RefusesMorePrefixesThanTheTableHolds) {
  RuleSet rules = Empty();
  // One entry is the class of all other addresses.
  for (uint32_t i = 0; i < PALYRA_MAX_PREFIXES - 1; ++i) rules.prefixes.push_back(V4Prefix(i));
  EXPECT_EQ(ImageOf(rules).addresses4.keys.size(), size_t{PALYRA_MAX_PREFIXES});
  rules.prefixes.push_back(V4Prefix(PALYRA_MAX_PREFIXES));
  ExpectExhausted(rules, "IPv4 prefixes");
  for (AddressPrefix& prefix : rules.prefixes) prefix.is_ipv6 = true;
  ExpectExhausted(rules, "IPv6 prefixes");
}

TEST(TableImage, RefusesMoreRowsThanTheTableHolds) {
  RuleSet rules = Empty();
  const RuleSet one_row = Spread(PALYRA_INLINE_SPANS + 1);
  rules.classes.assign(PALYRA_MAX_ROWS, one_row.classes[0]);
  EXPECT_EQ(ImageOf(rules).rows.keys.size(), size_t{PALYRA_MAX_ROWS});
  rules.classes.push_back(rules.classes.front());
  ExpectExhausted(rules, "rows");
}

TEST(TableImage, RefusesMoreReasonsThanTheTableHolds) {
  RuleSet rules = Empty();
  rules.reasons.assign(PALYRA_MAX_REASONS, rules.reasons[0]);
  EXPECT_EQ(ImageOf(rules).reasons.keys.size(), size_t{PALYRA_MAX_REASONS});
  rules.reasons.push_back(rules.reasons[0]);
  ExpectExhausted(rules, "reasons");
}

}  // namespace
}  // namespace palyra::engine
