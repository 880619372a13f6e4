// Ownership of a file descriptor. Functions take `int fd` to borrow and UniqueFd to own.

#ifndef PALYRA_BASE_UNIQUE_FD_H_
#define PALYRA_BASE_UNIQUE_FD_H_

#include <utility>

namespace palyra::base {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

  // Gives the descriptor away; this object then owns nothing.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }

  // Closes what is owned, then owns `fd`. Keeps errno.
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

}  // namespace palyra::base

namespace palyra {
using base::UniqueFd;
}  // namespace palyra

#endif  // PALYRA_BASE_UNIQUE_FD_H_
