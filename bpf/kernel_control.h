/*
 * What no run may do, whatever its rules say. Seccomp and the lack of capabilities refuse most of
 * it before: this is for whoever gets past these.
 */
#ifndef PALYRA_BPF_KERNEL_CONTROL_H_
#define PALYRA_BPF_KERNEL_CONTROL_H_

#include "bpf/path_decision.h"

/* -EPERM, which is reported, in a run. */
static __always_inline int deny_control(enum palyra_hook hook)
{
	struct palyra_path_event event = {
		.time_ns = bpf_ktime_get_boot_ns(),
		.run = own_run_id(),
		.pid = bpf_get_current_pid_tgid() >> 32,
		.hook = hook,
		.action = PALYRA_KERNEL_CONTROL,
	};
	struct palyra_run *run;
	__u32 ring_index;
	void *ring;

	if (!is_held())
		return 0;
	run = find_run(event.run);
	if (!run)
		return -EPERM;
	__sync_fetch_and_add(&run->denied, 1);
	event.profile = READ_ONCE(run->profile);
	bpf_get_current_comm(event.comm, sizeof(event.comm));
	ring_index = run->ring;
	ring = bpf_map_lookup_elem(&rings, &ring_index);
	if (!ring || bpf_ringbuf_output(ring, &event, sizeof(event), 0))
		__sync_fetch_and_add(&run->lost, 1);
	return -EPERM;
}

/* Likewise where files are judged, and this goes past that. Not inlined: the event takes most of a
 * stack. */
__noinline int palyra_deny_past_files(enum palyra_hook hook)
{
	struct palyra_run *run = find_run(own_run_id());

	if (!is_held() || (run && !judges_files(READ_ONCE(run->profile))))
		return 0;
	return deny_control(hook);
}

static __always_inline int deny_where_files_are_judged(enum palyra_hook hook)
{
	/* Of what a function that is not inlined returns the verifier knows nothing. */
	return palyra_deny_past_files(hook) ? -EPERM : 0;
}

#endif /* PALYRA_BPF_KERNEL_CONTROL_H_ */
