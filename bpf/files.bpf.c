/*
 * Files, programs and processes, by BPF LSM: every way to an object ends at the object itself.
 *
 * Policy: deny unless the run's rules permit the action on the path that the object has in its
 * mount namespace (bpf/path.h), however it was reached. A run whose rules speak of none of them is
 * not judged (PALYRA_JUDGES_FILES), but for what no run may do: change Palyra's own directories,
 * write where the kernel is controlled, mount, make user namespaces, load BPF programs.
 *
 *   file_open               by the mode: file.read, file.write; to be executed: process.exec
 *   file_receive            likewise, of what others send
 *   file_truncate           file.write; since 6.2, before that path_truncate is asked
 *   path_truncate           file.write
 *   path_mknod, path_mkdir,
 *   path_symlink            file.create; O_CREAT asks path_mknod
 *   path_unlink, path_rmdir file.remove
 *   path_rename, path_link  file.rename, file.link: bpf/moves.h
 *   path_chmod, path_chown,
 *   file_ioctl              file.attributes
 *   inode_setattr, inode_setxattr, inode_removexattr,
 *   inode_set_acl, inode_remove_acl
 *                           file.attributes: bpf/every_mount.h; the last two since 6.2
 *   mmap_file, file_mprotect
 *                           process.exec of what becomes executable; memory without a file is not
 *                           asked about
 *   bprm_check_security, mmap_file, sleeping
 *                           likewise where that depends on the program's digest:
 *                           bpf/program_digests.h
 *   task_kill, task_setnice, task_setioprio, task_setscheduler, task_movememory, file_fcntl
 *                           process.signal: bpf/processes.h
 *   ptrace_access_check, ptrace_traceme
 *                           process.trace
 *   sb_mount and the rest   denied: bpf/kernel_control.h
 *
 * An ask is a deny. A task outside Palyra pays one look at its cgroup.
 */
#include "bpf/every_mount.h"
#include "bpf/kernel_control.h"
#include "bpf/moves.h"
#include "bpf/opened_files.h"
#include "bpf/processes.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ---- Open files ---- */

SEC("?lsm/file_open")
int BPF_PROG(palyra_file_open, struct file *file)
{
	if (!is_held())
		return 0;
	/* To be read and written judge_held_at() allows it, as all on a mount of the kernel's own.
	 */
	if ((file->f_flags & FMODE_EXEC) && is_of_layer(&file->f_path))
		return 0;
	if (file->f_flags & FMODE_EXEC)
		return judge_program((__u64)file->f_path.dentry, (__u64)file->f_path.mnt,
				     PALYRA_HOOK_FILE_OPEN);
	return judge_held_at(&file->f_path, actions_of_open(file), PALYRA_HOOK_FILE_OPEN);
}

/* Sockets are judged by the programs about these. */
SEC("?lsm/file_receive")
int BPF_PROG(palyra_file_receive, struct file *file)
{
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK)
		return 0;
	return judge_at(&file->f_path, actions_of_mode(file->f_mode), PALYRA_HOOK_FILE_RECEIVE);
}

SEC("?lsm/file_truncate")
int BPF_PROG(palyra_file_truncate, struct file *file)
{
	return judge_at(&file->f_path, WRITE_BIT, PALYRA_HOOK_FILE_TRUNCATE);
}

SEC("?lsm/path_truncate")
int BPF_PROG(palyra_path_truncate, const struct path *path)
{
	return judge_at(path, WRITE_BIT, PALYRA_HOOK_PATH_TRUNCATE);
}

SEC("?lsm/file_ioctl")
int BPF_PROG(palyra_file_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	if (changes_attributes(command))
		return judge_at(&file->f_path, ATTRIBUTES_BIT, PALYRA_HOOK_FILE_IOCTL);
	if (names_subvolume(command))
		return deny_where_files_are_judged(PALYRA_HOOK_FILE_IOCTL);
	if (is_btrfs_command(command))
		return judge_at(&file->f_path, WRITE_BIT | CREATE_BIT, PALYRA_HOOK_FILE_IOCTL);
	if (command == FIOSETOWN || command == SIOCSPGRP ||
	    (command == FIOASYNC && is_character_device(file)))
		return judge_signal_to(OTHER_NUMBER, PALYRA_HOOK_FILE_IOCTL);
	return 0;
}

