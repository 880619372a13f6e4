/*
 * Addresses that the run's resolver gave out: judged by the names that they are known by.
 */
#ifndef PALYRA_BPF_NAMES_H_
#define PALYRA_BPF_NAMES_H_

#include "bpf/egress_tables.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_NAMES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_name_key);
	__type(value, struct palyra_name);
} names SEC(".maps");

/* Set in what palyra_decide_by_name returns where the address has a name. */
#define DECIDED_BY_NAME (1ULL << 8)

/* As palyra_decide; without DECIDED_BY_NAME where the address has no name. */
__noinline __u64 palyra_decide_by_name(__u64 run_id, __u32 profile, const struct question *q)
{
	struct palyra_name_key key = { .run = run_id, .profile = profile };
	struct palyra_name *name;

	if (!q)
		return 0;
	key.is_ipv6 = q->is_ipv6;
	__builtin_memcpy(key.address, q->address, sizeof(key.address));
	name = bpf_map_lookup_elem(&names, &key);
	if (!name)
		return 0;
	/* A connection outlives the answer that it was opened by, a new one does not begin. */
	if (!q->has_begun && bpf_ktime_get_boot_ns() >= name->expires_ns)
		return 0;
	for (__u32 i = 0; i < PALYRA_ROW_SPANS && i < name->span_count; i++) {
		if (holds(&name->spans[i], q))
			return name->spans[i].verdict | DECIDED_BY_NAME |
			       (__u64)name->spans[i].reason << 32;
	}
	return PALYRA_DENY | DECIDED_BY_NAME;
}

#endif /* PALYRA_BPF_NAMES_H_ */
