// libbpf's own words go into an error's message instead of to standard error.

#ifndef PALYRA_ENGINE_LIBBPF_LOG_H_
#define PALYRA_ENGINE_LIBBPF_LOG_H_

#include <bpf/libbpf.h>

#include <string>

#include "base/result.h"

namespace palyra::engine {

// While it lives, this thread's words are kept. Not for two threads at once.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  // The end of what was said.
  [[nodiscard]] static std::string Tail();

 private:
  libbpf_print_fn_t previous_;
};

// "the kernel refuses <what>", with errno value `failure`, what rights it takes, and the log.
std::unexpected<Error> LoadFailure(int failure, const std::string& what);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_LIBBPF_LOG_H_
