// What a call that seccomp has paused asks for, in the form in which the programs behind it will
// see it. The caller's memory and descriptors may be others by the time the call goes on: this is
// for questions to people, and what is found decides nothing.

#ifndef PALYRA_ENGINE_HELD_FACTS_H_
#define PALYRA_ENGINE_HELD_FACTS_H_

#include <linux/seccomp.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "policy/rule_set.h"

namespace palyra::engine {

struct HeldCaller {
  pid_t pid = -1;  // Of the process.
  std::string comm;
  std::string executable;  // Empty where it cannot be told.
};

HeldCaller CallerOf(const seccomp_notif& call);

// Of connect(): nothing where it is about no socket of TCP or UDP, or opens no connection.
std::optional<policy::NetEvent> ConnectionOf(const seccomp_notif& call);

// Of execve() and execveat(): the program, and where it is a script the interpreters that it comes
// to, each by the path that it has in its mount namespace. Empty where there is no such file.
std::vector<policy::NameEvent> ProgramsOf(const seccomp_notif& call);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_HELD_FACTS_H_
