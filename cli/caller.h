// Who called a program of ours.

#ifndef PALYRA_CLI_CALLER_H_
#define PALYRA_CLI_CALLER_H_

#include <sys/types.h>

namespace palyra::cli {

// Under sudo the user who called that (SUDO_UID), else the process's own.
uid_t CallerUid();

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CALLER_H_
