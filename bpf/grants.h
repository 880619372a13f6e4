/*
 * Grants: a person's answer to an ask, for one run and exactly one address and port. Only looked
 * for where the rules said ask.
 */
#ifndef PALYRA_BPF_GRANTS_H_
#define PALYRA_BPF_GRANTS_H_

#include "bpf/egress_tables.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_GRANTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_grant_key);
	__type(value, struct palyra_grant);
} grants SEC(".maps");

/* The look before keeps `used` from counting attempts until it wraps. */
static __always_inline int take_use(struct palyra_grant *grant)
{
	if (READ_ONCE(grant->used) >= grant->uses)
		return 0;
	return __sync_fetch_and_add(&grant->used, 1) < grant->uses;
}

static __always_inline int connect_by_use(struct palyra_grant *grant, struct bpf_sock *sk)
{
	struct palyra_flow *flow =
		sk ? bpf_sk_storage_get(&flows, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE) : NULL;

	/* What an earlier call took is not this one's. */
	return flow && (flow->granted = take_use(grant));
}

static __always_inline int was_connected_by_use(struct bpf_sock *sk)
{
	struct palyra_flow *flow = sk ? bpf_sk_storage_get(&flows, sk, NULL, 0) : NULL;

	return flow && flow->granted;
}

/*
 * A limited grant: the call of connect() takes a use and its packets follow. A datagram takes one
 * as it leaves, where nothing can come between; its answer is heard.
 */
static __always_inline int allows_use(struct palyra_grant *grant, const struct question *q,
				      struct bpf_sock *sk)
{
	switch (q->hook) {
	case PALYRA_HOOK_CONNECT4:
	case PALYRA_HOOK_CONNECT6:
		return connect_by_use(grant, sk);
	case PALYRA_HOOK_SENDMSG4:
	case PALYRA_HOOK_SENDMSG6:
		if (q->action == PALYRA_NET_SEND)
			return READ_ONCE(grant->used) < grant->uses;
		return was_connected_by_use(sk);
	case PALYRA_HOOK_EGRESS:
		if (q->action == PALYRA_NET_SEND)
			return take_use(grant);
		return q->action == PALYRA_NET_CONNECT && was_connected_by_use(sk);
	case PALYRA_HOOK_INGRESS:
		if (q->action == PALYRA_NET_SEND)
			return READ_ONCE(grant->used) > 0;
		return q->action == PALYRA_NET_CONNECT && was_connected_by_use(sk);
	default:
		return 0;
	}
}

static __always_inline int is_granted(const struct palyra_run *run, __u64 run_id,
				      const struct question *q, struct bpf_sock *sk)
{
	struct palyra_grant_key key = {
		.run = run_id,
		.port = q->port,
		.action = q->action,
		.protocol = q->protocol,
		.is_ipv6 = q->is_ipv6,
	};
	struct palyra_grant *grant;

	if (!run->has_grants)
		return 0;
	__builtin_memcpy(key.address, q->address, sizeof(key.address));
	grant = bpf_map_lookup_elem(&grants, &key);
	if (!grant)
		return 0;
	if (grant->expires_ns && bpf_ktime_get_boot_ns() >= grant->expires_ns)
		return 0;
	return !grant->uses || allows_use(grant, q, sk);
}

#endif /* PALYRA_BPF_GRANTS_H_ */
