/*
 * Hooks that get a dentry and not the mount that led to it: times, extended attributes, ACLs.
 *
 * The file has a path under each mount of its file system. It is judged under all that the caller's
 * mount namespace has, and the strictest answer counts.
 */
#ifndef PALYRA_BPF_EVERY_MOUNT_H_
#define PALYRA_BPF_EVERY_MOUNT_H_

#include "bpf/path_decision.h"

/* Of one file system, in all namespaces of the machine; more: denied. */
#define MOST_MOUNTS 4096
/* Of these, in the caller's namespace. */
#define MOST_MOUNTS_JUDGED 64

struct mount_search {
	struct path_question question;
	__u64 end; /* of the list: where `next` has come around to */
	__u64 next; /* 0: all were seen */
	__u64 namespace;
	__u32 judged;
	int answer;
};

static __always_inline int has_mount_list(void)
{
	return bpf_core_field_exists(((struct mount *)0)->mnt_instance);
}

/* The mount that `next` leads to, and `next` on to the one behind it. */
static __always_inline __u64 take_mount(struct mount_search *search)
{
	__u64 mount = search->next;

	if (!has_mount_list()) {
		search->next = (__u64)BPF_CORE_READ((struct mount___6_17 *)mount, mnt_next_for_sb);
		return mount;
	}
	mount -= bpf_core_field_offset(struct mount, mnt_instance);
	search->next = (__u64)BPF_CORE_READ((struct mount *)mount, mnt_instance.next);
	if (search->next == search->end)
		search->next = 0;
	return mount;
}

static long judge_under_mount(__u32 index, void *context)
{
	struct mount_search *search = context;
	__u64 mount;
	int answer;

	if (!search->next)
		return 1;
	mount = take_mount(search);
	if ((__u64)BPF_CORE_READ((struct mount *)mount, mnt_ns) != search->namespace)
		return 0;
	if (search->judged > MOST_MOUNTS_JUDGED)
		return 1;
	search->question.vfsmount = mount + bpf_core_field_offset(struct mount, mnt);
	answer = palyra_judge_question(&search->question);
	if (answer == PALYRA_SAYS_NOTHING)
		return 0;
	search->judged++;
	search->answer = answer;
	return answer != 0;
}

/*
 * Under no mount that the caller could know: the kernel's own, as a pipe is; or a stacked file
 * system reaches for the one below, by the rights of who mounted it. Other credentials than its own
 * has also who asks by io_uring for those it had before; but nobody in a run can mount.
 */
static __always_inline int is_of_the_kernel(const struct super_block *file_system)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct cred *cred = task->cred;

	if (BPF_CORE_READ(file_system, s_flags) & SB_KERNMOUNT)
		return 1;
	return cred != task->real_cred && has_admin(cred);
}

#define MOUNTS_CHANGED (-EAGAIN)

/* `q` without a mount. */
__noinline int palyra_judge_mounts(const struct path_question *q)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct mount_search search = {};
	struct super_block *file_system;
	struct dentry *dentry;
	struct sequences before;
	struct sequences after;

	if (!q)
		return -EACCES;
	search.question = *q;
	dentry = (struct dentry *)q->dentry;
	file_system = BPF_CORE_READ(dentry, d_sb);
	search.end = (__u64)file_system + bpf_core_field_offset(struct super_block, s_mounts);
	search.namespace = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
	if (read_sequences(&before) || (before.mounts & 1))
		return MOUNTS_CHANGED;
	search.next = (__u64)BPF_CORE_READ(file_system, s_mounts.next);
	if (search.next == search.end)
		search.next = 0;
	bpf_loop(MOST_MOUNTS, judge_under_mount, &search, 0);
	if (search.answer)
		return -EACCES;
	if (read_sequences(&after) || before.mounts != after.mounts)
		return MOUNTS_CHANGED;
	if (search.next)
		return -EACCES;
	return search.judged || is_of_the_kernel(file_system) ? 0 : -EACCES;
}

#define MOST_TRIES 16

/* file.attributes of what the dentry names: 0 or -EACCES. */
static __always_inline int judge_under_every_mount(struct dentry *dentry, enum palyra_hook hook)
{
	struct path_question q = {
		.dentry = (__u64)dentry,
		.actions = ACTION_BIT(PALYRA_FILE_ATTRIBUTES),
		.hook = hook,
		.may_be_outside = 1,
	};

	for (__u32 i = 0; i < MOST_TRIES; i++) {
		int answer = palyra_judge_mounts(&q);

		if (answer != MOUNTS_CHANGED)
			return answer || palyra_judge_linked(&q) ? -EACCES : 0;
	}
	return -EACCES;
}

#endif /* PALYRA_BPF_EVERY_MOUNT_H_ */
