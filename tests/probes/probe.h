// palyra_probe: one attempt per call, in one technique, with one line that says how it ended.
//
// A verb either reaches for something (the network, a kernel object) or shows what it was given
// (environment, capabilities, descriptors). Reaching verbs report an Outcome; the exit status is
// its Status, and the line is "VERB allowed|denied|could-not-try|other ERRNO-NAME [DETAIL]".

#ifndef PALYRA_TESTS_PROBES_PROBE_H_
#define PALYRA_TESTS_PROBES_PROBE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace palyra::probes {

// The exit status of a reaching verb.
enum class Status : int {
  kAllowed = 0,
  kDenied = 1,       // EPERM, EACCES, EAFNOSUPPORT or ENOSYS.
  kCouldNotTry = 2,  // This kernel or host lacks what the technique needs, or wrong arguments.
  kOther = 3,        // Any other errno, a timeout among them.
  kShown = 4,        // A showing verb: no result line, exit status 0.
};

struct Outcome {
  Status status = Status::kCouldNotTry;
  int error = 0;
  std::string detail;
};

Outcome Allowed();
Outcome Shown();
Outcome CouldNotTry(int error, std::string detail = "");

// Sorts an errno into denied, could not try (a protocol or socket option that this kernel does not
// have) or other.
Outcome FromErrno(int error);

// Everything after the verb.
using Arguments = std::span<char* const>;

// A decimal number and nothing else.
std::optional<int> ParseNumber(std::string_view text);

struct Verb {
  const char* name;
  int argument_count;  // Exactly as many, or at least as many if `more` is set.
  bool more;
  const char* arguments;  // For the usage text.
  Outcome (*run)(Arguments);
};

std::span<const Verb> TcpVerbs();
std::span<const Verb> HeldVerbs();
std::span<const Verb> ListenVerbs();
std::span<const Verb> NameVerbs();
std::span<const Verb> UdpVerbs();
std::span<const Verb> UnixPathVerbs();
std::span<const Verb> UnixVerbs();
std::span<const Verb> RouteVerbs();
std::span<const Verb> RawVerbs();
std::span<const Verb> RingVerbs();
std::span<const Verb> FamilyVerbs();
std::span<const Verb> EscapeVerbs();
std::span<const Verb> KernelVerbs();
std::span<const Verb> CellVerbs();
std::span<const Verb> ShowVerbs();
std::span<const Verb> StormVerbs();
std::span<const Verb> TurnVerbs();
std::span<const Verb> LifeVerbs();
std::span<const Verb> AttemptVerbs();
std::span<const Verb> UsageVerbs();

}  // namespace palyra::probes

#endif  // PALYRA_TESTS_PROBES_PROBE_H_
