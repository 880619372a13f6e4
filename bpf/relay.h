/*
 * Connections that rules allow only once they are verified go to the run's relay, which reads from
 * their first bytes whom the client wants. The client sees whom it asked for; every packet is still
 * judged by that address.
 */
#ifndef PALYRA_BPF_RELAY_H_
#define PALYRA_BPF_RELAY_H_

#include "bpf/brokers.h"

/* What nobody takes makes room, so that no run fills the table for others. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PALYRA_MAX_RELAYED);
	__type(key, struct palyra_relayed_key);
	__type(value, struct palyra_relayed);
} relayed SEC(".maps");

static __always_inline int redirect_to_relay(struct bpf_sock_addr *ctx,
					     const struct palyra_run *run, const struct question *q,
					     struct palyra_flow *flow, int is_ipv6_call)
{
	if (!run || !is_broker_of(ctx, run, q, run->relay_port))
		return 0;
	__builtin_memcpy(flow->origin.address, q->address, sizeof(flow->origin.address));
	flow->origin.port = q->port;
	flow->origin.is_ipv6 = q->is_ipv6;
	flow->is_relayed = 1;
	lead_to(ctx, run->relay_port, q, is_ipv6_call);
	return 1;
}

/* The flow behind a packet to or from the relay; NULL where the packet has nothing to do with it.
 */
static __always_inline struct palyra_flow *
relayed_flow(const struct palyra_run *run, struct bpf_sock *sk, const struct question *q)
{
	struct palyra_flow *flow;

	if (!run || q->protocol != PALYRA_TCP || !run->relay_port || q->port != run->relay_port ||
	    !is_loopback(q))
		return NULL;
	flow = bpf_sk_storage_get(&flows, sk, NULL, 0);
	return flow && flow->is_relayed ? flow : NULL;
}

/* Before the relay hears of the connection: else nobody could tell it where to. */
static __always_inline int publish(__u64 run_id, const struct bpf_sock *sk,
				   const struct palyra_flow *flow, int is_ipv6)
{
	struct palyra_relayed_key key = {
		.run = run_id,
		.port = sk->src_port,
		.is_ipv6 = is_ipv6,
	};
	return bpf_map_update_elem(&relayed, &key, &flow->origin, BPF_ANY) == 0;
}

/* The question of a packet of that flow is about whom the client asked for. */
static __always_inline void ask_for_origin(const struct palyra_flow *flow, struct question *q)
{
	__builtin_memcpy(q->address, flow->origin.address, sizeof(q->address));
	q->port = flow->origin.port;
	q->is_ipv6 = flow->origin.is_ipv6;
	q->action = PALYRA_NET_CONNECT;
	q->has_begun = 1;
	q->is_relayed = 1;
}

/* Where the caller's peer is the relay; NULL where it is somebody else. */
static __always_inline struct palyra_flow *flow_of_peer(struct bpf_sock_addr *ctx,
							const struct palyra_run *run)
{
	struct bpf_sock *sk = ctx->sk;
	struct palyra_flow *flow;

	if (!run || !sk || !run->relay_port || bpf_ntohs((__u16)ctx->user_port) != run->relay_port)
		return NULL;
	flow = bpf_sk_storage_get(&flows, sk, NULL, 0);
	return flow && flow->is_relayed ? flow : NULL;
}

static __always_inline void restore_peer4(struct bpf_sock_addr *ctx, const struct palyra_run *run)
{
	struct palyra_flow *flow = flow_of_peer(ctx, run);

	if (flow && !flow->origin.is_ipv6)
		show4(ctx, flow->origin.address, flow->origin.port);
}

static __always_inline void restore_peer6(struct bpf_sock_addr *ctx, const struct palyra_run *run,
					  int is_mapped)
{
	struct palyra_flow *flow = flow_of_peer(ctx, run);

	if (flow && flow->origin.is_ipv6 != is_mapped)
		show6(ctx, flow->origin.address, flow->origin.port, is_mapped);
}

#endif /* PALYRA_BPF_RELAY_H_ */
