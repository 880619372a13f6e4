// A directory of a test's own, gone at its end.

#ifndef PALYRA_TESTS_SUPPORT_TEMP_DIR_H_
#define PALYRA_TESTS_SUPPORT_TEMP_DIR_H_

#include <string>
#include <string_view>
#include <utility>

namespace palyra::tests {

// Below /tmp, mode 0755.
class TempDir {
 public:
  TempDir();
  TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string Path(std::string_view name) const;

  // Writes a file of that name; gives its path.
  [[nodiscard]] std::string Write(std::string_view name, std::string_view text) const;

 private:
  std::string path_;
};

// All of a file; empty if there is none.
std::string ReadText(const std::string& path);

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_TEMP_DIR_H_