SEC("?lsm/mmap_file")
int BPF_PROG(palyra_mmap_file, struct file *file, unsigned long requested, unsigned long protection,
	     unsigned long flags)
{
	return judge_mapping(file, protection, PALYRA_HOOK_MMAP_FILE);
}

SEC("?lsm/file_mprotect")
int BPF_PROG(palyra_file_mprotect, struct vm_area_struct *area, unsigned long requested,
	     unsigned long protection)
{
	return judge_mapping(area->vm_file, protection, PALYRA_HOOK_FILE_MPROTECT);
}

/* ---- Programs by their digest: after the programs above have left them to these ---- */

static __always_inline int ask_digest(struct file *file, struct inode *inode,
				      struct digest_question *q)
{
	if (q->state == PALYRA_PATH_FOUND && is_written(inode))
		q->state = PALYRA_PATH_WRITTEN;
	if (q->state == PALYRA_PATH_FOUND &&
	    bpf_ima_file_hash(file, q->digest, sizeof(q->digest)) != HASH_ALGO_SHA256)
		q->state = PALYRA_PATH_NO_DIGEST;
	return palyra_decide_digest(q);
}

static __always_inline int judge_digest(struct file *file, struct inode *inode,
					enum palyra_hook hook)
{
	struct digest_question q = { .place = place_of(file), .hook = hook };
	int answer;

	if (!is_held() || !asks_digests())
		return 0;
	answer = palyra_judge_program(&q);
	if (answer != PALYRA_NEEDS_DIGEST)
		return answer ? -EACCES : 0;
	q.state = PALYRA_PATH_FOUND;
	if (ask_digest(file, inode, &q))
		return -EACCES;
	if (hook != PALYRA_HOOK_MMAP_FILE || is_mapped_by_digest(inode))
		return 0;
	/* From here on no run writes it; somebody may have until here. */
	q.state = keep_from_writers(inode);
	return ask_digest(file, inode, &q) ? -EACCES : 0;
}

/* A script, its interpreter, a program: one after the other. */
SEC("?lsm.s/bprm_check_security")
int BPF_PROG(palyra_exec_by_digest, struct linux_binprm *bprm)
{
	struct file *file = bprm->file;

	return judge_digest(file, file->f_inode, PALYRA_HOOK_BPRM_CHECK);
}

SEC("?lsm.s/mmap_file")
int BPF_PROG(palyra_mmap_by_digest, struct file *file, unsigned long requested,
	     unsigned long protection, unsigned long flags)
{
	if (!(protection & PROT_EXEC) || !file || is_null(file))
		return 0;
	return judge_digest(file, file->f_inode, PALYRA_HOOK_MMAP_FILE);
}

/* ---- Names ---- */

static __always_inline int judge_name_in(const struct path *directory, struct dentry *dentry,
					 enum palyra_name_action action, enum palyra_hook hook)
{
	struct path path = { .mnt = directory->mnt, .dentry = dentry };

	return judge_at(&path, ACTION_BIT(action), hook);
}

SEC("?lsm/path_mknod")
int BPF_PROG(palyra_path_mknod, const struct path *directory, struct dentry *dentry)
{
	return judge_name_in(directory, dentry, PALYRA_FILE_CREATE, PALYRA_HOOK_PATH_MKNOD);
}

SEC("?lsm/path_mkdir")
int BPF_PROG(palyra_path_mkdir, const struct path *directory, struct dentry *dentry)
{
	return judge_name_in(directory, dentry, PALYRA_FILE_CREATE, PALYRA_HOOK_PATH_MKDIR);
}

SEC("?lsm/path_symlink")
int BPF_PROG(palyra_path_symlink, const struct path *directory, struct dentry *dentry)
{
	return judge_name_in(directory, dentry, PALYRA_FILE_CREATE, PALYRA_HOOK_PATH_SYMLINK);
}

SEC("?lsm/path_unlink")
int BPF_PROG(palyra_path_unlink, const struct path *directory, struct dentry *dentry)
{
	return judge_name_in(directory, dentry, PALYRA_FILE_REMOVE, PALYRA_HOOK_PATH_UNLINK);
}

SEC("?lsm/path_rmdir")
int BPF_PROG(palyra_path_rmdir, const struct path *directory, struct dentry *dentry)
{
	return judge_name_in(directory, dentry, PALYRA_FILE_REMOVE, PALYRA_HOOK_PATH_RMDIR);
}

