/*
 * The network of runs: which addresses, ports and protocols a run may reach, where it may be
 * reached, and with what sockets.
 *
 * Policy: deny unless the tables of the run's profile say allow. Attached once, to the cgroup above
 * all runs; a program finds its run as the ancestor cgroup at level `run_level`, so a run's own
 * sub-cgroups change nothing. What happens below that cgroup without an entry in `runs` is denied.
 *
 *   connect4, connect6    TCP (Fast Open and MPTCP too), connected UDP and ping sockets
 *   sendmsg4, sendmsg6    unconnected UDP
 *   recvmsg4, recvmsg6, getpeername4, getpeername6
 *                         undo what connect and sendmsg did to DNS (bpf/resolver.h) and to
 *                         connections that are to be verified (bpf/relay.h)
 *   egress                every packet of a run's sockets, judged by how its flow began: the
 *                         backstop for what no call shows (ping, replies of listeners, packets to
 *                         an address that the kernel chose) and for policies tightened meanwhile
 *   ingress               every packet to a run's sockets, asked of the peer's address and port by
 *                         how its flow began: a flow that a new policy denies is not heard either
 *   bind4, bind6          the local address and port that a socket asks for, unless it leaves the
 *                         port to the kernel, as clients do
 *   lsm/socket_listen     listen() at the address that the socket has by then, where BPF LSM is
 *                         there; ingress asks the same as a connection to the listener begins, so
 *                         that on other kernels nobody reaches one that no rule permits
 *   sock_create           TCP, UDP, UDP-Lite and ping sockets only; raw ones would forge packets
 *   lsm/socket_create     other address families, where BPF LSM is there: what seccomp refuses too,
 *                         but io_uring makes sockets that seccomp does not see
 *
 *   lsm/file_receive      sockets that others send over a unix socket: programs of the cgroup in
 *                         which they were born hold them, and not those of the run
 *
 * One form before deciding: IPv4-mapped IPv6 is IPv4, and the unspecified address is loopback,
 * because that is where the kernel sends it. The egress hook sees the address that was really used.
 * Of a local address the unspecified one is every address, and stays what it is; :: holds 0.0.0.0
 * too, and is asked as both.
 *
 * An ask is a deny without a grant (bpf/grants.h): whoever may answer it changes the tables first.
 */
#include "bpf/decision.h"
#include "bpf/endpoint.h"
#include "bpf/flow_cache.h"
#include "bpf/name_tables.h"
#include "bpf/packet.h"
#include "bpf/relay.h"
#include "bpf/resolver.h"
#include "bpf/socket_birth.h"
#include "bpf/socket_kinds.h"
#include "bpf/unix_tables.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Level of a run's cgroup, counted from the root of the whole hierarchy. Set before loading. */
const volatile __u32 run_level = 0;

/* Id of the cgroup above all runs: who is not below it is none of the LSM program's business. */
const volatile __u64 palyra_cgroup = 0;

/* Point nowhere: they only bring these layouts into the BTF of the object. */
const struct palyra_event *const volatile event_layout = 0;
const struct palyra_automaton *const volatile automaton_layout = 0;

static __always_inline struct question
question_of_call(struct bpf_sock_addr *ctx, enum palyra_action action, enum palyra_hook hook)
{
	struct question q = {
		.action = action,
		.hook = hook,
		.ip_protocol = ctx->protocol,
		.protocol = protocol_of(ctx->protocol),
	};

	if (has_port(q.protocol))
		q.port = bpf_ntohs((__u16)ctx->user_port);
	return q;
}

static __always_inline int judge_call(const struct question *q, struct bpf_sock *sk,
				      enum asker asker)
{
	return judge(bpf_get_current_ancestor_cgroup_id(run_level), q, sk, asker);
}

/* The run of the calling task. */
static __always_inline struct palyra_run *own_run(void)
{
	return find_run(bpf_get_current_ancestor_cgroup_id(run_level));
}

/*
 * Leaves the mark by which the egress hook tells a connection from an accepted one. `is_ipv6_call`:
 * see lead_to().
 */
