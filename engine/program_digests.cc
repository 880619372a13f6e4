#include "engine/program_digests.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "base/sha256.h"
#include "base/unique_fd.h"
#include "bpf/abi.h"
#include "bpf/digest_probe.skel.h"
#include "engine/libbpf_log.h"

namespace palyra::engine {
namespace {

constexpr std::array<uint8_t, 6> kContent = {'p', 'a', 'l', 'y', 'r', 'a'};

Result<UniqueFd> MakeFile() {
  UniqueFd file(memfd_create("palyra_probe", MFD_CLOEXEC));
  if (!file.valid()) return FailErrno(errno, "cannot make a file in memory");
  if (write(file.get(), kContent.data(), kContent.size()) !=
      static_cast<ssize_t>(kContent.size())) {
    return FailErrno(errno, "cannot write a file in memory");
  }
  return file;
}

base::Sha256Digest DigestOfContent() {
  base::Sha256 sha256;
  sha256.Update(kContent);
  return sha256.Finish();
}

}  // namespace

Result<void> TryProgramDigests() {
  constexpr long kHashAlgoSha256 = 4;  // <linux/hash_info.h>
  const LibbpfLog log;
  const std::unique_ptr<digest_probe_bpf, void (*)(digest_probe_bpf*)> skeleton(
      digest_probe_bpf__open(), digest_probe_bpf__destroy);
  if (skeleton == nullptr) return LoadFailure(errno, "to open the probe of digests");
  skeleton->rodata->prober = static_cast<__u32>(getpid());
  if (const int failure = digest_probe_bpf__load(skeleton.get()); failure != 0) {
    return LoadFailure(-failure, "to load the probe of digests");
  }
  if (const int failure = digest_probe_bpf__attach(skeleton.get()); failure != 0) {
    return LoadFailure(-failure, "to attach the probe of digests");
  }
  Result<UniqueFd> file = MakeFile();
  if (!file) return std::unexpected(file.error());
  void* memory = mmap(nullptr, kContent.size(), PROT_READ, MAP_PRIVATE, file->get(), 0);
  const long algorithm = skeleton->bss->algorithm;
  if (memory == MAP_FAILED) return FailErrno(errno, "cannot map a file in memory");
  munmap(memory, kContent.size());
  const bool is_right = algorithm == kHashAlgoSha256 &&
                        std::ranges::equal(skeleton->bss->digest.bytes, DigestOfContent());
  if (is_right) return {};
  return Fail(ErrorCode::kUnsupported,
              algorithm < 0 ? "no CONFIG_IMA in this kernel"
                            : "IMA calculates another hash; boot with ima_hash=sha256");
}

}  // namespace palyra::engine
