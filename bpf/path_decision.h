/*
 * From a path to an answer, and the report of what is denied.
 *
 * Functions that are not inlined are checked once, and not on every way that leads to them; they
 * take pointers into the kernel as numbers.
 */
#ifndef PALYRA_BPF_PATH_DECISION_H_
#define PALYRA_BPF_PATH_DECISION_H_

#include "bpf/known_directories.h"
#include "bpf/name_decision.h"
#include "bpf/own_places.h"
#include "bpf/path.h"
#include "bpf/path_grants.h"
#include "bpf/subject.h"

/* A set of actions, as a file that is opened for reading and writing is asked both. */
#define ACTION_BIT(action) (1U << (action))

/* Those that change something. */
#define CHANGES                                                                                    \
	(((1U << FILE_ACTIONS) - 1) &                                                              \
	 ~(ACTION_BIT(PALYRA_FILE_READ) | ACTION_BIT(PALYRA_PROCESS_EXEC)))

/* In place of an answer: the object is not where it was asked about. */
#define PALYRA_SAYS_NOTHING 1

/* What is denied, and why; of the path in its slot. */
struct path_denial {
	__u64 run_id;
	__u32 profile;
	__u32 reason;
	__u32 target_pid;
	enum palyra_hook hook;
	enum palyra_name_action action;
	enum palyra_path_state path_state;
	enum palyra_judged judged;
	__u8 leaves_digest; /* as of a path_question */
	__u8 needs_digest; /* answer: it was left */
	__u8 is_linked_name; /* what is denied was reached by another name */
	__u8 padding[1];
	__u32 text_class; /* answer, where needs_digest */
};

/* Into the event, by way of a second slot, where it can be told at once. */
static __always_inline void add_executable(struct palyra_path_event *event)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	__u32 slot = palyra_claim_path();
	struct path_slot *held = slot_at(slot);
	__u64 length;

	event->executable_length = 0;
	if (!held)
		return;
	held->first = PATH_END;
	palyra_walk_once((__u64)BPF_CORE_READ(file, f_path.dentry),
			 (__u64)BPF_CORE_READ(file, f_path.mnt), slot);
	length = PATH_END - held->first;
	if (length > PALYRA_EXECUTABLE_LENGTH)
		length = PALYRA_EXECUTABLE_LENGTH;
	bpf_probe_read_kernel(event->executable, PALYRA_EXECUTABLE_LENGTH,
			      &held->text.bytes[PATH_END - PALYRA_EXECUTABLE_LENGTH]);
	event->executable_length = length;
	palyra_release_path(slot);
}

static __always_inline long send_event(void *ring, struct path_slot *slot)
{
	__u64 first = slot->first;
	__u64 length = PATH_END - first;

	asm volatile("%0 &= %1" : "+r"(first) : "i"(PALYRA_TEXT_LENGTH - 1));
	asm volatile("%0 &= %1" : "+r"(length) : "i"(PALYRA_TEXT_LENGTH - 1));
	bpf_probe_read_kernel((__u8 *)&slot->room + first, sizeof(slot->event), &slot->event);
	return bpf_ringbuf_output(ring, (__u8 *)&slot->room + first, sizeof(slot->event) + length,
				  0);
}

/* All but the executable. */
static __always_inline void fill_event(struct path_slot *held, const struct path_denial *denial,
				       enum palyra_verdict verdict)
{
	struct palyra_path_event *event = &held->event;

	event->time_ns = bpf_ktime_get_boot_ns();
	event->run = denial->run_id;
	event->profile = denial->profile;
	event->reason = denial->reason;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->target_pid = denial->target_pid;
	event->path_length = PATH_END - held->first;
	event->hook = denial->hook;
	event->action = denial->action;
	event->path_state = denial->path_state;
	event->judged = denial->judged;
	event->verdict = verdict;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
}

/* Always -EACCES. An event that finds no room is counted. */
__noinline int palyra_report_path(const struct path_denial *denial, __u32 slot)
{
	struct path_slot *held = slot_at(slot);
	struct palyra_run *run = denial ? find_run(denial->run_id) : NULL;
	__u32 ring_index;
	void *ring;

	if (!run)
		return -EACCES;
	__sync_fetch_and_add(&run->denied, 1);
	ring_index = run->ring;
	ring = bpf_map_lookup_elem(&rings, &ring_index);
	if (!ring || !held)
		goto lost;
	fill_event(held, denial, PALYRA_DENY);
	add_executable(&held->event);
	if (send_event(ring, held) == 0)
		return -EACCES;
lost:
	__sync_fetch_and_add(&run->lost, 1);
	return -EACCES;
}

/*
 * File systems that are no place for data but handles of the kernel; reading them is for the rules
 * to decide.
 */