static __always_inline int judge_connect(struct bpf_sock_addr *ctx, const struct question *q,
					 int is_ipv6_call)
{
	struct bpf_sock *sk = ctx->sk;
	int answer = judge_call(q, sk, BY_CONNECT);

	if (answer == SOCK_PROGRAM_DENY)
		return SOCK_PROGRAM_DENY;
	if (q->protocol != PALYRA_TCP)
		return SOCK_PROGRAM_ALLOW;
	if (!sk)
		return SOCK_PROGRAM_DENY;

	struct palyra_flow *flow =
		bpf_sk_storage_get(&flows, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!flow)
		return SOCK_PROGRAM_DENY;
	flow->connected = 1;
	flow->is_relayed = 0;
	if (answer == THROUGH_RELAY)
		return redirect_to_relay(ctx, own_run(), q, flow, is_ipv6_call);
	return SOCK_PROGRAM_ALLOW;
}

/* To where it is connected, a socket sends by the right to connect. */
static __always_inline int judge_send(struct bpf_sock *sk, struct question *q)
{
	if (sk && is_peer(sk, q))
		q->action = PALYRA_NET_CONNECT;
	return judge_call(q, sk, BY_CALL);
}

/* The run, where this is DNS for its resolver. */
static __always_inline struct palyra_run *asks_resolver(const struct question *q)
{
	struct palyra_run *run = q->port == DNS_PORT ? own_run() : NULL;

	return is_dns(run, q) ? run : NULL;
}

SEC("cgroup/connect4")
int palyra_connect4(struct bpf_sock_addr *ctx)
{
	struct question q = question_of_call(ctx, PALYRA_NET_CONNECT, PALYRA_HOOK_CONNECT4);
	struct palyra_run *run = asks_resolver(&q);

	set_ipv4(&q, ctx->user_ip4, ctx->sk);
	if (run)
		return redirect_to_resolver(ctx, run, &q, 0);
	return judge_connect(ctx, &q, 0);
}

SEC("cgroup/connect6")
int palyra_connect6(struct bpf_sock_addr *ctx)
{
	struct question q = question_of_call(ctx, PALYRA_NET_CONNECT, PALYRA_HOOK_CONNECT6);
	__u32 words[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };
	struct palyra_run *run = asks_resolver(&q);

	set_ipv6(&q, words, ctx->sk);
	if (run)
		return redirect_to_resolver(ctx, run, &q, 1);
	return judge_connect(ctx, &q, 1);
}

SEC("cgroup/sendmsg4")
int palyra_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct question q = question_of_call(ctx, PALYRA_NET_SEND, PALYRA_HOOK_SENDMSG4);
	struct palyra_run *run = asks_resolver(&q);

	set_ipv4(&q, ctx->user_ip4, ctx->sk);
	if (run)
		return redirect_to_resolver(ctx, run, &q, 0);
	return judge_send(ctx->sk, &q);
}

SEC("cgroup/sendmsg6")
int palyra_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct question q = question_of_call(ctx, PALYRA_NET_SEND, PALYRA_HOOK_SENDMSG6);
	__u32 words[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };
	struct palyra_run *run = asks_resolver(&q);

	set_ipv6(&q, words, ctx->sk);
	if (run)
		return redirect_to_resolver(ctx, run, &q, 1);
	return judge_send(ctx->sk, &q);
}

/* Whom the caller spoke to before it was led to loopback. */
static __always_inline int restore4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 != bpf_htonl(0x7f000001))
		return SOCK_PROGRAM_ALLOW;

	const struct palyra_run *run = own_run();

	restore_dns4(ctx, run);
	restore_peer4(ctx, run);
	return SOCK_PROGRAM_ALLOW;
}

static __always_inline int restore6(struct bpf_sock_addr *ctx)
{
	const __u32 first = ctx->user_ip6[0] | ctx->user_ip6[1];
	const __u32 third = ctx->user_ip6[2];
	const __u32 fourth = ctx->user_ip6[3];
	const int is_mapped = third == bpf_htonl(0xffff) && fourth == bpf_htonl(0x7f000001);

	if (first || !(is_mapped || (!third && fourth == bpf_htonl(1))))
		return SOCK_PROGRAM_ALLOW;

	const struct palyra_run *run = own_run();

	restore_dns6(ctx, run, is_mapped);
	restore_peer6(ctx, run, is_mapped);
	return SOCK_PROGRAM_ALLOW;
}

SEC("cgroup/recvmsg4")
int palyra_recvmsg4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/recvmsg6")
int palyra_recvmsg6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

SEC("cgroup/getpeername4")
int palyra_getpeername4(struct bpf_sock_addr *ctx)
{
	return restore4(ctx);
}

SEC("cgroup/getpeername6")
int palyra_getpeername6(struct bpf_sock_addr *ctx)
{
	return restore6(ctx);
}

