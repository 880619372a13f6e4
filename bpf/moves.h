/*
 * Other names for what is there already: rename, exchange, hard links.
 *
 * What is decided of a file is decided of its name, so a new name must give it nothing that the old
 * one did not, and a socket keeps the name that its server gave it: whoever may rename it could
 * give it one that the rules of this run permit, or those of another.
 *
 *   of a file        the rules must permit both names, and that what is replaced be removed;
 *                    and no action may be permitted under the new name alone. Else EXDEV,
 *                    upon which mv(1) and cp(1) copy: the copy is judged as any new file.
 *   of a directory   likewise, and for each action the automaton must be in the same state
 *                    behind "old/" and "new/": then what lies below is decided alike.
 *   of a socket      denied
 *
 * In runs whose files are not judged, unix.connect alone must be decided alike below a directory.
 */
#ifndef PALYRA_BPF_MOVES_H_
#define PALYRA_BPF_MOVES_H_

#include "bpf/path_decision.h"

struct move {
	__u64 old_dentry;
	__u64 old_vfsmount;
	__u64 new_dentry;
	__u64 new_vfsmount;
	enum palyra_hook hook;
	__u8 has_socket;
	__u8 has_directory;
	__u8 replaces; /* something has the new name by now */
	__u8 exchanges;
	__u8 padding[3];
};

static __always_inline __u32 type_of(const struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT;
}

#define BELOW_JUDGED (1ULL << 32)

/* The state behind the path and a '/', with BELOW_JUDGED. Where a path is no text that can be
 * judged nothing below it is permitted: BELOW_JUDGED << 1. */
static __always_inline __u64 state_below(__u32 profile, enum palyra_name_action action, __u32 slot)
{
	struct path_slot *held = slot_at(slot);
	enum palyra_judged judged;

	if (!held)
		return BELOW_JUDGED << 1;
	held->text.bytes[PATH_END] = '/';
	held->end = PATH_END + 1;
	judged = palyra_judge_path(profile, action, 0, slot) >> 8;
	held->end = PATH_END;
	return judged == PALYRA_JUDGED ? held->state | BELOW_JUDGED : BELOW_JUDGED << 1;
}

#define PERMITTED (1ULL << 32)

/* 0: not, PERMITTED, or what tells by which digests of a program. */
static __always_inline __u64 permission_of(__u32 profile, enum palyra_name_action action,
					   __u32 slot)
{
	__u64 decision = palyra_judge_path(profile, action, 0, slot);
	struct path_slot *held = slot_at(slot);

	if ((decision & NEEDS_DIGEST) && held)
		return 1ULL + held->text_class;
	return (__u8)decision == PALYRA_ALLOW ? PERMITTED : 0;
}

static __always_inline int gains(__u32 profile, enum palyra_name_action action, __u32 old_slot,
				 __u32 new_slot)
{
	__u64 permission = permission_of(profile, action, new_slot);
	__u64 before;

	if (!permission)
		return 0;
	before = permission_of(profile, action, old_slot);
	return before != permission && before != PERMITTED;
}

/* Nothing may be permitted under a new name that was not under the old one; PALYRA_NAME_ACTIONS, or
 * the first action for which that is not so. */
__noinline __u32 palyra_changed_by(__u32 profile, const struct move *move, __u32 old_slot,
				   __u32 new_slot)
{
	__u32 actions = judges_files(profile) ? (1U << FILE_ACTIONS) - 1 : 0;
	__u32 action;

	if (!move)
		return 0;
	if (move->has_directory)
		actions |= ACTION_BIT(PALYRA_UNIX_CONNECT);
	for (action = 0; action < PALYRA_NAME_ACTIONS; action++) {
		if (!(actions & ACTION_BIT(action)))
			continue;
		/* Of an exchange with a directory the other side may be a file. */
		if (move->has_directory && state_below(profile, action, old_slot) !=
						   state_below(profile, action, new_slot))
			break;
		if (action == PALYRA_UNIX_CONNECT)
			continue;
		if (gains(profile, action, old_slot, new_slot) ||
		    (move->exchanges && gains(profile, action, new_slot, old_slot)))
			break;
	}
	return action;
}

