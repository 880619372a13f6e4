/*
 * What calls to the run's own helpers, its resolver and its relay, have in common: both listen on
 * loopback, and a call to somebody else is led there.
 */
#ifndef PALYRA_BPF_BROKERS_H_
#define PALYRA_BPF_BROKERS_H_

#include "bpf/egress_tables.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct palyra_broker);
} brokers SEC(".maps");

static __always_inline int is_loopback(const struct question *q)
{
	const __u32 *words = (const __u32 *)q->address;

	if (!q->is_ipv6)
		return words[0] == bpf_htonl(0x7f000001);
	return !(words[0] | words[1] | words[2]) && words[3] == bpf_htonl(1);
}

static __always_inline void set_loopback_tuple(struct bpf_sock_tuple *tuple, __u16 port,
					       int is_ipv6)
{
	if (is_ipv6) {
		tuple->ipv6.daddr[3] = bpf_htonl(1);
		tuple->ipv6.dport = bpf_htons(port);
		return;
	}
	tuple->ipv4.daddr = bpf_htonl(0x7f000001);
	tuple->ipv4.dport = bpf_htons(port);
}

/*
 * Whether what listens on that port of loopback is there for this run: once it is gone, anybody may
 * bind the port.
 */
static __always_inline int is_broker_of(struct bpf_sock_addr *ctx, const struct palyra_run *run,
					const struct question *q, __u16 port)
{
	struct bpf_sock_tuple tuple = {};
	const __u32 size = q->is_ipv6 ? sizeof(tuple.ipv6) : sizeof(tuple.ipv4);
	struct palyra_broker *broker;
	struct bpf_sock *sk;
	int is_it;

	set_loopback_tuple(&tuple, port, q->is_ipv6);
	sk = q->protocol == PALYRA_TCP
		     ? bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0)
		     : bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	broker = bpf_sk_storage_get(&brokers, sk, NULL, 0);
	is_it = broker && broker->run == run->cgroup;
	bpf_sk_release(sk);
	return is_it;
}

/* `is_ipv6_call`: the call has room for an IPv6 address, in which an IPv4 one is mapped. */
static __always_inline void lead_to(struct bpf_sock_addr *ctx, __u16 port, const struct question *q,
				    int is_ipv6_call)
{
	ctx->user_port = bpf_htons(port);
	if (!is_ipv6_call) {
		ctx->user_ip4 = bpf_htonl(0x7f000001);
		return;
	}
	ctx->user_ip6[0] = 0;
	ctx->user_ip6[1] = 0;
	ctx->user_ip6[2] = q->is_ipv6 ? 0 : bpf_htonl(0xffff);
	ctx->user_ip6[3] = bpf_htonl(q->is_ipv6 ? 1 : 0x7f000001);
}

/* Puts an address and a port, in host order, where the caller reads whom it speaks to. */
static __always_inline void show4(struct bpf_sock_addr *ctx, const __u8 *address, __u16 port)
{
	ctx->user_ip4 = *(const __u32 *)address;
	ctx->user_port = bpf_htons(port);
}

/* `is_mapped`: the address is IPv4. */
static __always_inline void show6(struct bpf_sock_addr *ctx, const __u8 *address, __u16 port,
				  int is_mapped)
{
	const __u32 *words = (const __u32 *)address;

	ctx->user_port = bpf_htons(port);
	if (is_mapped) {
		ctx->user_ip6[3] = words[0];
		return;
	}
	ctx->user_ip6[0] = words[0];
	ctx->user_ip6[1] = words[1];
	ctx->user_ip6[2] = words[2];
	ctx->user_ip6[3] = words[3];
}

#endif /* PALYRA_BPF_BROKERS_H_ */
