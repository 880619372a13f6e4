// Reaching for other things of the kernel: BPF objects, keys, the terminal, other processes.

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "tests/probes/target.h"

namespace palyra::probes {
namespace {

int Bpf(bpf_cmd command, bpf_attr* attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, attributes, sizeof(*attributes)));
}

// Opens the pinned objects that the arguments name. Allowed if any of them opened.
Outcome BpfObjectGet(Arguments arguments) {
  Outcome last = CouldNotTry(0, "no object");
  for (const char* path : arguments) {
    bpf_attr attributes = {};
    attributes.pathname = reinterpret_cast<uintptr_t>(path);
    const UniqueFd fd(Bpf(BPF_OBJ_GET, &attributes));
    if (fd.valid()) return {Status::kAllowed, 0, path};
    last = FromErrno(errno);
  }
  return last;
}

Outcome BpfMapNextId(Arguments) {
  bpf_attr attributes = {};
  return Bpf(BPF_MAP_GET_NEXT_ID, &attributes) == 0 ? Allowed() : FromErrno(errno);
}

Outcome BpfMapCreate(Arguments) {
  bpf_attr attributes = {};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  const UniqueFd fd(Bpf(BPF_MAP_CREATE, &attributes));
  return fd.valid() ? Allowed() : FromErrno(errno);
}

// Pushes a line break into the input queue of the terminal on stdin.
Outcome TerminalInput(Arguments) {
  const char typed = '\n';
  if (isatty(STDIN_FILENO) == 0) return CouldNotTry(errno);
  return ioctl(STDIN_FILENO, TIOCSTI, &typed) == 0 ? Allowed() : FromErrno(errno);
}

Outcome KeyAdd(Arguments) {
  const long key = syscall(SYS_add_key, "user", "palyra-probe", "x", 1UL, KEY_SPEC_PROCESS_KEYRING);
  return key < 0 ? FromErrno(errno) : Allowed();
}

Outcome Kill(Arguments arguments) {
  const auto pid = ParseNumber(arguments[0]);
  const auto signal_number = ParseNumber(arguments[1]);
  if (!pid || *pid <= 0 || !signal_number) return CouldNotTry(EINVAL);
  return kill(*pid, *signal_number) == 0 ? Allowed() : FromErrno(errno);
}

constexpr std::array kVerbs = {
    Verb{"bpf-obj-get", 1, true, "PATH...", BpfObjectGet},
    Verb{"bpf-map-next-id", 0, false, "", BpfMapNextId},
    Verb{"bpf-map-create", 0, false, "", BpfMapCreate},
    Verb{"tiocsti", 0, false, "", TerminalInput},
    Verb{"keyctl-add", 0, false, "", KeyAdd},
    Verb{"kill-outside", 2, false, "PID SIGNAL", Kill},
};

}  // namespace

std::span<const Verb> KernelVerbs() { return kVerbs; }

}  // namespace palyra::probes
