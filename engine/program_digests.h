// Whether the kernel tells the digests of files: bpf/digest_probe.bpf.c.

#ifndef PALYRA_ENGINE_PROGRAM_DIGESTS_H_
#define PALYRA_ENGINE_PROGRAM_DIGESTS_H_

#include "base/result.h"

namespace palyra::engine {

// Attaches a BPF LSM program for a moment and has it tell the digest of a file. An error where that
// is not its SHA-256: IMA is not in the kernel, or calculates another hash.
Result<void> TryProgramDigests();

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PROGRAM_DIGESTS_H_
