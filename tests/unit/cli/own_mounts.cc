#include "tests/unit/cli/own_mounts.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>
#include <thread>

namespace palyra::cli {
namespace {

void EnterOwnMounts() {
  ASSERT_EQ(unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(mount("", "/", "", MS_PRIVATE | MS_REC, nullptr), 0);
  for (const char* directory : {"/etc", "/root", "/var/lib"}) {
    ASSERT_EQ(mount("tmpfs", directory, "tmpfs", 0, "mode=0755"), 0) << directory;
  }
  std::ofstream("/etc/passwd") << "root:x:0:0:root:/root:/bin/sh\n";
}

}  // namespace

void InOwnMounts(const std::function<void()>& body) {
  std::thread([&body] {
    EnterOwnMounts();
    if (!testing::Test::HasFatalFailure()) body();
  }).join();
}

}  // namespace palyra::cli
