/*
 * In which run something is, by its cgroup.
 */
#ifndef PALYRA_BPF_CGROUP_ANCESTRY_H_
#define PALYRA_BPF_CGROUP_ANCESTRY_H_

#include "bpf/file_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Whether `cgroup` is the run's with that id, whose level is `run_level`, or below it. */
static __always_inline int is_cgroup_in(struct cgroup *cgroup, __u64 run_id, __u32 run_level)
{
	__u64 ancestors = (__u64)cgroup + bpf_core_field_offset(struct cgroup, ancestors);
	struct cgroup *ancestor = NULL;

	if (!cgroup || BPF_CORE_READ(cgroup, level) < (int)run_level)
		return 0;
	if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
				  (const void *)(ancestors + run_level * sizeof(ancestor))))
		return 0;
	return BPF_CORE_READ(ancestor, kn, id) == run_id;
}

#endif /* PALYRA_BPF_CGROUP_ANCESTRY_H_ */
