/*
 * Unix sockets: to which a run may connect and send, by path and by abstract name.
 *
 * Policy: deny unless the run's rules permit unix.connect to the name of the peer. What goes over
 * sockets that are connected already, as a pair is, has no name and is not asked about.
 *
 * Where BPF LSM is there, the peer itself is judged: by the abstract name, or the path, that it is
 * bound to. Whatever string or link led to it changes nothing, and a peer that was born in the same
 * run is no business of the rules.
 *
 *   lsm/unix_stream_connect    stream and seqpacket, as connect() has found the peer
 *   lsm/unix_may_send          datagrams, at connect() and at each one that is sent
 *   lsm/path_rename            no socket comes under a permitted name: bpf/moves.h, of the programs
 *                              about files
 *
 * Elsewhere, from 6.7 on, programs see the address as the caller wrote it (attach types that this
 * is built without knowing; engine/unix_programs.cc sets them):
 *
 *   cgroup UNIX_CONNECT, cgroup UNIX_SENDMSG
 *
 * Such a path says nothing about the socket: the run may make links and rename. So user space finds
 * the sockets that the rules permit before the run begins, and mounts each at a place that the run
 * cannot change; here the caller's path becomes that place (palyra_unix_key). Another path is
 * denied, unless the rules permit every one. An abstract name is what it says. A peer of the same
 * run is like any other.
 *
 * An ask is a deny. Where neither kind of program is there, seccomp refuses unix sockets.
 */
#include "bpf/path_decision.h"
#include "bpf/socket_birth.h"
#include "bpf/unix_tables.h"
#include "bpf/unix_types.h"

#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Point nowhere: they only bring these layouts into the BTF of the object. */
const struct palyra_path_event *const volatile path_event_layout = 0;

#define SOCK_PROGRAM_ALLOW 1
#define SOCK_PROGRAM_DENY 0

extern void *bpf_cast_to_kern_ctx(void *obj) __ksym __weak;
extern int bpf_sock_addr_set_sun_path(struct bpf_sock_addr_kern *sa_kern, const __u8 *sun_path,
				      __u32 sun_path__sz) __ksym __weak;

#define PATH_OFFSET 2 /* of sun_path in struct sockaddr_un */
#define NAME_BYTES 128 /* more than an address has, and a power of two */

/* Copies a name of the kernel's into the slot, so that it ends where paths do. */
static __always_inline int put_name(struct path_slot *held, const void *name, __u32 name_length)
{
	__u64 length = name_length;
	__u64 first;

	if (length > PALYRA_UNIX_PATH_LENGTH)
		return -EACCES;
	first = PATH_END - length;
	held->first = first;
	held->end = PATH_END;
	asm volatile("%0 &= %1" : "+r"(first) : "i"(PALYRA_TEXT_LENGTH - 1));
	asm volatile("%0 &= %1" : "+r"(length) : "i"(NAME_BYTES - 1));
	return bpf_probe_read_kernel(&held->text.bytes[first], length, name);
}

/* The denial names an abstract socket "@NAME". */
static __always_inline void mark_abstract(struct path_slot *held)
{
	__u64 first = held->first - 1;

	if (!held->first)
		return;
	held->first = first;
	asm volatile("%0 &= %1" : "+r"(first) : "i"(PALYRA_TEXT_LENGTH - 1));
	held->text.bytes[first] = '@';
}

/* Each connect() of a stream and each datagram, where the run asks for that. */
__noinline int palyra_report_allowed(const struct path_denial *allowed, __u32 slot)
{
	struct path_slot *held = slot_at(slot);
	struct palyra_run *run = allowed ? find_run(allowed->run_id) : NULL;
	__u32 ring_index;
	void *ring;

	if (!run || !held || !is_sampled(run))
		return 0;
	__sync_fetch_and_add(&run->audited, 1);
	ring_index = run->ring;
	ring = bpf_map_lookup_elem(&rings, &ring_index);
	fill_event(held, allowed, PALYRA_ALLOW);
	add_executable(&held->event);
	if (!ring || bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >= RING_BYTES_FOR_ALLOWS ||
	    send_event(ring, held))
		__sync_fetch_and_add(&run->lost_audited, 1);
	return 0;
}

static __always_inline void report(const struct palyra_run *run, const struct path_denial *decided,
				   int answer, __u32 slot)
{
	if (answer)
		palyra_report_path(decided, slot);
	else if (READ_ONCE(run->audit_allows))
		palyra_report_allowed(decided, slot);
}

/*
 * What the rules say to the name in the slot: 0, or what is denied, which the caller reports. Its
 * profile is that by which it was judged.
 */
