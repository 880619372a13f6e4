// How a starting child gives its supervisor the listener of the calls that it will be held at
// (seccomp_unotify(2)): as descriptor of a message over the socket that its failure goes by.

#ifndef PALYRA_ENGINE_HOLD_CHANNEL_H_
#define PALYRA_ENGINE_HOLD_CHANNEL_H_

#include "base/unique_fd.h"

namespace palyra::engine {

// Between clone and exec: allocates nothing. 0 or an errno.
int SendListener(int socket, int listener);

// Waits for that message. Not valid where the child failed before; then what the socket has is not
// touched.
UniqueFd ReceiveListener(int socket);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_HOLD_CHANNEL_H_
