/*
 * Signals to and tracing of other processes: process.signal, process.trace. A process is judged by
 * whether it is of the same run. What a process does to itself is nobody else's business. Where no
 * policy speaks of the action, the same run is allowed and nobody else.
 */
#ifndef PALYRA_BPF_PROCESSES_H_
#define PALYRA_BPF_PROCESSES_H_

#include "bpf/cgroup_ancestry.h"
#include "bpf/path_decision.h"

struct process_question {
	__u64 task; /* 0: nobody knows which; it counts as another run's */
	enum palyra_name_action action;
	enum palyra_hook hook;
	__u8 is_unreported; /* who asks does not want to be told of */
	__u8 padding[5];
};

/* Without a path: the slot is empty. */
static __always_inline void report_process(struct path_denial *denial)
{
	__u32 slot = palyra_claim_path();
	struct path_slot *held = slot_at(slot);

	if (held)
		held->first = PATH_END;
	palyra_report_path(denial, slot);
	palyra_release_path(slot);
}

/* 0, or -EACCES, which is reported. */
__noinline int palyra_judge_process(const struct process_question *q)
{
	struct path_denial denial = { .run_id = own_run_id() };
	struct palyra_run *run = find_run(denial.run_id);
	struct name_answer answer = { .verdict = PALYRA_DENY };
	struct task_struct *task;
	__u32 is_same_run;
	int expired;

	if (!run || !q)
		return -EACCES;
	task = (struct task_struct *)q->task;
	is_same_run = task && is_cgroup_in(BPF_CORE_READ(task, cgroups, dfl_cgrp), denial.run_id,
					   run_level);
	/* Before the profile: RunTable::Replace() stores in that order. */
	expired = has_expired(run);
	denial.profile = READ_ONCE(run->profile);
	if (!has_name_rules(denial.profile, q->action)) {
		if (is_same_run)
			return 0;
		answer.judged = PALYRA_JUDGED;
	} else if (!expired) {
		answer = decide_nameless(denial.profile, q->action, is_same_run);
	}
	if (answer.verdict == PALYRA_ALLOW)
		return 0;
	if (q->is_unreported)
		return -EACCES;
	denial.hook = q->hook;
	denial.action = q->action;
	denial.target_pid = task ? BPF_CORE_READ(task, tgid) : 0;
	denial.reason = expired ? PALYRA_REASON_EXPIRED : answer.reason;
	denial.judged = answer.judged;
	report_process(&denial);
	return -EACCES;
}

static __always_inline int judge_process(struct task_struct *task, enum palyra_name_action action,
					 enum palyra_hook hook, int is_unreported)
{
	struct process_question q = {
		.task = (__u64)task,
		.action = action,
		.hook = hook,
		.is_unreported = !!is_unreported,
	};

	if (!is_held() || task->tgid == bpf_get_current_pid_tgid() >> 32)
		return 0;
	return palyra_judge_process(&q) ? -EACCES : 0;
}

/* Signals that the kernel will send, on input or output, to a process or group of that number. */
static __always_inline int judge_signal_to(__u32 number, enum palyra_hook hook)
{
	struct process_question q = { .action = PALYRA_PROCESS_SIGNAL, .hook = hook };

	if (!is_held() || !number || number == bpf_get_current_pid_tgid() >> 32)
		return 0;
	return palyra_judge_process(&q) ? -EACCES : 0;
}

#define OTHER_NUMBER 0xFFFFFFFFU

#endif /* PALYRA_BPF_PROCESSES_H_ */
