/*
 * Grants for paths: a person's answer to an ask, for one run, one action and exactly one path. Only
 * looked for where the rules said ask.
 */
#ifndef PALYRA_BPF_PATH_GRANTS_H_
#define PALYRA_BPF_PATH_GRANTS_H_

#include "bpf/name_tables.h"
#include "bpf/path.h"

/*
 * execve() takes the use as it opens the program, and then maps it. Whoever else maps it, as ld.so
 * does for its argument, has none.
 */
static __always_inline int allows_program(struct palyra_path_grant *grant, enum palyra_hook hook)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	if (hook != PALYRA_HOOK_FILE_OPEN)
		return READ_ONCE(grant->used) && READ_ONCE(grant->pid) == pid;
	if (__sync_val_compare_and_swap(&grant->used, 0, 1))
		return 0;
	grant->pid = pid;
	return 1;
}

/*
 * Of the path in the slot, which is short where there can be a grant: the key lies where a longer
 * one would begin.
 */
__noinline int palyra_is_path_granted(__u64 run_id, __u32 action, __u32 hook, __u32 slot)
{
	struct palyra_run *run = find_run(run_id);
	struct path_slot *held = slot_at(slot);
	struct palyra_path_grant_key *key;
	struct palyra_path_grant *grant;
	__u64 first;
	__u64 length;

	if (!run || !READ_ONCE(run->has_grants) || !held || held->end != PATH_END)
		return 0;
	first = held->first;
	length = PATH_END - first;
	if (length >= PALYRA_GRANTED_PATH_LENGTH)
		return 0;
	asm volatile("%0 &= %1" : "+r"(first) : "i"(PALYRA_TEXT_LENGTH - 1));
	asm volatile("%0 &= %1" : "+r"(length) : "i"(511));
	if (length >= PALYRA_GRANTED_PATH_LENGTH)
		return 0;
	key = (struct palyra_path_grant_key *)held->text.bytes;
	__builtin_memset(key, 0, sizeof(*key));
	key->run = run_id;
	key->action = action;
	bpf_probe_read_kernel(key->path, length, &held->text.bytes[first]);
	grant = bpf_map_lookup_elem(&path_grants, key);
	if (!grant)
		return 0;
	if (grant->expires_ns && bpf_ktime_get_boot_ns() >= grant->expires_ns)
		return 0;
	return !grant->uses || allows_program(grant, hook);
}

#endif /* PALYRA_BPF_PATH_GRANTS_H_ */
