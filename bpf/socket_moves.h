/*
 * Other names for sockets: rename and exchange.
 *
 * A peer is judged by the path that its name has by then. Whoever may rename it could give it one
 * that the rules of this run permit, or those of another.
 *
 *   of a socket      denied
 *   of a directory   the automaton must be in the same state behind "old/" and "new/": then
 *                    whatever lies below is decided alike. Else EXDEV, upon which mv(1) copies.
 */
#ifndef PALYRA_BPF_SOCKET_MOVES_H_
#define PALYRA_BPF_SOCKET_MOVES_H_

#include "bpf/path_decision.h"

#define RENAME_EXCHANGE (1 << 1)

struct socket_move {
	__u64 old_dentry;
	__u64 old_vfsmount;
	__u64 new_dentry;
	__u64 new_vfsmount;
	__u8 has_socket;
	__u8 has_directory;
	__u8 padding[6];
};

static __always_inline __u32 type_of(const struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT;
}

#define BELOW_JUDGED (1ULL << 32)

/* The state behind the path and a '/', with BELOW_JUDGED. Where a path is no text that can be
 * judged nothing below it is permitted: BELOW_JUDGED << 1. */
__noinline __u64 palyra_sockets_below(__u32 profile, __u32 slot)
{
	struct palyra_name_rules_key key = { .profile = profile, .action = PALYRA_UNIX_CONNECT };
	struct palyra_name_rules *rules = bpf_map_lookup_elem(&name_rules, &key);
	struct path_slot *held = slot_at(slot);
	__u32 state = 0;
	__u32 text_class = 0;

	if (!rules || !held)
		return BELOW_JUDGED << 1;
	held->text.bytes[PATH_END] = '/';
	if (judge_text(rules->automaton, &held->text, held->first, PATH_END + 1 - held->first,
		       &state, &text_class) != PALYRA_JUDGED)
		return BELOW_JUDGED << 1;
	return state | BELOW_JUDGED;
}

static __always_inline int judge_move_in_slots(const struct socket_move *move,
					       struct path_denial *denial, __u32 old_slot,
					       __u32 new_slot)
{
	denial->path_state = palyra_path_of(move->old_dentry, move->old_vfsmount, old_slot);
	if (denial->path_state != PALYRA_PATH_FOUND)
		return palyra_report_path(denial, old_slot);
	denial->path_state = palyra_path_of(move->new_dentry, move->new_vfsmount, new_slot);
	if (denial->path_state != PALYRA_PATH_FOUND)
		return palyra_report_path(denial, new_slot);
	if (move->has_socket) {
		denial->path_state = PALYRA_PATH_RENAMES_SOCKET;
		return palyra_report_path(denial, new_slot);
	}
	if (move->has_directory && palyra_sockets_below(denial->profile, old_slot) !=
					   palyra_sockets_below(denial->profile, new_slot)) {
		denial->path_state = PALYRA_PATH_MOVES_RULES;
		palyra_report_path(denial, old_slot);
		return -EXDEV;
	}
	return 0;
}

/* 0, -EACCES or -EXDEV; what is denied is reported. */
__noinline int palyra_judge_socket_move(const struct socket_move *move)
{
	struct path_denial denial = {
		.run_id = own_run_id(),
		.hook = PALYRA_HOOK_PATH_RENAME,
		.action = PALYRA_UNIX_CONNECT,
	};
	struct palyra_run *run = find_run(denial.run_id);
	__u32 old_slot;
	__u32 new_slot;
	int answer;

	if (!run || !move)
		return -EACCES;
	/* Both names are asked of the same one, though it may be replaced meanwhile. */
	denial.profile = READ_ONCE(run->profile);
	old_slot = palyra_claim_path();
	new_slot = palyra_claim_path();
	answer = judge_move_in_slots(move, &denial, old_slot, new_slot);
	palyra_release_path(old_slot);
	palyra_release_path(new_slot);
	return answer;
}

#endif /* PALYRA_BPF_SOCKET_MOVES_H_ */