static __always_inline int controls_kernel(__u64 magic)
{
	switch (magic) {
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case BPF_FS_MAGIC:
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
		return 1;
	default:
		return 0;
	}
}

/* What is denied whatever the rules say, of what they are asked about; else `state` itself. */
static __always_inline enum palyra_path_state state_of(__u64 dentry, __u32 actions,
						       enum palyra_path_state state, __u32 slot)
{
	struct path_slot *held = slot_at(slot);

	if (!(actions & CHANGES) || !held)
		return state;
	if (controls_kernel(BPF_CORE_READ((struct dentry *)dentry, d_sb, s_magic)))
		return PALYRA_PATH_CONTROL;
	return state == PALYRA_PATH_FOUND && is_palyras_own(held) ? PALYRA_PATH_OWN : state;
}

static __always_inline int is_linked(__u64 dentry)
{
	const struct dentry *named = (const struct dentry *)dentry;

	return BPF_CORE_READ(named, d_hash.pprev) && BPF_CORE_READ(named, d_inode, i_nlink);
}

/* In runs whose files are not judged: what no run may do, and what cannot be told from it. */
static __always_inline int is_denied_to_all(enum palyra_path_state state)
{
	return state == PALYRA_PATH_CONTROL || state == PALYRA_PATH_OWN ||
	       state == PALYRA_PATH_MAPPED || state == PALYRA_PATH_NO_SLOT ||
	       state == PALYRA_PATH_UNSTABLE;
}

#define NEEDS_DIGEST (1ULL << 16)

/* The verdict, with the reason in the upper half and why there may be none in the second byte; and
 * NEEDS_DIGEST where that of a program depends on it. The kernel checks this once, so nothing else
 * in these programs walks an automaton. */
__noinline __u64 palyra_judge_path(__u32 profile, enum palyra_name_action action, __u32 flag,
				   __u32 slot)
{
	struct path_slot *held = slot_at(slot);
	struct name_question q = { .profile = profile, .action = action, .flag = flag };
	struct name_answer answer;

	if (!held)
		return PALYRA_DENY;
	q.first = held->first;
	q.length = held->end - held->first;
	answer = decide_name(&q, &held->text);
	held->state = answer.state;
	held->text_class = answer.text_class;
	held->automaton = answer.automaton;
	return answer.verdict | answer.judged << 8 | (answer.needs_digest ? NEEDS_DIGEST : 0) |
	       (__u64)answer.reason << 32;
}

/* Whether `decision` is left to those who know the digest. Else it is denied. */
static __always_inline int leave_to_digest(struct path_denial *denial, __u64 *decision, __u32 slot)
{
	struct path_slot *held = slot_at(slot);

	if (denial->leaves_digest && held) {
		denial->needs_digest = 1;
		denial->text_class = held->text_class;
		return 1;
	}
	denial->path_state = PALYRA_PATH_NO_DIGEST;
	*decision = PALYRA_DENY | PALYRA_JUDGED << 8;
	return 0;
}

/* What the rules say of each of `actions`, of the path in the slot where there is one. */
static __always_inline int judge_in_slot(struct palyra_run *run, struct path_denial *denial,
					 __u32 actions, __u32 slot)
{
	/* Before the profile: RunTable::Replace() stores in that order. */
	int expired = has_expired(run);

	denial->profile = READ_ONCE(run->profile);
	for (__u32 action = 0; action < FILE_ACTIONS; action++) {
		__u64 decision = PALYRA_DENY;

		if (!(actions & ACTION_BIT(action)))
			continue;
		if (expired)
			denial->reason = PALYRA_REASON_EXPIRED;
		else if (denial->path_state == PALYRA_PATH_FOUND)
			decision = palyra_judge_path(denial->profile, action, 0, slot);
		if ((decision & NEEDS_DIGEST) && leave_to_digest(denial, &decision, slot))
			continue;
		if ((__u8)decision == PALYRA_ALLOW)
			continue;
		if ((__u8)decision == PALYRA_ASK &&
		    palyra_is_path_granted(denial->run_id, action, denial->hook, slot))
			continue;
		if (!expired)
			denial->reason = decision >> 32;
		denial->judged = decision >> 8;
		denial->action = action;
		if (denial->is_linked_name && denial->path_state == PALYRA_PATH_FOUND)
			denial->path_state = PALYRA_PATH_LINKED;
		return palyra_report_path(denial, slot);
	}
	return 0;
}

/* Of the actions of a set one that changes something. */
static __always_inline enum palyra_name_action change_of(__u32 actions)
{
	for (__u32 action = PALYRA_FILE_WRITE; action < PALYRA_FILE_ATTRIBUTES; action++) {
		if (actions & ACTION_BIT(action))
			return action;
	}
	return PALYRA_FILE_ATTRIBUTES;
}

