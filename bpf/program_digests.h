/*
 * Programs by their SHA-256, which the kernel's IMA calculates from what the page cache holds.
 *
 * That takes reading the file, so only programs that may sleep can ask for it. Those about names
 * leave a program whose verdict depends on its digest to them, which are called after them and
 * judge the name once more. In a run whose rules never asked for a digest, that is one look at its
 * entry.
 *
 * The digest is that of what is executed, because nobody writes it meanwhile:
 *   - a program that somebody has open for writing is denied;
 *   - what execve() has opened, the kernel itself keeps from being opened so until it is mapped;
 *   - what is mapped because of its digest gets a mark first, and after that its writers are looked
 *     for. Of a run who wants to write it counts as a writer first, and then looks for the mark. So
 *     one of both sees the other. The mark stays as long as the kernel has the inode: pages that
 *     are not read yet come from the file when they are.
 */
#ifndef PALYRA_BPF_PROGRAM_DIGESTS_H_
#define PALYRA_BPF_PROGRAM_DIGESTS_H_

#include "bpf/path_decision.h"

/* The programs that ask for digests are there. Set before loading. */
const volatile __u8 judges_digests = 0;

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} mapped_by_digest SEC(".maps");

static __always_inline int is_mapped_by_digest(struct inode *inode)
{
	return judges_digests && bpf_inode_storage_get(&mapped_by_digest, inode, NULL, 0);
}

static __always_inline enum palyra_path_state keep_from_writers(struct inode *inode)
{
	void *mark = bpf_inode_storage_get(&mapped_by_digest, inode, NULL,
					   BPF_LOCAL_STORAGE_GET_F_CREATE);

	return mark ? PALYRA_PATH_FOUND : PALYRA_PATH_NO_DIGEST;
}

static __always_inline int is_written(struct inode *inode)
{
	return BPF_CORE_READ(inode, i_writecount.counter) > 0;
}

static __always_inline int asks_digests(void)
{
	struct palyra_run *run = find_run(own_run_id());

	return !run || READ_ONCE(run->asks_digests);
}

struct program_place {
	__u64 dentry;
	__u64 vfsmount;
};

struct digest_question {
	struct program_place place;
	__u32 profile; /* these two by palyra_judge_program() */
	__u32 text_class; /* of its name */
	enum palyra_hook hook;
	enum palyra_path_state state; /* PALYRA_PATH_FOUND, or why there is no digest */
	__u8 padding[2];
	__u8 digest[PALYRA_DIGEST_LENGTH];
};

/* The slot is free again meanwhile: reading takes long. */
#define PALYRA_NEEDS_DIGEST 2

/* By its name: 0, PALYRA_NEEDS_DIGEST, or it is denied and reported. */
__noinline int palyra_judge_program(struct digest_question *q)
{
	struct path_question named = {
		.actions = ACTION_BIT(PALYRA_PROCESS_EXEC),
		.must_be_linked = 1,
		.leaves_digest = 1,
	};
	struct path_denial denial = {};
	int answer;

	if (!q)
		return -EACCES;
	named.dentry = q->place.dentry;
	named.vfsmount = q->place.vfsmount;
	named.hook = q->hook;
	answer = judge_question(&named, &denial, 0);
	q->profile = denial.profile;
	q->text_class = denial.text_class;
	return !answer && denial.needs_digest ? PALYRA_NEEDS_DIGEST : answer;
}

/* By its digest: 0, or it is denied and reported. */
__noinline int palyra_decide_digest(const struct digest_question *q)
{
	struct path_denial denial = {
		.run_id = own_run_id(),
		.action = PALYRA_PROCESS_EXEC,
		.judged = PALYRA_JUDGED,
	};
	struct name_answer answer = {};
	__u32 slot;

	if (!q)
		return -EACCES;
	answer.text_class = q->text_class;
	if (q->state == PALYRA_PATH_FOUND)
		decide_by_digest(q->profile, q->digest, &answer);
	if (answer.verdict == PALYRA_ALLOW)
		return 0;
	denial.profile = q->profile;
	denial.reason = answer.reason;
	denial.hook = q->hook;
	denial.path_state = q->state;
	slot = palyra_claim_path();
	if (slot < PATH_SLOTS)
		palyra_path_of(q->place.dentry, q->place.vfsmount, slot);
	palyra_report_path(&denial, slot);
	palyra_release_path(slot);
	return -EACCES;
}

#endif /* PALYRA_BPF_PROGRAM_DIGESTS_H_ */
