// The root directory of a cell: a file system in memory, which nobody writes, with what the cell
// shows of the host mounted in it, and /tmp, /var/tmp, /dev, /proc, /sys and /run of its own.
// Nothing in it is set-user-ID, and no device is there but those of /dev.

#ifndef PALYRA_ENGINE_CELL_ROOT_H_
#define PALYRA_ENGINE_CELL_ROOT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/cell_view.h"
#include "engine/file_view.h"
#include "engine/mounts.h"
#include "engine/tool_user.h"

namespace palyra::engine {

struct CellPlace {
  enum class Kind { kHost, kLink, kTemporary, kDevices, kTerminals, kProcesses, kSystem, kEmpty };
  Kind kind;
  KnownPath at;             // Of the host's the inode is known.
  std::string target = {};  // NOLINT(readability-redundant-member-init): of a link.
  bool is_directory = true;
  bool is_device = false;
  bool writable = false;
};

struct CellRoot {
  std::string runtime_directory;  // Host::runtime_directory; it is built below it.
  std::vector<CellPlace> places;  // Outer before inner.
  // Also of the host where the cell shows it; else an empty directory that stands for it.
  KnownPath start;
  uint64_t temporary_bytes = 0;  // Of /tmp, /var/tmp and /dev/shm together.
  // Of the run's view of files, where no program judges them: what waits for the root directory.
  std::vector<Placeholder> placeholders;
  std::vector<FileGrant> grants;
};

// Looks up what `view` shows. `runtime_directory` is Host::runtime_directory. Temporary files may
// take `most_bytes`, and half of the memory of the machine at most.
Result<CellRoot> PrepareCellRoot(const CellView& view, const std::string& runtime_directory,
                                 std::optional<uint64_t> most_bytes);

// In the child, as root in a mount namespace of its own, in which mounts are private: builds it,
// makes it the root directory, with its placeholders, and goes to where the command starts. 0 or
// errno, ESTALE where something was replaced meanwhile. Allocates: not for a child that shares its
// parent's memory.
int EnterCellRoot(const CellRoot& root, const ToolUser& user);

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_CELL_ROOT_H_
