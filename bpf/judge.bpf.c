/*
 * Answers questions of user space by the very code that decides in the kernel: the proof that the
 * tables say there what the policies say. It is never attached; BPF_PROG_TEST_RUN runs it, on maps
 * of the asker's own.
 */
#include "bpf/name_decision.h"
#include "bpf/rule_tables.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Too large for a packet, so the question lies in memory that both sides see. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct palyra_judgement);
} judgement SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct palyra_net_judgement);
} net_judgement SEC(".maps");

/* Points nowhere: it only brings the layout of automata into the BTF of the object. */
const struct palyra_automaton *const volatile automaton_layout = 0;

SEC("cgroup_skb/egress")
int palyra_judge_text(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct palyra_judgement *question = bpf_map_lookup_elem(&judgement, &zero);

	if (!question)
		return 0;

	__u32 state = 0;
	__u32 text_class = 0;

	question->judged = judge_text(question->automaton, &question->text, 0, question->length,
				      &state, &text_class);
	question->state = state & ~PALYRA_SINK;
	question->text_class = text_class;
	return 1;
}

SEC("cgroup_skb/egress")
int palyra_judge_name(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct palyra_judgement *asked = bpf_map_lookup_elem(&judgement, &zero);

	if (!asked)
		return 0;

	struct name_question q = {
		.profile = asked->profile,
		.action = asked->action,
		.flag = asked->flag,
		.length = asked->length,
	};
	struct name_answer answer = {};

	palyra_decide_name(&q, &asked->text, &answer);
	if (asked->has_digest && answer.judged == PALYRA_JUDGED)
		decide_by_digest(asked->profile, asked->digest, &answer);
	asked->state = answer.state & ~PALYRA_SINK;
	asked->text_class = answer.text_class;
	asked->verdict = answer.verdict;
	asked->reason = answer.reason;
	asked->judged = answer.judged;
	return 1;
}

SEC("cgroup_skb/egress")
int palyra_judge_net(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct palyra_net_judgement *asked = bpf_map_lookup_elem(&net_judgement, &zero);

	if (!asked)
		return 0;

	struct question q = {
		.action = asked->action,
		.protocol = asked->protocol,
		.is_ipv6 = asked->is_ipv6,
		.port = asked->port,
	};
	__u32 reason;

	__builtin_memcpy(q.address, asked->address, sizeof(q.address));
	asked->verdict = decide(asked->profile, &q, &reason);
	asked->reason = reason;
	asked->judged = PALYRA_JUDGED;
	return 1;
}
