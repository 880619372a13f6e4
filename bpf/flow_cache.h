/*
 * What was decided about a flow is kept in its socket, so that its next packets cost one look-up.
 *
 * Only an allow of the rules or the names is kept, of a TCP connection or of a connected UDP
 * socket; never what a grant allowed, which may be used up. It holds for one peer and one action,
 * as long as the run is there, its deadline has not passed, and its `epoch` is the one that was
 * read before deciding: whoever changes what decides increments that afterwards. Where any of it
 * does not agree, the packet is judged as the first one was.
 *
 * Readers take no lock. They rely on stores that are seen in their order and loads that are made in
 * theirs, as on x86; elsewhere nothing is kept.
 */
#ifndef PALYRA_BPF_FLOW_CACHE_H_
#define PALYRA_BPF_FLOW_CACHE_H_

#include "bpf/packet.h"

#ifdef __TARGET_ARCH_x86
#define KEEPS_FLOWS 1
#else
#define KEEPS_FLOWS 0
#endif

#define COMPILER_BARRIER() asm volatile("" ::: "memory")

/* The peer's address and port in the packet are those of the flow, and it has no IP options. */
static __always_inline int is_ipv4_of(struct __sk_buff *skb, enum peer peer,
				      const struct palyra_flow *flow)
{
	const struct ipv4_header *header = (const void *)(long)skb->data;
	const __be16 *ports = (const void *)(header + 1);

	if ((const void *)(ports + 2) > (const void *)(long)skb->data_end)
		return 0;
	if (header->version_and_length != IPV4_WITHOUT_OPTIONS ||
	    header->protocol != flow->ip_protocol ||
	    (header->fragment & bpf_htons(IPV4_FRAGMENT_OFFSET)))
		return 0;
	if (peer == PEER_SOURCE)
		return *(const __u32 *)header->source == *(const __u32 *)flow->address &&
		       ports[0] == bpf_htons(flow->port);
	return *(const __u32 *)header->destination == *(const __u32 *)flow->address &&
	       ports[1] == bpf_htons(flow->port);
}

static __always_inline int is_ipv6_of(struct __sk_buff *skb, enum peer peer,
				      const struct palyra_flow *flow)
{
	const struct ipv6_header *header = (const void *)(long)skb->data;
	const __be16 *ports = (const void *)(header + 1);
	const __u64 *kept = (const __u64 *)flow->address;
	const __u64 *address;

	if ((const void *)(ports + 2) > (const void *)(long)skb->data_end)
		return 0;
	if (header->next_header != flow->ip_protocol)
		return 0;
	address = (const __u64 *)(peer == PEER_SOURCE ? header->source : header->destination);
	return address[0] == kept[0] && address[1] == kept[1] &&
	       ports[peer == PEER_SOURCE ? 0 : 1] == bpf_htons(flow->port);
}

static __always_inline int is_packet_of(struct __sk_buff *skb, enum peer peer,
					const struct palyra_flow *flow)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !flow->is_ipv6 && is_ipv4_of(skb, peer, flow);
	return skb->protocol == bpf_htons(ETH_P_IPV6) && flow->is_ipv6 &&
	       is_ipv6_of(skb, peer, flow);
}

/* The action by which a packet of this flow would be judged is the one that was kept. */
static __always_inline int is_begun_as_kept(const struct bpf_sock *sk,
					    const struct palyra_flow *flow)
{
	if (flow->ip_protocol == IPPROTO_TCP)
		return sk->state != BPF_TCP_LISTEN &&
		       flow->action == (flow->connected ? PALYRA_NET_CONNECT : PALYRA_NET_ACCEPT);
	if (sk->state != BPF_TCP_ESTABLISHED || sk->dst_port != bpf_htons(flow->port))
		return 0;
	if (!flow->is_ipv6)
		return sk->dst_ip4 == *(const __u32 *)flow->address;

	const __u32 *words = (const __u32 *)flow->address;

	return sk->dst_ip6[0] == words[0] && sk->dst_ip6[1] == words[1] &&
	       sk->dst_ip6[2] == words[2] && sk->dst_ip6[3] == words[3];
}

/* Whether the packet is of a flow that is allowed for all that is known. */
static __always_inline int is_kept_flow(struct __sk_buff *skb, enum peer peer)
{
#if KEEPS_FLOWS
	struct bpf_sock *sk = skb->sk;
	struct palyra_flow *flow = sk ? bpf_sk_storage_get(&flows, sk, NULL, 0) : NULL;
	struct palyra_run *run;
	__u64 kept;

	if (!flow)
		return 0;
	kept = READ_ONCE(flow->kept);
	COMPILER_BARRIER();
	run = kept ? find_run(flow->run) : NULL;
	/* The deadline before the epoch: RunTable::Replace() stores in that order. */
	if (!run || has_expired(run) || kept >> 32 != READ_ONCE(run->epoch))
		return 0;
	if (!is_packet_of(skb, peer, flow) || !is_begun_as_kept(sk, flow))
		return 0;
	if (flow->is_on_loopback && skb->ifindex != LOOPBACK_INDEX)
		return 0;
	COMPILER_BARRIER();
	return READ_ONCE(flow->kept) == kept;
#else
	return 0;
#endif
}

static __always_inline int can_be_kept(const struct bpf_sock *sk, const struct question *q)
{
	if (q->action == PALYRA_NET_SEND || sk->state == BPF_TCP_LISTEN)
		return 0;
	return q->ip_protocol == IPPROTO_TCP || q->ip_protocol == IPPROTO_UDP ||
	       q->ip_protocol == IPPROTO_UDPLITE;
}

/*
 * Keeps that `q`, of a packet of `sk`, was allowed by what decided in that epoch. One writer at a
 * time; `kept` is 0 while the rest is written, and never twice the same.
 */
static __always_inline void keep_flow(struct bpf_sock *sk, const struct question *q, __u64 run_id,
				      __u32 epoch)
{
#if KEEPS_FLOWS
	struct palyra_flow *flow;
	__u32 number;

	if (epoch == PALYRA_LAST_EPOCH || !can_be_kept(sk, q))
		return;
	flow = bpf_sk_storage_get(&flows, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!flow || __sync_val_compare_and_swap(&flow->is_written, 0, 1) != 0)
		return;
	WRITE_ONCE(flow->kept, 0);
	COMPILER_BARRIER();
	number = ++flow->written;
	flow->run = run_id;
	__builtin_memcpy(flow->address, q->address, sizeof(flow->address));
	flow->port = q->port;
	flow->ip_protocol = q->ip_protocol;
	flow->is_ipv6 = q->is_ipv6;
	flow->action = q->action;
	flow->is_on_loopback = is_on_loopback(q);
	COMPILER_BARRIER();
	WRITE_ONCE(flow->kept, (__u64)epoch << 32 | number);
	WRITE_ONCE(flow->is_written, 0);
#endif
}

#endif /* PALYRA_BPF_FLOW_CACHE_H_ */
