/*
 * Two denials that nothing else on the machine would give, for the lane's own test.
 *
 *   hook            who                             what             answer
 *   socket_create   the process group denied_tgid   one family       -EPROTOTYPE
 *   file_open       the cgroup denied_cgroup        one inode        -EXDEV
 *
 * The errno values are ones that these calls do not fail with by themselves here, so that a test
 * which sees them knows whose answer it is. Zero in denied_tgid or denied_cgroup denies nobody.
 */

#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct super_block {
	unsigned int s_dev;
} __attribute__((preserve_access_index));

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
} __attribute__((preserve_access_index));

struct file {
	struct inode *f_inode;
} __attribute__((preserve_access_index));

__u32 denied_tgid = 0;
int denied_family = 0;
__u64 sockets_denied = 0;

__u64 denied_cgroup = 0;
__u64 denied_inode = 0;
__u32 denied_device = 0; /* As the kernel keeps it: major << 20 | minor. */
__u64 opens_denied = 0;

SEC("lsm/socket_create")
int BPF_PROG(deny_socket, int family, int type, int protocol, int kern)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (kern || !denied_tgid || tgid != denied_tgid || family != denied_family)
		return 0;
	__sync_fetch_and_add(&sockets_denied, 1);
	return -EPROTOTYPE;
}

SEC("lsm/file_open")
int BPF_PROG(deny_open, struct file *file)
{
	struct inode *inode = file->f_inode;

	if (!denied_cgroup || bpf_get_current_cgroup_id() != denied_cgroup)
		return 0;
	if (inode->i_ino != denied_inode || inode->i_sb->s_dev != denied_device)
		return 0;
	__sync_fetch_and_add(&opens_denied, 1);
	return -EXDEV;
}

char LICENSE[] SEC("license") = "GPL";
