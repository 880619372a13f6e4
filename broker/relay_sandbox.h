// What the relay's process gives up before it reads a byte from anybody.

#ifndef PALYRA_BROKER_RELAY_SANDBOX_H_
#define PALYRA_BROKER_RELAY_SANDBOX_H_

#include "base/result.h"

namespace palyra::broker {

// EnterProcessSandbox() with what a relay calls once it has started (Relay::Start()). It can have
// as many descriptors as a relay with the default options. seccomp does not see what io_uring does:
// RelayRing restricts it.
Result<void> EnterRelaySandbox();

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_RELAY_SANDBOX_H_
