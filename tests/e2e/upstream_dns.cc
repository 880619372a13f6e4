#include "tests/e2e/upstream_dns.h"

#include <sched.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "tests/support/temp_dir.h"

namespace palyra::tests {

void UseUpstreamDns() {
  static const TempDir kDirectory;
  static bool is_done = false;
  if (is_done) return;
  is_done = true;
  if (unshare(CLONE_NEWNS) != 0 ||
      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    throw std::runtime_error("no mount namespace");
  }
  const std::string file =
      kDirectory.Write("resolv.conf", std::string("nameserver ") + kUpstreamDns +
                                          "\noptions timeout:2 attempts:2\n");
  std::ofstream("/etc/resolv.conf", std::ios::app).flush();
  const std::string target = std::filesystem::canonical("/etc/resolv.conf");
  if (mount(file.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw std::runtime_error("cannot replace /etc/resolv.conf");
  }
}

}  // namespace palyra::tests
