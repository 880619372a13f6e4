/*
 * The kinds of sockets that a run may have: whatever else there is would pass by the programs.
 */
#ifndef PALYRA_BPF_SOCKET_KINDS_H_
#define PALYRA_BPF_SOCKET_KINDS_H_

#include "bpf/kernel_types.h"

static __always_inline int is_ordinary_socket(__u32 type, __u32 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_MPTCP:
		return type == SOCK_STREAM;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return type == SOCK_DGRAM;
	default:
		return 0;
	}
}

static __always_inline int is_known_family(int family, int protocol)
{
	switch (family) {
	case AF_UNIX:
	case AF_INET:
	case AF_INET6:
		return 1;
	case AF_NETLINK:
		return protocol == NETLINK_ROUTE;
	default:
		return 0;
	}
}

#endif /* PALYRA_BPF_SOCKET_KINDS_H_ */
