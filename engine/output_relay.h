// Standard output and error of a run with a limit on them: pipes of its own, whose bytes are
// counted and passed on to this process's streams. Nothing is stored: as long as a reader does not
// take what is there, the run waits, as it would at the reader's own pipe.

#ifndef PALYRA_ENGINE_OUTPUT_RELAY_H_
#define PALYRA_ENGINE_OUTPUT_RELAY_H_

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::engine {

class OutputRelay {
 public:
  // Of streams 1 and 2; one that is not open stays so. `limit` is that of each. The pipes belong to
  // that user, who may open them again by /dev/stdout.
  static Result<OutputRelay> Create(uint64_t limit, uid_t uid, gid_t gid);

  OutputRelay(OutputRelay&& other) noexcept;
  OutputRelay& operator=(OutputRelay&&) = delete;
  OutputRelay(const OutputRelay&) = delete;
  OutputRelay& operator=(const OutputRelay&) = delete;
  ~OutputRelay();

  // The writing end for the child, for `stream` 1 or 2; -1 where that is not open.
  [[nodiscard]] int ChildEnd(int stream) const;

  // When the child has its ends: from now on theirs are the only ones, and SIGPIPE is blocked.
  void Begin();

  // Readable when Serve() has something to do.
  [[nodiscard]] int fd() const { return epoll_.get(); }
  void Serve();

  // A stream has had its limit, and there is more.
  [[nodiscard]] bool is_over() const;

  // When all writers are gone: passes on what is left, up to the limits. Waits for slow readers
  // until `interrupt` is readable, and where `patience` is given, no longer than that at a time.
  void Drain(int interrupt, std::optional<std::chrono::milliseconds> patience);

  // Bytes of `stream` that were passed on.
  [[nodiscard]] uint64_t Count(int stream) const;

 private:
  struct Stream {
    UniqueFd in;         // -1 at its end.
    UniqueFd child_end;  // Until Begin().
    UniqueFd out;        // Never blocks, unless what is written to is a file.
    bool is_socket = false;
    bool can_splice = false;
    bool can_poll = false;
    bool is_over = false;
    bool waits_for_reader = false;
    uint64_t limit = 0;
    uint64_t count = 0;
    std::unique_ptr<std::array<char, 65'536>> buffer = nullptr;  // Where it cannot be spliced.
    size_t pending_begin = 0;                                    // In the buffer.
    size_t pending_end = 0;
  };
  enum class Step { kMoved, kWaitInput, kWaitReader, kEnded };

  explicit OutputRelay(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  Result<void> Open(int place, uint64_t limit, uid_t uid, gid_t gid);
  static Step Move(Stream& stream);
  static Step Copy(Stream& stream);
  static Step WritePending(Stream& stream);
  static Step Splice(Stream& stream, size_t room);
  void Pump(Stream& stream);
  void WaitForReader(Stream& stream, bool wait);
  void End(Stream& stream);
  [[nodiscard]] bool HasMore() const;

  UniqueFd epoll_;
  std::array<Stream, 2> streams_;
  bool blocks_sigpipe_ = false;
  sigset_t previous_mask_ = {};
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_OUTPUT_RELAY_H_
