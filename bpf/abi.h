/*
 * The one header that the BPF programs and C++ share: every map's key and value, and the event.
 *
 * Fixed-width integers, one-byte enums (so that `bpftool map dump` prints names) and byte arrays
 * only; padding is explicit and zero. Addresses and the bytes of longest-prefix keys are in network
 * byte order, every other integer in host byte order. tests/unit/engine/abi_test.cc compares sizes
 * and offsets with the BTF of the compiled object.
 */
#ifndef PALYRA_BPF_ABI_H_
#define PALYRA_BPF_ABI_H_

#ifdef __cplusplus
#include <linux/types.h>
#endif

/* Grows with every change of meaning below; objects of two versions never share a map. */
#define PALYRA_ABI_VERSION 10

/*
 * Port spans beside an address prefix, and in one row, which holds a single port of five actions
 * over five protocols each decided apart. See palyra_address_class.
 */
#define PALYRA_INLINE_SPANS 4
#define PALYRA_ROW_SPANS 25

#define PALYRA_COMM_LENGTH 16
#define PALYRA_REASON_LENGTH 120
#define PALYRA_DIGEST_LENGTH 32

/* In an event, in place of a key into `reasons`: the deadline of the run's rules has passed. */
#define PALYRA_REASON_EXPIRED 0xFFFFFFFFU

/* Bounds of the tables, over all runs of the machine. */
#define PALYRA_RUN_SLOT_BITS 14
#define PALYRA_MAX_RUNS (1 << PALYRA_RUN_SLOT_BITS)
#define PALYRA_MAX_PROFILES 2048 /* different policies, in force or kept */
#define PALYRA_MAX_PREFIXES (1 << 20)
#define PALYRA_MAX_HOSTS (1 << 18)
#define PALYRA_MAX_ROWS (1 << 18)
#define PALYRA_MAX_REASONS (1 << 18)
#define PALYRA_MAX_GRANTS 4096
#define PALYRA_MAX_PATH_GRANTS 1024
#define PALYRA_MAX_NAMES (1 << 17)
#define PALYRA_MAX_RELAYED (1 << 14)
#define PALYRA_MAX_RINGS 1024
#define PALYRA_MAX_UNIX_SOCKETS 4096
#define PALYRA_MAX_NAME_RULES (1 << 14)
#define PALYRA_MAX_NAME_LEAVES (1 << 17)
#define PALYRA_MAX_PROGRAM_DIGESTS (1 << 16)
#define PALYRA_MAX_LINKED_NAMES 4096
#define PALYRA_AUTOMATA_ENTRIES (1 << 20)
#define PALYRA_RING_BYTES (1 << 16)

/* In which nothing is kept in sockets. */
#define PALYRA_LAST_EPOCH 0xFFFFFFFFU

/* Profiles that no run is under are kept for the next run with equal rules, within these bounds. */
#define PALYRA_MAX_IDLE_PROFILES 64
#define PALYRA_MAX_IDLE_ENTRIES (1 << 16) /* of all tables together */
#define PALYRA_MAX_IDLE_AUTOMATA (1 << 18) /* entries of `automata` */

enum palyra_verdict : __u8 {
	PALYRA_DENY = 0,
	PALYRA_ASK = 1,
	PALYRA_VERIFY = 2, /* a TCP connection goes to the run's relay; all else is a deny */
	PALYRA_ALLOW = 3,
};

/* Where a run's resolver listens; see palyra_redirect. */
#define PALYRA_RESOLVER_PORTS 4

/* Bits of palyra_span.actions. */
enum palyra_action : __u8 {
	PALYRA_NET_CONNECT = 1 << 0,
	PALYRA_NET_SEND = 1 << 1,
	PALYRA_NET_ACCEPT = 1 << 2,
	PALYRA_NET_BIND = 1 << 3,
	PALYRA_NET_LISTEN = 1 << 4,
	/* Only in events: another process's socket, which the run was sent. */
	PALYRA_SOCKET_RECEIVE = 1 << 6,
	/* Only in events: a kind of socket that no run may have. */
	PALYRA_SOCKET_CREATE = 1 << 7,
};

