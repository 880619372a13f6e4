#include "tests/e2e/own_tools.h"

#include <sched.h>

#include <stdexcept>

namespace palyra::tests {
namespace {

constexpr const char* kPrograms = "/etc/palyra/programs";
constexpr const char* kEntries = "/etc/palyra/tools.d";

}  // namespace

SpawnOptions OwnTools::Inside() const {
  SpawnOptions options;
  options.in_child = [mounts = mounts_] { return setns(mounts, CLONE_NEWNS) == 0 ? 0 : 99; };
  return options;
}

Ended OwnTools::Shell(const std::string& script) const {
  Ended ended = RunProgram({"/bin/sh", "-ec", script}, Inside());
  if (ended.status != 0) throw std::runtime_error(Describe(ended));
  return ended;
}

std::string OwnTools::Program(const std::string& name) const {
  const std::string path = std::string(kPrograms) + '/' + name;
  Shell("mkdir -p " + std::string(kPrograms) + "; [ -e " + path +
        " ] || { printf '#!/bin/sh\necho \"$@\"\n' >" + path + "; chmod 755 " + path + "; }");
  return path;
}

void OwnTools::Add(const std::string& name, const std::string& sensitivity,
                   const std::string& more) const {
  const std::string entry = "[tool." + name + "]\ncapabilities = [\"network\"]\nsensitivity = \"" +
                            sensitivity + "\"\nexecutables = [\"" + Program(name) + "\"]\n" + more;
  Shell("mkdir -p " + std::string(kEntries) + "; cat >" + kEntries + '/' + name +
        ".toml <<'END'\n" + entry + "END\n");
}

}  // namespace palyra::tests
