// Files of a tar archive, compressed in any of the usual ways, one after the other.

#ifndef PALYRA_TESTS_CORPUS_ARCHIVE_H_
#define PALYRA_TESTS_CORPUS_ARCHIVE_H_

#include <functional>
#include <map>
#include <string>

#include "base/result.h"

namespace palyra::tests {

// Calls `take` with name and content of every regular file, in the order of the archive; nothing is
// written to disk. A file of more than 64 MiB and a damaged archive are errors.
Result<void> ReadArchive(const std::string& path,
                         const std::function<void(std::string name, std::string content)>& take);

// The files of an archive by their names without directories.
using FilesByName = std::map<std::string, std::string>;
Result<FilesByName> ReadFilesByName(const std::string& path);

// All of a single compressed file that is no archive (xz, gzip, zstd), or of one that is not
// compressed, at most 1 GiB of it.
Result<std::string> ReadCompressed(const std::string& path);

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_CORPUS_ARCHIVE_H_
