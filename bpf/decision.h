/*
 * From a question to an answer: the rules of the run, its names, its grants and its deadline.
 */
#ifndef PALYRA_BPF_DECISION_H_
#define PALYRA_BPF_DECISION_H_

#include "bpf/audit.h"
#include "bpf/grants.h"
#include "bpf/names.h"

/* In place of those, only to BY_CONNECT: allowed through the run's relay. */
#define THROUGH_RELAY 2

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
	if (verdict == PALYRA_ALLOW || (verdict == PALYRA_VERIFY && q->is_relayed)) {
		report_allow(run, run_id, q, sk, &cause, asker);
		return SOCK_PROGRAM_ALLOW;
	}
	if (verdict == PALYRA_VERIFY && asker == BY_CONNECT && can_relay(run, q))
		return THROUGH_RELAY;
	if (asker == BY_CONNECT && q->protocol == PALYRA_UDP && cause.by_name)
		return SOCK_PROGRAM_ALLOW;
	report_denial(run, run_id, q, cause, (struct socket_kind){}, asker);
	return SOCK_PROGRAM_DENY;
}

#endif /* PALYRA_BPF_DECISION_H_ */
