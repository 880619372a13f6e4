#include "tests/e2e/own_store.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace palyra::tests {
namespace {

// A copy of what is there, which can be written to.
bool OwnEtc() {
  std::error_code failure;
  std::filesystem::copy(
      "/etc", "/var/lib/etc",
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks,
      failure);
  return !failure && mount("/var/lib/etc", "/etc", nullptr, MS_BIND, nullptr) == 0;
}

}  // namespace

UniqueFd OwnStore() {
  std::array<int, 2> ready = {-1, -1};
  std::array<int, 2> leave = {-1, -1};
  if (pipe2(ready.data(), O_CLOEXEC) != 0 || pipe2(leave.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("no pipe");
  }
  const pid_t child = fork();
  if (child == 0) {
    close(leave[1]);
    const bool made = unshare(CLONE_NEWNS) == 0 &&
                      mount("", "/", "", MS_PRIVATE | MS_REC, nullptr) == 0 &&
                      mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=0755") == 0 && OwnEtc();
    (void)!write(ready[1], made ? "y" : "n", 1);
    char end = 0;
    (void)!read(leave[0], &end, 1);
    _exit(0);
  }
  close(leave[0]);
  close(ready[1]);
  char made = 'n';
  (void)!read(ready[0], &made, 1);
  const std::string path = "/proc/" + std::to_string(child) + "/ns/mnt";
  UniqueFd mounts(made == 'y' ? open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1);
  close(ready[0]);
  close(leave[1]);
  waitpid(child, nullptr, 0);
  if (!mounts.valid()) throw std::runtime_error("no mount namespace");
  return mounts;
}

}  // namespace palyra::tests