SEC("?lsm/path_rename")
int BPF_PROG(palyra_path_rename, const struct path *old_directory, struct dentry *old_dentry,
	     const struct path *new_directory, struct dentry *new_dentry, unsigned int flags)
{
	if (!is_held())
		return 0;

	__u32 exchanges = !!(flags & RENAME_EXCHANGE);
	__u32 old_type = type_of(old_dentry);
	__u32 new_type = exchanges ? type_of(new_dentry) : 0;
	struct move move = {
		.old_dentry = (__u64)old_dentry,
		.old_vfsmount = (__u64)old_directory->mnt,
		.new_dentry = (__u64)new_dentry,
		.new_vfsmount = (__u64)new_directory->mnt,
		.hook = PALYRA_HOOK_PATH_RENAME,
		.has_socket = old_type == S_IFSOCK || new_type == S_IFSOCK,
		.has_directory = old_type == S_IFDIR || new_type == S_IFDIR,
		.replaces = !exchanges && BPF_CORE_READ(new_dentry, d_inode),
		.exchanges = exchanges,
	};

	return judge_move(&move);
}

/* Both names are on one mount, else the kernel makes no link. */
SEC("?lsm/path_link")
int BPF_PROG(palyra_path_link, struct dentry *old_dentry, const struct path *new_directory,
	     struct dentry *new_dentry)
{
	if (!is_held())
		return 0;

	struct move move = {
		.old_dentry = (__u64)old_dentry,
		.old_vfsmount = (__u64)new_directory->mnt,
		.new_dentry = (__u64)new_dentry,
		.new_vfsmount = (__u64)new_directory->mnt,
		.hook = PALYRA_HOOK_PATH_LINK,
	};

	return judge_move(&move);
}

/* ---- Attributes ---- */

SEC("?lsm/path_chmod")
int BPF_PROG(palyra_path_chmod, const struct path *path)
{
	return judge_at(path, ATTRIBUTES_BIT, PALYRA_HOOK_PATH_CHMOD);
}

SEC("?lsm/path_chown")
int BPF_PROG(palyra_path_chown, const struct path *path)
{
	return judge_at(path, ATTRIBUTES_BIT, PALYRA_HOOK_PATH_CHOWN);
}

static __always_inline int judge_attributes(struct dentry *dentry, enum palyra_hook hook)
{
	return is_held() ? judge_under_every_mount(dentry, hook) : 0;
}

/* Times; the rest has hooks of its own. */
static __always_inline int judge_change(struct dentry *dentry, const struct iattr *change)
{
	const __u32 elsewhere = ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE | ATTR_FORCE;

	return change->ia_valid & elsewhere ? 0
					    : judge_attributes(dentry, PALYRA_HOOK_INODE_SETATTR);
}

SEC("?lsm/inode_setattr")
int BPF_PROG(palyra_inode_setattr, struct dentry *dentry, struct iattr *change)
{
	return judge_change(dentry, change);
}

/* The same since 6.9. */
SEC("?lsm/inode_setattr")
int BPF_PROG(palyra_inode_setattr_idmap, const void *idmap, struct dentry *dentry,
	     struct iattr *change)
{
	return judge_change(dentry, change);
}

SEC("?lsm/inode_setxattr")
int BPF_PROG(palyra_inode_setxattr, const void *idmap, struct dentry *dentry)
{
	return judge_attributes(dentry, PALYRA_HOOK_INODE_SETXATTR);
}

SEC("?lsm/inode_removexattr")
int BPF_PROG(palyra_inode_removexattr, const void *idmap, struct dentry *dentry)
{
	return judge_attributes(dentry, PALYRA_HOOK_INODE_REMOVEXATTR);
}

SEC("?lsm/inode_set_acl")
int BPF_PROG(palyra_inode_set_acl, const void *idmap, struct dentry *dentry)
{
	return judge_attributes(dentry, PALYRA_HOOK_INODE_SET_ACL);
}

SEC("?lsm/inode_remove_acl")
int BPF_PROG(palyra_inode_remove_acl, const void *idmap, struct dentry *dentry)
{
	return judge_attributes(dentry, PALYRA_HOOK_INODE_REMOVE_ACL);
}

/* ---- Processes ---- */

