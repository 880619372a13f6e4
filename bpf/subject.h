/*
 * Who calls: every LSM program begins with this, because it is asked of every task of the machine.
 */
#ifndef PALYRA_BPF_SUBJECT_H_
#define PALYRA_BPF_SUBJECT_H_

#include "bpf/run_tables.h"

/* Level of a run's cgroup, counted from the root of the whole hierarchy. Set before loading. */
const volatile __u32 run_level = 0;

/* Id of the cgroup above all runs. */
const volatile __u64 palyra_cgroup = 0;

static __always_inline int is_in_run(void)
{
	return bpf_get_current_ancestor_cgroup_id(run_level - 1) == palyra_cgroup;
}

static __always_inline __u64 own_run_id(void)
{
	return bpf_get_current_ancestor_cgroup_id(run_level);
}

#endif /* PALYRA_BPF_SUBJECT_H_ */
