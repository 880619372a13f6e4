/*
 * From a packet to a question: whom it goes to or comes from, and how its flow began.
 */
#ifndef PALYRA_BPF_PACKET_H_
#define PALYRA_BPF_PACKET_H_

#include "bpf/egress_tables.h"
#include "bpf/endpoint.h"

/* Whose address and port a packet is judged by: where it goes to, or where it comes from. */
enum peer {
	PEER_DESTINATION,
	PEER_SOURCE,
};

/* Offset of the transport header, or a negative value where the packet is denied unread. */
static __always_inline int parse_ipv4(struct __sk_buff *skb, enum peer peer, struct question *q)
{
	struct ipv4_header header;

	if (bpf_skb_load_bytes(skb, 0, &header, sizeof(header)) < 0)
		return -1;
	__builtin_memcpy(q->address, peer == PEER_SOURCE ? header.source : header.destination, 4);
	q->ip_protocol = header.protocol;
	/* Options may name another destination (RFC 791, source routes). */
	if ((header.version_and_length & 0xf) * 4 != sizeof(header))
		return -1;
	if (header.fragment & bpf_htons(IPV4_FRAGMENT_OFFSET))
		return -1;
	return sizeof(header);
}

/*
 * Extension headers are not walked: no rule permits the protocol number of one, so a packet with a
 * routing header, which is not sent where its destination says, is denied with the others.
 */
static __always_inline int parse_ipv6(struct __sk_buff *skb, enum peer peer, struct question *q)
{
	struct ipv6_header header;
	__u32 words[4];

	if (bpf_skb_load_bytes(skb, 0, &header, sizeof(header)) < 0)
		return -1;
	__builtin_memcpy(words, peer == PEER_SOURCE ? header.source : header.destination,
			 sizeof(words));
	set_ipv6(q, words, NULL);
	q->ip_protocol = header.next_header;
	return sizeof(header);
}

/* Index of `lo` in every network namespace (include/net/net_namespace.h). */
#define LOOPBACK_INDEX 1

/*
 * To or from loopback, by another device: who binds a socket to one (SO_BINDTODEVICE, IP_PKTINFO)
 * sends over it what was judged, or led away, as of this machine.
 */
static __always_inline int is_astray(const struct __sk_buff *skb, const struct question *q)
{
	return is_on_loopback(q) && skb->ifindex != LOOPBACK_INDEX;
}

/* What cannot be read, or is astray, becomes PALYRA_PROTOCOL_OTHER, which nothing permits. */
static __always_inline void parse_packet(struct __sk_buff *skb, enum peer peer, struct question *q)
{
	__be16 port;
	int transport = -1;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		transport = parse_ipv4(skb, peer, q);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		transport = parse_ipv6(skb, peer, q);

	q->protocol = transport < 0 || is_astray(skb, q) ? PALYRA_PROTOCOL_OTHER
							 : protocol_of(q->ip_protocol);
	if (q->protocol == PALYRA_PROTOCOL_OTHER || !has_port(q->protocol))
		return;
	if (bpf_skb_load_bytes(skb, peer == PEER_SOURCE ? transport : transport + 2, &port,
			       sizeof(port)) < 0)
		q->protocol = PALYRA_PROTOCOL_OTHER;
	else
		q->port = bpf_ntohs(port);
}

/* Whether a packet of TCP is the first of a connection (RFC 9293 section 3.1: SYN without ACK). */
static __always_inline int opens_connection(struct __sk_buff *skb)
{
	__u32 transport = sizeof(struct ipv6_header);
	__u8 byte;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 0, &byte, sizeof(byte)) < 0)
			return 0;
		transport = (byte & 0xf) * 4;
	}
	if (bpf_skb_load_bytes(skb, transport + 13, &byte, sizeof(byte)) < 0)
		return 0;
	return (byte & 0x12) == 0x02;
}

/* How the flow of this packet began. */
static __always_inline enum palyra_action action_of_packet(struct bpf_sock *sk,
							   const struct question *q)
{
	struct palyra_flow *flow;

	if (q->protocol != PALYRA_TCP)
		return is_peer(sk, q) ? PALYRA_NET_CONNECT : PALYRA_NET_SEND;
	if (sk->state == BPF_TCP_LISTEN)
		return PALYRA_NET_ACCEPT;
	flow = bpf_sk_storage_get(&flows, sk, NULL, 0);
	return flow && flow->connected ? PALYRA_NET_CONNECT : PALYRA_NET_ACCEPT;
}

/* A packet to or from somebody new is of no flow, whatever the socket did before. */
static __always_inline int has_begun(const struct bpf_sock *sk, const struct question *q)
{
	return sk->state != BPF_TCP_LISTEN && q->action != PALYRA_NET_SEND;
}

#endif /* PALYRA_BPF_PACKET_H_ */
