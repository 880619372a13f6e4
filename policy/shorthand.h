// Network rules from the command line, as Cedar text: nothing is enforced that no policy says.

#ifndef PALYRA_POLICY_SHORTHAND_H_
#define PALYRA_POLICY_SHORTHAND_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace palyra::policy {

enum class NetShorthand : unsigned char { kAllow, kDeny };  // --allow-net, --deny-net

// ADDRESS[/PREFIX][:PORT or :FIRST-LAST], IPv6 in brackets where a port follows; `localhost` for
// 127.0.0.1 and ::1; `*` for every address. One policy, ending with ";" and a newline; its @id is
// the option as it was given. IPv4-mapped IPv6 becomes IPv4, as it does before every decision.
// kInvalidArgument for anything else: names are not resolved, and octal, hexadecimal and one-number
// addresses are not guessed at.
Result<std::string> NetShorthandToCedar(NetShorthand kind, std::string_view argument);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SHORTHAND_H_