/* Bits of palyra_span.protocols. */
enum palyra_protocol : __u8 {
	PALYRA_TCP = 1 << 0, /* MPTCP too */
	PALYRA_UDP = 1 << 1,
	PALYRA_UDPLITE = 1 << 2,
	PALYRA_ICMP = 1 << 3,
	PALYRA_ICMPV6 = 1 << 4,
	PALYRA_PROTOCOL_OTHER = 1 << 7, /* never in a span: no rule permits it */
};

enum palyra_hook : __u8 {
	PALYRA_HOOK_CONNECT4 = 1,
	PALYRA_HOOK_CONNECT6 = 2,
	PALYRA_HOOK_SENDMSG4 = 3,
	PALYRA_HOOK_SENDMSG6 = 4,
	PALYRA_HOOK_EGRESS = 5,
	PALYRA_HOOK_SOCK_CREATE = 6,
	PALYRA_HOOK_LSM_SOCKET_CREATE = 7,
	PALYRA_HOOK_INGRESS = 8,
	PALYRA_HOOK_BIND4 = 9,
	PALYRA_HOOK_BIND6 = 10,
	PALYRA_HOOK_LSM_SOCKET_LISTEN = 11,
	PALYRA_HOOK_LSM_FILE_RECEIVE = 12,
	/* Of files and processes: bpf/files.bpf.c and its neighbours. */
	PALYRA_HOOK_FILE_OPEN = 32,
	PALYRA_HOOK_FILE_RECEIVE = 33,
	PALYRA_HOOK_FILE_TRUNCATE = 34,
	PALYRA_HOOK_FILE_IOCTL = 35,
	PALYRA_HOOK_PATH_TRUNCATE = 36,
	PALYRA_HOOK_PATH_MKNOD = 37,
	PALYRA_HOOK_PATH_MKDIR = 38,
	PALYRA_HOOK_PATH_SYMLINK = 39,
	PALYRA_HOOK_PATH_UNLINK = 40,
	PALYRA_HOOK_PATH_RMDIR = 41,
	PALYRA_HOOK_PATH_RENAME = 42,
	PALYRA_HOOK_PATH_LINK = 43,
	PALYRA_HOOK_PATH_CHMOD = 44,
	PALYRA_HOOK_PATH_CHOWN = 45,
	PALYRA_HOOK_INODE_SETATTR = 46,
	PALYRA_HOOK_INODE_SETXATTR = 47,
	PALYRA_HOOK_INODE_REMOVEXATTR = 48,
	PALYRA_HOOK_INODE_SET_ACL = 49,
	PALYRA_HOOK_INODE_REMOVE_ACL = 50,
	PALYRA_HOOK_MMAP_FILE = 51,
	PALYRA_HOOK_FILE_MPROTECT = 52,
	PALYRA_HOOK_PTRACE_ACCESS = 53,
	PALYRA_HOOK_PTRACE_TRACEME = 54,
	PALYRA_HOOK_TASK_KILL = 55,
	PALYRA_HOOK_TASK_SCHEDULING = 56,
	PALYRA_HOOK_SB_MOUNT = 57,
	PALYRA_HOOK_SB_UMOUNT = 58,
	PALYRA_HOOK_SB_REMOUNT = 59,
	PALYRA_HOOK_SB_PIVOTROOT = 60,
	PALYRA_HOOK_MOVE_MOUNT = 61,
	PALYRA_HOOK_PATH_CHROOT = 62,
	PALYRA_HOOK_USERNS_CREATE = 63,
	PALYRA_HOOK_BPF = 64,
	PALYRA_HOOK_PERF_EVENT_OPEN = 65,
	PALYRA_HOOK_FILE_FCNTL = 66,
	PALYRA_HOOK_BPRM_CHECK = 67,
	/* Of unix sockets: bpf/unix.bpf.c. */
	PALYRA_HOOK_UNIX_CONNECT = 80,
	PALYRA_HOOK_UNIX_SENDMSG = 81,
	PALYRA_HOOK_LSM_UNIX_STREAM_CONNECT = 82,
	PALYRA_HOOK_LSM_UNIX_MAY_SEND = 83,
};

