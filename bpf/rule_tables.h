/*
 * The tables of rules, and the one decision over them. Everything is keyed by profile.
 */
#ifndef PALYRA_BPF_RULE_TABLES_H_
#define PALYRA_BPF_RULE_TABLES_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PALYRA_MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_address4_key);
	__type(value, struct palyra_address_class);
} addresses4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, PALYRA_MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_address6_key);
	__type(value, struct palyra_address_class);
} addresses6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_HOSTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_host4_key);
	__type(value, struct palyra_address_class);
} hosts4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_HOSTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_host6_key);
	__type(value, struct palyra_address_class);
} hosts6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_ROWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_row_key);
	__type(value, struct palyra_row);
} rows SEC(".maps");

/* What is asked of the tables. */
struct question {
	enum palyra_action action;
	enum palyra_protocol protocol;
	enum palyra_hook hook;
	__u8 is_ipv6;
	__u16 ip_protocol;
	__u16 port;
	__u8 address[16] __attribute__((aligned(8))); /* moved in words */
	__u8 has_begun; /* 1: a packet of a flow that was allowed as it began */
	__u8 is_relayed; /* 1: to or from the relay, which verifies */
	__u8 opens_connection; /* 1: the packet that opens one to a listener */
};

static __always_inline struct palyra_address_class *class_of_ipv6(__u32 profile,
								  const struct question *q)
{
	/* The last twenty bytes are a palyra_host6_key. */
	struct palyra_address6_key key = { .prefix_length = 32 + 128, .profile = profile };
	struct palyra_address_class *found = NULL;

	__builtin_memcpy(key.address, q->address, sizeof(key.address));
	if (profile & PALYRA_HAS_HOSTS6)
		found = bpf_map_lookup_elem(&hosts6, &key.profile);
	return found ?: bpf_map_lookup_elem(&addresses6, &key);
}

static __always_inline struct palyra_address_class *class_of(__u32 profile,
							     const struct question *q)
{
	if (q->is_ipv6)
		return class_of_ipv6(profile, q);

	/* A palyra_address4_key whose last eight bytes, a palyra_host4_key, are stored as the
	 * tables load them: in one word, which the processor can then hand on. */
	struct {
		__u32 unused;
		__u32 prefix_length;
		__u64 profile_and_address;
	} key = {
		.prefix_length = 32 + 32,
		.profile_and_address = profile | (__u64) * (const __u32 *)q->address << 32,
	};
	struct palyra_address_class *found = NULL;

	if (profile & PALYRA_HAS_HOSTS4)
		found = bpf_map_lookup_elem(&hosts4, &key.profile_and_address);
	return found ?: bpf_map_lookup_elem(&addresses4, &key.prefix_length);
}

static __always_inline int holds(const struct palyra_span *span, const struct question *q)
{
	return q->port >= span->port_first && q->port <= span->port_last &&
	       (span->actions & q->action) && (span->protocols & q->protocol);
}

/* Anything that is not found is a deny with reason 0: no policy permits it. */
static __always_inline enum palyra_verdict decide(__u32 profile, const struct question *q,
						  __u32 *reason)
{
	struct palyra_address_class *address_class = class_of(profile, q);
	struct palyra_span *found = NULL;

	*reason = 0;
	if (!address_class)
		return PALYRA_DENY;

	if (!address_class->in_rows) {
		for (__u32 i = 0; i < PALYRA_INLINE_SPANS && i < address_class->span_count; i++) {
			if (holds(&address_class->spans[i], q)) {
				found = &address_class->spans[i];
				break;
			}
		}
	} else {
		struct palyra_row_key key = {
			.profile = profile,
			.address_class = address_class->address_class,
			.part = q->port >> (address_class->port_shift & 31),
		};
		struct palyra_row *row = bpf_map_lookup_elem(&rows, &key);

		for (__u32 i = 0; row && i < PALYRA_ROW_SPANS && i < row->span_count; i++) {
			if (holds(&row->spans[i], q)) {
				found = &row->spans[i];
				break;
			}
		}
	}
	if (!found)
		return PALYRA_DENY;
	*reason = found->reason;
	return found->verdict;
}

/*
 * The same for programs with many questions: the kernel checks a function that is not inlined once,
 * and not on every way that leads to it. The verdict, with the reason in the upper half.
 */
__noinline __u64 palyra_decide(__u32 profile, const struct question *q)
{
	__u32 reason;
	enum palyra_verdict verdict;

	if (!q)
		return PALYRA_DENY;
	verdict = decide(profile, q, &reason);
	return verdict | (__u64)reason << 32;
}

#endif /* PALYRA_BPF_RULE_TABLES_H_ */