/* `words` is a local address as four words in network byte order. */
static __always_inline int judge_local_ipv6(__u64 run_id, struct question *q, const __u32 *words,
					    enum asker asker)
{
	if (words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff)) {
		__builtin_memcpy(q->address, &words[3], 4);
		return judge(run_id, q, NULL, asker);
	}
	q->is_ipv6 = 1;
	__builtin_memcpy(q->address, words, 16);
	if (judge(run_id, q, NULL, asker) == SOCK_PROGRAM_DENY)
		return SOCK_PROGRAM_DENY;
	if (words[0] | words[1] | words[2] | words[3])
		return SOCK_PROGRAM_ALLOW;
	q->is_ipv6 = 0;
	return judge(run_id, q, NULL, asker);
}

SEC("cgroup/bind4")
int palyra_bind4(struct bpf_sock_addr *ctx)
{
	struct question q = question_of_call(ctx, PALYRA_NET_BIND, PALYRA_HOOK_BIND4);
	__u64 run_id = bpf_get_current_ancestor_cgroup_id(run_level);
	__u32 word = ctx->user_ip4;

	if (!q.port)
		return find_run(run_id) ? SOCK_PROGRAM_ALLOW : SOCK_PROGRAM_DENY;
	__builtin_memcpy(q.address, &word, sizeof(word));
	return judge(run_id, &q, NULL, BY_CALL);
}

SEC("cgroup/bind6")
int palyra_bind6(struct bpf_sock_addr *ctx)
{
	struct question q = question_of_call(ctx, PALYRA_NET_BIND, PALYRA_HOOK_BIND6);
	__u64 run_id = bpf_get_current_ancestor_cgroup_id(run_level);
	__u32 words[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] };

	if (!q.port)
		return find_run(run_id) ? SOCK_PROGRAM_ALLOW : SOCK_PROGRAM_DENY;
	return judge_local_ipv6(run_id, &q, words, BY_CALL);
}

/* The run, where this is about somebody on loopback and so perhaps about its resolver or relay. */
static __always_inline struct palyra_run *run_on_loopback(__u64 run_id, const struct question *q)
{
	return is_loopback(q) ? find_run(run_id) : NULL;
}

/* A packet to the relay. */
static __always_inline int judge_relayed(struct __sk_buff *skb, const struct palyra_run *run,
					 struct palyra_flow *flow, struct question *q,
					 struct bpf_sock *sk)
{
	int is_ipv6 = q->is_ipv6;

	ask_for_origin(flow, q);
	if (judge(run->cgroup, q, sk, BY_PACKET) == SOCK_PROGRAM_DENY)
		return SOCK_PROGRAM_DENY;
	skb->mark = run->broker_mark;
	return sk->state != BPF_TCP_SYN_SENT || publish(run->cgroup, sk, flow, is_ipv6);
}

/* Of a packet, and keeps the answer where the next one of the flow gets the same. */
static __always_inline int judge_packet(__u64 run_id, const struct question *q, struct bpf_sock *sk)
{
	struct palyra_run *run = find_run(run_id);
	struct cause cause;
	__u32 epoch;

	if (!run)
		return SOCK_PROGRAM_DENY;
	epoch = READ_ONCE(run->epoch);
	if (verdict_of(run, run_id, q, sk, &cause, BY_PACKET) != PALYRA_ALLOW) {
		report_denial(run, run_id, q, cause, (struct socket_kind){}, BY_PACKET);
		return SOCK_PROGRAM_DENY;
	}
	report_allow(run, run_id, q, sk, &cause, BY_PACKET);
	if (!cause.by_grant)
		keep_flow(sk, q, run_id, epoch);
	return SOCK_PROGRAM_ALLOW;
}

/* Apart from the program, which then has little to do before it knows a flow. */
static __noinline int judge_sent(struct __sk_buff *skb)
{
	struct question q = { .hook = PALYRA_HOOK_EGRESS };
	struct bpf_sock *sk = skb->sk;
	struct palyra_flow *flow;
	struct palyra_run *run;

	if (!sk)
		return SOCK_PROGRAM_DENY;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return SOCK_PROGRAM_DENY;
	__u64 run_id = bpf_skb_ancestor_cgroup_id(skb, run_level);

	parse_packet(skb, PEER_DESTINATION, &q);
	run = run_on_loopback(run_id, &q);
	if (run && is_resolver(run, &q)) {
		skb->mark = run->broker_mark;
		return SOCK_PROGRAM_ALLOW;
	}
	flow = relayed_flow(run, sk, &q);
	if (flow)
		return judge_relayed(skb, run, flow, &q, sk);
	q.action = action_of_packet(sk, &q);
	q.has_begun = has_begun(sk, &q);
	return judge_packet(run_id, &q, sk);
}