/*
 * Array `runs`, directly mapped: a run's entry is the one at palyra_run_slot(its cgroup id), and
 * only there; a new run whose slot is taken gets another cgroup. `cgroup` is claimed and freed
 * atomically (0 is free); the rest is written while nothing runs in the cgroup. A task below
 * Palyra's cgroup whose run has no entry is denied every call.
 */
struct palyra_run {
	__u64 cgroup; /* id of the run's cgroup */
	__u64 expires_ns; /* CLOCK_BOOTTIME from which on everything is denied; 0: never */
	__u32 profile; /* first part of the keys of the rule tables */
	__u32 ring; /* index into `rings` for events of this run */
	__u8 has_grants; /* 1 since its first entry in `grants` or `path_grants` */
	__u8 has_names; /* 1 since the first entry of this run in `names` */
	__u16 relay_port; /* of the run's relay, on 127.0.0.1 and ::1, TCP; 0: it has none */
	/* One in how many allows is an event: 1 is all, 0 none. See bpf/audit.h for what is one. */
	__u32 audit_allows;
	/* Of the run's resolver, on 127.0.0.1 and ::1, UDP and TCP; all 0: it has none. What the
	 * run sends to port 53 anywhere goes there, without a look at its rules. */
	__u16 resolver_ports[PALYRA_RESOLVER_PORTS];
	/* On every packet of the run to its resolver or relay, whose sockets take no others: nobody
	 * else on the machine asks in the run's name. Not 0 where it has one. */
	__u32 broker_mark;
	/* Incremented after each change of `profile` or of the run's entries in `names`; it stays
	 * at PALYRA_LAST_EPOCH. See palyra_flow. */
	__u32 epoch;
	/* 1: no rules may be put in force for it but its own; no program reads it. */
	__u32 is_offline;
	/* 1 since before it was first under a profile with PALYRA_ASKS_DIGESTS. */
	__u8 asks_digests;
	__u8 has_linked_names; /* 1 since the first entry of this run in `linked_names` */
	__u8 padding[2];
	__u64 denied; /* decisions that were deny */
	__u64 lost; /* of those, events that found no room in the ring */
	__u64 audited; /* allows that were to be events */
	__u64 lost_audited; /* of those, the ones that found no room */
};

/* Fibonacci hashing (Knuth, TAOCP volume 3, section 6.4): cgroup ids come in even strides. */
static inline __u32 palyra_run_slot(__u64 cgroup)
{
	return (__u32)((cgroup * 0x9E3779B97F4A7C15ULL) >> (64 - PALYRA_RUN_SLOT_BITS));
}

/*
 * Maps `addresses4` and `addresses6`: longest prefix -> address class. prefix_length counts the 32
 * bits of `profile` too; the entry of length 32 is the class of every address without a prefix.
 */
struct palyra_address4_key {
	__u32 prefix_length;
	__u32 profile;
	__u8 address[4];
};

struct palyra_address6_key {
	__u32 prefix_length;
	__u32 profile;
	__u8 address[16];
};

/*
 * Maps `hosts4` and `hosts6`: single addresses, with what `addresses4` and `addresses6` say of
 * them, where a profile has many of the family: a deep trie costs a cache miss for every few bits.
 * They are those of prefixes with at most PALYRA_HOST_BITS bits left. The ids of such profiles have
 * these bits.
 */
#define PALYRA_HAS_HOSTS4 (1U << 31)
#define PALYRA_HAS_HOSTS6 (1U << 28)
#define PALYRA_HOST_BITS 3

/*
 * Set in the ids of profiles that have rules for files and programs. In runs under another profile
 * these are not judged, but for what no run may do.
 */
#define PALYRA_JUDGES_FILES (1U << 30)

