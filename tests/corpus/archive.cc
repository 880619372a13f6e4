#include "tests/corpus/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace palyra::tests {
namespace {

constexpr size_t kBlock = size_t{256} << 10;
constexpr size_t kMaxMember = size_t{64} << 20;
constexpr size_t kMaxFile = size_t{1} << 30;

struct Close {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, Close>;

std::unexpected<Error> FailReading(const std::string& path, archive* reader) {
  const char* reason = archive_error_string(reader);
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("cannot read \"{}\": {}", path, reason == nullptr ? "damaged" : reason));
}

Result<Reader> Open(const std::string& path, int (*support_format)(archive*)) {
  Reader reader(archive_read_new());
  if (reader == nullptr) return Fail(ErrorCode::kExhausted, "no memory for an archive reader");
  archive_read_support_filter_all(reader.get());
  support_format(reader.get());
  if (archive_read_open_filename(reader.get(), path.c_str(), kBlock) != ARCHIVE_OK) {
    return FailReading(path, reader.get());
  }
  return reader;
}

// The content of the entry that the reader stands at.
Result<std::string> ReadContent(const std::string& path, archive* reader, size_t max_bytes) {
  std::string content;
  std::array<char, size_t{64} << 10> block;
  while (true) {
    const la_ssize_t count = archive_read_data(reader, block.data(), block.size());
    if (count == 0) return content;
    if (count < 0) return FailReading(path, reader);
    content.append(block.data(), static_cast<size_t>(count));
    if (content.size() > max_bytes) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("\"{}\" holds a file of more than {} bytes", path, max_bytes));
    }
  }
}

}  // namespace

Result<void> ReadArchive(const std::string& path,
                         const std::function<void(std::string name, std::string content)>& take) {
  Result<Reader> reader = Open(path, archive_read_support_format_tar);
  if (!reader) return std::unexpected(reader.error());
  archive_entry* entry = nullptr;
  while (true) {
    const int status = archive_read_next_header(reader->get(), &entry);
    if (status == ARCHIVE_EOF) return {};
    if (status != ARCHIVE_OK) return FailReading(path, reader->get());
    if (archive_entry_filetype(entry) != AE_IFREG) continue;
    std::string name = archive_entry_pathname(entry);
    Result<std::string> content = ReadContent(path, reader->get(), kMaxMember);
    if (!content) return std::unexpected(content.error());
    take(std::move(name), *std::move(content));
  }
}

Result<FilesByName> ReadFilesByName(const std::string& path) {
  FilesByName files;
  const Result<void> read = ReadArchive(path, [&](const std::string& name, std::string content) {
    files.insert_or_assign(name.substr(name.rfind('/') + 1), std::move(content));
  });
  if (!read) return std::unexpected(read.error());
  return files;
}

Result<std::string> ReadCompressed(const std::string& path) {
  Result<Reader> reader = Open(path, archive_read_support_format_raw);
  if (!reader) return std::unexpected(reader.error());
  archive_entry* entry = nullptr;
  if (archive_read_next_header(reader->get(), &entry) != ARCHIVE_OK) {
    return FailReading(path, reader->get());
  }
  return ReadContent(path, reader->get(), kMaxFile);
}

}  // namespace palyra::tests
