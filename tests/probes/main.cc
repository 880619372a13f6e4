#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "tests/probes/probe.h"

namespace palyra::probes {
namespace {

const char* StatusName(Status status) {
  switch (status) {
    case Status::kAllowed:
      return "allowed";
    case Status::kDenied:
      return "denied";
    case Status::kCouldNotTry:
      return "could-not-try";
    case Status::kOther:
    case Status::kShown:
      break;
  }
  return "other";
}

std::array<std::span<const Verb>, 20> AllVerbs() {
  return {TcpVerbs(),     ListenVerbs(), UdpVerbs(),    RouteVerbs(),    RawVerbs(),
          RingVerbs(),    FamilyVerbs(), EscapeVerbs(), KernelVerbs(),   CellVerbs(),
          ShowVerbs(),    LifeVerbs(),   NameVerbs(),   UnixPathVerbs(), UnixVerbs(),
          AttemptVerbs(), StormVerbs(),  HeldVerbs(),   TurnVerbs(),     UsageVerbs()};
}

int Usage() {
  std::fputs("usage: palyra_probe VERB [ARGUMENT...]\n", stderr);
  for (const auto& group : AllVerbs()) {
    for (const Verb& verb : group) std::fprintf(stderr, "  %s %s\n", verb.name, verb.arguments);
  }
  return static_cast<int>(Status::kCouldNotTry);
}

int Run(const Verb& verb, Arguments arguments) {
  const auto given = static_cast<int>(arguments.size());
  if (given < verb.argument_count || (given > verb.argument_count && !verb.more)) {
    std::fprintf(stderr, "usage: palyra_probe %s %s\n", verb.name, verb.arguments);
    return static_cast<int>(Status::kCouldNotTry);
  }
  const Outcome outcome = verb.run(arguments);
  if (outcome.status == Status::kShown) return 0;
  const char* name = outcome.error == 0 ? "none" : strerrorname_np(outcome.error);
  std::printf("%s %s %s%s%s\n", verb.name, StatusName(outcome.status),
              name == nullptr ? "unknown" : name, outcome.detail.empty() ? "" : " ",
              outcome.detail.c_str());
  return static_cast<int>(outcome.status);
}

}  // namespace

std::optional<int> ParseNumber(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Outcome Allowed() { return {Status::kAllowed, 0, ""}; }

Outcome Shown() { return {Status::kShown, 0, ""}; }

Outcome CouldNotTry(int error, std::string detail) {
  return {Status::kCouldNotTry, error, std::move(detail)};
}

Outcome FromErrno(int error) {
  switch (error) {
    case EPERM:
    case EACCES:
    case EAFNOSUPPORT:
    case ENOSYS:
      return {Status::kDenied, error, ""};
    case EPROTONOSUPPORT:
    case ESOCKTNOSUPPORT:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return {Status::kCouldNotTry, error, ""};
    default:
      return {Status::kOther, error, ""};
  }
}

}  // namespace palyra::probes

int main(int argc, char** argv) {
  using namespace palyra::probes;
  if (argc < 2) return Usage();
  const Arguments arguments(argv + 2, static_cast<size_t>(argc - 2));
  for (const auto& group : AllVerbs()) {
    for (const Verb& verb : group) {
      if (std::strcmp(verb.name, argv[1]) == 0) return Run(verb, arguments);
    }
  }
  return Usage();
}