/* Likewise of those that permit some programs by their digest. */
#define PALYRA_ASKS_DIGESTS (1U << 29)

struct palyra_host4_key {
	__u32 profile;
	__u8 address[4];
};

struct palyra_host6_key {
	__u32 profile;
	__u8 address[16];
};

struct palyra_span {
	__u16 port_first; /* inclusive */
	__u16 port_last; /* inclusive */
	__u8 actions; /* bits of enum palyra_action */
	__u8 protocols; /* bits of enum palyra_protocol */
	enum palyra_verdict verdict;
	__u8 padding;
	__u32 reason; /* key into `reasons` */
};

/*
 * What an address class decides: by its spans, which are disjoint; what none of them holds is
 * denied with reason 0. A class with few spans has them here. One with more has them in `rows`, cut
 * into port ranges: those of a port are in the row with part = port >> port_shift.
 */
struct palyra_address_class {
	__u32 address_class;
	__u8 in_rows; /* 0: spans are here, port_shift means nothing. 1: in `rows` */
	__u8 port_shift; /* 0..16 */
	__u8 span_count;
	__u8 padding;
	struct palyra_span spans[PALYRA_INLINE_SPANS];
};

/* Map `rows`. No entry: deny with reason 0. */
struct palyra_row_key {
	__u32 profile;
	__u32 address_class;
	__u32 part;
};

struct palyra_row {
	__u32 span_count;
	struct palyra_span spans[PALYRA_ROW_SPANS];
};

/* Map `reasons`: the policies behind a verdict, as text for people. No program reads it. */
struct palyra_reason_key {
	__u32 profile;
	__u32 reason;
};

struct palyra_reason {
	char policies[PALYRA_REASON_LENGTH]; /* NUL-terminated UTF-8, cut when longer */
};

/* Map `digests`: SHA-256 of a RuleSet (policy/rule_set.h) -> the complete profile that holds it. */
struct palyra_digest {
	__u8 bytes[PALYRA_DIGEST_LENGTH];
};

/*
 * Map `profiles`: what is stored under a profile id. Runs with equal rules share a profile; the
 * entries of `runs` are the only record of who is under it. A profile is named by a run only once
 * it is complete. While one is being written or removed, its id is in `unfinished` too: what is
 * there when nobody holds the lock of the profiles was left by somebody who died.
 */
struct palyra_profile {
	__u8 digest[PALYRA_DIGEST_LENGTH];
	__u64 last_used_ns; /* CLOCK_BOOTTIME of the latest start or update with these rules */
	__u32 addresses4; /* entries in each table */
	__u32 addresses6;
	__u32 rows;
	__u32 reasons;
	__u32 hosts; /* entries in `hosts4` and `hosts6` together */
	__u32 name_leaves;
	__u32 automata; /* entries of `automata` that its name rules hold */
	__u32 program_digests;
	/* Where the profile's keys begin in the order in which the kernel walks a trie. */
	struct palyra_address4_key first4;
	struct palyra_address6_key first6;
	__u8 complete;
	__u8 padding[3];
};

/*
 * Map `grants`: what a person allowed one run, where its rules say ask. It is for exactly this
 * address and port; a deny is never asked about.
 */
struct palyra_grant_key {
	__u64 run; /* cgroup id */
	__u8 address[16];
	__u16 port;
	enum palyra_action action;
	enum palyra_protocol protocol;
	__u8 is_ipv6;
	__u8 padding[3];
};

/*
 * Of a limited grant, a connect() or a datagram takes one use, atomically; the packets of that
 * connection are allowed as long as the entry is there and has not expired.
 */
struct palyra_grant {
	__u64 expires_ns; /* CLOCK_BOOTTIME; 0: with the run */
	__u32 uses; /* 0: any number */
	__u32 used;
};

/*
 * Map `path_grants`: the same for exactly one path, of a file, a program or a unix socket. Longer
 * ones cannot be granted: a key of a hash table has at most 512 bytes.
 */