static __always_inline int answer_in_slot(struct palyra_run *run, const struct path_question *q,
					  struct path_denial *denial, __u32 slot)
{
	if (denial->path_state == PALYRA_PATH_INTERNAL && q->is_internal_allowed)
		return 0;
	if (denial->path_state == PALYRA_PATH_OUTSIDE && q->may_be_outside)
		return PALYRA_SAYS_NOTHING;
	if (!judges_files(READ_ONCE(run->profile)) && !is_denied_to_all(denial->path_state))
		return 0;
	if (denial->path_state == PALYRA_PATH_CONTROL || denial->path_state == PALYRA_PATH_OWN ||
	    denial->path_state == PALYRA_PATH_MAPPED) {
		denial->action = change_of(q->actions);
		return palyra_report_path(denial, slot);
	}
	if (denial->path_state == PALYRA_PATH_FOUND && q->must_be_linked && !is_linked(q->dentry))
		denial->path_state = PALYRA_PATH_UNLINKED;
	return judge_in_slot(run, denial, q->actions, slot);
}

/* Where names are not judged as elsewhere. The slot has the directory's path. */
static __always_inline int is_ordinary(const struct path_slot *held, __u64 directory)
{
	const struct super_block *file_system = BPF_CORE_READ((struct dentry *)directory, d_sb);

	return !controls_kernel(BPF_CORE_READ(file_system, s_magic)) && !is_palyras_own(held) &&
	       !leads_to_palyras_own(held);
}

/* Begins to write, unless somebody else does. 0: it did not. */
static __always_inline int begin_entry(struct known_directory *known)
{
	__u32 written = READ_ONCE(known->written);

	return !(written & 1) &&
	       __sync_val_compare_and_swap(&known->written, written, written + 1) == written;
}

static __always_inline void begin_directory(struct known_directory *known, __u64 directory,
					    __u64 vfsmount, __u32 profile,
					    const struct path_slot *held, __u64 root)
{
	if (!is_about(known, directory, vfsmount, profile) ||
	    !is_same_moment(&known->since, &held->since))
		known->known = 0;
	known->profile = profile;
	known->dentry = directory;
	known->vfsmount = vfsmount;
	known->root = root;
	known->since = held->since;
	known->length = held->end - held->first;
}

/*
 * Keeps what the rules say behind the directory of the path in the slot, where the path is that of
 * the dentry to this moment.
 */
__noinline int palyra_remember(__u64 dentry, __u64 vfsmount, __u32 actions, __u32 profile,
			       __u32 slot)
{
	struct path_slot *held = slot_at(slot);
	struct known_directory *known;
	struct dentry_place place = {};
	struct mount_place mount;
	struct moment now;
	__u64 ticks = bpf_jiffies64();

	if (!held || read_dentry(dentry, &place) || read_mount(mount_of(vfsmount), &mount) ||
	    dentry == mount.root || place.length >= PATH_END - held->first)
		return 0;
	/* A sink says nothing of what is not text. */
	held->end = PATH_END - place.length - 1;
	if (!held->since.grace_period || !is_ordinary(held, place.parent))
		return 0;
	keep_order();
	if (read_moment(&now) || !is_same_moment(&held->since, &now) ||
	    ((now.sequences.renames | now.sequences.mounts) & 1))
		return 0;
	held->end++;
	known = directory_slot(place.parent, vfsmount, profile);
	if (!known || !begin_entry(known))
		return 0;
	begin_directory(known, place.parent, vfsmount, profile, held, mount.root);
	known->ticks = ticks;
	for (__u32 action = 0; action < FILE_ACTIONS; action++) {
		__u32 bit = ACTION_BIT(action);
		__u64 decision;

		if (!(actions & bit))
			continue;
		decision = palyra_judge_path(profile, action, 0, slot);
		if ((__u8)(decision >> 8) != PALYRA_JUDGED)
			continue;
		known->states[action] = held->state;
		known->automata[action] = held->automaton;
		known->known |= bit;
		known->allowed &= ~bit;
		if ((held->state & PALYRA_SINK) && (__u8)decision == PALYRA_ALLOW &&
		    !(decision & NEEDS_DIGEST))
			known->allowed |= bit;
	}
	__sync_fetch_and_add(&known->written, 1);
	return 0;
}

