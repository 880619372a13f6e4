/*
 * The path of a (dentry, mount), as a text that automata walk.
 *
 * bpf_d_path() is there in few hooks only, begins at the task's root, which chroot(2) moves, and
 * ends in " (deleted)" for what is unlinked, which is a name like any other. So the path is built
 * by walking from the dentry up through its parents and through the mounts they lie in, to the root
 * of the mount namespace. Names are written from the end of a buffer towards its beginning.
 *
 * Whoever renames or mounts meanwhile makes the path one that never was. The kernel counts both
 * (rename_lock, mount_lock; Documentation/filesystems/path-lookup.rst): a walk counts only where
 * neither changed under it. What has no path is denied; enum palyra_path_state says why.
 */
#ifndef PALYRA_BPF_PATH_H_
#define PALYRA_BPF_PATH_H_

#include "bpf/file_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/run_tables.h"

/* They begin with a sequence counter, which is odd while something changes. */
extern const void rename_lock __ksym __weak;
extern const void mount_lock __ksym __weak;
/* Its gp_seq changes before anything is used anew that RCU frees: dentries, mounts. */
extern const void rcu_state __ksym __weak;

/* Since 6.2: reads what lies there as that type, at the price of a load. What cannot be read is 0.
 */
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

/* It is there. Set before loading. */
const volatile __u8 can_cast = 0;

/* To the verifier what is read so is a pointer, with which it allows no arithmetic; negated it is a
 * number. */
static __always_inline __u64 number_of(const void *pointer)
{
	__u64 number = (__u64)pointer;

	asm volatile("%0 = -%0\n"
		     "%0 = -%0"
		     : "+r"(number));
	return number;
}

#define CAST(type, address)                                                                        \
	((const type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/* The byte behind the path is there for a '/': what is below a directory begins so. */
#define PATH_END (PALYRA_TEXT_LENGTH - 1)

struct sequences {
	__u32 renames;
	__u32 mounts;
};

/* Between two that are equal nobody renamed or mounted, and no dentry's memory became another's. */
struct moment {
	struct sequences sequences;
	__u64 grace_period;
};

/*
 * For as long as a program works with a path. Not per processor: programs can be preempted by
 * others on the same one, which would then be judged by each other's paths. The event of a denial
 * is written just before the path, so that both leave in one piece.
 */
struct path_slot {
	__u32 busy; /* claimed and released atomically */
	__u32 first; /* of the path in text.bytes; it ends before PATH_END */
	__u32 end; /* of what is asked about: PATH_END; one more, for a '/', asks what is below */
	__u32 state; /* answer: where that ends in the automaton, with PALYRA_SINK */
	__u32 text_class; /* answer: its class there */
	__u32 automaton; /* answer: which one it is */
	struct moment since; /* the path has been so */
	struct palyra_path_event event;
	struct palyra_path_event room; /* for a copy that ends where the path begins */
	struct palyra_text text;
	/* Of where a name or path begins the verifier knows as little as of how long it is. */
	__u8 slack[PALYRA_TEXT_LENGTH];
};

/* Many more than processors, and held for microseconds. */
#define PATH_SLOTS 256
#define PATH_SLOT_TRIES 32

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PATH_SLOTS);
	__type(key, __u32);
	__type(value, struct path_slot);
} path_slots SEC(".maps");

static __always_inline struct path_slot *slot_at(__u32 slot)
{
	return bpf_map_lookup_elem(&path_slots, &slot);
}

/* PATH_SLOTS where all that it looked at are busy: whoever asks is denied. */
__noinline __u32 palyra_claim_path(void)
{
	__u32 first = bpf_get_smp_processor_id() * PATH_SLOT_TRIES;

	for (__u32 i = 0; i < PATH_SLOT_TRIES; i++) {
		__u32 index = (first + i) % PATH_SLOTS;
		struct path_slot *slot = slot_at(index);

		if (!slot || __sync_val_compare_and_swap(&slot->busy, 0, 1) != 0)
			continue;
		slot->first = PATH_END;
		slot->end = PATH_END;
		return index;
	}
	return PATH_SLOTS;
}