#define PALYRA_GRANTED_PATH_LENGTH 488

struct palyra_path_grant_key {
	__u64 run; /* cgroup id */
	__u8 action; /* enum palyra_name_action */
	__u8 padding[7];
	__u8 path[PALYRA_GRANTED_PATH_LENGTH]; /* padded with NUL, one at least */
};

/*
 * Of a program alone uses are counted, and there is one: the process that took it maps the program
 * as often as that needs.
 */
struct palyra_path_grant {
	__u64 expires_ns; /* CLOCK_BOOTTIME; 0: with the run */
	__u32 uses; /* 0: any number; 1 */
	__u32 used;
	__u32 pid; /* thread group id of who took the use */
	__u32 padding;
};

/*
 * Map `names`: what is decided about an address that the run's resolver gave out, in place of
 * `addresses4` and `addresses6`: by the names under which it is known to this run.
 */
struct palyra_name_key {
	__u64 run; /* cgroup id */
	__u32 profile; /* whose rules these are; under another one the address has no name */
	__u8 is_ipv6;
	__u8 padding[3];
	__u8 address[16];
};

struct palyra_name {
	__u64 expires_ns; /* CLOCK_BOOTTIME; then only flows that have begun find the name */
	__u32 span_count; /* as in a row: what no span holds is denied with reason 0 */
	struct palyra_span spans[PALYRA_ROW_SPANS];
};

/*
 * Map `redirects`, in sockets: to whom they sent DNS, by index of the resolver's port that it went
 * to. So that what several servers answer to one socket comes from each of them.
 */
struct palyra_origin {
	__u8 address[16];
	__u8 is_ipv6;
	__u8 is_used;
	__u8 padding[6];
};

struct palyra_redirect {
	struct palyra_origin origins[PALYRA_RESOLVER_PORTS];
};

/*
 * Map `brokers`, in sockets that listen for a run's resolver or relay: whose. The programs send
 * nothing to a port where another socket listens.
 */
struct palyra_broker {
	__u64 run; /* cgroup id */
};

/*
 * Map `relayed`: by the port that the relay sees as its client's, whom the client asked for.
 * Written before the first packet leaves, and removed by whoever reads it for the relay.
 */
struct palyra_relayed_key {
	__u64 run; /* cgroup id */
	__u16 port;
	__u8 is_ipv6; /* of the connection to the relay */
	__u8 padding[5];
};

struct palyra_relayed {
	__u8 address[16];
	__u16 port;
	__u8 is_ipv6;
	__u8 padding[5];
};

/*
 * Map `flows`, in sockets: how the flow began, and that its packets were allowed
 * (bpf/flow_cache.h). A TCP socket with a peer whose flow is not connected was accepted.
 */
struct palyra_flow {
	__u32 connected; /* 1: opened by connect() */
	__u32 granted; /* 1: that connect() took a use of a limited grant */
	__u64 kept; /* epoch of the run in the upper half, `written` below; 0: nothing is kept */
	__u64 run; /* cgroup id; this and what follows means nothing where `kept` is 0 */
	__u8 address[16]; /* of the peer */
	__u16 port;
	__u8 ip_protocol; /* IPPROTO_* */
	__u8 is_ipv6;
	enum palyra_action action;
	__u8 is_relayed; /* 1: led to the relay; nothing is kept */
	__u8 is_on_loopback; /* 1: the peer is, and its packets pass no other device */
	__u8 padding[1];
	__u32 written; /* how often */
	__u32 is_written; /* 1: somebody writes at this moment */
	struct palyra_relayed origin; /* where is_relayed is 1 */
};

/*
 * Map `audited`, in sockets other than TCP of runs whose allows are events: about whom the last
 * event was, sent to and heard from, and who called connect() last.
 */
struct palyra_audited_peer {
	__u8 address[16];
	__u16 port;
	__u8 is_ipv6;
	__u8 is_known;
	__u8 padding[4];
};