static __always_inline int judge_question(const struct path_question *q, struct path_denial *denial,
					  int remembers)
{
	struct palyra_run *run;
	int answer;
	__u32 slot;

	denial->run_id = own_run_id();
	run = find_run(denial->run_id);
	if (!run)
		return -EACCES;
	if (!judges_files(READ_ONCE(run->profile)) && !(q->actions & CHANGES))
		return 0;
	slot = palyra_claim_path();
	denial->hook = q->hook;
	denial->leaves_digest = q->leaves_digest;
	denial->path_state = slot < PATH_SLOTS ? palyra_path_of(q->dentry, q->vfsmount, slot)
					       : PALYRA_PATH_NO_SLOT;
	denial->path_state = state_of(q->dentry, q->actions, denial->path_state, slot);
	if (q->is_mapped && denial->path_state == PALYRA_PATH_FOUND)
		denial->path_state = PALYRA_PATH_MAPPED;
	answer = answer_in_slot(run, q, denial, slot);
	if (!answer && remembers && denial->path_state == PALYRA_PATH_FOUND)
		palyra_remember(q->dentry, q->vfsmount, q->actions, denial->profile, slot);
	palyra_release_path(slot);
	return answer;
}

/*
 * Asks the rules of the calling run: 0, or else what is denied and reported; PALYRA_SAYS_NOTHING
 * where the question has may_be_outside. An ask is a deny without a grant (bpf/path_grants.h):
 * whoever may answer it changes the tables first.
 */
__noinline int palyra_judge_question(const struct path_question *q)
{
	struct path_denial denial = {};

	return q ? judge_question(q, &denial, 0) : -EACCES;
}

/* The same, and what is allowed is remembered: takes more stack. */
__noinline int palyra_judge_and_remember(const struct path_question *q)
{
	struct path_denial denial = {};

	return q ? judge_question(q, &denial, 1) : -EACCES;
}

/*
 * The names by which the rules protect what was reached by another: of each the same is asked. Not
 * below palyra_judge_question(), for want of stack.
 */
__noinline int palyra_judge_linked(const struct path_question *q)
{
	struct path_denial denial = { .run_id = own_run_id(), .is_linked_name = 1 };
	struct palyra_run *run = find_run(denial.run_id);
	struct palyra_linked_key key = { .run = denial.run_id };
	const struct dentry *dentry;
	int answer = -EACCES;
	struct path_slot *held;
	__u32 slot;

	if (!q || !run)
		return -EACCES;
	if (!READ_ONCE(run->has_linked_names) || !judges_files(READ_ONCE(run->profile)))
		return 0;
	dentry = (const struct dentry *)q->dentry;
	key.inode = (__u64)BPF_CORE_READ(dentry, d_inode);
	if (!bpf_map_lookup_elem(&linked_names, &key))
		return 0;
	denial.hook = q->hook;
	slot = palyra_claim_path();
	held = slot_at(slot);
	for (__u32 i = 0; held && i < PALYRA_MOST_LINKED_NAMES; i++) {
		struct palyra_linked_name *name;

		key.index = i;
		name = bpf_map_lookup_elem(&linked_names, &key);
		answer = 0;
		if (!name)
			break;
		bpf_probe_read_kernel(&held->text, sizeof(name->text), name->text);
		held->first = name->first;
		held->end = PATH_END;
		denial.path_state = PALYRA_PATH_FOUND;
		answer = judge_in_slot(run, &denial, q->actions, slot);
		if (answer)
			break;
	}
	palyra_release_path(slot);
	return answer;
}

#define KNOWN_ALLOWED 1
#define KNOWN_ALLOWED_BY_PATH 2 /* and the file may have names that count too */

/* One of these, or 0: then the question is asked. */
static __always_inline int answer_at_once(const struct path_question *q)
{
	struct palyra_run *run = find_run(own_run_id());
	__u32 profile;

	if (!run || q->is_mapped || has_expired(run) ||
	    (q->must_be_linked && !is_linked(q->dentry)))
		return 0;
	profile = READ_ONCE(run->profile);
	if (!judges_files(profile) || !palyra_is_known_allowed(q, profile))
		return 0;
	return READ_ONCE(run->has_linked_names) ? KNOWN_ALLOWED_BY_PATH : KNOWN_ALLOWED;
}

/* Also of a file that has one name left: the protected one may be what was removed. */
static __always_inline int judge_path(const struct path_question *q)
{
	/* Of what a function that is not inlined returns the verifier knows nothing. */
	return palyra_judge_question(q) || palyra_judge_linked(q) ? -EACCES : 0;
}

/* The same of what is asked often. */
static __always_inline int judge_known_path(const struct path_question *q)
{
	int answer = answer_at_once(q);

	if (answer == KNOWN_ALLOWED)
		return 0;
	return (!answer && palyra_judge_and_remember(q)) || palyra_judge_linked(q) ? -EACCES : 0;
}

#endif /* PALYRA_BPF_PATH_DECISION_H_ */
