/*
 * Events: what is told of a decision, through the ring buffer of its run.
 */
#ifndef PALYRA_BPF_EVENTS_H_
#define PALYRA_BPF_EVENTS_H_

#include "bpf/egress_tables.h"

#define SOCK_PROGRAM_ALLOW 1
#define SOCK_PROGRAM_DENY 0

struct socket_kind {
	__u16 family;
	__u32 type;
};

/* What asks; a constant wherever it is passed. */
enum asker {
	BY_CONNECT, /* a call, and the one whose time counts most */
	BY_CALL,
	BY_PACKET,
};

/* By which rules, and why: together, because the run may be under other rules by now. */
struct cause {
	__u32 profile;
	__u32 reason;
	__u32 by_name; /* 1: by the names that the address is known by */
	__u32 by_grant; /* 1: allowed by a grant alone */
};

static __always_inline struct palyra_event event_of(__u64 run_id, const struct question *q,
						    const struct cause *cause)
{
	struct palyra_event event = {
		.time_ns = bpf_ktime_get_boot_ns(),
		.run = run_id,
		.profile = cause->profile,
		.reason = cause->reason,
		.ip_protocol = q->ip_protocol,
		.port = q->port,
		.hook = q->hook,
		.action = q->action,
		.protocol = q->protocol,
		.is_ipv6 = q->is_ipv6,
	};

	__builtin_memcpy(event.address, q->address, sizeof(event.address));
	return event;
}

static __always_inline void *ring_of(const struct palyra_run *run)
{
	__u32 ring_index = run->ring;

	return bpf_map_lookup_elem(&rings, &ring_index);
}

static __always_inline void report_denial(struct palyra_run *run, __u64 run_id,
					  const struct question *q, struct cause cause,
					  struct socket_kind kind, enum asker asker)
{
	void *ring = ring_of(run);

	__sync_fetch_and_add(&run->denied, 1);
	if (!ring)
		goto lost;

	struct palyra_event event = event_of(run_id, q, &cause);

	event.socket_type = kind.type;
	event.socket_family = kind.family;
	if (asker != BY_PACKET) {
		event.pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(event.comm, sizeof(event.comm));
	}
	if (bpf_ringbuf_output(ring, &event, sizeof(event), 0) == 0)
		return;
lost:
	__sync_fetch_and_add(&run->lost, 1);
}

#endif /* PALYRA_BPF_EVENTS_H_ */