static __always_inline int judge_name(const struct palyra_run *run, struct path_denial *denial,
				      __u32 is_abstract, __u32 slot)
{
	/* Before the profile: RunTable::Replace() stores in that order. */
	int expired = has_expired(run);
	__u64 decision;

	denial->action = PALYRA_UNIX_CONNECT;
	denial->profile = READ_ONCE(run->profile);
	if (expired) {
		denial->reason = PALYRA_REASON_EXPIRED;
		return -EACCES;
	}
	if (denial->path_state != PALYRA_PATH_FOUND)
		return -EACCES;
	decision = palyra_judge_path(denial->profile, PALYRA_UNIX_CONNECT, is_abstract, slot);
	denial->reason = decision >> 32;
	denial->judged = decision >> 8;
	if ((__u8)decision == PALYRA_ALLOW)
		return 0;
	/* Names of abstract sockets are as free as paths, and would be taken for these. */
	if ((__u8)decision != PALYRA_ASK || is_abstract)
		return -EACCES;
	return palyra_is_path_granted(denial->run_id, PALYRA_UNIX_CONNECT, denial->hook, slot)
		       ? 0
		       : -EACCES;
}

/* ---- The address as the caller wrote it ---- */

/* Bytes of `path` before its end or its first NUL. */
static __always_inline __u32 length_of(const char *path)
{
	__u64 length = 0;
	__u64 goes_on = 1;

	/* No branches: the verifier would follow each way through them. */
#pragma unroll
	for (__u32 i = 0; i < PALYRA_UNIX_PATH_LENGTH; i++) {
		__u64 byte = (__u8)path[i];

		goes_on &= (byte + 255) >> 8;
		length += goes_on;
	}
	return length;
}

/* Zero for what lies behind: a key is compared whole. */
static __always_inline void cut(char *path, __u32 length)
{
#pragma unroll
	for (__u32 i = 0; i < PALYRA_UNIX_PATH_LENGTH; i++)
		path[i] = where_within(i, length, (__u8)path[i], 0);
}

/* The stack has no room for it, and the name is at the other end of the text. */
static __always_inline struct palyra_unix_key *key_in(struct path_slot *held)
{
	return (struct palyra_unix_key *)held->text.bytes;
}

/*
 * Whether the rules permit the `length` bytes of sun_path, which the key of the slot holds and
 * `name` points to. `place` is set where the address is to be replaced.
 */
static __always_inline int judge_sun_path(struct path_denial *denial, struct palyra_run *run,
					  struct path_slot *held, __u32 slot, const void *name,
					  __u32 length, struct palyra_unix_socket **place)
{
	struct palyra_unix_key *key = key_in(held);
	__u32 is_abstract = !key->path[0];
	struct palyra_unix_socket *known = NULL;
	int answer;

	if (is_abstract) {
		answer = put_name(held, name + 1, length - 1);
	} else {
		__u32 end = length_of(key->path);

		if (end < length)
			length = end;
		cut(key->path, length);
		key->run = denial->run_id;
		key->profile = 0;
		known = bpf_map_lookup_elem(&unix_sockets, key);
		answer = known ? put_name(held, known->real, known->real_length)
			       : put_name(held, name, length);
	}
	if (answer)
		denial->path_state = PALYRA_PATH_TOO_LONG;
	answer = judge_name(run, denial, is_abstract, slot);
	if (!answer && !is_abstract && !known) {
		__builtin_memset(key, 0, sizeof(*key));
		key->run = denial->run_id;
		key->profile = denial->profile;
		if (!bpf_map_lookup_elem(&unix_sockets, key)) {
			denial->path_state = PALYRA_PATH_UNPINNED;
			answer = -EACCES;
		}
	}
	if (is_abstract)
		mark_abstract(held);
	*place = known;
	return answer;
}

static __always_inline int replace(struct bpf_sock_addr_kern *kern,
				   const struct palyra_unix_socket *place)
{
	__u64 length = place->place_length;

	if (!length || length > PALYRA_UNIX_PATH_LENGTH)
		return SOCK_PROGRAM_DENY;
	if (bpf_sock_addr_set_sun_path(kern, (const __u8 *)place->place, length))
		return SOCK_PROGRAM_DENY;
	return SOCK_PROGRAM_ALLOW;
}

