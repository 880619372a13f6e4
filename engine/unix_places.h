// Unix sockets on kernels where programs see the path that a run writes, and not the socket that it
// leads to (UnixJudge::kByAddress): a run could make links and rename, so that a permitted path
// leads to another socket.
//
// Therefore: the sockets that the rules permit by path are looked for once, before the run begins,
// as the run's user and without following a symbolic link, so that the path is the real one. Each
// is mounted in a directory of the run's own that it cannot write, and the programs put that place
// into the address in place of the path (bpf/unix.bpf.c). What a path leads to later changes
// nothing. That needs rules that name sockets one by one, or permit all.

#ifndef PALYRA_ENGINE_UNIX_PLACES_H_
#define PALYRA_ENGINE_UNIX_PLACES_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/kernel_objects.h"
#include "policy/rule_set.h"

namespace palyra::engine {

// Where Palyra's own sockets are; policy/mandatory.cedar forbids them.
inline constexpr const char* kOwnSockets = "/run/palyra/";

// What rules permit of unix.connect. An ask counts as a deny.
struct UnixPermits {
  bool every_path = false;  // But for what is below kOwnSockets.
  bool is_listable = true;  // `paths` are all of them; false: there are too many, or a pattern.
  std::vector<std::string> paths;
  bool some_abstract = false;
};

UnixPermits UnixPermitsOf(const policy::RuleSet& rules);

// A socket, and where the run has it.
struct UnixPlace {
  std::string real;
  std::string place;  // In the directory of the run's own.
  dev_t device;
  ino_t inode;
};

// What a run needs to start with.
struct UnixSetup {
  // Landlock too denies abstract sockets outside: none is permitted, and nobody else would tell.
  bool keeps_abstract_scope = true;
  bool no_sockets = false;  // Of that family; pairs stay.
  std::vector<UnixPlace> places;
};

// Looks at what the rules permit and for the sockets that are there; one that is not, whose inode
// has several names, or that was bound to another path, is denied. `directory` is where they will
// be mounted.
//
// kRefused, with a code, where this kernel cannot hold the rules: UNIX-KERNEL where nothing judges
// unix sockets and one is permitted; where they are judged by address, UNIX-PATTERN for rules that
// do not list paths, and UNIX-SYMLINK for a path that leads through a symbolic link.
Result<UnixSetup> PrepareUnix(UnixJudge judge, const policy::RuleSet& rules,
                              const std::string& directory);

// Tells the programs of the places; a path below /run may also be written /var/run where that is a
// link of root's.
Result<void> RegisterPlaces(const KernelObjects& objects, uint64_t run,
                            const std::vector<UnixPlace>& places);

// Where `rules`, which `profile` holds, permit every path, tells the programs so for that run.
Result<void> RegisterEveryPath(const KernelObjects& objects, uint64_t run, uint32_t profile,
                               const policy::RuleSet& rules);

// Removes every entry of the run.
void RemovePlacesOf(const KernelObjects& objects, uint64_t run);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_UNIX_PLACES_H_