struct palyra_audited {
	struct palyra_audited_peer sent;
	struct palyra_audited_peer heard;
	__u32 pid;
	__u8 padding[4];
	char comm[PALYRA_COMM_LENGTH];
};

/* Map `ring_owners`: index into `rings` -> cgroup id of the run whose supervisor reads it. */
struct palyra_ring_owner {
	__u64 run;
};

/*
 * Array `automata`: one value, in which all automata lie. User space shares its memory, gives each
 * automaton a place that no other has, writes it, and only then lets a program know of it.
 *
 * A state is the index of an entry. Its text class is there, and where bytes go by default. Of a
 * byte with class c the entry at state + c says where it goes, if that entry is the state's: of
 * many states each has a few such entries, and they lie between one another's.
 */
struct palyra_entry {
	/* The state, or PALYRA_HEAD and the class of the texts that end here: an entry that is a
	 * state belongs to none. PALYRA_FREE where there is neither. */
	__u32 owner;
	__u32 next; /* a state, with PALYRA_SINK where no byte leads out of it */
};

#define PALYRA_HEAD (1U << 31)
#define PALYRA_SINK (1U << 31)
#define PALYRA_FREE 0U

struct palyra_arena {
	struct palyra_entry entries[PALYRA_AUTOMATA_ENTRIES];
};

/*
 * What an automaton begins with, in place of its first entries. An automaton is known by the index
 * of the first; no automaton has index 0.
 */
struct palyra_automaton {
	__u32 start; /* state, with PALYRA_SINK as above; 0: nothing is here */
	__u32 entry_count; /* of the header too */
	__u8 byte_classes[256];
};

#define PALYRA_AUTOMATON_HEADER (sizeof(struct palyra_automaton) / sizeof(struct palyra_entry))

/* The longest text that is walked: a path of PATH_MAX - 1 bytes fits. */
#define PALYRA_TEXT_LENGTH 4096

/* Programs read words, the last of which may end behind the text. */
struct palyra_text {
	__u8 bytes[PALYRA_TEXT_LENGTH + 8];
};

/*
 * What has a name: files, programs, processes, unix sockets. Numbers of policy::NameAction.
 */
enum palyra_name_action : __u8 {
	PALYRA_FILE_READ = 0,
	PALYRA_FILE_WRITE = 1,
	PALYRA_FILE_CREATE = 2,
	PALYRA_FILE_REMOVE = 3,
	PALYRA_FILE_RENAME = 4,
	PALYRA_FILE_LINK = 5,
	PALYRA_FILE_ATTRIBUTES = 6,
	PALYRA_PROCESS_EXEC = 7,
	PALYRA_PROCESS_SIGNAL = 8,
	PALYRA_PROCESS_TRACE = 9,
	PALYRA_UNIX_CONNECT = 10,
	/* Only in events: what no run may do, whatever its rules say. */
	PALYRA_KERNEL_CONTROL = 15,
};

#define PALYRA_NAME_ACTIONS 11

/*
 * Map `name_rules`: by which automaton a profile judges the names of one action. No entry: deny
 * with reason 0. What lies from `automaton` on belongs to this profile alone: these entries are the
 * only record of which places are taken, and places are taken under the lock of the automata.
 */
struct palyra_name_rules_key {
	__u32 profile;
	enum palyra_name_action action;
	__u8 padding[3];
};

struct palyra_name_rules {
	__u32 automaton; /* see palyra_automaton */
	__u32 entry_count; /* of the automaton, its header too */
	__u32 class_count; /* of texts */
	__u32 flag_count; /* how many leaves a class has; see palyra_name_leaf_key */
};

/*
 * Map `name_leaves`: what is decided of a class of names. No entry: deny with reason 0. They go
 * before the place of their automaton does: who still walks it finds no leaf.
 */
struct palyra_name_leaf_key {
	__u32 profile;
	__u32 text_class; /* as the automaton says */
	/* Files: 0. Sockets: 1 abstract. Processes: 1 of the same run. Programs: 0 without a known
	 * digest, else as policy::FlagOf() counts them. */
	__u32 flag;
	enum palyra_name_action action;
	__u8 padding[3];
};

