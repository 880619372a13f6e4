/*
 * What the programs need of the kernel's types, kept by hand: UAPI structures and constants, and of
 * the kernel's own structures the few fields that are read, which libbpf finds in the running
 * kernel's BTF. Nothing depends on the kernel that it is built on.
 */
#ifndef PALYRA_BPF_KERNEL_TYPES_H_
#define PALYRA_BPF_KERNEL_TYPES_H_

#include <linux/types.h>
#include <linux/bpf.h>

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16

#define NETLINK_ROUTE 0

#define EPERM 1
#define EAGAIN 11
#define EAFNOSUPPORT 97

#define SOCK_STREAM 1
#define SOCK_DGRAM 2

#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD

/* RFC 791 section 3.1, without options. */
struct ipv4_header {
	__u8 version_and_length; /* 4 bits each; length in 32-bit words */
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment; /* 3 bits of flags, 13 bits of offset */
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__u8 source[4];
	__u8 destination[4];
};

#define IPV4_FRAGMENT_OFFSET 0x1FFF
#define IPV4_WITHOUT_OPTIONS 0x45 /* version_and_length */

/* RFC 8200 section 3. */
struct ipv6_header {
	__be32 version_class_label;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

/* Here the address that a socket is bound to, and its port in host byte order. */
struct sock_common {
	__be32 skc_rcv_saddr;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct socket {
	short type;
	struct sock *sk;
};

#pragma clang attribute pop

#endif /* PALYRA_BPF_KERNEL_TYPES_H_ */
