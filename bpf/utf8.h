/*
 * Whether a text is well-formed UTF-8 (RFC 3629) without NUL. Cedar has no strings but such, so a
 * path that is not can match no policy.
 */
#ifndef PALYRA_BPF_UTF8_H_
#define PALYRA_BPF_UTF8_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/* One load, though the compiler does not know that the address suits it. */
static __always_inline __u64 load_word(const void *address)
{
	asm volatile("" : "+r"(address));
	return *(const __u64 *)address;
}

/* The eight bytes at `at`, the first in the lowest byte. */
static __always_inline __u64 text_word(const struct palyra_text *text, __u32 at)
{
	__u64 masked = at;

	asm volatile("%0 &= %1" : "+r"(masked) : "i"(PALYRA_TEXT_LENGTH - 1));
	return load_word(&text->bytes[masked]);
}

/*
 * `i` < `left` ? a : b, for numbers below 2^31. Without a branch: the verifier follows all ways
 * through a row of branches on one number, which are as many as its values.
 */
static __always_inline __u32 where_within(__u32 i, __u32 left, __u32 a, __u32 b)
{
	__u64 mask = (__u64)i - left;

	asm volatile("%0 s>>= 63" : "+r"(mask));
	return b ^ ((a ^ b) & (__u32)mask);
}

/* How many of the eight bytes from `i` on lie at or behind `left`; no branch, as above. */
static __always_inline __u64 bytes_beyond(__u32 i, __u32 left)
{
	__u64 beyond = (__u64)i + 8 - left;
	__u64 more;

	/* max(beyond, 0), and of that min(beyond, 8) */
	asm volatile("%1 = %0\n"
		     "%1 s>>= 63\n"
		     "%1 ^= -1\n"
		     "%0 &= %1\n"
		     "%1 = %0\n"
		     "%1 += -8\n"
		     "%0 = %1\n"
		     "%1 s>>= 63\n"
		     "%0 &= %1\n"
		     "%0 += 8"
		     : "+r"(beyond), "=&r"(more));
	return beyond & 15;
}

/* Numbers of states: rows of utf8_next. */
#define UTF8_BAD 0  /* never leads out */
#define UTF8_NEXT 1 /* a character may begin, or the text end */
/*
 * 2, 3, 4: one, two, three bytes of a character are missing. 5, 6: two are, after E0 and ED, which
 * limit the first of them; 7, 8: three, after F0 and F4, likewise.
 */

/*
 * By byte, its column in utf8_next: 0 never in a text, 1 ASCII, 2 to 4 continuation bytes 80..8F,
 * 90..9F, A0..BF; then lead bytes: 5 of two, 6 E0, 7 of three, 8 ED, 9 F0, 10 of four, 11 F4.
 */
/* clang-format off */
static const __u8 utf8_column[256] = {
	0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 00 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 10 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 20 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 30 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 40 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 50 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 60 */
	1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* 70 */
	2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, /* 80 */
	3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, /* 90 */
	4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* A0 */
	4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, /* B0 */
	0, 0, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, /* C0 */
	5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, /* D0 */
	6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 7, /* E0 */
	9, 10, 10, 10, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* F0 */
};
/* clang-format on */

#define UTF8_COLUMNS 16

/* clang-format off */
static const __u8 utf8_next[16 * UTF8_COLUMNS] = {
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* bad */
	0, 1, 0, 0, 0, 2, 5, 3, 6, 7, 4, 8, 0, 0, 0, 0, /* next */
	0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* one */
	0, 0, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* two */
	0, 0, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* three */
	0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* after E0 */
	0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* after ED */
	0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* after F0 */
	0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* after F4 */
};
/* clang-format on */

/*
 * Where a callback is in the text it tells by its index, of which the verifier assumes nothing: a
 * number of ours that grows would make it follow every round.
 */
struct utf8_check {
	const struct palyra_text *text;
	__u32 first;
	__u32 end;
	__u32 state;
	__u32 other; /* where the first words lie that are not all ASCII */
	__u32 has_other;
};

static __always_inline __u32 utf8_step(__u32 state, __u8 byte)
{
	__u64 index = state * UTF8_COLUMNS + utf8_column[byte];

	asm volatile("%0 &= 255" : "+r"(index));
	return utf8_next[index];
}

static long check_utf8_word(__u32 index, void *context)
{
	struct utf8_check *check = context;
	__u32 at = check->first + 8 * index;
	__u32 left = check->end - at;
	__u64 word = text_word(check->text, at);
	__u32 state = check->state;

#pragma unroll
	for (__u32 i = 0; i < 8; i++) {
		state = where_within(i, left, utf8_step(state, word >> 8 * i), state);
	}
	check->state = state;
	return state == UTF8_BAD;
}

#define ASCII_BYTES 64
#define EVERY_BYTE(value) ((value) * 0x0101010101010101ULL)

/* Stops at bytes of which one is NUL or not ASCII. */
static long check_ascii_words(__u32 index, void *context)
{
	struct utf8_check *check = context;
	__u32 at = check->first + ASCII_BYTES * index;
	__u32 left = check->end - at;
	__u64 found = 0;

#pragma unroll
	for (__u32 i = 0; i < ASCII_BYTES / 8; i++) {
		__u64 word = text_word(check->text, at + 8 * i);

		__u64 beyond = bytes_beyond(8 * i, left);
		__u64 within = ~0ULL >> 4 * beyond >> 4 * beyond;

		/* The rest reads as 'a'. */
		word = (word & within) | (EVERY_BYTE('a') & ~within);
		found |= word | (word - EVERY_BYTE(1));
	}
	if (!(found & EVERY_BYTE(0x80)))
		return 0;
	check->other = at;
	check->has_other = 1;
	return 1;
}

/* The `length` bytes from `first` on lie within PALYRA_TEXT_LENGTH. */
static __always_inline int is_utf8(const struct palyra_text *text, __u32 first, __u32 length)
{
	struct utf8_check check = {
		.text = text,
		.first = first,
		.end = first + length,
		.state = UTF8_NEXT,
	};

	bpf_loop((length + ASCII_BYTES - 1) / ASCII_BYTES, check_ascii_words, &check, 0);
	if (!check.has_other)
		return 1;
	/* What was passed over is whole characters. */
	check.first = check.other;
	bpf_loop((check.end - check.first + 7) / 8, check_utf8_word, &check, 0);
	return check.state == UTF8_NEXT;
}

#endif /* PALYRA_BPF_UTF8_H_ */
