// Policy text, places in it, and what is said about them.

#ifndef PALYRA_POLICY_SOURCE_H_
#define PALYRA_POLICY_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace palyra::policy {

// Bytes [offset, offset + length) of a SourceFile's text.
struct Span {
  uint32_t offset = 0;
  uint32_t length = 0;
  [[nodiscard]] uint32_t end() const { return offset + length; }
  bool operator==(const Span&) const = default;
};

// The smallest span that holds both.
Span Cover(Span first, Span last);

// One-based. Columns count Unicode characters.
struct LineColumn {
  uint32_t line = 1;
  uint32_t column = 1;
  bool operator==(const LineColumn&) const = default;
};

// One policy file, or one shorthand argument turned into policy text. Immutable.
class SourceFile {
 public:
  // `name` is how messages call it. The text may hold anything; the parser refuses what it must.
  SourceFile(std::string name, std::string text);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view text() const { return text_; }

  // Where byte `offset` is; an offset past the end is the end.
  [[nodiscard]] LineColumn Locate(uint32_t offset) const;

  // The text of a one-based line without its line end; empty for a line that is not there.
  [[nodiscard]] std::string_view Line(uint32_t line) const;

 private:
  std::string name_;
  std::string text_;
  std::vector<uint32_t> line_starts_;
};

using SourcePtr = std::shared_ptr<const SourceFile>;

enum class Severity : uint8_t { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string code;     // Stable, for tools: "parse-unexpected-token".
  std::string message;  // As in base/result.h: lower case, no final period.
  SourcePtr source;     // May be null: then the rendering is one line without a place.
  Span span;
  std::optional<std::string> policy_id;
  std::optional<std::string> hint;  // What to write instead.
};

// "FILE:LINE:COLUMN: error: message", the source line, carets under the span (of its first line, at
// least one caret), then "policy: ID" and "hint: TEXT" where they are set. Ends with a newline.
// Control characters of the source line are shown as spaces, so that a policy file cannot drive the
// terminal.
std::string Render(const Diagnostic& diagnostic);

// All renderings, in order.
std::string Render(const std::vector<Diagnostic>& diagnostics);

// The renderings as one kInvalidArgument error.
Error ToError(const std::vector<Diagnostic>& diagnostics);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_SOURCE_H_
