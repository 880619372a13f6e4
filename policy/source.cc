#include "policy/source.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "policy/text.h"

namespace palyra::policy {
namespace {

struct Range {
  uint32_t first;
  uint32_t last;
};

// Blocks that terminals draw two columns wide: East Asian scripts and pictographs.
constexpr std::array<Range, 9> kWide = {{{0x1100, 0x115F},
                                         {0x2E80, 0xA4CF},
                                         {0xAC00, 0xD7A3},
                                         {0xF900, 0xFAFF},
                                         {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},
                                         {0xFFE0, 0xFFE6},
                                         {0x1F300, 0x1FAFF},
                                         {0x20000, 0x3FFFD}}};

// Combining marks, joiners and direction marks, which take no column.
constexpr std::array<Range, 6> kZeroWidth = {{{0x0300, 0x036F},
                                              {0x200B, 0x200F},
                                              {0x202A, 0x202E},
                                              {0x2060, 0x2069},
                                              {0x20D0, 0x20FF},
                                              {0xFE00, 0xFE0F}}};

bool IsIn(std::span<const Range> ranges, uint32_t code_point) {
  return std::ranges::any_of(
      ranges, [&](Range r) { return r.first <= code_point && code_point <= r.last; });
}

size_t ColumnsOf(uint32_t code_point) {
  if (IsIn(kZeroWidth, code_point)) {
    return 0;
  }
  return IsIn(kWide, code_point) ? 2 : 1;
}

// `line` as it may be shown, and below it carets under bytes [first, last).
std::string LineWithCarets(std::string_view line, size_t first, size_t last) {
  std::string shown;
  std::string carets;
  bool marked = false;
  for (size_t at = 0; at < line.size();) {
    const Character c = CharacterAt(line, at);
    const bool tab = c.code_point == '\t';
    const bool hidden = !tab && IsUnsafeToShow(c.code_point);
    shown += hidden ? std::string_view(" ") : line.substr(at, c.length);
    const size_t columns = hidden ? 1 : ColumnsOf(c.code_point);
    if (at >= first && at < last) {
      carets.append(tab ? 1 : columns, '^');
      marked = true;
    } else if (at < first) {
      carets.append(tab ? 1 : columns, tab ? '\t' : ' ');
    }
    at += c.length;
  }
  if (!marked) {
    carets += '^';
  }
  return shown + '\n' + carets + '\n';
}

}  // namespace

Span Cover(Span first, Span last) {
  const uint32_t offset = std::min(first.offset, last.offset);
  return {.offset = offset, .length = std::max(first.end(), last.end()) - offset};
}

SourceFile::SourceFile(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)), line_starts_{0} {
  for (size_t at = text_.find('\n'); at != std::string::npos; at = text_.find('\n', at + 1)) {
    line_starts_.push_back(static_cast<uint32_t>(at + 1));
  }
}

LineColumn SourceFile::Locate(uint32_t offset) const {
  offset = std::min(offset, static_cast<uint32_t>(text_.size()));
  const auto after = std::ranges::upper_bound(line_starts_, offset);
  const auto line = static_cast<uint32_t>(after - line_starts_.begin());
  uint32_t column = 1;
  for (size_t at = line_starts_[line - 1]; at < offset; ++column) {
    at += CharacterAt(text_, at).length;
  }
  return {.line = line, .column = column};
}

std::string_view SourceFile::Line(uint32_t line) const {
  if (line == 0 || line > line_starts_.size()) {
    return {};
  }
  std::string_view rest = std::string_view(text_).substr(line_starts_[line - 1]);
  rest = rest.substr(0, rest.find('\n'));
  if (rest.ends_with('\r')) {
    rest.remove_suffix(1);
  }
  return rest;
}

std::string Render(const Diagnostic& diagnostic) {
  std::string out;
  LineColumn place;
  if (diagnostic.source != nullptr) {
    place = diagnostic.source->Locate(diagnostic.span.offset);
    out += diagnostic.source->name() + ':' + std::to_string(place.line) + ':' +
           std::to_string(place.column) + ": ";
  }
  out += diagnostic.severity == Severity::kError ? "error: " : "warning: ";
  out += diagnostic.message + '\n';
  if (diagnostic.source != nullptr) {
    const std::string_view text = diagnostic.source->text();
    const std::string_view line = diagnostic.source->Line(place.line);
    const size_t line_start =
        line.data() == nullptr ? 0 : static_cast<size_t>(line.data() - text.data());
    const size_t first = std::min<size_t>(diagnostic.span.offset, text.size()) - line_start;
    out += LineWithCarets(line, first, first + diagnostic.span.length);
  }
  if (diagnostic.policy_id) {
    out += "policy: " + *diagnostic.policy_id + '\n';
  }
  if (diagnostic.hint) {
    out += "hint: " + *diagnostic.hint + '\n';
  }
  return out;
}

std::string Render(const std::vector<Diagnostic>& diagnostics) {
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics) {
    out += Render(diagnostic);
  }
  return out;
}

Error ToError(const std::vector<Diagnostic>& diagnostics) {
  std::string message = Render(diagnostics);
  if (message.ends_with('\n')) {
    message.pop_back();
  }
  return {.code = ErrorCode::kInvalidArgument, .system_errno = 0, .message = std::move(message)};
}

}  // namespace palyra::policy