struct palyra_name_leaf {
	__u32 reason; /* key into `reasons` */
	enum palyra_verdict verdict;
	/* Only of flag 0 of programs. 1: other flags of the class have other verdicts, so the
	 * digest must be known; such a leaf is never left out. */
	__u8 needs_digest;
	__u8 padding[2];
};

/*
 * Map `program_digests`: the SHA-256 values that the rules of a profile tell apart -> their flag in
 * `name_leaves`. Any other has the last flag of the profile's programs. They go after the leaves.
 */
struct palyra_program_digest {
	__u32 profile;
	__u8 bytes[PALYRA_DIGEST_LENGTH];
};

/*
 * Map `linked_names`: the names under which the rules protect a file that has other names too,
 * which were made before the run. The rules of a run are asked about these whatever leads to the
 * file; so many at most. The run's supervisor holds each such file open: the inode stays in place.
 */
#define PALYRA_MOST_LINKED_NAMES 8

struct palyra_linked_key {
	__u64 run; /* cgroup id */
	__u64 inode; /* where it is in the kernel's memory */
	__u32 index; /* from 0 on */
	__u32 padding;
};

struct palyra_linked_name {
	__u32 first; /* the name is what lies from there on to before the last byte, a NUL */
	__u8 text[PALYRA_TEXT_LENGTH];
};

enum palyra_judged : __u8 {
	PALYRA_JUDGED_NOTHING = 0,
	PALYRA_JUDGED = 1,
	PALYRA_NOT_UTF8 = 2,
	PALYRA_TOO_LONG = 3,
	PALYRA_NO_AUTOMATON = 4,
};

/* Whether an object has a path, or why it has none and is denied: bpf/path.h. */
enum palyra_path_state : __u8 {
	PALYRA_PATH_FOUND = 0,
	PALYRA_PATH_WALKING = 1, /* never the end of a walk */
	PALYRA_PATH_NO_SLOT = 2, /* too many programs are judging at this moment */
	PALYRA_PATH_TOO_LONG = 3, /* PATH_MAX bytes or more, as one gets by descending */
	PALYRA_PATH_UNREACHABLE =
		4, /* in no mount namespace, or outside the part that is mounted */
	PALYRA_PATH_INTERNAL = 5, /* on a mount of the kernel's own: pipes, memfd */
	PALYRA_PATH_UNSTABLE = 6, /* it changed at each try */
	PALYRA_PATH_OUTSIDE = 7, /* not below the directory that is mounted */
	/* These have one. */
	PALYRA_PATH_UNLINKED = 8, /* to be executed, and without a name */
	PALYRA_PATH_MOVES_RULES = 9, /* what lies below would be decided otherwise elsewhere */
	PALYRA_PATH_GAINS = 10, /* the file would be allowed more under the other name */
	PALYRA_PATH_CONTROL = 11, /* on a file system by which the kernel is controlled */
	PALYRA_PATH_UNPINNED = 12, /* a socket that was not there as the run began: unix_sockets */
	PALYRA_PATH_RENAMES_SOCKET = 13, /* a socket would have that name, which it was not given */
	PALYRA_PATH_OWN = 14, /* Palyra's own: policies, locks, and what leads to them */
	PALYRA_PATH_NO_DIGEST = 15, /* of the program, on which the verdict depends */
	PALYRA_PATH_WRITTEN = 16, /* likewise, and somebody has it open for writing */
	PALYRA_PATH_MAPPED = 17, /* to be written, and a run executes it because of its digest */
	PALYRA_PATH_LINKED = 18, /* the path is another name of what was reached, and denied */
};

/*
 * Map `unix_sockets`, only where programs see the path that the caller wrote and not the socket
 * that it leads to: the sockets that a run may ask for by path, found as it began. They lie,
 * mounted, where the run can change nothing, and programs put that path in place of the caller's.
 *
 * The entry with an empty path says that the run may use any path as it is, as long as `profile` is
 * in force, which then permits every one; in all others `profile` is 0.
 */
