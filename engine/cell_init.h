// PID 1 of a cell: it ends when the command does, and the kernel then kills whatever is left in the
// cell (pid_namespaces(7)).

#ifndef PALYRA_ENGINE_CELL_INIT_H_
#define PALYRA_ENGINE_CELL_INIT_H_

#include <sys/types.h>

namespace palyra::engine {

// So that the command cannot read what its supervisor was started with: this process is a copy of
// it. Its name is palyra-init from now on. 0 or errno.
int ForgetArguments();

// Reaps every process of the cell, passes signals from outside it on to `command`, and when that
// has ended writes its wait status (wait(2)), an int, to `status_fd`. All signals are blocked.
[[noreturn]] void BeInit(pid_t command, int status_fd);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_CELL_INIT_H_
