#include "engine/libbpf_log.h"

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

namespace palyra::engine {
namespace {

std::string& Text() {
  thread_local std::string text;
  return text;
}

int Append(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 4096> line;
  const int size = vsnprintf(line.data(), line.size(), format, arguments);
  if (size > 0) Text() += line.data();
  return size;
}

}  // namespace

LibbpfLog::LibbpfLog() : previous_(libbpf_set_print(Append)) { Text().clear(); }

LibbpfLog::~LibbpfLog() { libbpf_set_print(previous_); }

std::string LibbpfLog::Tail() {
  constexpr size_t kMost = 2000;
  const std::string& text = Text();
  return text.size() > kMost ? "…" + text.substr(text.size() - kMost) : text;
}

std::unexpected<Error> LoadFailure(int failure, const std::string& what) {
  std::string message = "the kernel refuses " + what;
  if (failure == EPERM || failure == EACCES) {
    message += " (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed; run as root)";
  }
  const std::string log = LibbpfLog::Tail();
  if (!log.empty()) message += ":\n" + log;
  std::unexpected<Error> error = FailErrno(failure, "");
  error.error().message = message;
  return error;
}

}  // namespace palyra::engine
