/*
 * The tables of names: files, programs, processes and unix sockets. Everything is keyed by profile.
 */
#ifndef PALYRA_BPF_NAME_TABLES_H_
#define PALYRA_BPF_NAME_TABLES_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/*
 * All automata lie in one array value. Of what was measured, nothing else holds them: values of
 * hash tables end at 4 MiB, lie in contiguous memory, take twice their size and several
 * milliseconds for each MiB; a map in a map waits for a grace period. User space maps the array and
 * writes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct palyra_arena);
} automata SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_NAME_RULES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_name_rules_key);
	__type(value, struct palyra_name_rules);
} name_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_NAME_LEAVES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_name_leaf_key);
	__type(value, struct palyra_name_leaf);
} name_leaves SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_PROGRAM_DIGESTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_program_digest);
	__type(value, __u32);
} program_digests SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_LINKED_NAMES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_linked_key);
	__type(value, struct palyra_linked_name);
} linked_names SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_PATH_GRANTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_path_grant_key);
	__type(value, struct palyra_path_grant);
} path_grants SEC(".maps");

#endif /* PALYRA_BPF_NAME_TABLES_H_ */
