#include "tests/probes/unix_target.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "tests/probes/target.h"

namespace palyra::probes {

std::optional<UnixName> ParseUnixName(std::string_view text) {
  UnixName name;
  if (text.empty() || text.size() >= sizeof(name.address.sun_path)) return std::nullopt;
  std::memcpy(name.address.sun_path, text.data(), text.size());
  const bool is_abstract = text[0] == '@';
  if (is_abstract) {
    name.address.sun_path[0] = '\0';
    std::ranges::replace(name.address.sun_path, '#', '\0');
  }
  name.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1));
  return name;
}

Outcome ConnectUnix(int type, const char* text) {
  const auto name = ParseUnixName(text);
  if (!name) return CouldNotTry(EINVAL);
  const UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FromErrno(errno);
  if (connect(fd.get(), name->get(), name->length) != 0) return FromErrno(errno);
  return FromSent(send(fd.get(), kToken.data(), kToken.size(), MSG_NOSIGNAL));
}

}  // namespace palyra::probes