#define PALYRA_UNIX_PATH_LENGTH 108

struct palyra_unix_key {
	__u64 run; /* cgroup id */
	__u32 profile;
	char path[PALYRA_UNIX_PATH_LENGTH]; /* as the caller writes it, padded with NUL */
};

struct palyra_unix_socket {
	__u16 real_length;
	__u16 place_length;
	char real[PALYRA_UNIX_PATH_LENGTH]; /* the path that the rules are asked about */
	char place[PALYRA_UNIX_PATH_LENGTH]; /* where it is mounted for the run */
};

/* Array `judgement`: a question of user space to bpf/judge.bpf.c, and its answer. */
struct palyra_judgement {
	__u32 automaton; /* which; see palyra_automaton. Asked of a profile: not used */
	__u32 length; /* of the text */
	__u32 state; /* answer: where the text ends, without PALYRA_SINK */
	__u32 text_class; /* answer */
	__u32 profile; /* these three: what a profile is asked */
	__u32 flag;
	enum palyra_name_action action;
	enum palyra_judged judged; /* answer */
	enum palyra_verdict verdict; /* answer of a profile, with its reason */
	__u8 has_digest; /* 1: of a program, in place of `flag` */
	__u32 reason;
	__u8 digest[PALYRA_DIGEST_LENGTH];
	struct palyra_text text;
};

/* Array `net_judgement`: likewise, about the network. */
struct palyra_net_judgement {
	__u32 profile;
	__u32 reason; /* answer */
	__u16 port;
	__u8 is_ipv6;
	enum palyra_action action;
	enum palyra_protocol protocol;
	enum palyra_verdict verdict; /* answer */
	enum palyra_judged judged; /* answer */
	__u8 padding;
	__u8 address[16]; /* IPv4 in the first four bytes */
};

/* One denial, or allow where the run asks for these, written to the run's ring buffer. */
struct palyra_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 run; /* cgroup id */
	__u32 profile;
	__u32 reason;
	__u32 pid; /* thread group id; 0 where nobody knows whose packet it is */
	__u32 socket_type; /* SOCK_*, only for PALYRA_SOCKET_CREATE and PALYRA_SOCKET_RECEIVE */
	__u16 ip_protocol; /* IPPROTO_* as the kernel numbers it */
	__u16 port;
	__u8 address[16]; /* IPv4 in the first four bytes, the rest zero */
	enum palyra_hook hook;
	enum palyra_action action;
	enum palyra_protocol protocol;
	__u8 is_ipv6;
	__u16 socket_family; /* AF_*, likewise */
	enum palyra_verdict verdict; /* never ask: without a grant that is deny, with one allow */
	__u8 padding[5];
	char comm[PALYRA_COMM_LENGTH];
};

/*
 * One denial about a file, program or process, to the same ring buffers; larger than a
 * palyra_event, by which they are told apart. The path follows, `path_length` bytes without a NUL;
 * none where there is none, and for processes.
 */
#define PALYRA_EXECUTABLE_LENGTH 256

struct palyra_path_event {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	__u64 run; /* cgroup id */
	__u32 profile;
	__u32 reason;
	__u32 pid; /* thread group id */
	__u32 target_pid; /* of the process that a signal or trace was for */
	__u16 path_length;
	__u16 executable_length;
	enum palyra_hook hook;
	enum palyra_name_action action;
	enum palyra_path_state path_state;
	enum palyra_judged judged; /* why the tables say nothing, where not PALYRA_JUDGED */
	enum palyra_verdict
		verdict; /* deny; of PALYRA_UNIX_CONNECT allow too, where that is told */
	__u8 padding[7];
	char comm[PALYRA_COMM_LENGTH];
	/* Path of what the calling process executes; its end where it is longer. */
	char executable[PALYRA_EXECUTABLE_LENGTH];
};

#endif /* PALYRA_BPF_ABI_H_ */
