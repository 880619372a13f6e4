/*
 * Palyra's own directories: policies, versions of these, locks. No run changes anything there,
 * whoever it runs as and whatever its rules say; the mandatory layer cannot say so, because it is
 * not asked where no policy speaks of files.
 *
 * Compared in words: the verifier follows each way through a loop over bytes.
 */
#ifndef PALYRA_BPF_OWN_PLACES_H_
#define PALYRA_BPF_OWN_PLACES_H_

#include "bpf/path.h"
#include "bpf/utf8.h"

#define TEXT_WORD(a, b, c, d, e, f, g, h)                                                          \
	((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 |   \
	 (__u64)(f) << 40 | (__u64)(g) << 48 | (__u64)(h) << 56)

#define RUN_PAL TEXT_WORD('/', 'r', 'u', 'n', '/', 'p', 'a', 'l')
#define ETC_PAL TEXT_WORD('/', 'e', 't', 'c', '/', 'p', 'a', 'l')
#define YRA TEXT_WORD('y', 'r', 'a', 0, 0, 0, 0, 0)
#define YRA_BYTES 0xFFFFFFULL
#define VAR_LIB TEXT_WORD('/', 'v', 'a', 'r', '/', 'l', 'i', 'b')
#define PALYRA TEXT_WORD('/', 'p', 'a', 'l', 'y', 'r', 'a', 0)
#define PALYRA_BYTES 0xFFFFFFFFFFFFFFULL

/* "/run/palyra", "/etc/palyra", "/var/lib/palyra", and what is below these. */
static __always_inline int is_palyras_own(const struct path_slot *held)
{
	__u32 length = held->end - held->first;
	__u64 first = text_word(&held->text, held->first);
	__u64 second = text_word(&held->text, held->first + 8);

	if (length >= 11 && (first == RUN_PAL || first == ETC_PAL))
		return (second & YRA_BYTES) == YRA && (length == 11 || (__u8)(second >> 24) == '/');
	if (length >= 15 && first == VAR_LIB)
		return (second & PALYRA_BYTES) == PALYRA &&
		       (length == 15 || (__u8)(second >> 56) == '/');
	return 0;
}

#define FOUR_BYTES 0xFFFFFFFFULL
#define RUN (RUN_PAL & FOUR_BYTES)
#define ETC (ETC_PAL & FOUR_BYTES)
#define VAR (VAR_LIB & FOUR_BYTES)

/* The directories above, which nobody renames. */
static __always_inline int leads_to_palyras_own(const struct path_slot *held)
{
	__u32 length = held->end - held->first;
	__u64 first = text_word(&held->text, held->first);
	__u64 start = first & FOUR_BYTES;

	if (length == 4)
		return start == RUN || start == ETC || start == VAR;
	return length == 8 && first == VAR_LIB;
}

#endif /* PALYRA_BPF_OWN_PLACES_H_ */
