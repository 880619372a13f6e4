/*
 * Walking the automata of string conditions, and the check before it that a text is UTF-8.
 *
 * The calls of bpf_loop() cost more than a step, so each does many bytes. Every index is masked
 * where the compiler does not see it, because it would take the mask away again.
 */
#ifndef PALYRA_BPF_AUTOMATON_H_
#define PALYRA_BPF_AUTOMATON_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/name_tables.h"
#include "bpf/utf8.h"

struct automaton_walk {
	const struct palyra_arena *arena;
	const __u8 *byte_classes;
	const struct palyra_text *text;
	__u32 first;
	__u32 end;
	__u32 state; /* with PALYRA_SINK */
};

static __always_inline const struct palyra_entry *entry_at(const struct palyra_arena *arena,
							   __u32 offset)
{
	__u64 masked = offset;

	asm volatile("%0 &= %1" : "+r"(masked) : "i"(sizeof(struct palyra_arena) - sizeof(__u64)));
	return (const void *)arena + masked;
}

/* A sink owns nothing, and its flag makes it differ from whatever it finds. */
static __always_inline __u32 automaton_step(const struct palyra_arena *arena,
					    const __u8 *byte_classes, __u32 state, __u8 byte)
{
	const struct palyra_entry *entry =
		entry_at(arena, state + byte_classes[byte] * sizeof(struct palyra_entry));

	if (entry->owner != state)
		entry = entry_at(arena, state);
	return entry->next;
}

#define WORD_BYTES 8
#define BLOCK_BYTES 32

static __always_inline __u32 walk_bytes(const struct automaton_walk *walk, __u32 state, __u32 at)
{
	const struct palyra_arena *arena = walk->arena;
	const __u8 *byte_classes = walk->byte_classes;
	__u64 word = text_word(walk->text, at);

#pragma unroll
	for (__u32 i = 0; i < WORD_BYTES; i++)
		state = automaton_step(arena, byte_classes, state, word >> 8 * i);
	return state;
}

static long walk_block(__u32 index, void *context)
{
	struct automaton_walk *walk = context;
	__u32 at = walk->first + index * BLOCK_BYTES;
	__u32 state = walk->state;

#pragma unroll
	for (__u32 i = 0; i < BLOCK_BYTES; i += WORD_BYTES)
		state = walk_bytes(walk, state, at + i);
	walk->state = state;
	return !!(state & PALYRA_SINK);
}

/* Of the last word only what is within the text. */
static long walk_word(__u32 index, void *context)
{
	struct automaton_walk *walk = context;
	__u32 at = walk->first + index * WORD_BYTES;
	__u32 left = walk->end - at;
	__u32 state = walk->state;

	if (left >= WORD_BYTES) {
		state = walk_bytes(walk, state, at);
	} else {
		__u64 word = text_word(walk->text, at);

#pragma unroll
		for (__u32 i = 0; i < WORD_BYTES - 1; i++) {
			__u32 next = automaton_step(walk->arena, walk->byte_classes, state,
						    word >> 8 * i);

			state = where_within(i, left, next, state);
		}
	}
	walk->state = state;
	return !!(state & PALYRA_SINK);
}

/* NULL where there is none. */
static __always_inline struct palyra_automaton *automaton_at(__u32 automaton,
							     struct palyra_arena **arena)
{
	__u32 zero = 0;
	struct palyra_automaton *header;
	__u64 place = automaton;

	*arena = bpf_map_lookup_elem(&automata, &zero);
	if (!*arena || !place)
		return NULL;
	/* Else both comparisons become one that the verifier learns nothing from. */
	asm volatile("" : "+r"(place));
	if (place > PALYRA_AUTOMATA_ENTRIES - PALYRA_AUTOMATON_HEADER)
		return NULL;
	header = (struct palyra_automaton *)&(*arena)->entries[place];
	return header->start ? header : NULL;
}

/* The class of the text without a byte; 0 where there is no automaton. */
static __always_inline int class_of_empty(__u32 automaton, __u32 *text_class)
{
	struct palyra_arena *arena;
	struct palyra_automaton *header = automaton_at(automaton, &arena);

	if (!header)
		return 0;
	*text_class = entry_at(arena, header->start & ~PALYRA_SINK)->owner & ~PALYRA_HEAD;
	return 1;
}

/*
 * What `automaton` says to the `length` bytes of `text` that begin at `first`, all of which lie
 * within PALYRA_TEXT_LENGTH: PALYRA_JUDGED, and the state, with PALYRA_SINK, and the class; else
 * why there are none, which whoever asks takes for a deny.
 */
static __always_inline enum palyra_judged judge_text(__u32 automaton,
						     const struct palyra_text *text, __u32 first,
						     __u32 length, __u32 *state, __u32 *text_class)
{
	struct palyra_arena *arena;
	struct palyra_automaton *header;

	if (length > PALYRA_TEXT_LENGTH || first > PALYRA_TEXT_LENGTH - length)
		return PALYRA_TOO_LONG;
	header = automaton_at(automaton, &arena);
	if (!header)
		return PALYRA_NO_AUTOMATON;
	if (!is_utf8(text, first, length))
		return PALYRA_NOT_UTF8;

	struct automaton_walk walk = {
		.arena = arena,
		.byte_classes = header->byte_classes,
		.text = text,
		.first = first,
		.end = first + length,
		.state = header->start,
	};

	if (!(walk.state & PALYRA_SINK))
		bpf_loop(length / BLOCK_BYTES, walk_block, &walk, 0);
	walk.first += length / BLOCK_BYTES * BLOCK_BYTES;
	if (!(walk.state & PALYRA_SINK))
		bpf_loop((walk.end - walk.first + WORD_BYTES - 1) / WORD_BYTES, walk_word, &walk,
			 0);
	*state = walk.state;
	*text_class = entry_at(arena, walk.state)->owner & ~PALYRA_HEAD;
	return PALYRA_JUDGED;
}

#endif /* PALYRA_BPF_AUTOMATON_H_ */
