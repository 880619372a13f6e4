/*
 * In which run a socket was born: the cgroup programs of that run hold it, whoever has it.
 */
#ifndef PALYRA_BPF_SOCKET_BIRTH_H_
#define PALYRA_BPF_SOCKET_BIRTH_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/cgroup_ancestry.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* struct sock, of which each program file knows its own part. */
struct sock___cgroup {
	struct sock_cgroup_data sk_cgrp_data;
};

#pragma clang attribute pop

/* In the run with that id, whose cgroup is at `run_level`, or in a cgroup below it. */
static __always_inline int is_born_in(const struct sock *sk, __u64 run_id, __u32 run_level)
{
	struct cgroup *cgroup = BPF_CORE_READ((struct sock___cgroup *)sk, sk_cgrp_data.cgroup);

	return is_cgroup_in(cgroup, run_id, run_level);
}

#endif /* PALYRA_BPF_SOCKET_BIRTH_H_ */