__noinline int palyra_release_path(__u32 slot)
{
	struct path_slot *held = slot_at(slot);

	if (held)
		__sync_lock_test_and_set(&held->busy, 0);
	return 0;
}

/* Eight bytes, where can_cast. */
static __always_inline __u64 word_at(__u64 address)
{
	return number_of(READ_ONCE(CAST(struct list_head, address)->next));
}

/* d_parent and d_name, as they follow each other in struct dentry: read in one go. */
struct dentry_place {
	__u64 parent;
	__u32 hash;
	__u32 length;
	__u64 name;
};

/* mnt_parent, mnt_mountpoint and mnt.mnt_root, likewise of struct mount. */
struct mount_place {
	__u64 parent;
	__u64 mountpoint;
	__u64 root;
};

struct path_walk {
	struct path_slot *slot;
	__u64 dentry;
	__u64 mount; /* struct mount */
	__u64 root; /* where `mount` begins in its file system */
	__u32 first;
	enum palyra_path_state state;
};

static __always_inline int read_dentry(__u64 dentry, struct dentry_place *place)
{
	const __u64 parent = bpf_core_field_offset(struct dentry, d_parent);
	const __u64 name = bpf_core_field_offset(struct dentry, d_name);

	if (can_cast) {
		const struct dentry *here = CAST(struct dentry, dentry);

		place->parent = number_of(READ_ONCE(here->d_parent));
		place->length = READ_ONCE(here->d_name.len);
		place->name = number_of(READ_ONCE(here->d_name.name));
		return !place->parent;
	}
	if (name == parent + offsetof(struct dentry_place, hash))
		return bpf_probe_read_kernel(place, sizeof(*place), (void *)(dentry + parent));
	return bpf_probe_read_kernel(&place->parent, sizeof(place->parent),
				     (void *)(dentry + parent)) ||
	       bpf_probe_read_kernel(&place->hash, sizeof(struct qstr), (void *)(dentry + name));
}

static __always_inline int read_mount(__u64 mount, struct mount_place *place)
{
	const __u64 parent = bpf_core_field_offset(struct mount, mnt_parent);
	const __u64 mountpoint = bpf_core_field_offset(struct mount, mnt_mountpoint);
	const __u64 root = bpf_core_field_offset(struct mount, mnt.mnt_root);

	if (can_cast) {
		const struct mount *here = CAST(struct mount, mount);

		place->parent = number_of(READ_ONCE(here->mnt_parent));
		place->mountpoint = number_of(READ_ONCE(here->mnt_mountpoint));
		place->root = number_of(READ_ONCE(here->mnt.mnt_root));
		return !place->parent;
	}
	if (mountpoint == parent + offsetof(struct mount_place, mountpoint) &&
	    root == parent + offsetof(struct mount_place, root))
		return bpf_probe_read_kernel(place, sizeof(*place), (void *)(mount + parent));
	return bpf_probe_read_kernel(&place->parent, sizeof(__u64), (void *)(mount + parent)) ||
	       bpf_probe_read_kernel(&place->mountpoint, sizeof(__u64),
				     (void *)(mount + mountpoint)) ||
	       bpf_probe_read_kernel(&place->root, sizeof(__u64), (void *)(mount + root));
}

static __always_inline __u64 mount_of(__u64 vfsmount)
{
	return vfsmount - bpf_core_field_offset(struct mount, mnt);
}

/* Where the kernel mounts for itself, the namespace is an ERR_PTR(). */
static __always_inline int is_internal(const struct mnt_namespace *space)
{
	const __s64 least_error = -4095;

	return (__u64)space >= (__u64)least_error;
}

