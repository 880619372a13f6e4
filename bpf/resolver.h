/*
 * DNS of a run goes to the run's resolver, whomever it was meant for, and what comes back seems to
 * come from there. The resolver decides about names; no other DNS leaves.
 */
#ifndef PALYRA_BPF_RESOLVER_H_
#define PALYRA_BPF_RESOLVER_H_

#include "bpf/brokers.h"

#define DNS_PORT 53

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct palyra_redirect);
} redirects SEC(".maps");

/* Whether this is for the run's resolver. */
static __always_inline int is_dns(const struct palyra_run *run, const struct question *q)
{
	return q->port == DNS_PORT && run && run->resolver_ports[0] &&
	       (q->protocol == PALYRA_TCP || q->protocol == PALYRA_UDP) && !has_expired(run);
}

/* Index of a port of the resolver; PALYRA_RESOLVER_PORTS where it is none. `port` in host order. */
static __always_inline __u32 resolver_index(const struct palyra_run *run, __u16 port)
{
	__u32 i = 0;

	if (!port)
		return PALYRA_RESOLVER_PORTS;
	for (; i < PALYRA_RESOLVER_PORTS; i++) {
		if (run->resolver_ports[i] == port)
			break;
	}
	return i;
}

/* Whether `q`, of a packet, is about the run's resolver. */
static __always_inline int is_resolver(const struct palyra_run *run, const struct question *q)
{
	return is_loopback(q) && resolver_index(run, q->port) < PALYRA_RESOLVER_PORTS &&
	       !has_expired(run);
}

static __always_inline int is_origin(const struct palyra_origin *origin, const struct question *q)
{
	const __u64 *a = (const __u64 *)origin->address;
	const __u64 *b = (const __u64 *)q->address;

	return origin->is_used && origin->is_ipv6 == q->is_ipv6 && a[0] == b[0] && a[1] == b[1];
}

/*
 * Notes whom the socket speaks to, and returns the index of the port for it. A socket that knows as
 * many servers as there are ports already: -1, but a connect() forgets the first.
 */
static __always_inline int note_origin(struct bpf_sock *sk, const struct question *q)
{
	struct palyra_redirect *redirect;
	struct palyra_origin *origin;
	int index = -1;

	if (!sk)
		return -1;
	redirect = bpf_sk_storage_get(&redirects, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!redirect)
		return -1;
	for (int i = 0; i < PALYRA_RESOLVER_PORTS; i++) {
		if (is_origin(&redirect->origins[i], q))
			return i;
		if (index < 0 && !redirect->origins[i].is_used)
			index = i;
	}
	if (index < 0 && q->action == PALYRA_NET_CONNECT)
		index = 0;
	if (index < 0 || index >= PALYRA_RESOLVER_PORTS)
		return -1;
	origin = &redirect->origins[index];
	__builtin_memcpy(origin->address, q->address, sizeof(origin->address));
	origin->is_ipv6 = q->is_ipv6;
	origin->is_used = 1;
	return index;
}

static __always_inline int redirect_to_resolver(struct bpf_sock_addr *ctx,
						const struct palyra_run *run,
						const struct question *q, int is_ipv6_call)
{
	int index = note_origin(ctx->sk, q);

	if (index < 0 || index >= PALYRA_RESOLVER_PORTS)
		return 0;
	if (!is_broker_of(ctx, run, q, run->resolver_ports[index]))
		return 0;
	lead_to(ctx, run->resolver_ports[index], q, is_ipv6_call);
	return 1;
}

/* Whom the resolver's address stands for; NULL where it is somebody else's. */
static __always_inline struct palyra_origin *find_origin(struct bpf_sock_addr *ctx,
							 const struct palyra_run *run)
{
	struct bpf_sock *sk = ctx->sk;
	struct palyra_redirect *redirect;
	__u32 index;

	if (!run || !sk)
		return NULL;
	index = resolver_index(run, bpf_ntohs((__u16)ctx->user_port));
	redirect = bpf_sk_storage_get(&redirects, sk, NULL, 0);
	if (!redirect || index >= PALYRA_RESOLVER_PORTS || !redirect->origins[index].is_used)
		return NULL;
	return &redirect->origins[index];
}

static __always_inline void restore_dns4(struct bpf_sock_addr *ctx, const struct palyra_run *run)
{
	struct palyra_origin *origin = find_origin(ctx, run);

	if (origin && !origin->is_ipv6)
		show4(ctx, origin->address, DNS_PORT);
}

static __always_inline void restore_dns6(struct bpf_sock_addr *ctx, const struct palyra_run *run,
					 int is_mapped)
{
	struct palyra_origin *origin = find_origin(ctx, run);

	if (origin && origin->is_ipv6 != is_mapped)
		show6(ctx, origin->address, DNS_PORT, is_mapped);
}

#endif /* PALYRA_BPF_RESOLVER_H_ */
