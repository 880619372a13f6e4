/*
 * The one decision over the tables of names.
 */
#ifndef PALYRA_BPF_NAME_DECISION_H_
#define PALYRA_BPF_NAME_DECISION_H_

#include "bpf/automaton.h"
#include "bpf/name_tables.h"

/* What is asked of the tables: the name is text->bytes[first], and `length` bytes long. */
struct name_question {
	__u32 profile;
	enum palyra_name_action action;
	__u32 flag; /* see palyra_name_leaf_key */
	__u32 first;
	__u32 length;
};

struct name_answer {
	enum palyra_verdict verdict;
	enum palyra_judged judged; /* why it is a deny without a policy, where not PALYRA_JUDGED */
	__u8 needs_digest; /* see palyra_name_leaf */
	__u32 reason;
	/* Where the name ends in the automaton, and its class: of two names with the same state
	 * everything below them is decided alike. */
	__u32 state;
	__u32 text_class;
	__u32 automaton;
};

/* Anything that is not found, or cannot be judged, is a deny with reason 0. */
static __always_inline struct name_answer decide_name(const struct name_question *q,
						      const struct palyra_text *text)
{
	struct palyra_name_rules_key key = { .profile = q->profile, .action = q->action };
	struct palyra_name_rules *found = bpf_map_lookup_elem(&name_rules, &key);
	struct name_answer answer = { .verdict = PALYRA_DENY, .judged = PALYRA_NO_AUTOMATON };

	if (!found)
		return answer;
	answer.automaton = found->automaton;
	answer.judged = judge_text(found->automaton, text, q->first, q->length, &answer.state,
				   &answer.text_class);
	if (answer.judged != PALYRA_JUDGED)
		return answer;

	struct palyra_name_leaf_key leaf_key = {
		.profile = q->profile,
		.text_class = answer.text_class,
		.flag = q->flag,
		.action = q->action,
	};
	struct palyra_name_leaf *leaf = bpf_map_lookup_elem(&name_leaves, &leaf_key);

	if (leaf) {
		answer.verdict = leaf->verdict;
		answer.reason = leaf->reason;
		answer.needs_digest = leaf->needs_digest;
	}
	return answer;
}

/*
 * Changes what was answered of a program without a digest to what is decided of one with that
 * digest.
 */
static __always_inline void decide_by_digest(__u32 profile, const __u8 *digest,
					     struct name_answer *answer)
{
	struct palyra_name_rules_key key = { .profile = profile, .action = PALYRA_PROCESS_EXEC };
	struct palyra_name_rules *found = bpf_map_lookup_elem(&name_rules, &key);
	struct palyra_program_digest digest_key = { .profile = profile };
	struct palyra_name_leaf_key leaf_key = {
		.profile = profile,
		.text_class = answer->text_class,
		.action = PALYRA_PROCESS_EXEC,
	};
	struct palyra_name_leaf *leaf;
	__u32 *flag;

	answer->verdict = PALYRA_DENY;
	answer->reason = 0;
	if (!found)
		return;
	__builtin_memcpy(digest_key.bytes, digest, sizeof(digest_key.bytes));
	flag = bpf_map_lookup_elem(&program_digests, &digest_key);
	leaf_key.flag = flag ? *flag : found->flag_count - 1;
	leaf = bpf_map_lookup_elem(&name_leaves, &leaf_key);
	if (leaf) {
		answer->verdict = leaf->verdict;
		answer->reason = leaf->reason;
	}
}

/* Whether any policy of the profile speaks of the action. */
static __always_inline int has_name_rules(__u32 profile, enum palyra_name_action action)
{
	struct palyra_name_rules_key key = { .profile = profile, .action = action };

	return bpf_map_lookup_elem(&name_rules, &key) != NULL;
}

/* Likewise of what has no name, as a process. */
static __always_inline struct name_answer
decide_nameless(__u32 profile, enum palyra_name_action action, __u32 flag)
{
	struct palyra_name_rules_key key = { .profile = profile, .action = action };
	struct palyra_name_rules *found = bpf_map_lookup_elem(&name_rules, &key);
	struct name_answer answer = { .verdict = PALYRA_DENY, .judged = PALYRA_NO_AUTOMATON };
	struct palyra_name_leaf_key leaf_key = {
		.profile = profile,
		.flag = flag,
		.action = action,
	};
	struct palyra_name_leaf *leaf;

	if (!found || !class_of_empty(found->automaton, &leaf_key.text_class))
		return answer;
	answer.judged = PALYRA_JUDGED;
	leaf = bpf_map_lookup_elem(&name_leaves, &leaf_key);
	if (leaf) {
		answer.verdict = leaf->verdict;
		answer.reason = leaf->reason;
	}
	return answer;
}

/*
 * The same for programs with many questions: the kernel checks a function that is not inlined once,
 * and not on every way that leads to it.
 */
__noinline int palyra_decide_name(const struct name_question *q, const struct palyra_text *text,
				  struct name_answer *answer)
{
	if (!q || !text || !answer)
		return -EPERM;
	*answer = decide_name(q, text);
	return 0;
}

#endif /* PALYRA_BPF_NAME_DECISION_H_ */
