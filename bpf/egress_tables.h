/*
 * The maps of egress and the one decision over them. Everything is keyed by profile, so a policy is
 * put in force, or replaced, by a single write of palyra_run.profile: no program sees half of one.
 */
#ifndef PALYRA_BPF_EGRESS_TABLES_H_
#define PALYRA_BPF_EGRESS_TABLES_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/rule_tables.h"
#include "bpf/run_tables.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_PROFILES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct palyra_profile);
} profiles SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_PROFILES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_digest);
	__type(value, __u32);
} digests SEC(".maps");

/* Profile id -> process id of who writes or removes it. Small, because every start looks here. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_PROFILES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u32);
} unfinished SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_REASONS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_reason_key);
	__type(value, struct palyra_reason);
} reasons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_RINGS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct palyra_ring_owner);
} ring_owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct palyra_flow);
} flows SEC(".maps");

static __always_inline enum palyra_protocol protocol_of(__u32 ip_protocol)
{
	switch (ip_protocol) {
	case IPPROTO_TCP:
	case IPPROTO_MPTCP:
		return PALYRA_TCP;
	case IPPROTO_UDP:
		return PALYRA_UDP;
	case IPPROTO_UDPLITE:
		return PALYRA_UDPLITE;
	case IPPROTO_ICMP:
		return PALYRA_ICMP;
	case IPPROTO_ICMPV6:
		return PALYRA_ICMPV6;
	default:
		return PALYRA_PROTOCOL_OTHER;
	}
}

static __always_inline int has_port(enum palyra_protocol protocol)
{
	return protocol != PALYRA_ICMP && protocol != PALYRA_ICMPV6;
}

#endif /* PALYRA_BPF_EGRESS_TABLES_H_ */
