/*
 * What the programs about files and processes read of the kernel's structures; see kernel_types.h.
 */
#ifndef PALYRA_BPF_FILE_TYPES_H_
#define PALYRA_BPF_FILE_TYPES_H_

#include "bpf/kernel_types.h"

#define EXDEV 18
#define EACCES 13

#define NAME_MAX 255

#define S_IFMT 0170000
#define S_IFDIR 0040000
#define S_IFSOCK 0140000
#define S_IFCHR 0020000

/* Of file::f_mode. */
#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_EXEC 0x20 /* of file::f_flags too: opened to be executed */

/* Of file::f_flags. */
#define O_ACCMODE 03
#define O_TRUNC 01000
#define O_TMPFILE 020000000 /* without the flag of directories that goes with it */

#define RENAME_EXCHANGE (1 << 1)

/* ioctl(2) of <linux/fs.h>: what chattr(1) changes. */
#define FS_IOC_SETFLAGS 0x40086602U
#define FS_IOC_FSSETXATTR 0x401c5820U
#define FS_IOC_SETVERSION 0x40087602U
#define EXT4_IOC_SETVERSION 0x40086604U
#define FS_IOC_ENABLE_VERITY 0x40806685U
#define FS_IOC_SET_ENCRYPTION_POLICY 0x800c6613U
#define FAT_IOCTL_SET_ATTRIBUTES 0x40047211U

/* Calls of btrfs make, move and remove what has a name by themselves; these of the same kind are
 * for data alone. */
#define BTRFS_IOCTL_MAGIC 0x94
#define FICLONE 0x40049409U
#define FICLONERANGE 0x4020940dU
#define FIDEDUPERANGE 0xc0189436U
/* Of these the argument names what is made or removed below the directory that is open. */
#define BTRFS_SNAP_CREATE 1
#define BTRFS_SUBVOL_CREATE 14
#define BTRFS_SNAP_DESTROY 15
#define BTRFS_SNAP_CREATE_V2 23
#define BTRFS_SUBVOL_CREATE_V2 24
#define BTRFS_SNAP_DESTROY_V2 63

/* Whom fcntl(2) and ioctl(2) have signals sent to. */
#define F_SETOWN 8
#define F_SETOWN_EX 15
#define F_SETFL 4
#define FASYNC 020000
#define FIOASYNC 0x5452U
#define FIOSETOWN 0x8901U
#define SIOCSPGRP 0x8902U

#define PROT_EXEC 0x4

/* What IMA calculates, as <linux/hash_info.h> numbers it. */
#define HASH_ALGO_SHA256 4

/* Of super_block::s_magic. */
#define CGROUP_SUPER_MAGIC 0x27e0eb
#define CGROUP2_SUPER_MAGIC 0x63677270
#define BPF_FS_MAGIC 0xcafe4a11
#define SYSFS_MAGIC 0x62656572
#define DEBUGFS_MAGIC 0x64626720
#define TRACEFS_MAGIC 0x74726163
#define SECURITYFS_MAGIC 0x73636673

/* Of super_block::s_flags: the kernel has mounted it for itself. */
#define SB_KERNMOUNT (1UL << 22)

/* Of iattr::ia_valid. */
#define ATTR_MODE (1U << 0)
#define ATTR_UID (1U << 1)
#define ATTR_GID (1U << 2)
#define ATTR_SIZE (1U << 3)
/* The kernel's own doing, as taking set-user-ID off what is written. */
#define ATTR_FORCE (1U << 9)

/* Of task_struct::flags. */
#define PF_FORKNOEXEC 0x40

#define CAP_SYS_ADMIN 21

/* Of the mode that ptrace_access_check gets. */
#define PTRACE_MODE_NOAUDIT 0x04

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
	struct list_head *prev;
};

struct super_block {
	unsigned long s_flags;
	unsigned long s_magic;
	struct list_head s_mounts;
};

typedef struct {
	int counter;
} atomic_t;

struct seqcount {
	unsigned int sequence;
};

struct rcu_state {
	unsigned long gp_seq;
};

struct inode {
	__u16 i_mode;
	struct super_block *i_sb;
	unsigned int i_nlink;
	atomic_t i_writecount; /* open for writing so often; below 0: nobody may, as it is executed
				*/
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct dentry *mnt_root;
	struct super_block *mnt_sb;
};

struct mnt_namespace {
	__u64 seq;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct list_head mnt_instance;
	struct mnt_namespace *mnt_ns;
};

/* Since 6.17 a super_block leads to the first of its mounts, and each to the next. */
struct mount___6_17 {
	struct mount *mnt_next_for_sb;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct file {
	unsigned int f_flags;
	unsigned int f_mode;
	struct path f_path;
	struct inode *f_inode;
	void *private_data; /* of a socket: its struct socket; NULL of what is open as a path alone
			     */
};

struct linux_binprm {
	struct file *file;
};

struct iattr {
	unsigned int ia_valid;
};

struct vm_area_struct {
	struct file *vm_file;
};

/* Since 6.8 the path of what is mapped is that of the file system below. */
struct backing_file {
	struct path user_path;
};

struct mm_struct {
	struct file *exe_file;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct user_namespace {
	int level;
};

/* 64 bits: one word, or before 6.3 two. */
typedef struct {
	__u32 unused;
} kernel_cap_t;

struct cred {
	kernel_cap_t cap_effective;
	struct user_namespace *user_ns;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[1]; /* by level */
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	int tgid;
	struct task_struct *real_parent;
	struct css_set *cgroups;
	struct mm_struct *mm;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	const struct cred *real_cred;
	const struct cred *cred;
};

#pragma clang attribute pop

#endif /* PALYRA_BPF_FILE_TYPES_H_ */
