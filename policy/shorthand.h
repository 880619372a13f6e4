// Rules from the command line, as Cedar text: nothing is enforced that no policy says.

#ifndef PALYRA_POLICY_SHORTHAND_H_
#define PALYRA_POLICY_SHORTHAND_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace palyra::policy {

enum class NetShorthand : unsigned char {
  kAllow,        // --allow-net: may connect and send there.
  kDeny,         // --deny-net: may not.
  kAllowListen,  // --allow-listen: may take that local port, listen there, and accept from anybody.
};

// ADDRESS[/PREFIX][:PORT or :FIRST-LAST], IPv6 in brackets where a port follows; `localhost` for
// 127.0.0.1 and ::1; `*` for every address; a name of a host in place of the address, `*.NAME` for
// all names below it. To listen a port must be there, and may stand alone: as
// PORT or FIRST-LAST, on every address. One policy, ending with ";" and a newline; its @id is
// the option as it was given. IPv4-mapped IPv6 becomes IPv4, as it does before every decision.
// kInvalidArgument for anything else: octal, hexadecimal and one-number addresses are not guessed
// at.
Result<std::string> NetShorthandToCedar(NetShorthand kind, std::string_view argument);

// --allow-unix: the absolute path of a socket, without ".", ".." and doubled slashes, as the kernel
// resolves it; or "@" and an abstract name. One policy, as above. No character stands for others.
Result<std::string> UnixShorthandToCedar(std::string_view argument);

enum class PathShorthand : unsigned char {
  kAllowRead,    // --allow-read
  kAllowWrite,   // --allow-write: and create, remove, rename, link, change attributes; and read.
  kAllowDevice,  // --allow-write of a device, whose name stays as it is: and read, attributes.
  kAllowExec,    // --allow-exec: and read, which interpreters and loaders do.
  kDenyRead,     // --deny-read
  kDenyWrite,    // --deny-write: all but reading.
};

// "--allow-read"
std::string_view OptionName(PathShorthand kind);

// The file or program at `path`, and everything below it. One policy, as above; its @id has
// `argument`, by which the caller named it. `path` is absolute and as the kernel resolves it; no
// character stands for others. kInvalidArgument for another path, and for what is not UTF-8.
Result<std::string> PathShorthandToCedar(PathShorthand kind, std::string_view argument,
                                         std::string_view path);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SHORTHAND_H_
