/*
 * The one form of addresses before anything is decided about them: bpf/egress.bpf.c says which.
 */
#ifndef PALYRA_BPF_ENDPOINT_H_
#define PALYRA_BPF_ENDPOINT_H_

#include "bpf/egress_tables.h"

/*
 * To the kernel's routing 0.0.0.0 means this host: the address that the socket is bound to, else
 * 127.0.0.1.
 */
static __always_inline void set_ipv4(struct question *q, __u32 word, const struct bpf_sock *sk)
{
	if (!word && sk)
		word = sk->src_ip4;
	if (!word)
		word = bpf_htonl(0x7f000001);
	__builtin_memcpy(q->address, &word, sizeof(word));
}

/* `words` is the address as four words in network byte order. */
static __always_inline void set_ipv6(struct question *q, const __u32 *words,
				     const struct bpf_sock *sk)
{
	__builtin_memset(q->address, 0, sizeof(q->address));
	if (words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff)) {
		q->is_ipv6 = 0;
		set_ipv4(q, words[3], sk);
		return;
	}
	q->is_ipv6 = 1;
	__builtin_memcpy(q->address, words, 16);
	if (!(words[0] | words[1] | words[2] | words[3]))
		q->address[15] = 1;
}

/* Any address of this machine alone. */
static __always_inline int is_on_loopback(const struct question *q)
{
	const __u32 *words = (const __u32 *)q->address;

	if (!q->is_ipv6)
		return q->address[0] == 127;
	return !(words[0] | words[1] | words[2]) && words[3] == bpf_htonl(1);
}

static __always_inline int is_peer(const struct bpf_sock *sk, const struct question *q)
{
	if (sk->state != BPF_TCP_ESTABLISHED)
		return 0;
	if (has_port(q->protocol) && bpf_ntohs(sk->dst_port) != q->port)
		return 0;
	if (!q->is_ipv6) {
		__u32 word;

		__builtin_memcpy(&word, q->address, sizeof(word));
		return sk->dst_ip4 == word;
	}

	__u32 words[4];

	__builtin_memcpy(words, q->address, sizeof(words));
	return sk->dst_ip6[0] == words[0] && sk->dst_ip6[1] == words[1] &&
	       sk->dst_ip6[2] == words[2] && sk->dst_ip6[3] == words[3];
}

#endif /* PALYRA_BPF_ENDPOINT_H_ */
