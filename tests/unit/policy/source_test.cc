#include "policy/source.h"

#include <gtest/gtest.h>

#include <memory>

namespace palyra::policy {
namespace {

std::string RenderAt(const std::string& text, Span span) {
  return Render(Diagnostic{.severity = Severity::kError,
                           .code = "test",
                           .message = "no",
                           .source = std::make_shared<const SourceFile>("f", text),
                           .span = span,
                           .policy_id = std::nullopt,
                           .hint = std::nullopt});
}

TEST(SourceFile, CountsLinesAndCharacters) {
  const SourceFile file("f", "ab\nc\u00e9d\r\n\U0001F512x");
  EXPECT_EQ(file.Locate(0), (LineColumn{1, 1}));
  EXPECT_EQ(file.Locate(2), (LineColumn{1, 3}));
  EXPECT_EQ(file.Locate(3), (LineColumn{2, 1}));
  EXPECT_EQ(file.Locate(6), (LineColumn{2, 3}));
  EXPECT_EQ(file.Locate(13), (LineColumn{3, 2}));
  EXPECT_EQ(file.Locate(999), (LineColumn{3, 3}));
  EXPECT_EQ(file.Line(1), "ab");
  EXPECT_EQ(file.Line(2), "c\u00e9d");
  EXPECT_EQ(file.Line(0), "");
  EXPECT_EQ(file.Line(4), "");
}

TEST(Render, PutsCaretsUnderTheSpan) {
  EXPECT_EQ(RenderAt("one two", {4, 3}), "f:1:5: error: no\none two\n    ^^^\n");
  EXPECT_EQ(RenderAt("one\ntwo", {4, 1}), "f:2:1: error: no\ntwo\n^\n");
}

TEST(Render, LinesUpBehindTabsAndMultiByteCharacters) {
  EXPECT_EQ(RenderAt("\tx y", {3, 1}), "f:1:4: error: no\n\tx y\n\t  ^\n");
  EXPECT_EQ(RenderAt("\u00e9\u00e9 y", {5, 1}), "f:1:4: error: no\n\u00e9\u00e9 y\n   ^\n");
  EXPECT_EQ(RenderAt("\u6f22 y", {4, 1}), "f:1:3: error: no\n\u6f22 y\n   ^\n");
  EXPECT_EQ(RenderAt("e\u0301 y", {4, 1}), "f:1:4: error: no\ne\u0301 y\n  ^\n");
  EXPECT_EQ(RenderAt("\u6f22\u6f22", {3, 3}), "f:1:2: error: no\n\u6f22\u6f22\n  ^^\n");
}

TEST(Render, SpansOverLinesStopAtTheFirst) {
  EXPECT_EQ(RenderAt("abc\ndef", {1, 6}), "f:1:2: error: no\nabc\n ^^\n");
}

TEST(Render, ShowsAPlaceAtTheEndAndInNothing) {
  EXPECT_EQ(RenderAt("ab", {2, 0}), "f:1:3: error: no\nab\n  ^\n");
  EXPECT_EQ(RenderAt("", {0, 0}), "f:1:1: error: no\n\n^\n");
  EXPECT_EQ(RenderAt("a\n", {2, 0}), "f:2:1: error: no\n\n^\n");
}

TEST(Render, NeverSendsControlCharactersToTheTerminal) {
  EXPECT_EQ(RenderAt("a\x1b[31mb", {0, 1}), "f:1:1: error: no\na [31mb\n^\n");
  EXPECT_EQ(RenderAt("a\u202eb", {4, 1}), "f:1:3: error: no\na b\n  ^\n");
  EXPECT_EQ(RenderAt("a\xff\xfe", {1, 1}), "f:1:2: error: no\na  \n ^\n");
}

TEST(Render, AddsPolicyAndHintAndDoesWithoutASource) {
  Diagnostic diagnostic;
  diagnostic.severity = Severity::kWarning;
  diagnostic.message = "careful";
  diagnostic.policy_id = "policy3";
  diagnostic.hint = "write less";
  EXPECT_EQ(Render(diagnostic), "warning: careful\npolicy: policy3\nhint: write less\n");
  const Error error = ToError({diagnostic, diagnostic});
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message,
            "warning: careful\npolicy: policy3\nhint: write less\n"
            "warning: careful\npolicy: policy3\nhint: write less");
}

}  // namespace
}  // namespace palyra::policy
