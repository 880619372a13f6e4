/*
 * What the rules say of names in directories that were asked about a moment ago.
 *
 * Finding out what a directory is called takes more than anything else of a decision. So where a
 * name was allowed, the states of the automata behind its directory and a '/' are kept, and the
 * next name there is walked from these. Only allows come from here: whatever is not plainly so is
 * judged as if nothing were kept.
 *
 * What is kept is true as long as the directory's dentry is the same one and has the same path.
 * Between two equal moments (struct moment) it is: a dentry keeps its parent alive, so only a
 * rename or a mount changes what lies above it, and a dentry that somebody frees is not another one
 * before RCU's grace period is over. The counter of renames could come around to the same number,
 * though not within MOST_TICKS. Ids of profiles are random and not used anew so soon.
 *
 * Many write an entry and read it, on all processors, and are preempted in the middle: `written` is
 * odd meanwhile, and whoever finds that or a change goes without.
 */
#ifndef PALYRA_BPF_KNOWN_DIRECTORIES_H_
#define PALYRA_BPF_KNOWN_DIRECTORIES_H_

#include "bpf/name_decision.h"
#include "bpf/path.h"

#define KNOWN_DIRECTORIES_BITS 12
#define KNOWN_DIRECTORIES (1U << KNOWN_DIRECTORIES_BITS)

/* In jiffies, of which a second has 100 to 1,000. Nobody renames 2^31 times in one. */
#define MOST_TICKS 100

/* Longer names are judged with the whole path. */
#define KNOWN_NAME_LENGTH 64

#define FILE_ACTIONS 8 /* numbers below are those of files, and of programs */

struct known_directory {
	__u32 written; /* how often, twice */
	__u32 profile;
	__u64 dentry;
	__u64 vfsmount;
	__u64 root; /* of that mount */
	struct moment since;
	__u64 ticks;
	__u32 length; /* of its path, with the '/' behind it */
	__u32 known; /* set of actions whose state is here */
	__u32 allowed; /* those for which that state is a sink, and allows */
	__u32 states[FILE_ACTIONS];
	__u32 automata[FILE_ACTIONS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KNOWN_DIRECTORIES);
	__type(key, __u32);
	__type(value, struct known_directory);
} known_directories SEC(".maps");

static __always_inline struct known_directory *directory_slot(__u64 dentry, __u64 vfsmount,
							      __u32 profile)
{
	__u64 mixed = (dentry ^ vfsmount << 20 ^ profile) * 0x9E3779B97F4A7C15ULL;
	__u32 slot = mixed >> (64 - KNOWN_DIRECTORIES_BITS);

	return bpf_map_lookup_elem(&known_directories, &slot);
}

/* Keeps reads in their order, also on processors that do not. */
static __always_inline void keep_order(void)
{
	__u64 nothing = 0;

	__sync_fetch_and_add(&nothing, 0);
}

static __always_inline int is_same_moment(const struct moment *a, const struct moment *b)
{
	return a->sequences.renames == b->sequences.renames &&
	       a->sequences.mounts == b->sequences.mounts && a->grace_period == b->grace_period;
}

static __always_inline int is_about(const struct known_directory *known, __u64 dentry,
				    __u64 vfsmount, __u32 profile)
{
	return READ_ONCE(known->dentry) == dentry && READ_ONCE(known->vfsmount) == vfsmount &&
	       READ_ONCE(known->profile) == profile;
}

/* ---- Names ---- */

struct known_name {
	const struct palyra_arena *arena;
	const __u8 *byte_classes;
	__u32 length;
	__u32 state; /* with PALYRA_SINK */
	__u64 words[KNOWN_NAME_LENGTH / 8];
};