SEC("cgroup_skb/egress")
int palyra_egress(struct __sk_buff *skb)
{
	if (is_kept_flow(skb, PEER_DESTINATION))
		return SOCK_PROGRAM_ALLOW;
	return judge_sent(skb);
}

/*
 * A datagram that comes to a socket without a peer may be an answer, or be sent unasked: it is
 * heard where the run might send to its source, or might accept from it.
 */
static __always_inline int judge_datagram(__u64 run_id, struct question *q, struct bpf_sock *sk)
{
	struct palyra_run *run = find_run(run_id);
	struct cause cause;

	if (!run)
		return SOCK_PROGRAM_DENY;
	if (verdict_of(run, run_id, q, sk, &cause, BY_PACKET) == PALYRA_ALLOW)
		return SOCK_PROGRAM_ALLOW;
	q->action = PALYRA_NET_ACCEPT;
	if (verdict_of(run, run_id, q, sk, &cause, BY_PACKET) == PALYRA_ALLOW) {
		report_allow(run, run_id, q, sk, &cause, BY_PACKET);
		return SOCK_PROGRAM_ALLOW;
	}
	report_denial(run, run_id, q, cause, (struct socket_kind){}, BY_PACKET);
	return SOCK_PROGRAM_DENY;
}

/* Whether the run may listen where this listener does, as a connection to it begins. */
static __always_inline int judge_listener(__u64 run_id, struct bpf_sock *sk)
{
	struct question q = {
		.action = PALYRA_NET_LISTEN,
		.hook = PALYRA_HOOK_INGRESS,
		.ip_protocol = sk->protocol,
		.protocol = protocol_of(sk->protocol),
		.port = sk->src_port,
	};

	if (sk->family == AF_INET6) {
		__u32 words[4] = { sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3] };

		return judge_local_ipv6(run_id, &q, words, BY_PACKET);
	}

	__u32 word = sk->src_ip4;

	__builtin_memcpy(q.address, &word, sizeof(word));
	return judge(run_id, &q, NULL, BY_PACKET);
}

/*
 * Kernels before 6.8 do not show a listener's IPv6 SYN-ACK to the egress hook, so a connection is
 * judged here as it begins; and a peer that may no longer be spoken to must not be heard either.
 */
static __noinline int judge_received(struct __sk_buff *skb)
{
	struct question q = { .hook = PALYRA_HOOK_INGRESS };
	struct bpf_sock *sk = skb->sk;
	struct palyra_flow *flow;
	struct palyra_run *run;

	if (!sk)
		return SOCK_PROGRAM_DENY;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return SOCK_PROGRAM_DENY;
	__u64 run_id = bpf_skb_ancestor_cgroup_id(skb, run_level);

	parse_packet(skb, PEER_SOURCE, &q);
	run = run_on_loopback(run_id, &q);
	if (run && is_resolver(run, &q))
		return SOCK_PROGRAM_ALLOW;
	flow = relayed_flow(run, sk, &q);
	if (flow) {
		ask_for_origin(flow, &q);
		return judge(run_id, &q, sk, BY_PACKET);
	}
	q.action = action_of_packet(sk, &q);
	q.has_begun = has_begun(sk, &q);
	if (q.action == PALYRA_NET_ACCEPT && sk->state == BPF_TCP_LISTEN)
		q.opens_connection = opens_connection(skb);
	if (q.action == PALYRA_NET_SEND)
		return judge_datagram(run_id, &q, sk);
	if (judge_packet(run_id, &q, sk) == SOCK_PROGRAM_DENY)
		return SOCK_PROGRAM_DENY;
	if (q.protocol == PALYRA_TCP && sk->state == BPF_TCP_LISTEN)
		return judge_listener(run_id, sk);
	return SOCK_PROGRAM_ALLOW;
}

SEC("cgroup_skb/ingress")
int palyra_ingress(struct __sk_buff *skb)
{
	if (is_kept_flow(skb, PEER_SOURCE))
		return SOCK_PROGRAM_ALLOW;
	return judge_received(skb);
}

