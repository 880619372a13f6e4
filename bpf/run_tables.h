/*
 * The runs and the rings for their events: what every program needs, whatever it decides about.
 */
#ifndef PALYRA_BPF_RUN_TABLES_H_
#define PALYRA_BPF_RUN_TABLES_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/* An array, because looking into one is a load, and into a hash table several calls. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PALYRA_MAX_RUNS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct palyra_run);
} runs SEC(".maps");

struct palyra_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PALYRA_RING_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, PALYRA_MAX_RINGS);
	__type(key, __u32);
	__array(values, struct palyra_ring);
} rings SEC(".maps");

/* The programs and whoever replaces a run's rules see each other's stores whole. */
#define READ_ONCE(field) (*(const volatile typeof(field) *)&(field))
#define WRITE_ONCE(field, value) (*(volatile typeof(field) *)&(field) = (value))

/* NULL: whoever asks is denied. */
static __always_inline struct palyra_run *find_run(__u64 cgroup)
{
	__u32 slot = palyra_run_slot(cgroup);
	struct palyra_run *run = bpf_map_lookup_elem(&runs, &slot);

	return run && cgroup && run->cgroup == cgroup ? run : NULL;
}

/* The time of its rules is over, or everything is denied for another reason: names too. */
static __always_inline int has_expired(const struct palyra_run *run)
{
	__u64 expires = READ_ONCE(run->expires_ns);

	return expires && bpf_ktime_get_boot_ns() >= expires;
}

/* Denials have the other half of the ring for themselves. */
#define RING_BYTES_FOR_ALLOWS (PALYRA_RING_BYTES / 2)

/* Whether an allow is to be an event. */
static __always_inline int is_sampled(const struct palyra_run *run)
{
	__u32 one_in = READ_ONCE(run->audit_allows);

	return one_in == 1 || (one_in && bpf_get_prandom_u32() % one_in == 0);
}

#endif /* PALYRA_BPF_RUN_TABLES_H_ */
