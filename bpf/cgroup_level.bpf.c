/*
 * Answers one question, when run once by BPF_PROG_TEST_RUN: at which level of the whole cgroup
 * hierarchy does the calling task's cgroup lie? Inside a cgroup namespace no file says so.
 */
#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The kernel's own default limit on depth is far above what anyone nests. */
#define MAX_LEVEL 64

__u32 level;
__u32 found;

SEC("raw_tp/sys_enter")
int palyra_cgroup_level(void *ctx)
{
	__u64 own = bpf_get_current_cgroup_id();

	for (__u32 i = 0; i < MAX_LEVEL; i++) {
		if (bpf_get_current_ancestor_cgroup_id(i) == own) {
			level = i;
			found = 1;
			break;
		}
	}
	return 0;
}