/* Where there are credentials the signal is sent in the name of somebody who is not calling. */
SEC("?lsm/task_kill")
int BPF_PROG(palyra_task_kill, struct task_struct *task, const void *info, int signal,
	     const struct cred *cred)
{
	return !is_null(cred)
		       ? 0
		       : judge_process(task, PALYRA_PROCESS_SIGNAL, PALYRA_HOOK_TASK_KILL, 0);
}

SEC("?lsm/task_setnice")
int BPF_PROG(palyra_task_setnice, struct task_struct *task)
{
	return judge_process(task, PALYRA_PROCESS_SIGNAL, PALYRA_HOOK_TASK_SCHEDULING, 0);
}

SEC("?lsm/task_setioprio")
int BPF_PROG(palyra_task_setioprio, struct task_struct *task)
{
	return judge_process(task, PALYRA_PROCESS_SIGNAL, PALYRA_HOOK_TASK_SCHEDULING, 0);
}

SEC("?lsm/task_setscheduler")
int BPF_PROG(palyra_task_setscheduler, struct task_struct *task)
{
	return judge_process(task, PALYRA_PROCESS_SIGNAL, PALYRA_HOOK_TASK_SCHEDULING, 0);
}

SEC("?lsm/task_movememory")
int BPF_PROG(palyra_task_movememory, struct task_struct *task)
{
	return judge_process(task, PALYRA_PROCESS_SIGNAL, PALYRA_HOOK_TASK_SCHEDULING, 0);
}

SEC("?lsm/file_fcntl")
int BPF_PROG(palyra_file_fcntl, struct file *file, unsigned int command, unsigned long argument)
{
	if (command == F_SETOWN)
		return judge_signal_to(argument, PALYRA_HOOK_FILE_FCNTL);
	if (command == F_SETOWN_EX)
		return judge_signal_to(OTHER_NUMBER, PALYRA_HOOK_FILE_FCNTL);
	if (command == F_SETFL && (argument & FASYNC) && is_character_device(file))
		return judge_signal_to(OTHER_NUMBER, PALYRA_HOOK_FILE_FCNTL);
	return 0;
}

SEC("?lsm/ptrace_access_check")
int BPF_PROG(palyra_ptrace_access, struct task_struct *child, unsigned int mode)
{
	return judge_process(child, PALYRA_PROCESS_TRACE, PALYRA_HOOK_PTRACE_ACCESS,
			     mode & PTRACE_MODE_NOAUDIT);
}

SEC("?lsm/ptrace_traceme")
int BPF_PROG(palyra_ptrace_traceme, struct task_struct *parent)
{
	return judge_process(parent, PALYRA_PROCESS_TRACE, PALYRA_HOOK_PTRACE_TRACEME, 0);
}

/* ---- The kernel ---- */

SEC("?lsm/sb_mount")
int BPF_PROG(palyra_sb_mount)
{
	return deny_control(PALYRA_HOOK_SB_MOUNT);
}

SEC("?lsm/sb_umount")
int BPF_PROG(palyra_sb_umount)
{
	return deny_control(PALYRA_HOOK_SB_UMOUNT);
}

SEC("?lsm/sb_remount")
int BPF_PROG(palyra_sb_remount)
{
	return deny_control(PALYRA_HOOK_SB_REMOUNT);
}

SEC("?lsm/sb_pivotroot")
int BPF_PROG(palyra_sb_pivotroot)
{
	return deny_control(PALYRA_HOOK_SB_PIVOTROOT);
}

SEC("?lsm/move_mount")
int BPF_PROG(palyra_move_mount)
{
	return deny_control(PALYRA_HOOK_MOVE_MOUNT);
}

SEC("?lsm/path_chroot")
int BPF_PROG(palyra_path_chroot)
{
	return deny_control(PALYRA_HOOK_PATH_CHROOT);
}

SEC("?lsm/userns_create")
int BPF_PROG(palyra_userns_create)
{
	return deny_control(PALYRA_HOOK_USERNS_CREATE);
}

SEC("?lsm/bpf")
int BPF_PROG(palyra_bpf)
{
	return deny_control(PALYRA_HOOK_BPF);
}

SEC("?lsm/perf_event_open")
int BPF_PROG(palyra_perf_event_open)
{
	return deny_control(PALYRA_HOOK_PERF_EVENT_OPEN);
}
