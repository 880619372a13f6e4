/*
 * Allows as events, where a run asks for them: calls, and the beginnings of flows, never each
 * packet. While palyra_run.audit_allows is 0 all of this is one test of it.
 *
 *   connect() of TCP, bind(), listen()   the call; listen() where BPF LSM is there
 *   an accepted TCP connection           the packet that opens it, as it comes to the listener
 *   everything else                      the first datagram to, or unasked from, another peer than
 *                                        the socket's last one
 *
 * So a connect() of UDP is none: libc calls it to sort what it looked up, and sends nothing. Who
 * called it is told with the first datagram.
 */
#ifndef PALYRA_BPF_AUDIT_H_
#define PALYRA_BPF_AUDIT_H_

#include "bpf/events.h"

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct palyra_audited);
} audited SEC(".maps");

static __always_inline void write_allow(struct palyra_run *run, struct palyra_event *event)
{
	void *ring = ring_of(run);

	event->verdict = PALYRA_ALLOW;
	__sync_fetch_and_add(&run->audited, 1);
	if (ring && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) < RING_BYTES_FOR_ALLOWS &&
	    bpf_ringbuf_output(ring, event, sizeof(*event), 0) == 0)
		return;
	__sync_fetch_and_add(&run->lost_audited, 1);
}

/* Whether the peer is another one than at the last call, which it then is no more. */
static __always_inline int begins_flow(struct palyra_audited_peer *peer, const struct question *q)
{
	const __u64 *before = (const __u64 *)peer->address;
	const __u64 *now = (const __u64 *)q->address;

	if (peer->is_known && peer->is_ipv6 == q->is_ipv6 && peer->port == q->port &&
	    before[0] == now[0] && before[1] == now[1])
		return 0;
	__builtin_memcpy(peer->address, q->address, sizeof(peer->address));
	peer->port = q->port;
	peer->is_ipv6 = q->is_ipv6;
	peer->is_known = 1;
	return 1;
}

static __always_inline int is_connect(const struct question *q)
{
	return q->hook == PALYRA_HOOK_CONNECT4 || q->hook == PALYRA_HOOK_CONNECT6;
}

static __noinline int report_allowed_call(struct palyra_run *run, __u64 run_id,
					  const struct question *q, struct bpf_sock *sk,
					  const struct cause *cause)
{
	struct palyra_event event = event_of(run_id, q, cause);

	event.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event.comm, sizeof(event.comm));
	if (sk && q->protocol != PALYRA_TCP) {
		struct palyra_audited *known =
			bpf_sk_storage_get(&audited, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

		if (!known)
			return 0;
		known->pid = event.pid;
		__builtin_memcpy(known->comm, event.comm, sizeof(known->comm));
		if (is_connect(q)) {
			known->sent.is_known = 0;
			return 0;
		}
		if (!begins_flow(&known->sent, q))
			return 0;
	}
	if (is_sampled(run))
		write_allow(run, &event);
	return 0;
}

static __noinline int report_allowed_packet(struct palyra_run *run, __u64 run_id,
					    const struct question *q, struct bpf_sock *sk,
					    const struct cause *cause)
{
	struct palyra_event event = event_of(run_id, q, cause);

	if (q->action == PALYRA_NET_LISTEN || !sk)
		return 0;
	if (q->protocol == PALYRA_TCP) {
		if (!q->opens_connection)
			return 0;
	} else if (q->hook == PALYRA_HOOK_EGRESS || q->action == PALYRA_NET_ACCEPT) {
		struct palyra_audited *known =
			bpf_sk_storage_get(&audited, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

		if (!known)
			return 0;
		if (q->action == PALYRA_NET_ACCEPT) {
			if (!begins_flow(&known->heard, q))
				return 0;
		} else {
			if (!begins_flow(&known->sent, q))
				return 0;
			event.pid = known->pid;
			__builtin_memcpy(event.comm, known->comm, sizeof(event.comm));
		}
	} else {
		return 0;
	}
	if (is_sampled(run))
		write_allow(run, &event);
	return 0;
}

static __always_inline void report_allow(struct palyra_run *run, __u64 run_id,
					 const struct question *q, struct bpf_sock *sk,
					 const struct cause *cause, enum asker asker)
{
	if (!READ_ONCE(run->audit_allows))
		return;
	if (asker == BY_PACKET)
		report_allowed_packet(run, run_id, q, sk, cause);
	else
		report_allowed_call(run, run_id, q, sk, cause);
}

#endif /* PALYRA_BPF_AUDIT_H_ */
