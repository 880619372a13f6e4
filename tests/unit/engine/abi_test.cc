// bpf/abi.h as C++ sees it and as the compiled programs do: one layout, or denials are misread.

#include "bpf/abi.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

#include "bpf/egress.skel.h"
#include "bpf/judge.skel.h"
#include "bpf/unix.skel.h"

namespace palyra::engine {
namespace {

template <typename... Structs>
inline constexpr bool kNoHiddenPadding =
    (std::has_unique_object_representations_v<Structs> && ...) &&
    (std::is_trivially_copyable_v<Structs> && ...);

static_assert(
    kNoHiddenPadding<
        palyra_run, palyra_profile, palyra_address4_key, palyra_address6_key, palyra_host4_key,
        palyra_host6_key, palyra_address_class, palyra_row_key, palyra_span, palyra_row,
        palyra_reason_key, palyra_reason, palyra_ring_owner, palyra_event, palyra_entry,
        palyra_arena, palyra_automaton, palyra_text, palyra_judgement, palyra_digest,
        palyra_grant_key, palyra_grant, palyra_path_grant_key, palyra_path_grant, palyra_flow,
        palyra_broker, palyra_relayed_key, palyra_relayed, palyra_name_key, palyra_name,
        palyra_origin, palyra_redirect, palyra_audited_peer, palyra_audited, palyra_name_rules_key,
        palyra_name_rules, palyra_name_leaf_key, palyra_name_leaf, palyra_program_digest,
        palyra_linked_key, palyra_unix_key, palyra_unix_socket, palyra_path_event>);

struct Member {
  std::string name;
  size_t offset;
  size_t size;
};

struct Struct {
  std::string name;
  size_t size;
  std::vector<Member> members;
};

#define MEMBER(type, member) \
  Member { #member, offsetof(type, member), sizeof(type::member) }

std::vector<Struct> Joined(std::vector<Struct> a, const std::vector<Struct>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::vector<Struct> StructsOfRunsAndFlows() {
  return {
      {"palyra_run",
       sizeof(palyra_run),
       {MEMBER(palyra_run, cgroup), MEMBER(palyra_run, expires_ns), MEMBER(palyra_run, profile),
        MEMBER(palyra_run, ring), MEMBER(palyra_run, has_grants), MEMBER(palyra_run, has_names),
        MEMBER(palyra_run, relay_port), MEMBER(palyra_run, audit_allows),
        MEMBER(palyra_run, resolver_ports), MEMBER(palyra_run, broker_mark),
        MEMBER(palyra_run, epoch), MEMBER(palyra_run, is_offline), MEMBER(palyra_run, asks_digests),
        MEMBER(palyra_run, has_linked_names), MEMBER(palyra_run, padding),
        MEMBER(palyra_run, denied), MEMBER(palyra_run, lost), MEMBER(palyra_run, audited),
        MEMBER(palyra_run, lost_audited)}},
      {"palyra_flow",
       sizeof(palyra_flow),
       {MEMBER(palyra_flow, connected), MEMBER(palyra_flow, granted), MEMBER(palyra_flow, kept),
        MEMBER(palyra_flow, run), MEMBER(palyra_flow, address), MEMBER(palyra_flow, port),
        MEMBER(palyra_flow, ip_protocol), MEMBER(palyra_flow, is_ipv6), MEMBER(palyra_flow, action),
        MEMBER(palyra_flow, is_relayed), MEMBER(palyra_flow, is_on_loopback),
        MEMBER(palyra_flow, padding), MEMBER(palyra_flow, written), MEMBER(palyra_flow, is_written),
        MEMBER(palyra_flow, origin)}},
      {"palyra_broker", sizeof(palyra_broker), {MEMBER(palyra_broker, run)}},
      {"palyra_relayed_key",
       sizeof(palyra_relayed_key),
       {MEMBER(palyra_relayed_key, run), MEMBER(palyra_relayed_key, port),
        MEMBER(palyra_relayed_key, is_ipv6), MEMBER(palyra_relayed_key, padding)}},
      {"palyra_relayed",
       sizeof(palyra_relayed),
       {MEMBER(palyra_relayed, address), MEMBER(palyra_relayed, port),
        MEMBER(palyra_relayed, is_ipv6), MEMBER(palyra_relayed, padding)}},
      {"palyra_name_key",
       sizeof(palyra_name_key),
       {MEMBER(palyra_name_key, run), MEMBER(palyra_name_key, profile),
        MEMBER(palyra_name_key, is_ipv6), MEMBER(palyra_name_key, padding),
        MEMBER(palyra_name_key, address)}},
      {"palyra_name",
       sizeof(palyra_name),
       {MEMBER(palyra_name, expires_ns), MEMBER(palyra_name, span_count),
        MEMBER(palyra_name, spans)}},
      {"palyra_origin",
       sizeof(palyra_origin),
       {MEMBER(palyra_origin, address), MEMBER(palyra_origin, is_ipv6),
        MEMBER(palyra_origin, is_used), MEMBER(palyra_origin, padding)}},
      {"palyra_redirect", sizeof(palyra_redirect), {MEMBER(palyra_redirect, origins)}},
      {"palyra_audited_peer",
       sizeof(palyra_audited_peer),
       {MEMBER(palyra_audited_peer, address), MEMBER(palyra_audited_peer, port),
        MEMBER(palyra_audited_peer, is_ipv6), MEMBER(palyra_audited_peer, is_known),
        MEMBER(palyra_audited_peer, padding)}},
      {"palyra_audited",
       sizeof(palyra_audited),
       {MEMBER(palyra_audited, sent), MEMBER(palyra_audited, heard), MEMBER(palyra_audited, pid),
        MEMBER(palyra_audited, padding), MEMBER(palyra_audited, comm)}}};
}

// In every object that has the tables of names.
std::vector<Struct> StructsOfNameTables() {
  return {
      {"palyra_entry",
       sizeof(palyra_entry),
       {MEMBER(palyra_entry, owner), MEMBER(palyra_entry, next)}},
      {"palyra_arena", sizeof(palyra_arena), {MEMBER(palyra_arena, entries)}},
      {"palyra_automaton",
       sizeof(palyra_automaton),
       {MEMBER(palyra_automaton, start), MEMBER(palyra_automaton, entry_count),
        MEMBER(palyra_automaton, byte_classes)}},
      {"palyra_unix_key",
       sizeof(palyra_unix_key),
       {MEMBER(palyra_unix_key, run), MEMBER(palyra_unix_key, profile),
        MEMBER(palyra_unix_key, path)}},
      {"palyra_unix_socket",
       sizeof(palyra_unix_socket),
       {MEMBER(palyra_unix_socket, real_length), MEMBER(palyra_unix_socket, place_length),
        MEMBER(palyra_unix_socket, real), MEMBER(palyra_unix_socket, place)}},
      {"palyra_name_rules_key",
       sizeof(palyra_name_rules_key),
       {MEMBER(palyra_name_rules_key, profile), MEMBER(palyra_name_rules_key, action),
        MEMBER(palyra_name_rules_key, padding)}},
      {"palyra_name_rules",
       sizeof(palyra_name_rules),
       {MEMBER(palyra_name_rules, automaton), MEMBER(palyra_name_rules, entry_count),
        MEMBER(palyra_name_rules, class_count), MEMBER(palyra_name_rules, flag_count)}},
      {"palyra_name_leaf_key",
       sizeof(palyra_name_leaf_key),
       {MEMBER(palyra_name_leaf_key, profile), MEMBER(palyra_name_leaf_key, text_class),
        MEMBER(palyra_name_leaf_key, flag), MEMBER(palyra_name_leaf_key, action),
        MEMBER(palyra_name_leaf_key, padding)}},
      {"palyra_name_leaf",
       sizeof(palyra_name_leaf),
       {MEMBER(palyra_name_leaf, reason), MEMBER(palyra_name_leaf, verdict),
        MEMBER(palyra_name_leaf, needs_digest), MEMBER(palyra_name_leaf, padding)}},
      {"palyra_program_digest",
       sizeof(palyra_program_digest),
       {MEMBER(palyra_program_digest, profile), MEMBER(palyra_program_digest, bytes)}},
      {"palyra_linked_key",
       sizeof(palyra_linked_key),
       {MEMBER(palyra_linked_key, run), MEMBER(palyra_linked_key, inode),
        MEMBER(palyra_linked_key, index), MEMBER(palyra_linked_key, padding)}},
      {"palyra_linked_name",
       sizeof(palyra_linked_name),
       {MEMBER(palyra_linked_name, first), MEMBER(palyra_linked_name, text)}},
  };
}

std::vector<Struct> StructsOfGrants() {
  return {
      {"palyra_grant_key",
       sizeof(palyra_grant_key),
       {MEMBER(palyra_grant_key, run), MEMBER(palyra_grant_key, address),
        MEMBER(palyra_grant_key, port), MEMBER(palyra_grant_key, action),
        MEMBER(palyra_grant_key, protocol), MEMBER(palyra_grant_key, is_ipv6),
        MEMBER(palyra_grant_key, padding)}},
      {"palyra_grant",
       sizeof(palyra_grant),
       {MEMBER(palyra_grant, expires_ns), MEMBER(palyra_grant, uses), MEMBER(palyra_grant, used)}},
      {"palyra_path_grant_key",
       sizeof(palyra_path_grant_key),
       {MEMBER(palyra_path_grant_key, run), MEMBER(palyra_path_grant_key, action),
        MEMBER(palyra_path_grant_key, padding), MEMBER(palyra_path_grant_key, path)}},
      {"palyra_path_grant",
       sizeof(palyra_path_grant),
       {MEMBER(palyra_path_grant, expires_ns), MEMBER(palyra_path_grant, uses),
        MEMBER(palyra_path_grant, used), MEMBER(palyra_path_grant, pid),
        MEMBER(palyra_path_grant, padding)}},
  };
}

// Every struct of the header, with every member: those of the egress programs.
const std::vector<Struct>& StructsInCpp() {
  static const std::vector<Struct> kStructs = Joined(
      Joined(Joined(StructsOfRunsAndFlows(), StructsOfNameTables()), StructsOfGrants()),
      {
          {"palyra_digest", sizeof(palyra_digest), {MEMBER(palyra_digest, bytes)}},
          {"palyra_profile",
           sizeof(palyra_profile),
           {MEMBER(palyra_profile, digest), MEMBER(palyra_profile, last_used_ns),
            MEMBER(palyra_profile, addresses4), MEMBER(palyra_profile, addresses6),
            MEMBER(palyra_profile, rows), MEMBER(palyra_profile, reasons),
            MEMBER(palyra_profile, hosts), MEMBER(palyra_profile, name_leaves),
            MEMBER(palyra_profile, automata), MEMBER(palyra_profile, program_digests),
            MEMBER(palyra_profile, first4), MEMBER(palyra_profile, first6),
            MEMBER(palyra_profile, complete), MEMBER(palyra_profile, padding)}},
          {"palyra_address4_key",
           sizeof(palyra_address4_key),
           {MEMBER(palyra_address4_key, prefix_length), MEMBER(palyra_address4_key, profile),
            MEMBER(palyra_address4_key, address)}},
          {"palyra_host4_key",
           sizeof(palyra_host4_key),
           {MEMBER(palyra_host4_key, profile), MEMBER(palyra_host4_key, address)}},
          {"palyra_host6_key",
           sizeof(palyra_host6_key),
           {MEMBER(palyra_host6_key, profile), MEMBER(palyra_host6_key, address)}},
          {"palyra_address6_key",
           sizeof(palyra_address6_key),
           {MEMBER(palyra_address6_key, prefix_length), MEMBER(palyra_address6_key, profile),
            MEMBER(palyra_address6_key, address)}},
          {"palyra_address_class",
           sizeof(palyra_address_class),
           {MEMBER(palyra_address_class, address_class), MEMBER(palyra_address_class, in_rows),
            MEMBER(palyra_address_class, port_shift), MEMBER(palyra_address_class, span_count),
            MEMBER(palyra_address_class, padding), MEMBER(palyra_address_class, spans)}},
          {"palyra_row_key",
           sizeof(palyra_row_key),
           {MEMBER(palyra_row_key, profile), MEMBER(palyra_row_key, address_class),
            MEMBER(palyra_row_key, part)}},
          {"palyra_span",
           sizeof(palyra_span),
           {MEMBER(palyra_span, port_first), MEMBER(palyra_span, port_last),
            MEMBER(palyra_span, actions), MEMBER(palyra_span, protocols),
            MEMBER(palyra_span, verdict), MEMBER(palyra_span, padding),
            MEMBER(palyra_span, reason)}},
          {"palyra_row",
           sizeof(palyra_row),
           {MEMBER(palyra_row, span_count), MEMBER(palyra_row, spans)}},
          {"palyra_reason_key",
           sizeof(palyra_reason_key),
           {MEMBER(palyra_reason_key, profile), MEMBER(palyra_reason_key, reason)}},
          {"palyra_reason", sizeof(palyra_reason), {MEMBER(palyra_reason, policies)}},
          {"palyra_ring_owner", sizeof(palyra_ring_owner), {MEMBER(palyra_ring_owner, run)}},
          {"palyra_event",
           sizeof(palyra_event),
           {MEMBER(palyra_event, time_ns), MEMBER(palyra_event, run), MEMBER(palyra_event, profile),
            MEMBER(palyra_event, reason), MEMBER(palyra_event, pid),
            MEMBER(palyra_event, socket_type), MEMBER(palyra_event, ip_protocol),
            MEMBER(palyra_event, port), MEMBER(palyra_event, address), MEMBER(palyra_event, hook),
            MEMBER(palyra_event, action), MEMBER(palyra_event, protocol),
            MEMBER(palyra_event, is_ipv6), MEMBER(palyra_event, socket_family),
            MEMBER(palyra_event, verdict), MEMBER(palyra_event, padding),
            MEMBER(palyra_event, comm)}},
      });
  return kStructs;
}

// And those of the judging program.
const std::vector<Struct>& StructsOfJudge() {
  static const std::vector<Struct> kStructs = {
      {"palyra_text", sizeof(palyra_text), {MEMBER(palyra_text, bytes)}},
      {"palyra_judgement",
       sizeof(palyra_judgement),
       {MEMBER(palyra_judgement, automaton), MEMBER(palyra_judgement, length),
        MEMBER(palyra_judgement, state), MEMBER(palyra_judgement, text_class),
        MEMBER(palyra_judgement, profile), MEMBER(palyra_judgement, flag),
        MEMBER(palyra_judgement, action), MEMBER(palyra_judgement, judged),
        MEMBER(palyra_judgement, verdict), MEMBER(palyra_judgement, has_digest),
        MEMBER(palyra_judgement, reason), MEMBER(palyra_judgement, digest),
        MEMBER(palyra_judgement, text)}},
      {"palyra_net_judgement",
       sizeof(palyra_net_judgement),
       {MEMBER(palyra_net_judgement, profile), MEMBER(palyra_net_judgement, reason),
        MEMBER(palyra_net_judgement, port), MEMBER(palyra_net_judgement, is_ipv6),
        MEMBER(palyra_net_judgement, action), MEMBER(palyra_net_judgement, protocol),
        MEMBER(palyra_net_judgement, verdict), MEMBER(palyra_net_judgement, judged),
        MEMBER(palyra_net_judgement, padding), MEMBER(palyra_net_judgement, address)}},
  };
  return kStructs;
}

// And what only the programs about unix sockets have.
const std::vector<Struct>& StructsOfUnix() {
  static const std::vector<Struct> kStructs = {
      {"palyra_path_event",
       sizeof(palyra_path_event),
       {MEMBER(palyra_path_event, time_ns), MEMBER(palyra_path_event, run),
        MEMBER(palyra_path_event, profile), MEMBER(palyra_path_event, reason),
        MEMBER(palyra_path_event, pid), MEMBER(palyra_path_event, target_pid),
        MEMBER(palyra_path_event, path_length), MEMBER(palyra_path_event, executable_length),
        MEMBER(palyra_path_event, hook), MEMBER(palyra_path_event, action),
        MEMBER(palyra_path_event, path_state), MEMBER(palyra_path_event, judged),
        MEMBER(palyra_path_event, verdict), MEMBER(palyra_path_event, padding),
        MEMBER(palyra_path_event, comm), MEMBER(palyra_path_event, executable)}},
  };
  return kStructs;
}

#undef MEMBER

struct MapShape {
  size_t key;
  size_t value;
};

// One compiled object.
class Object {
 public:
  explicit Object(const bpf_object* object)
      : btf_(object == nullptr ? nullptr : bpf_object__btf(object)) {}

  [[nodiscard]] const btf* types() const { return btf_; }

  // A type of the object, or null; the test fails where it is missing.
  [[nodiscard]] const btf_type* Find(const std::string& name, unsigned kind) const {
    const int id = btf__find_by_name_kind(btf_, name.c_str(), kind);
    EXPECT_GT(id, 0) << name << " is not in the object";
    return id > 0 ? btf__type_by_id(btf_, static_cast<__u32>(id)) : nullptr;
  }

  [[nodiscard]] Struct InObject(const std::string& name) const {
    Struct found = {.name = name, .size = 0, .members = {}};
    const btf_type* type = Find(name, BTF_KIND_STRUCT);
    if (type == nullptr) return found;
    found.size = type->size;
    for (__u32 i = 0; i < btf_vlen(type); ++i) {
      const btf_member& member = btf_members(type)[i];
      EXPECT_EQ(btf_member_bitfield_size(type, i), 0U) << name;
      const auto size = btf__resolve_size(btf_, member.type);
      found.members.push_back({.name = btf__name_by_offset(btf_, member.name_off),
                               .offset = btf_member_bit_offset(type, i) / 8,
                               .size = static_cast<size_t>(size)});
    }
    return found;
  }

  [[nodiscard]] std::map<std::string, int> EnumInObject(const std::string& name) const {
    std::map<std::string, int> values;
    const btf_type* type = Find(name, BTF_KIND_ENUM);
    if (type == nullptr) return values;
    EXPECT_EQ(type->size, 1U) << name << " is one byte";
    for (__u32 i = 0; i < btf_vlen(type); ++i) {
      const auto& value = btf_enum(type)[i];
      values[btf__name_by_offset(btf_, value.name_off)] = value.val;
    }
    return values;
  }

 private:
  const btf* btf_;
};

class AbiTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(skeleton_, nullptr) << "the object does not open";
    ASSERT_NE(judge_skeleton_, nullptr) << "the object does not open";
    egress_ = Object(skeleton_->obj);
    judge_ = Object(judge_skeleton_->obj);
    ASSERT_NE(egress_.types(), nullptr) << "the object has no BTF";
    ASSERT_NE(judge_.types(), nullptr) << "the object has no BTF";
  }

  [[nodiscard]] std::map<std::string, int> EnumInObject(const std::string& name) const {
    return egress_.EnumInObject(name);
  }

  const std::unique_ptr<egress_bpf, decltype(&egress_bpf__destroy)> skeleton_{egress_bpf__open(),
                                                                              &egress_bpf__destroy};
  const std::unique_ptr<judge_bpf, decltype(&judge_bpf__destroy)> judge_skeleton_{
      judge_bpf__open(), &judge_bpf__destroy};
  Object egress_{nullptr};
  Object judge_{nullptr};
};

void ExpectSameLayout(const std::vector<Struct>& structs, const Object& object) {
  for (const Struct& in_cpp : structs) {
    const Struct in_object = object.InObject(in_cpp.name);
    EXPECT_EQ(in_cpp.size, in_object.size) << in_cpp.name;
    ASSERT_EQ(in_cpp.members.size(), in_object.members.size()) << in_cpp.name;
    for (size_t i = 0; i < in_cpp.members.size(); ++i) {
      const std::string label = in_cpp.name + "." + in_cpp.members[i].name;
      EXPECT_EQ(in_cpp.members[i].name, in_object.members[i].name) << label;
      EXPECT_EQ(in_cpp.members[i].offset, in_object.members[i].offset) << label;
      EXPECT_EQ(in_cpp.members[i].size, in_object.members[i].size) << label;
    }
  }
}

TEST_F(AbiTest, EveryStructHasTheLayoutOfTheCompiledObject) {
  ExpectSameLayout(StructsInCpp(), egress_);
  ExpectSameLayout(StructsOfJudge(), judge_);
  const std::unique_ptr<unix_bpf, decltype(&unix_bpf__destroy)> skeleton{unix_bpf__open(),
                                                                         &unix_bpf__destroy};
  ASSERT_NE(skeleton, nullptr);
  ExpectSameLayout(StructsOfUnix(), Object(skeleton->obj));
}

// A struct that the tables above forget would never be compared.
TEST_F(AbiTest, TheTablesHaveEveryStructOfTheObjects) {
  std::set<std::string> known = {"palyra_ring"};  // Kernel only.
  for (const Struct& in_cpp : StructsInCpp()) known.insert(in_cpp.name);
  for (const Struct& in_cpp : StructsOfJudge()) known.insert(in_cpp.name);
  for (const btf* types : {egress_.types(), judge_.types()}) {
    for (__u32 id = 1; id < btf__type_cnt(types); ++id) {
      const btf_type* type = btf__type_by_id(types, id);
      const std::string name = btf__name_by_offset(types, type->name_off);
      if (btf_is_struct(type) && name.starts_with("palyra_")) {
        EXPECT_TRUE(known.contains(name)) << name;
      }
    }
  }
}

TEST_F(AbiTest, MembersLeaveNoGap) {
  for (const auto* structs : {&StructsInCpp(), &StructsOfJudge()}) {
    for (const Struct& in_cpp : *structs) {
      size_t end = 0;
      for (const Member& member : in_cpp.members) {
        EXPECT_EQ(member.offset, end) << in_cpp.name << "." << member.name;
        end = member.offset + member.size;
      }
      EXPECT_EQ(end, in_cpp.size) << in_cpp.name;
    }
  }
}

TEST_F(AbiTest, EnumsHaveTheNamesAndValuesOfTheCompiledObject) {
  using Values = std::map<std::string, int>;
  EXPECT_EQ(EnumInObject("palyra_verdict"), (Values{{"PALYRA_DENY", PALYRA_DENY},
                                                    {"PALYRA_ASK", PALYRA_ASK},
                                                    {"PALYRA_VERIFY", PALYRA_VERIFY},
                                                    {"PALYRA_ALLOW", PALYRA_ALLOW}}));
  EXPECT_EQ(EnumInObject("palyra_action"),
            (Values{{"PALYRA_NET_CONNECT", PALYRA_NET_CONNECT},
                    {"PALYRA_NET_SEND", PALYRA_NET_SEND},
                    {"PALYRA_NET_ACCEPT", PALYRA_NET_ACCEPT},
                    {"PALYRA_NET_BIND", PALYRA_NET_BIND},
                    {"PALYRA_NET_LISTEN", PALYRA_NET_LISTEN},
                    {"PALYRA_SOCKET_RECEIVE", PALYRA_SOCKET_RECEIVE},
                    {"PALYRA_SOCKET_CREATE", PALYRA_SOCKET_CREATE}}));
  EXPECT_EQ(EnumInObject("palyra_protocol"),
            (Values{{"PALYRA_TCP", PALYRA_TCP},
                    {"PALYRA_UDP", PALYRA_UDP},
                    {"PALYRA_UDPLITE", PALYRA_UDPLITE},
                    {"PALYRA_ICMP", PALYRA_ICMP},
                    {"PALYRA_ICMPV6", PALYRA_ICMPV6},
                    {"PALYRA_PROTOCOL_OTHER", PALYRA_PROTOCOL_OTHER}}));
  EXPECT_EQ(EnumInObject("palyra_hook"),
            (Values{{"PALYRA_HOOK_CONNECT4", PALYRA_HOOK_CONNECT4},
                    {"PALYRA_HOOK_CONNECT6", PALYRA_HOOK_CONNECT6},
                    {"PALYRA_HOOK_SENDMSG4", PALYRA_HOOK_SENDMSG4},
                    {"PALYRA_HOOK_SENDMSG6", PALYRA_HOOK_SENDMSG6},
                    {"PALYRA_HOOK_EGRESS", PALYRA_HOOK_EGRESS},
                    {"PALYRA_HOOK_SOCK_CREATE", PALYRA_HOOK_SOCK_CREATE},
                    {"PALYRA_HOOK_LSM_SOCKET_CREATE", PALYRA_HOOK_LSM_SOCKET_CREATE},
                    {"PALYRA_HOOK_INGRESS", PALYRA_HOOK_INGRESS},
                    {"PALYRA_HOOK_BIND4", PALYRA_HOOK_BIND4},
                    {"PALYRA_HOOK_BIND6", PALYRA_HOOK_BIND6},
                    {"PALYRA_HOOK_LSM_SOCKET_LISTEN", PALYRA_HOOK_LSM_SOCKET_LISTEN},
                    {"PALYRA_HOOK_LSM_FILE_RECEIVE", PALYRA_HOOK_LSM_FILE_RECEIVE},
                    {"PALYRA_HOOK_FILE_OPEN", PALYRA_HOOK_FILE_OPEN},
                    {"PALYRA_HOOK_FILE_RECEIVE", PALYRA_HOOK_FILE_RECEIVE},
                    {"PALYRA_HOOK_FILE_TRUNCATE", PALYRA_HOOK_FILE_TRUNCATE},
                    {"PALYRA_HOOK_FILE_IOCTL", PALYRA_HOOK_FILE_IOCTL},
                    {"PALYRA_HOOK_PATH_TRUNCATE", PALYRA_HOOK_PATH_TRUNCATE},
                    {"PALYRA_HOOK_PATH_MKNOD", PALYRA_HOOK_PATH_MKNOD},
                    {"PALYRA_HOOK_PATH_MKDIR", PALYRA_HOOK_PATH_MKDIR},
                    {"PALYRA_HOOK_PATH_SYMLINK", PALYRA_HOOK_PATH_SYMLINK},
                    {"PALYRA_HOOK_PATH_UNLINK", PALYRA_HOOK_PATH_UNLINK},
                    {"PALYRA_HOOK_PATH_RMDIR", PALYRA_HOOK_PATH_RMDIR},
                    {"PALYRA_HOOK_PATH_RENAME", PALYRA_HOOK_PATH_RENAME},
                    {"PALYRA_HOOK_PATH_LINK", PALYRA_HOOK_PATH_LINK},
                    {"PALYRA_HOOK_PATH_CHMOD", PALYRA_HOOK_PATH_CHMOD},
                    {"PALYRA_HOOK_PATH_CHOWN", PALYRA_HOOK_PATH_CHOWN},
                    {"PALYRA_HOOK_INODE_SETATTR", PALYRA_HOOK_INODE_SETATTR},
                    {"PALYRA_HOOK_INODE_SETXATTR", PALYRA_HOOK_INODE_SETXATTR},
                    {"PALYRA_HOOK_INODE_REMOVEXATTR", PALYRA_HOOK_INODE_REMOVEXATTR},
                    {"PALYRA_HOOK_INODE_SET_ACL", PALYRA_HOOK_INODE_SET_ACL},
                    {"PALYRA_HOOK_INODE_REMOVE_ACL", PALYRA_HOOK_INODE_REMOVE_ACL},
                    {"PALYRA_HOOK_MMAP_FILE", PALYRA_HOOK_MMAP_FILE},
                    {"PALYRA_HOOK_FILE_MPROTECT", PALYRA_HOOK_FILE_MPROTECT},
                    {"PALYRA_HOOK_PTRACE_ACCESS", PALYRA_HOOK_PTRACE_ACCESS},
                    {"PALYRA_HOOK_PTRACE_TRACEME", PALYRA_HOOK_PTRACE_TRACEME},
                    {"PALYRA_HOOK_TASK_KILL", PALYRA_HOOK_TASK_KILL},
                    {"PALYRA_HOOK_TASK_SCHEDULING", PALYRA_HOOK_TASK_SCHEDULING},
                    {"PALYRA_HOOK_SB_MOUNT", PALYRA_HOOK_SB_MOUNT},
                    {"PALYRA_HOOK_SB_UMOUNT", PALYRA_HOOK_SB_UMOUNT},
                    {"PALYRA_HOOK_SB_REMOUNT", PALYRA_HOOK_SB_REMOUNT},
                    {"PALYRA_HOOK_SB_PIVOTROOT", PALYRA_HOOK_SB_PIVOTROOT},
                    {"PALYRA_HOOK_MOVE_MOUNT", PALYRA_HOOK_MOVE_MOUNT},
                    {"PALYRA_HOOK_PATH_CHROOT", PALYRA_HOOK_PATH_CHROOT},
                    {"PALYRA_HOOK_USERNS_CREATE", PALYRA_HOOK_USERNS_CREATE},
                    {"PALYRA_HOOK_BPF", PALYRA_HOOK_BPF},
                    {"PALYRA_HOOK_PERF_EVENT_OPEN", PALYRA_HOOK_PERF_EVENT_OPEN},
                    {"PALYRA_HOOK_FILE_FCNTL", PALYRA_HOOK_FILE_FCNTL},
                    {"PALYRA_HOOK_BPRM_CHECK", PALYRA_HOOK_BPRM_CHECK},
                    {"PALYRA_HOOK_UNIX_CONNECT", PALYRA_HOOK_UNIX_CONNECT},
                    {"PALYRA_HOOK_UNIX_SENDMSG", PALYRA_HOOK_UNIX_SENDMSG},
                    {"PALYRA_HOOK_LSM_UNIX_STREAM_CONNECT", PALYRA_HOOK_LSM_UNIX_STREAM_CONNECT},
                    {"PALYRA_HOOK_LSM_UNIX_MAY_SEND", PALYRA_HOOK_LSM_UNIX_MAY_SEND}}));
  EXPECT_EQ(EnumInObject("palyra_name_action"),
            (Values{{"PALYRA_FILE_READ", PALYRA_FILE_READ},
                    {"PALYRA_FILE_WRITE", PALYRA_FILE_WRITE},
                    {"PALYRA_FILE_CREATE", PALYRA_FILE_CREATE},
                    {"PALYRA_FILE_REMOVE", PALYRA_FILE_REMOVE},
                    {"PALYRA_FILE_RENAME", PALYRA_FILE_RENAME},
                    {"PALYRA_FILE_LINK", PALYRA_FILE_LINK},
                    {"PALYRA_FILE_ATTRIBUTES", PALYRA_FILE_ATTRIBUTES},
                    {"PALYRA_PROCESS_EXEC", PALYRA_PROCESS_EXEC},
                    {"PALYRA_PROCESS_SIGNAL", PALYRA_PROCESS_SIGNAL},
                    {"PALYRA_PROCESS_TRACE", PALYRA_PROCESS_TRACE},
                    {"PALYRA_UNIX_CONNECT", PALYRA_UNIX_CONNECT},
                    {"PALYRA_KERNEL_CONTROL", PALYRA_KERNEL_CONTROL}}));
  EXPECT_EQ(judge_.EnumInObject("palyra_judged"),
            (Values{{"PALYRA_JUDGED_NOTHING", PALYRA_JUDGED_NOTHING},
                    {"PALYRA_JUDGED", PALYRA_JUDGED},
                    {"PALYRA_NOT_UTF8", PALYRA_NOT_UTF8},
                    {"PALYRA_TOO_LONG", PALYRA_TOO_LONG},
                    {"PALYRA_NO_AUTOMATON", PALYRA_NO_AUTOMATON}}));
}

void ExpectMaps(const bpf_object* object, const std::map<std::string, MapShape>& expected) {
  size_t compared = 0;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;
    const auto found = expected.find(bpf_map__name(map));
    ASSERT_NE(found, expected.end()) << bpf_map__name(map);
    EXPECT_EQ(bpf_map__key_size(map), found->second.key) << found->first;
    EXPECT_EQ(bpf_map__value_size(map), found->second.value) << found->first;
    ++compared;
  }
  EXPECT_EQ(compared, expected.size());
}

TEST_F(AbiTest, MapsHoldTheStructsThatTheHeaderSays) {
  const std::map<std::string, MapShape> expected = {
      {"runs", {sizeof(__u32), sizeof(palyra_run)}},
      {"profiles", {sizeof(__u32), sizeof(palyra_profile)}},
      {"digests", {sizeof(palyra_digest), sizeof(__u32)}},
      {"unfinished", {sizeof(__u32), sizeof(__u32)}},
      {"grants", {sizeof(palyra_grant_key), sizeof(palyra_grant)}},
      {"addresses4", {sizeof(palyra_address4_key), sizeof(palyra_address_class)}},
      {"addresses6", {sizeof(palyra_address6_key), sizeof(palyra_address_class)}},
      {"hosts4", {sizeof(palyra_host4_key), sizeof(palyra_address_class)}},
      {"hosts6", {sizeof(palyra_host6_key), sizeof(palyra_address_class)}},
      {"rows", {sizeof(palyra_row_key), sizeof(palyra_row)}},
      {"reasons", {sizeof(palyra_reason_key), sizeof(palyra_reason)}},
      {"ring_owners", {sizeof(__u32), sizeof(palyra_ring_owner)}},
      {"rings", {sizeof(__u32), sizeof(__u32)}},
      {"flows", {sizeof(int), sizeof(palyra_flow)}},
      {"names", {sizeof(palyra_name_key), sizeof(palyra_name)}},
      {"redirects", {sizeof(int), sizeof(palyra_redirect)}},
      {"brokers", {sizeof(int), sizeof(palyra_broker)}},
      {"relayed", {sizeof(palyra_relayed_key), sizeof(palyra_relayed)}},
      {"audited", {sizeof(int), sizeof(palyra_audited)}},
      {"name_rules", {sizeof(palyra_name_rules_key), sizeof(palyra_name_rules)}},
      {"name_leaves", {sizeof(palyra_name_leaf_key), sizeof(palyra_name_leaf)}},
      {"program_digests", {sizeof(palyra_program_digest), sizeof(__u32)}},
      {"linked_names", {sizeof(palyra_linked_key), sizeof(palyra_linked_name)}},
      {"path_grants", {sizeof(palyra_path_grant_key), sizeof(palyra_path_grant)}},
      {"automata", {sizeof(__u32), sizeof(palyra_arena)}},
      {"unix_sockets", {sizeof(palyra_unix_key), sizeof(palyra_unix_socket)}},
  };
  ExpectMaps(skeleton_->obj, expected);
  ExpectMaps(judge_skeleton_->obj,
             {
                 {"automata", {sizeof(__u32), sizeof(palyra_arena)}},
                 {"name_rules", {sizeof(palyra_name_rules_key), sizeof(palyra_name_rules)}},
                 {"name_leaves", {sizeof(palyra_name_leaf_key), sizeof(palyra_name_leaf)}},
                 {"program_digests", {sizeof(palyra_program_digest), sizeof(__u32)}},
                 {"linked_names", {sizeof(palyra_linked_key), sizeof(palyra_linked_name)}},
                 {"path_grants", {sizeof(palyra_path_grant_key), sizeof(palyra_path_grant)}},
                 {"judgement", {sizeof(__u32), sizeof(palyra_judgement)}},
                 {"net_judgement", {sizeof(__u32), sizeof(palyra_net_judgement)}},
                 {"addresses4", {sizeof(palyra_address4_key), sizeof(palyra_address_class)}},
                 {"addresses6", {sizeof(palyra_address6_key), sizeof(palyra_address_class)}},
                 {"hosts4", {sizeof(palyra_host4_key), sizeof(palyra_address_class)}},
                 {"hosts6", {sizeof(palyra_host6_key), sizeof(palyra_address_class)}},
                 {"rows", {sizeof(palyra_row_key), sizeof(palyra_row)}},
             });
}

}  // namespace
}  // namespace palyra::engine