/* Whether all of the name is here, and plain ASCII without NUL. */
static __always_inline int read_known_name(struct known_name *name,
					   const struct dentry_place *place)
{
	__u64 length = place->length;
	__u64 found = 0;

	if (length - 1 >= KNOWN_NAME_LENGTH)
		return 0;
	if (!can_cast) {
		asm volatile("%0 &= 127" : "+r"(length));
		if (length > KNOWN_NAME_LENGTH ||
		    bpf_probe_read_kernel(name->words, length, (void *)place->name))
			return 0;
	}
#pragma unroll
	for (__u32 i = 0; i < KNOWN_NAME_LENGTH / 8; i++) {
		__u64 left = place->length - 8 * i;
		__u64 word;

		if (8 * i >= place->length)
			break;
		word = can_cast ? word_at(place->name + 8 * i) : name->words[i];
		/* What is behind the name reads as 'a'. */
		if (left < 8)
			word = (word & ((1ULL << 8 * left) - 1)) | EVERY_BYTE('a') << 8 * left;
		name->words[i] = word;
		found |= word | (word - EVERY_BYTE(1));
	}
	name->length = place->length;
	return !(found & EVERY_BYTE(0x80));
}

static long walk_known_word(__u32 index, void *context)
{
	struct known_name *name = context;
	__u32 left = name->length - 8 * index;
	__u32 state = name->state;
	__u64 at = index;
	__u64 word;

	asm volatile("%0 &= 7" : "+r"(at));
	word = name->words[at];
#pragma unroll
	for (__u32 i = 0; i < 8; i++) {
		__u32 next = automaton_step(name->arena, name->byte_classes, state, word >> 8 * i);

		state = where_within(i, left, next, state);
	}
	name->state = state;
	return !!(state & PALYRA_SINK);
}

/* Whether the rules allow the action on that name, from `state` behind its directory on. */
static __always_inline int allows_from(__u32 profile, enum palyra_name_action action,
				       __u32 automaton, __u32 state, struct known_name *name)
{
	struct palyra_name_leaf_key key = { .profile = profile, .action = action };
	struct palyra_arena *arena;
	struct palyra_automaton *header = automaton_at(automaton, &arena);
	struct palyra_name_leaf *leaf;

	if (!header)
		return 0;
	name->arena = arena;
	name->byte_classes = header->byte_classes;
	name->state = state;
	if (!(state & PALYRA_SINK))
		bpf_loop((name->length + 7) / 8, walk_known_word, name, 0);
	key.text_class = entry_at(arena, name->state)->owner & ~PALYRA_HEAD;
	leaf = bpf_map_lookup_elem(&name_leaves, &key);
	return leaf && leaf->verdict == PALYRA_ALLOW && !leaf->needs_digest;
}

/* Whether all that is asked is allowed, from what is kept of the directory. */
__noinline int palyra_is_known_allowed(const struct path_question *q, __u32 profile)
{
	struct known_name name = {};
	struct dentry_place place = {};
	struct known_directory *known;
	struct moment since;
	struct moment now;
	__u64 vfsmount;
	__u32 actions;
	__u32 written;

	if (!q || read_dentry(q->dentry, &place))
		return 0;
	vfsmount = q->vfsmount;
	actions = q->actions;
	known = directory_slot(place.parent, vfsmount, profile);
	if (!known)
		return 0;
	written = READ_ONCE(known->written);
	keep_order();
	if ((written & 1) || !is_about(known, place.parent, vfsmount, profile) ||
	    READ_ONCE(known->root) == q->dentry || (actions & ~READ_ONCE(known->known)) ||
	    bpf_jiffies64() - READ_ONCE(known->ticks) > MOST_TICKS ||
	    !read_known_name(&name, &place) || known->length + name.length > PATH_END)
		return 0;
	since = known->since;
	actions &= ~READ_ONCE(known->allowed);
	for (__u32 action = 0; actions && action < FILE_ACTIONS; action++) {
		if ((actions & 1U << action) &&
		    !allows_from(profile, action, READ_ONCE(known->automata[action]),
				 READ_ONCE(known->states[action]), &name))
			return 0;
	}
	keep_order();
	return !read_moment(&now) && is_same_moment(&since, &now) &&
	       READ_ONCE(known->written) == written;
}

#endif /* PALYRA_BPF_KNOWN_DIRECTORIES_H_ */
