#include "cli/console.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace palyra::cli {
namespace {

std::string Said(std::string_view text) {
  testing::internal::CaptureStderr();
  Say("palyra-run", text);
  return testing::internal::GetCapturedStderr();
}

TEST(Console, SaysOneLineWithTheNameOfTheProgram) {
  EXPECT_EQ(Said("no command"), "palyra-run: no command\n");
}

struct EscapeCase {
  std::string_view text;
  std::string_view shown;
};

TEST(Console, ShowsControlCharactersInsteadOfObeyingThem) {
  using std::string_view_literals::operator""sv;
  constexpr EscapeCase kCases[] = {
      {"\x1b[2Jgone", "\\x1b[2Jgone"},
      {"a\nb\rc\td", "a\\x0ab\\x0dc\\x09d"},
      {"\x07\x08\x7f", "\\x07\\x08\\x7f"},
      {"nul\0nul"sv, "nul\\x00nul"},
      // The C1 set: a terminal takes U+009B for ESC [.
      {"\xc2\x9b"
       "2Jgone",
       "\\xc2\\x9b2Jgone"},
      {"\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f"},
  };
  for (const EscapeCase& each : kCases) {
    EXPECT_EQ(Said(each.text), "palyra-run: " + std::string(each.shown) + "\n");
  }
}

TEST(Console, LeavesOtherTextAlone) {
  for (const std::string text : {"grüße", "“quoted”", "日本", "\xc2\xa0", "🦊", "Ã"}) {
    EXPECT_EQ(Said(text), "palyra-run: " + text + "\n");
  }
}

TEST(Console, KeepsTheLinesOfABlockAndNothingElse) {
  testing::internal::CaptureStderr();
  SayBlock("one\n  two\x1b[2J\r\n");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "one\n  two\\x1b[2J\\x0d\n");
}

}  // namespace
}  // namespace palyra::cli
