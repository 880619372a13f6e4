// What a run's supervisor answers its resolver. The resolver is not trusted: whatever it asks, it
// is the rules that answer, and what it says of addresses is looked at again.

#ifndef PALYRA_CLI_NAME_ANSWERS_H_
#define PALYRA_CLI_NAME_ANSWERS_H_

#include <set>
#include <string>

#include "broker/name_channel.h"
#include "engine/run_names.h"

namespace palyra::cli {

// Names that were resolved before the run.
using PinnedNames = std::set<std::string>;

// While the run goes on. Where `pinned` is not null, other names may not be asked for, and no
// address is learned but those of localhost.
broker::AddressSet AnswerTo(engine::RunNames& names, const broker::NameQuestion& question,
                            const PinnedNames* pinned);

// Whether the address is none of the public Internet, or is this machine's own.
bool IsSpecialHere(const broker::Address& address);

engine::NetAddress ToEngine(const broker::Address& address);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_NAME_ANSWERS_H_