static __always_inline int judge_call(struct bpf_sock_addr *ctx, enum palyra_hook hook)
{
	struct bpf_sock_addr_kern *kern = bpf_cast_to_kern_ctx(ctx);
	struct path_denial denial = { .run_id = own_run_id(), .hook = hook };
	const void *name = (const void *)kern->uaddr + PATH_OFFSET;
	struct palyra_run *run = find_run(denial.run_id);
	struct palyra_unix_socket *place = NULL;
	__u32 length = kern->uaddrlen;
	struct path_slot *held;
	int answer = -EACCES;
	__u32 slot;

	denial.action = PALYRA_UNIX_CONNECT;
	if (!run || length <= PATH_OFFSET || length > PATH_OFFSET + PALYRA_UNIX_PATH_LENGTH)
		return SOCK_PROGRAM_DENY;
	slot = palyra_claim_path();
	held = slot_at(slot);
	denial.path_state = PALYRA_PATH_NO_SLOT;
	if (held && !bpf_probe_read_kernel(key_in(held)->path, PALYRA_UNIX_PATH_LENGTH, name)) {
		denial.path_state = PALYRA_PATH_FOUND;
		answer = judge_sun_path(&denial, run, held, slot, name, length - PATH_OFFSET,
					&place);
	}
	report(run, &denial, answer, slot);
	palyra_release_path(slot);
	if (answer)
		return SOCK_PROGRAM_DENY;
	return place ? replace(kern, place) : SOCK_PROGRAM_ALLOW;
}

/* Sections of programs of the same kind; see above. */
SEC("?cgroup/connect4")
int palyra_unix_connect(struct bpf_sock_addr *ctx)
{
	return judge_call(ctx, PALYRA_HOOK_UNIX_CONNECT);
}

SEC("?cgroup/connect4")
int palyra_unix_sendmsg(struct bpf_sock_addr *ctx)
{
	return judge_call(ctx, PALYRA_HOOK_UNIX_SENDMSG);
}

/* ---- The peer itself ---- */

/* What the socket is bound to, into the slot. `is_abstract` is what the name says. */
static __always_inline enum palyra_path_state
name_of(const struct unix_sock *peer, struct path_slot *held, __u32 slot, __u32 *is_abstract)
{
	struct unix_address *address = BPF_CORE_READ(peer, addr);
	__u32 length = BPF_CORE_READ(address, len);
	const void *name = (const void *)address +
			   bpf_core_field_offset(struct unix_address, name) + PATH_OFFSET;
	__u64 dentry = (__u64)BPF_CORE_READ(peer, path.dentry);
	char first = 1;

	*is_abstract = 0;
	if (dentry)
		return palyra_path_of(dentry, (__u64)BPF_CORE_READ(peer, path.mnt), slot);
	if (length <= PATH_OFFSET || bpf_probe_read_kernel(&first, sizeof(first), name) || first)
		return PALYRA_PATH_UNREACHABLE;
	*is_abstract = 1;
	return put_name(held, name + 1, length - PATH_OFFSET - 1) ? PALYRA_PATH_TOO_LONG
								  : PALYRA_PATH_FOUND;
}

static __always_inline int judge_peer(const struct sock *peer, enum palyra_hook hook)
{
	struct path_denial denial = { .run_id = own_run_id(), .hook = hook };
	const struct unix_sock *sock = (const struct unix_sock *)peer;
	struct palyra_run *run = find_run(denial.run_id);
	struct path_slot *held;
	__u32 is_abstract = 0;
	int answer;
	__u32 slot;

	if (!run)
		return -EACCES;
	/* Without a name it cannot have been asked for by one. */
	if (!BPF_CORE_READ(sock, addr) || is_born_in(peer, denial.run_id, run_level))
		return 0;
	slot = palyra_claim_path();
	held = slot_at(slot);
	denial.path_state = held ? name_of(sock, held, slot, &is_abstract) : PALYRA_PATH_NO_SLOT;
	answer = judge_name(run, &denial, is_abstract, slot);
	if (is_abstract && held)
		mark_abstract(held);
	report(run, &denial, answer, slot);
	palyra_release_path(slot);
	return answer ? -EACCES : 0;
}

SEC("?lsm/unix_stream_connect")
int BPF_PROG(palyra_unix_stream_connect, struct sock *sock, struct sock *other, struct sock *new,
	     int previous)
{
	if (previous != 0)
		return previous;
	if (!is_in_run())
		return 0;
	return judge_peer(other, PALYRA_HOOK_LSM_UNIX_STREAM_CONNECT);
}

SEC("?lsm/unix_may_send")
int BPF_PROG(palyra_unix_may_send, struct socket *sock, struct socket *other, int previous)
{
	if (previous != 0)
		return previous;
	if (!is_in_run())
		return 0;
	return judge_peer(BPF_CORE_READ(other, sk), PALYRA_HOOK_LSM_UNIX_MAY_SEND);
}