/* The mount that has no parent: a namespace begins there, or it is in none. */
static __always_inline enum palyra_path_state state_at_top(__u64 mount)
{
	struct mnt_namespace *space = BPF_CORE_READ((struct mount *)mount, mnt_ns);

	if (!space)
		return PALYRA_PATH_UNREACHABLE;
	if (is_internal(space))
		return PALYRA_PATH_INTERNAL;
	if (bpf_core_field_exists(space->seq) && !BPF_CORE_READ(space, seq))
		return PALYRA_PATH_UNREACHABLE; /* mounts that are attached nowhere */
	return PALYRA_PATH_FOUND;
}

/* Of a dentry that lies below no directory of its mount: as memfd, pipes, pidfd; else a bind mount
 * shows another part of the file system. */
static __always_inline enum palyra_path_state state_outside(__u64 mount)
{
	struct mnt_namespace *space = BPF_CORE_READ((struct mount *)mount, mnt_ns);

	return is_internal(space) ? PALYRA_PATH_INTERNAL : PALYRA_PATH_OUTSIDE;
}

static __always_inline long leave_mount(struct path_walk *walk)
{
	struct mount_place here;
	struct mount_place above;

	if (read_mount(walk->mount, &here) || read_mount(here.parent, &above)) {
		walk->state = PALYRA_PATH_UNREACHABLE;
		return 1;
	}
	if (here.parent == walk->mount) {
		walk->state = state_at_top(walk->mount);
		return 1;
	}
	walk->mount = here.parent;
	walk->dentry = here.mountpoint;
	walk->root = above.root;
	return 0;
}

static __always_inline void write_name(struct path_walk *walk, const struct dentry_place *place)
{
	struct path_slot *slot = walk->slot;
	__u64 length = place->length;
	__u64 first = walk->first;

	if (!length || length > NAME_MAX || length + 1 > first) {
		walk->state = PALYRA_PATH_TOO_LONG;
		return;
	}
	first -= length + 1;
	walk->first = first;
	asm volatile("%0 &= %1" : "+r"(first) : "i"(PALYRA_TEXT_LENGTH - 1));
	asm volatile("%0 &= %1" : "+r"(length) : "i"(NAME_MAX));
	slot->text.bytes[first] = '/';
	if (bpf_probe_read_kernel(&slot->text.bytes[first + 1], length, (void *)place->name))
		walk->state = PALYRA_PATH_UNREACHABLE;
}

static long step_up(__u32 index, void *context)
{
	struct path_walk *walk = context;
	struct dentry_place place;

	if (walk->dentry == walk->root)
		return leave_mount(walk);
	if (read_dentry(walk->dentry, &place)) {
		walk->state = PALYRA_PATH_UNREACHABLE;
		return 1;
	}
	if (place.parent == walk->dentry) {
		walk->state = state_outside(walk->mount);
		return 1;
	}
	write_name(walk, &place);
	walk->dentry = place.parent;
	return walk->state != PALYRA_PATH_WALKING;
}

/* No path of PATH_MAX bytes has more names, and nobody nests more mounts. */
#define MOST_STEPS (PALYRA_TEXT_LENGTH / 2 + 256)

static __always_inline int read_sequences(struct sequences *sequences)
{
	if (can_cast) {
		sequences->renames = READ_ONCE(CAST(struct seqcount, &rename_lock)->sequence);
		sequences->mounts = READ_ONCE(CAST(struct seqcount, &mount_lock)->sequence);
		return 0;
	}
	return bpf_probe_read_kernel(&sequences->renames, sizeof(__u32), &rename_lock) ||
	       bpf_probe_read_kernel(&sequences->mounts, sizeof(__u32), &mount_lock);
}

/* Where it cannot be read, no two moments are equal. */
static __always_inline int read_moment(struct moment *moment)
{
	__u64 counter = (__u64)&rcu_state;

	if (!counter)
		return -1;
	counter += bpf_core_field_offset(struct rcu_state, gp_seq);
	/* Not as its own structure, whose offsets are too large for that. */
	if (can_cast)
		moment->grace_period = word_at(counter);
	else if (bpf_probe_read_kernel(&moment->grace_period, sizeof(__u64), (void *)counter))
		return -1;
	return read_sequences(&moment->sequences);
}

