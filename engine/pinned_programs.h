// Programs beside those that are pinned already: they work on the same maps.

#ifndef PALYRA_ENGINE_PINNED_PROGRAMS_H_
#define PALYRA_ENGINE_PINNED_PROGRAMS_H_

#include <string>

#include "base/result.h"

struct bpf_link;
struct bpf_object;

namespace palyra::engine {

// Before loading: maps that are pinned in that directory are shared; the object's other ones are
// its own.
Result<void> ShareMaps(const bpf_object* object, const std::string& directory);

// After loading: pins those of its maps that are not pinned yet.
Result<void> PinNewMaps(const bpf_object* object, const std::string& directory);

// Where the link of a program is pinned.
std::string LinkPath(const std::string& directory, const std::string& program);

// Takes the link, or the errno of attaching where it is null.
Result<void> PinLink(bpf_link* link, const std::string& program, const std::string& directory);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_PINNED_PROGRAMS_H_
