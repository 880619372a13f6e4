// What palyra's programs say to people: short lines on standard error.

#ifndef PALYRA_CLI_CONSOLE_H_
#define PALYRA_CLI_CONSOLE_H_

#include <string_view>

namespace palyra::cli {

// "palyra-run: TEXT", one line; control characters are shown as \xNN, so that what a tool or a file
// chose (names, addresses, arguments) cannot drive the terminal.
void Say(std::string_view program, std::string_view text);

// The same for whoever must not wait: a tool can stop the terminal, or fill the pipe. What finds no
// room waits for SayWhatIsLeft(), up to a bound; the rest is only counted.
void SayWithoutWaiting(std::string_view program, std::string_view text);
void SayWhatIsLeft(std::string_view program);

// Text of several lines (rendered diagnostics), its line ends kept and the rest shown likewise.
void SayBlock(std::string_view text);

}  // namespace palyra::cli

#endif  // PALYRA_CLI_CONSOLE_H_