/* One name: what may be done to it. */
static __always_inline int judge_name_of_move(struct palyra_run *run, const struct move *move,
					      struct path_denial *denial, __u32 actions,
					      __u64 dentry, __u64 vfsmount, __u32 slot)
{
	struct path_slot *held = slot_at(slot);
	enum palyra_path_state state =
		held ? palyra_path_of(dentry, vfsmount, slot) : PALYRA_PATH_NO_SLOT;

	state = state_of(dentry, actions, state, slot);
	if (state == PALYRA_PATH_FOUND && move->has_directory && held && leads_to_palyras_own(held))
		state = PALYRA_PATH_OWN;
	denial->path_state = state;
	denial->action = change_of(actions);
	if (is_denied_to_all(state))
		return palyra_report_path(denial, slot);
	if (judges_files(denial->profile))
		return judge_in_slot(run, denial, actions, slot);
	/* Where a directory or a socket comes to lie must be known. */
	if (state != PALYRA_PATH_FOUND && (move->has_directory || move->has_socket))
		return palyra_report_path(denial, slot);
	return 0;
}

static __always_inline int judge_move_in_slots(struct palyra_run *run, const struct move *move,
					       struct path_denial *denial, __u32 old_slot,
					       __u32 new_slot)
{
	__u32 asked = move->hook == PALYRA_HOOK_PATH_LINK ? ACTION_BIT(PALYRA_FILE_LINK)
							  : ACTION_BIT(PALYRA_FILE_RENAME);
	__u32 replacing = move->replaces ? ACTION_BIT(PALYRA_FILE_REMOVE) : 0;
	__u32 profile = denial->profile;
	__u32 changed;

	if (judge_name_of_move(run, move, denial, asked, move->old_dentry, move->old_vfsmount,
			       old_slot))
		return -EACCES;
	if (judge_name_of_move(run, move, denial, asked | replacing, move->new_dentry,
			       move->new_vfsmount, new_slot))
		return -EACCES;
	if (move->has_socket) {
		denial->action = PALYRA_UNIX_CONNECT;
		denial->path_state = PALYRA_PATH_RENAMES_SOCKET;
		return palyra_report_path(denial, new_slot);
	}
	if (!move->has_directory && !judges_files(profile))
		return 0;
	changed = palyra_changed_by(profile, move, old_slot, new_slot);
	if (changed >= PALYRA_NAME_ACTIONS)
		return 0;
	denial->action = changed;
	denial->path_state = move->has_directory ? PALYRA_PATH_MOVES_RULES : PALYRA_PATH_GAINS;
	palyra_report_path(denial, move->has_directory ? old_slot : new_slot);
	return -EXDEV;
}

/* 0, -EACCES or -EXDEV; what is denied is reported. */
__noinline int palyra_judge_move(const struct move *move)
{
	struct path_denial denial = { .run_id = own_run_id() };
	struct palyra_run *run = find_run(denial.run_id);
	__u32 old_slot;
	__u32 new_slot;
	int answer;

	if (!run || !move)
		return -EACCES;
	denial.hook = move->hook;
	/* Both names are asked of the same one, though it may be replaced meanwhile. */
	denial.profile = READ_ONCE(run->profile);
	old_slot = palyra_claim_path();
	new_slot = palyra_claim_path();
	answer = judge_move_in_slots(run, move, &denial, old_slot, new_slot);
	palyra_release_path(old_slot);
	palyra_release_path(new_slot);
	return answer;
}

/* Of what a function that is not inlined returns the verifier knows nothing. */
static __always_inline int judge_move(const struct move *move)
{
	int answer = palyra_judge_move(move);

	if (answer == -EXDEV)
		return -EXDEV;
	return answer ? -EACCES : 0;
}

#endif /* PALYRA_BPF_MOVES_H_ */
