/*
 * Answers one question, when run once by BPF_PROG_TEST_RUN: where in the kernel's memory is the
 * inode of a file that the calling process has open? No file system says that, nor does one say the
 * same of an inode to user space as to the kernel: device numbers of btrfs and overlayfs differ.
 */
#include "bpf/file_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__u32 asked; /* the descriptor */
__u64 inode; /* 0: there is none */

SEC("raw_tp/sys_enter")
int palyra_inode_address(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	struct file *file = NULL;

	inode = 0;
	if (asked >= BPF_CORE_READ(table, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), files + asked) || !file)
		return 0;
	inode = (__u64)BPF_CORE_READ(file, f_inode);
	return 0;
}
