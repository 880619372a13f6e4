// The requests on one HTTP/1.x connection: where each ends and the next head begins, so that no
// request is passed on that was not looked at (RFC 9112 section 6). Pure.

#ifndef PALYRA_BROKER_HTTP_REQUESTS_H_
#define PALYRA_BROKER_HTTP_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "broker/http_head.h"

namespace palyra::broker {

// A line with the size of a chunk, and all trailer fields of a body.
inline constexpr size_t kLongestChunkLine = 256;
inline constexpr size_t kLongestTrailer = size_t{8} * 1024;

class RequestStream {
 public:
  enum class Kind : uint8_t {
    kMore,  // Nothing can be said before more bytes are there.
    kHead,  // A head is complete; pass it on if head() is all right.
    kBody,  // Bytes of the body whose head came last.
  };
  struct Step {
    Kind kind = Kind::kMore;
    size_t size = 0;  // Bytes at the front that this is about.
  };

  // What the front of `stream` is. After kHead and kBody the caller takes `size` bytes off the
  // front before the next call; after kMore it calls again with the same bytes and more. After a
  // reject the connection must end: where the next request begins is unknown.
  HttpResult<Step> Next(std::string_view stream);

  // The last head that was complete.
  [[nodiscard]] const HttpHead& head() const { return head_; }

 private:
  enum class Expect : uint8_t { kHead, kLength, kChunkLine, kChunk, kChunkEnd, kTrailer };

  HttpResult<Step> NextHead(std::string_view stream);
  HttpResult<Step> NextChunkLine(std::string_view stream);
  HttpResult<Step> NextTrailer(std::string_view stream);
  HttpResult<Step> NextChunkEnd(std::string_view stream);
  Step TakeBody(std::string_view stream);

  Expect expect_ = Expect::kHead;
  uint64_t left_ = 0;  // Of the body or the chunk.
  HttpHeadReader reader_;
  SectionScanner trailer_;
  HttpHead head_;
};

}  // namespace palyra::broker

#endif  // PALYRA_BROKER_HTTP_REQUESTS_H_
