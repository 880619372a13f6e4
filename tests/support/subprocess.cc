#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>

namespace palyra::tests {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kExecFailed = 127;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe MakePipe() {
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A file in memory with `text`, at its start: stdin without a writer to wait for.
UniqueFd InputFile(const std::string& text) {
  UniqueFd file(memfd_create("stdin", MFD_CLOEXEC));
  if (write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(file.get(), 0, SEEK_SET) != 0) {
    throw std::runtime_error("memfd for stdin failed");
  }
  return file;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

milliseconds Left(steady_clock::time_point deadline) {
  return std::max(milliseconds(0),
                  std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()));
}

// Appends what one read gives; closes `fd` at its end (EIO is the end of a terminal).
void Take(UniqueFd* fd, std::string* into) {
  std::array<char, 65536> buffer;
  const ssize_t count = read(fd->get(), buffer.data(), buffer.size());
  if (count > 0) {
    into->append(buffer.data(), static_cast<size_t>(count));
  } else if (count == 0 || errno != EINTR) {
    fd->Reset();
  }
}

}  // namespace

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = steady_clock::now() + kPatience;
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

std::string BinaryPath(std::string_view name) {
  std::array<char, 4096> path = {};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  std::string directory(path.data(), length < 0 ? 0 : static_cast<size_t>(length));
  directory.erase(directory.rfind('/') + 1);
  return directory.append(name);
}

std::string Describe(const Ended& ended) {
  return "status " + std::to_string(ended.status) + (ended.signaled ? " (signal)" : "") +
         (ended.timed_out ? " (timed out)" : "") + "\nstdout: " + ended.output +
         "\nstderr: " + ended.error_output;
}

Subprocess::Subprocess(const std::vector<std::string>& arguments, const SpawnOptions& options) {
  if (options.terminal) {
    UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (grantpt(master.get()) != 0 || unlockpt(master.get()) != 0) {
      throw std::runtime_error("no pseudo-terminal");
    }
    const UniqueFd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave.valid()) throw std::runtime_error("no pseudo-terminal");
    StartChild(arguments, options, slave.get(), slave.get(), slave.get());
    output_ = std::move(master);
    return;
  }
  const UniqueFd input = InputFile(options.input);
  Pipe output = MakePipe();
  Pipe error = MakePipe();
  StartChild(arguments, options, input.get(), output.write_end.get(), error.write_end.get());
  output_ = std::move(output.read_end);
  error_ = std::move(error.read_end);
}

Subprocess::~Subprocess() {
  if (reaped_ || pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Subprocess::StartChild(const std::vector<std::string>& arguments, const SpawnOptions& options,
                            int input, int output, int error) {
  std::vector<char*> argument_pointers = Pointers(arguments);
  std::vector<char*> environment_pointers;
  if (options.environment) environment_pointers = Pointers(*options.environment);
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    if (options.terminal && (setsid() < 0 || ioctl(input, TIOCSCTTY, 0) != 0)) _exit(kExecFailed);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    for (const int fd : options.inherited) fcntl(fd, F_SETFD, 0);
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(kExecFailed);
    if (options.in_child) {
      if (const int status = options.in_child(); status != 0) _exit(status);
    }
    char** environment = options.environment ? environment_pointers.data() : environ;
    execve(argument_pointers[0], argument_pointers.data(), environment);
    _exit(kExecFailed);
  }
  pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
}

bool Subprocess::Collect(Deadline deadline) {
  std::array<pollfd, 3> waited = {
      {{.fd = output_.get(), .events = POLLIN, .revents = 0},
       {.fd = error_.get(), .events = POLLIN, .revents = 0},
       {.fd = reaped_ ? -1 : pidfd_.get(), .events = POLLIN, .revents = 0}}};
  if (!output_.valid() && !error_.valid() && reaped_) return false;
  const int ready = poll(waited.data(), waited.size(), static_cast<int>(Left(deadline).count()));
  if (ready < 0) return errno == EINTR;
  if (ready == 0) return false;
  if (waited[0].revents != 0) Take(&output_, &ended_.output);
  if (waited[1].revents != 0) Take(&error_, &ended_.error_output);
  if (waited[2].revents != 0) Reap();
  return true;
}

void Subprocess::Reap() {
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) return;
  reaped_ = true;
  ended_.signaled = WIFSIGNALED(status);
  ended_.status = ended_.signaled ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Subprocess::WaitForOutput(std::string_view text, milliseconds limit) {
  const Deadline deadline = steady_clock::now() + limit;
  while (ended_.output.find(text) == std::string::npos) {
    if (!output_.valid() || !Collect(deadline)) return false;
  }
  return true;
}

void Subprocess::Type(std::string_view text) const {
  if (write(output_.get(), text.data(), text.size()) < 0) throw std::runtime_error("no terminal");
}

void Subprocess::Signal(int signal_number) const {
  if (!reaped_) kill(pid_, signal_number);
}

Ended Subprocess::Wait(milliseconds limit) {
  const Deadline deadline = steady_clock::now() + limit;
  while (Collect(deadline)) continue;
  if (!reaped_) {
    ended_.timed_out = true;
    kill(pid_, SIGKILL);
    Reap();
  }
  return ended_;
}

Ended RunProgram(const std::vector<std::string>& arguments, const SpawnOptions& options) {
  return Subprocess(arguments, options).Wait();
}

}  // namespace palyra::tests
