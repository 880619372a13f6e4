#include "broker/http_requests.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace palyra::broker {
namespace {

using std::unexpected;
using Step = RequestStream::Step;
using Kind = RequestStream::Kind;

constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kMostSizeDigits = 15;

bool IsPrintable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

// "1a" or "1a;extension".
HttpResult<uint64_t> ReadChunkSize(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  uint64_t size = 0;
  const auto [stop, error] = std::from_chars(digits.begin(), digits.end(), size, 16);
  if (digits.empty() || digits.size() > kMostSizeDigits || digits.starts_with('-') ||
      error != std::errc() || stop != digits.end() || !std::ranges::all_of(line, IsPrintable)) {
    return unexpected(HttpReject::kBadChunk);
  }
  return size;
}

}  // namespace

HttpResult<Step> RequestStream::Next(std::string_view stream) {
  if (stream.empty()) return Step{};
  switch (expect_) {
    case Expect::kHead:
      return NextHead(stream);
    case Expect::kChunkLine:
      return NextChunkLine(stream);
    case Expect::kChunkEnd:
      return NextChunkEnd(stream);
    case Expect::kTrailer:
      return NextTrailer(stream);
    case Expect::kLength:
    case Expect::kChunk:
      return TakeBody(stream);
  }
  std::unreachable();
}

HttpResult<Step> RequestStream::NextHead(std::string_view stream) {
  auto head = reader_.Read(stream);
  if (!head) return unexpected(head.error());
  if (!*head) return Step{};
  reader_ = {};
  head_ = **std::move(head);
  left_ = head_.content_length.value_or(0);
  if (head_.chunked) {
    expect_ = Expect::kChunkLine;
  } else if (left_ > 0) {
    expect_ = Expect::kLength;
  }
  return Step{Kind::kHead, head_.size};
}

HttpResult<Step> RequestStream::NextChunkLine(std::string_view stream) {
  const size_t end = stream.substr(0, kLongestChunkLine).find(kLineEnd);
  if (end == std::string_view::npos) {
    // All but a CR at the end, whose LF may come.
    const std::string_view start =
        stream.substr(0, stream.size() - (stream.ends_with('\r') ? 1 : 0));
    if (stream.size() >= kLongestChunkLine || !std::ranges::all_of(start, IsPrintable)) {
      return unexpected(HttpReject::kBadChunk);
    }
    return Step{};
  }
  const auto size = ReadChunkSize(stream.substr(0, end));
  if (!size) return unexpected(size.error());
  left_ = *size;
  expect_ = left_ > 0 ? Expect::kChunk : Expect::kTrailer;
  return Step{Kind::kBody, end + kLineEnd.size()};
}

HttpResult<Step> RequestStream::NextChunkEnd(std::string_view stream) {
  const std::string_view start = stream.substr(0, kLineEnd.size());
  if (!kLineEnd.starts_with(start)) return unexpected(HttpReject::kBadChunk);
  if (start.size() < kLineEnd.size()) return Step{};
  expect_ = Expect::kChunkLine;
  return Step{Kind::kBody, kLineEnd.size()};
}

HttpResult<Step> RequestStream::NextTrailer(std::string_view stream) {
  const auto size = trailer_.Scan(stream, kLongestTrailer);
  if (!size) return unexpected(HttpReject::kBadChunk);
  if (!*size) return Step{};
  std::string_view section = stream.substr(0, **size);
  for (std::string_view line = TakeLine(section); !line.empty(); line = TakeLine(section)) {
    if (!SplitField(line)) return unexpected(HttpReject::kBadChunk);
  }
  trailer_ = {};
  expect_ = Expect::kHead;
  return Step{Kind::kBody, **size};
}

Step RequestStream::TakeBody(std::string_view stream) {
  const size_t size = std::min<uint64_t>(left_, stream.size());
  left_ -= size;
  if (left_ == 0) expect_ = expect_ == Expect::kChunk ? Expect::kChunkEnd : Expect::kHead;
  return {Kind::kBody, size};
}

}  // namespace palyra::broker