/* PALYRA_PATH_UNSTABLE: something changed meanwhile. A function of its own, so that the kernel
 * checks it once and not for each round of the loop around it. */
__noinline int palyra_walk_once(__u64 dentry, __u64 vfsmount, __u32 slot)
{
	struct path_walk walk = {
		.slot = slot_at(slot),
		.dentry = dentry,
		.mount = mount_of(vfsmount),
		.first = PATH_END,
		.state = PALYRA_PATH_WALKING,
	};
	struct sequences before;
	struct sequences after;
	struct mount_place place;

	if (!walk.slot)
		return PALYRA_PATH_NO_SLOT;
	if (read_moment(&walk.slot->since))
		walk.slot->since.grace_period = 0;
	if (read_sequences(&before) || ((before.renames | before.mounts) & 1))
		return PALYRA_PATH_UNSTABLE;
	/* Atomic operations keep reads in their order, also on processors that do not. */
	__sync_fetch_and_add(&walk.slot->busy, 0);
	if (read_mount(walk.mount, &place))
		return PALYRA_PATH_UNREACHABLE;
	walk.root = place.root;
	bpf_loop(MOST_STEPS, step_up, &walk, 0);
	__sync_fetch_and_add(&walk.slot->busy, 0);
	if (read_sequences(&after) || before.renames != after.renames ||
	    before.mounts != after.mounts)
		return PALYRA_PATH_UNSTABLE;
	if (walk.state == PALYRA_PATH_FOUND)
		walk.slot->first = walk.first;
	return walk.state == PALYRA_PATH_WALKING ? PALYRA_PATH_TOO_LONG : walk.state;
}

struct path_search {
	__u64 dentry;
	__u64 vfsmount;
	__u32 slot;
	__u32 state;
};

static long try_walk(__u32 index, void *context)
{
	struct path_search *search = context;

	search->state = palyra_walk_once(search->dentry, search->vfsmount, search->slot);
	return search->state != PALYRA_PATH_UNSTABLE;
}

/* A try that finds something changing costs next to nothing, and changes last microseconds. */
#define MOST_WALKS 4096

/*
 * Writes the path of (dentry, vfsmount), pointers as numbers, into a slot that is claimed. Any
 * state but PALYRA_PATH_FOUND leaves no path there.
 */
__noinline int palyra_path_of(__u64 dentry, __u64 vfsmount, __u32 slot)
{
	struct path_search search = {
		.dentry = dentry,
		.vfsmount = vfsmount,
		.slot = slot,
		.state = PALYRA_PATH_UNSTABLE,
	};
	struct path_slot *held = slot_at(slot);

	if (!held)
		return PALYRA_PATH_NO_SLOT;
	held->end = PATH_END;
	bpf_loop(MOST_WALKS, try_walk, &search, 0);
	if (search.state != PALYRA_PATH_FOUND) {
		held->first = PATH_END;
	} else if (held->first == PATH_END) {
		held->first = PATH_END - 1;
		held->text.bytes[PATH_END - 1] = '/';
	}
	return search.state;
}

/* What is asked about one object: by numbers, because the verifier then knows each of them. */
struct path_question {
	__u64 dentry;
	__u64 vfsmount;
	__u32 actions; /* set of ACTION_BIT() */
	enum palyra_hook hook;
	__u8 is_internal_allowed; /* on a mount of the kernel's own, as a pipe is */
	__u8 must_be_linked; /* else it is denied */
	__u8 may_be_outside; /* of the mount: then nothing is said of it */
	__u8 leaves_digest; /* a program whose digest decides is left to who knows that */
	__u8 is_mapped; /* by digest: nobody writes it (bpf/program_digests.h) */
};

#endif /* PALYRA_BPF_PATH_H_ */
