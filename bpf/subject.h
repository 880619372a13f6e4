/*
 * Who calls: every LSM program begins with this, because it is asked of every task of the machine.
 */
#ifndef PALYRA_BPF_SUBJECT_H_
#define PALYRA_BPF_SUBJECT_H_

#include <bpf/bpf_core_read.h>

#include "bpf/cgroup_ancestry.h"
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

/* CAP_SYS_ADMIN, in whatever user namespace. */
static __always_inline int has_admin(const struct cred *cred)
{
	__u32 capabilities = 0;

	if (bpf_probe_read_kernel(&capabilities, sizeof(capabilities),
				  (void *)cred + bpf_core_field_offset(struct cred, cap_effective)))
		return 0;
	return capabilities >> CAP_SYS_ADMIN & 1;
}

/*
 * Palyra's own child, which prepares what it will then execute: it alone is in a run and holds a
 * capability, and its parent is outside. Nothing that it executes can get one, and user namespaces
 * are closed.
 */
__noinline int palyra_is_being_set_up(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;

	if (!has_admin(cred) || BPF_CORE_READ(cred, user_ns, level) != 0)
		return 0;
	return !is_cgroup_in(BPF_CORE_READ(task, real_parent, cgroups, dfl_cgrp), own_run_id(),
			     run_level);
}

static __always_inline int is_held(void)
{
	if (!is_in_run())
		return 0;
	return !(bpf_get_current_task_btf()->flags & PF_FORKNOEXEC) || !palyra_is_being_set_up();
}

/* A profile that is being taken away judges all, and permits nothing. */
static __always_inline int judges_files(__u32 profile)
{
	return !profile || (profile & PALYRA_JUDGES_FILES);
}

/* Of an argument of a hook, which the verifier may take for one that is always there: it would
 * strike out the comparison, and with it whatever follows. */
static __always_inline int is_null(const void *argument)
{
	__u64 number = 0;

	return bpf_probe_read_kernel(&number, sizeof(number), &argument) || !number;
}

#endif /* PALYRA_BPF_SUBJECT_H_ */
