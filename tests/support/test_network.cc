#include "tests/support/test_network.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <exception>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "tests/support/subprocess.h"

namespace palyra::tests {
namespace {

// Runs `action` in a new thread and hands on what it throws.
void InThread(const std::function<void()>& action) {
  std::exception_ptr failure;
  std::thread([&] {
    try {
      action();
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) std::rethrow_exception(failure);
}

UniqueFd ThisNetwork() {
  UniqueFd fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) throw std::runtime_error("cannot open this network namespace");
  return fd;
}

// Sysctls below /proc/sys/net belong to the namespace of the thread that writes.
void SetSysctl(const std::string& name, std::string_view value) {
  std::ofstream file("/proc/sys/net/" + name);
  file << value << std::flush;
  if (!file) throw std::runtime_error("cannot set " + name);
}

// ip(8) in batch mode, in the namespace of `network`.
void RunIp(std::string commands, int network) {
  SpawnOptions options;
  options.input = std::move(commands);
  options.environment = {{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}};
  options.in_child = [network] { return setns(network, CLONE_NEWNET) == 0 ? 0 : 126; };
  const char* program = access("/usr/sbin/ip", X_OK) == 0 ? "/usr/sbin/ip" : "/sbin/ip";
  const Ended ended = RunProgram({program, "-batch", "-"}, options);
  if (ended.status != 0) throw std::runtime_error("ip failed: " + Describe(ended));
}

// Data in the SYN without a cookie on both sides, so that Fast Open is what it says at once.
void EnableFastOpen() { SetSysctl("ipv4/tcp_fastopen", "1543"); }

std::string OwnSide(const std::string& outside) {
  const std::string own = "dev palyra0";
  return "link set lo up\n"
         "link add palyra0 type veth peer name outside0 netns " +
         outside +
         "\n"
         "link set palyra0 addrgenmode none up\n"
         "addr add " +
         std::string(kOwnV4) + "/24 " + own +
         "\n"
         "addr add " +
         std::string(kOwnV6) + "/64 " + own + " nodad\n";
}

std::string OutsideSide() {
  std::string commands = "link set lo up\nlink set outside0 addrgenmode none up\n";
  for (const std::string_view address :
       {kAllowedV4, kDeniedV4, kPublicV4, kMetadataV4, kSharedMetadataV4}) {
    commands.append("addr add ").append(address).append("/32 dev outside0\n");
  }
  for (const std::string_view address : {kAllowedV6, kDeniedV6, kPublicV6, kMetadataV6}) {
    commands.append("addr add ").append(address).append("/128 dev outside0 nodad\n");
  }
  return commands.append("route add ")
      .append(kOwnV4)
      .append(" dev outside0\nroute add ")
      .append(kOwnV6)
      .append(" dev outside0\n");
}

std::string Routes() {
  std::string commands;
  for (const std::string_view address :
       {kDeniedV4, kPublicV4, kMetadataV4, kSharedMetadataV4, kDeniedV6, kPublicV6, kMetadataV6}) {
    commands.append("route add ").append(address).append(" dev palyra0\n");
  }
  commands.append("neigh add 127.0.0.1 lladdr 02:00:00:00:00:02 nud permanent dev palyra0\n");
  return commands;
}

}  // namespace

TestNetwork& TestNetwork::Get() {
  static TestNetwork network;
  return network;
}

TestNetwork::TestNetwork() {
  if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("cannot leave the network namespace");
  const UniqueFd own = ThisNetwork();
  InThread([this] {
    if (unshare(CLONE_NEWNET) != 0) throw std::runtime_error("no second network namespace");
    outside_ = ThisNetwork();
    EnableFastOpen();
  });
  EnableFastOpen();
  SetSysctl("ipv4/ping_group_range", "0 2147483647");
  const std::string outside =
      "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(outside_.get());
  RunIp(OwnSide(outside), own.get());
  RunIp(OutsideSide(), outside_.get());
  RunIp(Routes(), own.get());
}

void TestNetwork::Outside(const std::function<void()>& action) const {
  InThread([&] {
    if (setns(outside_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("setns failed");
    action();
  });
}

}  // namespace palyra::tests
