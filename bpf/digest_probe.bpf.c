/*
 * Whether the kernel tells the digest of a file: attached for a moment, to see what one process
 * maps.
 */
#include "bpf/file_types.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/abi.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Whose maps are looked at. Set before loading. */
const volatile __u32 prober = 0;

long algorithm; /* as HASH_ALGO_SHA256, or why there is no digest */
struct palyra_digest digest;

SEC("lsm.s/mmap_file")
int BPF_PROG(palyra_digest_probe, struct file *file)
{
	if (bpf_get_current_pid_tgid() >> 32 == prober && file)
		algorithm = bpf_ima_file_hash(file, digest.bytes, sizeof(digest.bytes));
	return 0;
}
