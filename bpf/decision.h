/*
 * From a question to an answer: the rules of the run, its names, its grants and its deadline; and
 * the report of what is denied.
 */
#ifndef PALYRA_BPF_DECISION_H_
#define PALYRA_BPF_DECISION_H_

#include "bpf/egress_tables.h"
#include "bpf/grants.h"
#include "bpf/names.h"

#define SOCK_PROGRAM_ALLOW 1
#define SOCK_PROGRAM_DENY 0

/* In place of those, only to BY_CONNECT: allowed through the run's relay. */
#define THROUGH_RELAY 2

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

static __always_inline void report_denial(struct palyra_run *run, __u64 run_id,
					  const struct question *q, struct cause cause,
					  struct socket_kind kind, enum asker asker)
{
	__u32 ring_index = run->ring;
	void *ring = bpf_map_lookup_elem(&rings, &ring_index);

	__sync_fetch_and_add(&run->denied, 1);
	if (!ring)
		goto lost;

	struct palyra_event event = {
		.time_ns = bpf_ktime_get_boot_ns(),
		.run = run_id,
		.profile = cause.profile,
		.reason = cause.reason,
		.socket_type = kind.type,
		.socket_family = kind.family,
		.ip_protocol = q->ip_protocol,
		.port = q->port,
		.hook = q->hook,
		.action = q->action,
		.protocol = q->protocol,
		.is_ipv6 = q->is_ipv6,
	};

	__builtin_memcpy(event.address, q->address, sizeof(event.address));
	if (asker != BY_PACKET) {
		event.pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(event.comm, sizeof(event.comm));
	}
	if (bpf_ringbuf_output(ring, &event, sizeof(event), 0) == 0)
		return;
lost:
	__sync_fetch_and_add(&run->lost, 1);
}

static __always_inline enum palyra_verdict verdict_of(const struct palyra_run *run, __u64 run_id,
						      const struct question *q, struct bpf_sock *sk,
						      struct cause *cause, enum asker asker)
{
	/* Before the profile: RunTable::Replace() stores in that order. */
	int expired = has_expired(run);
	enum palyra_verdict verdict;

	cause->profile = READ_ONCE(run->profile);
	cause->by_name = 0;
	cause->by_grant = 0;
	if (expired) {
		cause->reason = PALYRA_REASON_EXPIRED;
		return PALYRA_DENY;
	}
	if (READ_ONCE(run->has_names)) {
		__u64 decision = palyra_decide_by_name(run_id, cause->profile, q);

		if (decision & DECIDED_BY_NAME) {
			verdict = decision & 0xff;
			cause->reason = decision >> 32;
			cause->by_name = 1;
			goto decided;
		}
	}
	if (asker == BY_CONNECT) {
		verdict = decide(cause->profile, q, &cause->reason);
	} else {
		__u64 decision = palyra_decide(cause->profile, q);

		verdict = decision;
		cause->reason = decision >> 32;
	}
decided:
	if (verdict == PALYRA_ASK && is_granted(run, run_id, q, sk)) {
		cause->by_grant = 1;
		return PALYRA_ALLOW;
	}
	return verdict;
}

/* Whether the connection that is asked for can be verified. */
static __always_inline int can_relay(const struct palyra_run *run, const struct question *q)
{
	return q->protocol == PALYRA_TCP && run->relay_port;
}

/*
 * `sk` is the socket of the call or the packet; it may be NULL.
 *
 * To sort what it looked up, libc connects a UDP socket to each address and sends nothing: that is
 * no denial yet where the address has a name. The first packet is one.
 */
static __always_inline int judge(__u64 run_id, const struct question *q, struct bpf_sock *sk,
				 enum asker asker)
{
	struct palyra_run *run = find_run(run_id);
	enum palyra_verdict verdict;
	struct cause cause;

	if (!run)
		return SOCK_PROGRAM_DENY;
	verdict = verdict_of(run, run_id, q, sk, &cause, asker);
	if (verdict == PALYRA_ALLOW || (verdict == PALYRA_VERIFY && q->is_relayed))
		return SOCK_PROGRAM_ALLOW;
	if (verdict == PALYRA_VERIFY && asker == BY_CONNECT && can_relay(run, q))
		return THROUGH_RELAY;
	if (asker == BY_CONNECT && q->protocol == PALYRA_UDP && cause.by_name)
		return SOCK_PROGRAM_ALLOW;
	report_denial(run, run_id, q, cause, (struct socket_kind){}, asker);
	return SOCK_PROGRAM_DENY;
}

#endif /* PALYRA_BPF_DECISION_H_ */
