// Text broken into lines: groups that stand on one line where they fit, and else have a line break
// at each of their places for one.

#ifndef PALYRA_POLICY_LAYOUT_H_
#define PALYRA_POLICY_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::policy {

struct FormatOptions {
  size_t line_width = 80;  // In characters. What cannot be broken may be longer.
  size_t indent_width = 2;
};

// Takes a document piece by piece and prints it. Text is borrowed until Print.
class Layout {
 public:
  void Text(std::string_view text);
  void Space();      // Not at the beginning of a line.
  void SoftBreak();  // A line break where the group is broken, else nothing.
  void SoftLine();   // A line break where the group is broken, else a space.
  void HardLine();   // Always a line break.
  void BlankLine();  // A line break and an empty line; nothing at the beginning of the text.
  // A comment on a line of its own, and one behind what stands on the line. The enclosing groups
  // are broken.
  void CommentLine(std::string_view comment);
  void CommentBehind(std::string_view comment);

  // Groups nest. Between Indent and Dedent broken lines begin further right.
  void OpenGroup();
  void CloseGroup();
  void Indent();
  void Dedent();

  // The text; it ends with one line break where it is not empty.
  [[nodiscard]] std::string Print(const FormatOptions& options) const;

 private:
  enum class Kind : uint8_t {
    kText,
    kSpace,
    kSoftBreak,
    kSoftLine,
    kHardLine,
    kBlankLine,
    kCommentLine,
    kCommentBehind,
    kOpen,
    kClose,
    kIndent,
    kDedent,
  };
  struct Item {
    Kind kind;
    std::string_view text;
    size_t width = 0;  // Of text; of a group on one line, with what follows it up to a break.
  };
  class Printer;

  void Add(Kind kind, std::string_view text = "");
  [[nodiscard]] std::vector<size_t> GroupWidths() const;

  std::vector<Item> items_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_LAYOUT_H_
