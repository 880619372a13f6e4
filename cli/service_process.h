// A process that serves one run, from the side of the run's supervisor.

#ifndef PALYRA_CLI_SERVICE_PROCESS_H_
#define PALYRA_CLI_SERVICE_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace palyra::cli {

// Its sockets are open here too: a port whose process has died cannot become anybody else's while
// this one lives.
class ServiceProcess {
 public:
  // Starts `program`, which lies beside this one, with `arguments`, no environment and /dev/null
  // for its input and output. Descriptor 3 is its end of the channel, the `sockets` follow, and
  // there is nothing else. An error if others than root could have written the program.
  static Result<ServiceProcess> Start(const std::string& program, std::vector<UniqueFd> sockets,
                                      const std::vector<std::string>& arguments);

  ServiceProcess(ServiceProcess&& other) noexcept;
  ServiceProcess& operator=(ServiceProcess&&) = delete;
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;
  ~ServiceProcess();  // Ends it.

  // Of SOCK_SEQPACKET; readable when it says something, and when it has ended.
  [[nodiscard]] int channel() const { return channel_.get(); }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // All `sockets`; they are this object's.
  [[nodiscard]] std::vector<int> sockets() const;

  void Kill() const;

 private:
  ServiceProcess() = default;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd channel_;
  std::vector<UniqueFd> sockets_;
};

}  // namespace palyra::cli

#endif  // PALYRA_CLI_SERVICE_PROCESS_H_
