/*
 * What the programs about unix sockets read of the kernel's structures; see kernel_types.h.
 */
#ifndef PALYRA_BPF_UNIX_TYPES_H_
#define PALYRA_BPF_UNIX_TYPES_H_

#include "bpf/file_types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sockaddr {
	unsigned short sa_family;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	int len; /* of `name`, with sun_family */
	struct sockaddr_un name[1];
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* struct sock, of which each program file knows its own part. */
struct sock___cgroup {
	struct sock_cgroup_data sk_cgrp_data;
};

struct unix_sock {
	struct unix_address *addr;
	struct path path;
};

/* Since 6.7 with the length of the address. */
struct bpf_sock_addr_kern {
	struct sock *sk;
	struct sockaddr *uaddr;
	__u32 uaddrlen;
};

#pragma clang attribute pop

#endif /* PALYRA_BPF_UNIX_TYPES_H_ */
