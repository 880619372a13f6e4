// Writes the header with the filter programs, as a step of the build:
//     write_seccomp_programs HEADER

#include <fstream>
#include <iostream>

#include "engine/seccomp_rules.h"

namespace palyra::engine {
namespace {

bool WriteInstructions(std::ostream& out, const char* name,
                       const Result<std::vector<sock_filter>>& program) {
  if (!program) {
    std::cerr << "write_seccomp_programs: " << program.error().message << '\n';
    return false;
  }
  out << "inline constexpr sock_filter " << name << "[] = {\n";
  for (const sock_filter& each : *program) {
    out << "    {" << each.code << ", " << int{each.jt} << ", " << int{each.jf} << ", " << each.k
        << "U},\n";
  }
  out << "};\n";
  return true;
}

bool WriteProgram(std::ostream& out, const char* name, const SeccompOptions& options) {
  return WriteInstructions(out, name, BuildSeccompFilter(options));
}

bool WriteHeader(const char* path) {
  std::ofstream out(path);
  out << "#include <linux/filter.h>\n\nnamespace palyra::engine {\n\n";
  const bool written =
      WriteProgram(out, "kSeccompProgram", {}) &&
      WriteProgram(out, "kSeccompProgramWithIoUring", {.allow_io_uring = true}) &&
      WriteProgram(out, "kSeccompProgramWithoutUnixSockets", {.no_unix_sockets = true}) &&
      WriteProgram(out, "kSeccompProgramOfFiles", {.no_memory_programs = true}) &&
      WriteProgram(out, "kSeccompProgramOfFilesWithIoUring",
                   {.allow_io_uring = true, .no_memory_programs = true}) &&
      WriteProgram(out, "kSeccompProgramOfFilesWithoutUnixSockets",
                   {.no_unix_sockets = true, .no_memory_programs = true}) &&
      WriteInstructions(out, "kHoldProgram",
                        BuildHoldFilter({.connects = true, .programs = true})) &&
      WriteInstructions(out, "kHoldProgramOfConnects", BuildHoldFilter({.connects = true})) &&
      WriteInstructions(out, "kHoldProgramOfPrograms", BuildHoldFilter({.programs = true}));
  out << "\n}  // namespace palyra::engine\n";
  return written && out.flush().good();
}

}  // namespace
}  // namespace palyra::engine

int main(int argc, char** argv) {
  return argc == 2 && palyra::engine::WriteHeader(argv[1]) ? 0 : 1;
}
