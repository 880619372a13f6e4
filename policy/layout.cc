#include "policy/layout.h"

#include <algorithm>

#include "policy/text.h"

namespace palyra::policy {
namespace {

// More than any line has.
constexpr size_t kEndless = size_t{1} << 40U;

size_t CharacterCount(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    at += CharacterAt(text, at).length;
  }
  return count;
}

}  // namespace

// What has been printed, and where in the line it stands.
class Layout::Printer {
 public:
  explicit Printer(const FormatOptions& options) : options_(options) {}

  void Indent(int steps) { indent_ += static_cast<size_t>(steps) * options_.indent_width; }

  void Break() {
    if (!out_.empty() && !at_line_start_) {
      out_ += '\n';
      column_ = 0;
      at_line_start_ = true;
    }
  }

  void BlankLine() {
    Break();
    if (!out_.empty() && !out_.ends_with("\n\n")) {
      out_ += '\n';
    }
  }

  void Write(std::string_view text, size_t width) {
    if (comment_behind_) {
      comment_behind_ = false;
      Break();
    }
    if (at_line_start_) {
      out_.append(indent_, ' ');
      column_ += indent_;
      at_line_start_ = false;
    } else if (space_) {
      out_ += ' ';
      ++column_;
    }
    space_ = false;
    out_ += text;
    const size_t line_end = text.rfind('\n');
    column_ = line_end == std::string_view::npos ? column_ + width
                                                 : CharacterCount(text.substr(line_end + 1));
  }

  void Space() { space_ = true; }

  void CommentLine(std::string_view comment) {
    Break();
    Write(comment, 0);
    Break();
  }

  void CommentBehind(std::string_view comment) {
    Space();
    Write(comment, 0);
    comment_behind_ = true;
  }

  // Whether a group of this width fits on the rest of the line.
  [[nodiscard]] bool Fits(size_t width) const {
    const size_t start = at_line_start_ ? indent_ : column_ + (space_ ? 1 : 0);
    return start + width <= options_.line_width;
  }

  void BreakLine() {
    comment_behind_ = false;
    space_ = false;
    Break();
  }

  std::string Take() {
    BreakLine();
    return std::move(out_);
  }

 private:
  const FormatOptions& options_;
  std::string out_;
  size_t indent_ = 0;
  size_t column_ = 0;
  bool at_line_start_ = true;
  bool space_ = false;           // One is due before the next text.
  bool comment_behind_ = false;  // The line has ended with one.
};

void Layout::Add(Kind kind, std::string_view text) {
  items_.push_back({.kind = kind, .text = text, .width = CharacterCount(text)});
}

void Layout::Text(std::string_view text) { Add(Kind::kText, text); }
void Layout::Space() { Add(Kind::kSpace); }
void Layout::SoftBreak() { Add(Kind::kSoftBreak); }
void Layout::SoftLine() { Add(Kind::kSoftLine); }
void Layout::HardLine() { Add(Kind::kHardLine); }
void Layout::BlankLine() { Add(Kind::kBlankLine); }
void Layout::CommentLine(std::string_view comment) { Add(Kind::kCommentLine, comment); }
void Layout::CommentBehind(std::string_view comment) { Add(Kind::kCommentBehind, comment); }
void Layout::OpenGroup() { Add(Kind::kOpen); }
void Layout::CloseGroup() { Add(Kind::kClose); }
void Layout::Indent() { Add(Kind::kIndent); }
void Layout::Dedent() { Add(Kind::kDedent); }

// For each kOpen the width that its group needs to stand on one line, with the text behind it that
// no break divides from it. One pass from the end: `rest` is the width from here to the next break
// of the enclosing groups.
std::vector<size_t> Layout::GroupWidths() const {
  std::vector<size_t> widths(items_.size());
  struct Open {
    size_t flat;  // Of the group's content seen so far.
    size_t rest;  // Behind the group.
  };
  std::vector<Open> open;
  size_t rest = 0;
  const auto widen = [&](size_t width) {
    rest += width;
    if (!open.empty()) {
      open.back().flat += width;
    }
  };
  for (size_t i = items_.size(); i-- > 0;) {
    switch (items_[i].kind) {
      case Kind::kText:
        widen(items_[i].width);
        break;
      case Kind::kSpace:
        widen(1);
        break;
      case Kind::kSoftBreak:
      case Kind::kSoftLine:
        widen(items_[i].kind == Kind::kSoftLine ? 1 : 0);
        rest = 0;
        break;
      case Kind::kHardLine:
      case Kind::kBlankLine:
      case Kind::kCommentLine:
      case Kind::kCommentBehind:
        widen(kEndless);
        rest = 0;
        break;
      case Kind::kClose:
        open.push_back({.flat = 0, .rest = rest});
        break;
      case Kind::kOpen: {
        const Open group = open.back();
        open.pop_back();
        widths[i] = std::min(group.flat + group.rest, kEndless);
        rest = std::min(rest, widths[i]);
        if (!open.empty()) {
          open.back().flat = std::min(open.back().flat + group.flat, kEndless);
        }
        break;
      }
      case Kind::kIndent:
      case Kind::kDedent:
        break;
    }
  }
  return widths;
}

std::string Layout::Print(const FormatOptions& options) const {
  const std::vector<size_t> widths = GroupWidths();
  Printer printer(options);
  std::vector<bool> broken = {true};
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    switch (item.kind) {
      case Kind::kText:
        printer.Write(item.text, item.width);
        break;
      case Kind::kSpace:
        printer.Space();
        break;
      case Kind::kSoftBreak:
      case Kind::kSoftLine:
        if (broken.back()) {
          printer.BreakLine();
        } else if (item.kind == Kind::kSoftLine) {
          printer.Space();
        }
        break;
      case Kind::kHardLine:
        printer.BreakLine();
        break;
      case Kind::kBlankLine:
        printer.BlankLine();
        break;
      case Kind::kCommentLine:
        printer.CommentLine(item.text);
        break;
      case Kind::kCommentBehind:
        printer.CommentBehind(item.text);
        break;
      case Kind::kOpen:
        broken.push_back(broken.back() && !printer.Fits(widths[i]));
        break;
      case Kind::kClose:
        broken.pop_back();
        break;
      case Kind::kIndent:
        printer.Indent(1);
        break;
      case Kind::kDedent:
        printer.Indent(-1);
        break;
    }
  }
  return printer.Take();
}

}  // namespace palyra::policy
