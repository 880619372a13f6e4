/*
 * What is asked about a file that is open, or about to be.
 */
#ifndef PALYRA_BPF_OPENED_FILES_H_
#define PALYRA_BPF_OPENED_FILES_H_

#include "bpf/path_decision.h"
#include "bpf/program_digests.h"

#define READ_BIT ACTION_BIT(PALYRA_FILE_READ)
#define WRITE_BIT ACTION_BIT(PALYRA_FILE_WRITE)
#define CREATE_BIT ACTION_BIT(PALYRA_FILE_CREATE)
#define ATTRIBUTES_BIT ACTION_BIT(PALYRA_FILE_ATTRIBUTES)

/* What its descriptor can be used for. A path alone (O_PATH) for nothing: whatever it leads to is
 * judged when it is used. */
static __always_inline __u32 actions_of_mode(__u32 mode)
{
	return (mode & FMODE_READ ? READ_BIT : 0) | (mode & FMODE_WRITE ? WRITE_BIT : 0);
}

static __always_inline __u32 actions_of_open(const struct file *file)
{
	__u32 flags = file->f_flags;
	__u32 actions = actions_of_mode(file->f_mode);

	/* For ioctl(2) alone; the kernel asks for both permissions. */
	if ((flags & O_ACCMODE) == O_ACCMODE)
		actions |= READ_BIT | WRITE_BIT;
	if (flags & O_TRUNC)
		actions |= WRITE_BIT;
	if (flags & O_TMPFILE)
		actions |= CREATE_BIT;
	return actions;
}

/* Of a caller who is held. */
static __always_inline int judge_held_at(const struct path *path, __u32 actions,
					 enum palyra_hook hook)
{
	struct path_question q = {
		.dentry = (__u64)path->dentry,
		.vfsmount = (__u64)path->mnt,
		.actions = actions,
		.hook = hook,
		.is_internal_allowed = 1,
	};

	if (!actions)
		return 0;
	q.is_mapped = (actions & WRITE_BIT) && is_mapped_by_digest(path->dentry->d_inode);
	return hook == PALYRA_HOOK_FILE_OPEN ? judge_known_path(&q) : judge_path(&q);
}

static __always_inline int judge_at(const struct path *path, __u32 actions, enum palyra_hook hook)
{
	return actions && is_held() ? judge_held_at(path, actions, hook) : 0;
}

/*
 * A stacked file system has opened it, for a file that was judged by the path that its caller sees:
 * it lies on a mount of the kernel's own, and no file system of the kernel's own. The kernel has a
 * flag for these, whose bit is another one from release to release.
 */
static __always_inline int is_of_layer(const struct path *path)
{
	struct mount *mount = (struct mount *)mount_of((__u64)path->mnt);

	return is_internal(BPF_CORE_READ(mount, mnt_ns)) &&
	       !(BPF_CORE_READ(mount, mnt.mnt_sb, s_flags) & SB_KERNMOUNT);
}

/* Of a caller who is held. What has no name cannot be permitted to run: a memfd, what was
 * unlinked. */
static __always_inline int judge_program(__u64 dentry, __u64 vfsmount, enum palyra_hook hook)
{
	struct path_question q = {
		.dentry = dentry,
		.vfsmount = vfsmount,
		.actions = ACTION_BIT(PALYRA_PROCESS_EXEC),
		.hook = hook,
		.must_be_linked = 1,
		.leaves_digest = judges_digests && hook != PALYRA_HOOK_FILE_MPROTECT,
	};

	return hook == PALYRA_HOOK_FILE_MPROTECT ? judge_path(&q) : judge_known_path(&q);
}

/* The path under which the caller knows it. */
static __always_inline struct program_place place_of(const struct file *file)
{
	struct program_place place = {
		.dentry = (__u64)file->f_path.dentry,
		.vfsmount = (__u64)file->f_path.mnt,
	};

	if (bpf_core_field_exists(((struct backing_file *)0)->user_path) &&
	    is_of_layer(&file->f_path)) {
		const struct backing_file *backing = (const struct backing_file *)file;

		place.dentry = (__u64)BPF_CORE_READ(backing, user_path.dentry);
		place.vfsmount = (__u64)BPF_CORE_READ(backing, user_path.mnt);
	}
	return place;
}

/* Libraries and the dynamic linker are programs too, so that the latter executes none in the name
 * of another. */
static __always_inline int judge_mapping(const struct file *file, unsigned long protection,
					 enum palyra_hook hook)
{
	struct program_place place;

	if (!(protection & PROT_EXEC) || is_null(file) || !is_held())
		return 0;
	place = place_of(file);
	return judge_program(place.dentry, place.vfsmount, hook);
}

static __always_inline int is_btrfs_command(__u32 command)
{
	return (command >> 8 & 0xFF) == BTRFS_IOCTL_MAGIC && command != FICLONE &&
	       command != FICLONERANGE && command != FIDEDUPERANGE;
}

/* Subvolumes and snapshots: their names are in the argument, which nobody can judge. */
static __always_inline int names_subvolume(__u32 command)
{
	if (!is_btrfs_command(command))
		return 0;
	switch (command & 0xFF) {
	case BTRFS_SNAP_CREATE:
	case BTRFS_SUBVOL_CREATE:
	case BTRFS_SNAP_DESTROY:
	case BTRFS_SNAP_CREATE_V2:
	case BTRFS_SUBVOL_CREATE_V2:
	case BTRFS_SNAP_DESTROY_V2:
		return 1;
	default:
		return 0;
	}
}

/* A terminal that signals its input does so to the whole group in its foreground, which may be of
 * others too. */
static __always_inline int is_character_device(const struct file *file)
{
	return (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFCHR;
}

static __always_inline int changes_attributes(__u32 command)
{
	switch (command) {
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSSETXATTR:
	case FS_IOC_SETVERSION:
	case EXT4_IOC_SETVERSION:
	case FS_IOC_ENABLE_VERITY:
	case FS_IOC_SET_ENCRYPTION_POLICY:
	case FAT_IOCTL_SET_ATTRIBUTES:
		return 1;
	default:
		return 0;
	}
}

#endif /* PALYRA_BPF_OPENED_FILES_H_ */
