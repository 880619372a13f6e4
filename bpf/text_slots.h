/*
 * Where a program puts a path: too large for the stack, and not per processor, because programs can
 * be preempted by others on the same one, which then judge each other's texts.
 */
#ifndef PALYRA_BPF_TEXT_SLOTS_H_
#define PALYRA_BPF_TEXT_SLOTS_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PALYRA_TEXT_SLOTS);
	__type(key, __u32);
	__type(value, struct palyra_text_slot);
} text_slots SEC(".maps");

/* How many it looks at: they are many more than processors, and held for microseconds. */
#define TEXT_SLOT_TRIES 32

/* NULL where all that it looked at are busy: whoever asks is denied. Else release_text(). */
static __always_inline struct palyra_text_slot *claim_text(void)
{
	__u32 first = bpf_get_smp_processor_id() * TEXT_SLOT_TRIES;

	for (__u32 i = 0; i < TEXT_SLOT_TRIES; i++) {
		__u32 index = (first + i) % PALYRA_TEXT_SLOTS;
		struct palyra_text_slot *slot = bpf_map_lookup_elem(&text_slots, &index);

		if (slot && __sync_val_compare_and_swap(&slot->busy, 0, 1) == 0)
			return slot;
	}
	return NULL;
}

static __always_inline void release_text(struct palyra_text_slot *slot)
{
	__sync_lock_test_and_set(&slot->busy, 0);
}

#endif /* PALYRA_BPF_TEXT_SLOTS_H_ */
