/*
 * Where the unix sockets lie that a run may connect to by path: see palyra_unix_key.
 */
#ifndef PALYRA_BPF_UNIX_TABLES_H_
#define PALYRA_BPF_UNIX_TABLES_H_

#include "bpf/kernel_types.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PALYRA_MAX_UNIX_SOCKETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct palyra_unix_key);
	__type(value, struct palyra_unix_socket);
} unix_sockets SEC(".maps");

#endif /* PALYRA_BPF_UNIX_TABLES_H_ */