SEC("cgroup/sock_create")
int palyra_sock_create(struct bpf_sock *sk)
{
	__u64 run_id = bpf_get_current_ancestor_cgroup_id(run_level);
	struct palyra_run *run = find_run(run_id);

	if (!run)
		return SOCK_PROGRAM_DENY;
	if (is_ordinary_socket(sk->type, sk->protocol))
		return SOCK_PROGRAM_ALLOW;

	struct question q = {
		.action = PALYRA_SOCKET_CREATE,
		.hook = PALYRA_HOOK_SOCK_CREATE,
		.ip_protocol = sk->protocol,
		.protocol = protocol_of(sk->protocol),
		.is_ipv6 = sk->family == AF_INET6,
	};

	report_denial(run, run_id, &q, (struct cause){ .profile = READ_ONCE(run->profile) },
		      (struct socket_kind){ .family = sk->family, .type = sk->type }, BY_CALL);
	return SOCK_PROGRAM_DENY;
}

/* Not loaded where the kernel has no BPF LSM or refuses it. */
SEC("?lsm/socket_create")
int BPF_PROG(palyra_socket_create, int family, int type, int protocol, int kern, int previous)
{
	if (previous != 0)
		return previous;
	if (kern || is_known_family(family, protocol))
		return 0;
	if (bpf_get_current_ancestor_cgroup_id(run_level - 1) != palyra_cgroup)
		return 0;

	__u64 run_id = bpf_get_current_ancestor_cgroup_id(run_level);
	struct palyra_run *run = find_run(run_id);

	if (!run)
		return -EPERM;

	struct question q = {
		.action = PALYRA_SOCKET_CREATE,
		.hook = PALYRA_HOOK_LSM_SOCKET_CREATE,
		.ip_protocol = protocol,
		.protocol = PALYRA_PROTOCOL_OTHER,
	};

	report_denial(run, run_id, &q, (struct cause){ .profile = READ_ONCE(run->profile) },
		      (struct socket_kind){ .family = family, .type = type }, BY_CALL);
	return -EAFNOSUPPORT;
}

/* Loaded with the one above. Port 0: the kernel will choose one. */
SEC("?lsm/socket_listen")
int BPF_PROG(palyra_socket_listen, struct socket *socket, int backlog, int previous)
{
	const struct sock *sk = socket->sk;

	if (previous != 0)
		return previous;
	if (bpf_get_current_ancestor_cgroup_id(run_level - 1) != palyra_cgroup || !sk)
		return 0;

	const struct sock_common *common = &sk->__sk_common;
	__u64 run_id = bpf_get_current_ancestor_cgroup_id(run_level);
	struct question q = {
		.action = PALYRA_NET_LISTEN,
		.hook = PALYRA_HOOK_LSM_SOCKET_LISTEN,
		.ip_protocol = sk->sk_protocol,
		.protocol = protocol_of(sk->sk_protocol),
		.port = common->skc_num,
	};

	if (common->skc_family == AF_INET6) {
		const __be32 *local = common->skc_v6_rcv_saddr.in6_u.u6_addr32;
		__u32 words[4] = { local[0], local[1], local[2], local[3] };

		return judge_local_ipv6(run_id, &q, words, BY_CALL) ? 0 : -EPERM;
	}
	if (common->skc_family != AF_INET)
		return 0;

	__u32 word = common->skc_rcv_saddr;

	__builtin_memcpy(q.address, &word, sizeof(word));
	return judge(run_id, &q, NULL, BY_CALL) ? 0 : -EPERM;
}

/* Loaded with those above. What a unix socket is connected to was judged as it was. */
SEC("?lsm/file_receive")
int BPF_PROG(palyra_socket_receive, struct file *file, int previous)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct question q = {
		.action = PALYRA_SOCKET_RECEIVE,
		.hook = PALYRA_HOOK_LSM_FILE_RECEIVE,
	};

	if (previous != 0)
		return previous;
	if (bpf_get_current_ancestor_cgroup_id(run_level - 1) != palyra_cgroup)
		return 0;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK || !socket)
		return 0;

	struct sock *sk = BPF_CORE_READ(socket, sk);
	__u64 run_id = bpf_get_current_ancestor_cgroup_id(run_level);
	struct palyra_run *run = find_run(run_id);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (!run)
		return -EACCES;
	if (sk && (family == AF_UNIX || is_born_in(sk, run_id, run_level)))
		return 0;
	q.ip_protocol = BPF_CORE_READ(sk, sk_protocol);
	q.protocol = protocol_of(q.ip_protocol);
	q.is_ipv6 = family == AF_INET6;
	report_denial(run, run_id, &q, (struct cause){ .profile = READ_ONCE(run->profile) },
		      (struct socket_kind){ .family = family, .type = BPF_CORE_READ(socket, type) },
		      BY_CALL);
	return -EACCES;
}
