// Servers on unix sockets that count what reaches them, and runs that try to.

#ifndef PALYRA_TESTS_E2E_UNIX_FIXTURE_H_
#define PALYRA_TESTS_E2E_UNIX_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "tests/support/palyra_run.h"
#include "tests/support/temp_dir.h"

namespace palyra::tests {

inline constexpr uid_t kToolUid = 1000;

// Counts connections and datagrams. Everybody may connect.
class UnixServer {
 public:
  // `name` is a path, or "@" and an abstract name, in which '#' stands for NUL. `type` as of
  // socket(2).
  UnixServer(std::string name, int type);
  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;
  ~UnixServer();

  [[nodiscard]] const std::string& name() const { return name_; }

  // All that came until now, once nothing comes any more.
  [[nodiscard]] int Heard() const;

 private:
  void Serve();

  std::string name_;
  int type_;
  UniqueFd fd_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> heard_ = 0;
  std::thread thread_;
};

class UnixSockets : public testing::Test {
 protected:
  void SetUp() override;

  // Programs judge the socket that is reached, and not the path that is written.
  static bool IsJudgedByPeer();

  // Where the run may write nothing, and where it may.
  [[nodiscard]] std::string Outside(const std::string& name) const { return outside_.Path(name); }
  [[nodiscard]] std::string Own(const std::string& name) const { return workspace_ + '/' + name; }

  // A directory of the tool's.
  static void MakeOwnDirectory(const std::string& path);

  static ProbeResult InRun(const std::vector<std::string>& permitted,
                           const std::vector<std::string>& arguments);

  // Bare it is heard; in a run that may use `permitted` it is denied, and not heard; the log says
  // so of `told`, unless that is empty.
  static void ExpectDenied(const UnixServer& server, const std::vector<std::string>& permitted,
                           const std::vector<std::string>& arguments, const std::string& told);
  static void ExpectAllowed(const UnixServer& server, const std::vector<std::string>& permitted,
                            const std::vector<std::string>& arguments);

  TempDir outside_;
  std::string workspace_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_UNIX_FIXTURE_H_
