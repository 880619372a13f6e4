#include "broker/http_requests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::broker {
namespace {

using Kind = RequestStream::Kind;

struct Read {
  std::vector<std::string> targets;  // Of every head.
  std::string bodies;                // With the framing of chunks.
  std::string left;                  // Not passed on.
  std::optional<HttpReject> reject;
};

// Feeds `bytes` in parts of `part` bytes.
Read ReadAll(std::string_view bytes, size_t part) {
  RequestStream stream;
  Read read;
  while (!bytes.empty()) {
    const size_t size = std::min(part, bytes.size());
    read.left += bytes.substr(0, size);
    bytes.remove_prefix(size);
    while (true) {
      const auto step = stream.Next(read.left);
      if (!step) {
        read.reject = step.error();
        return read;
      }
      if (step->kind == Kind::kMore) break;
      if (step->kind == Kind::kHead) read.targets.push_back(stream.head().target);
      if (step->kind == Kind::kBody) read.bodies += read.left.substr(0, step->size);
      read.left.erase(0, step->size);
    }
  }
  return read;
}

const std::string kGet = "GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n";
const std::string kPost = "POST /2 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\n";
const std::string kChunked =
    "PUT /3 HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
// A body that looks like a request is a body.
const std::string kBody = "GET /x HTTP";
const std::string kChunks = "5\r\nGET /\r\nA;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

TEST(HttpRequests, AreFoundBehindBodiesHoweverTheBytesCome) {
  const std::string all = kGet + kPost + kBody + kChunked + kChunks + kGet;
  for (size_t part = 1; part <= all.size(); ++part) {
    const Read read = ReadAll(all, part);
    ASSERT_FALSE(read.reject) << part << HttpRejectText(*read.reject);
    ASSERT_EQ(read.targets, (std::vector<std::string>{"/1", "/2", "/3", "/1"})) << part;
    ASSERT_EQ(read.bodies, kBody + kChunks);
    ASSERT_EQ(read.left, "");
  }
}

TEST(HttpRequests, PassNothingOfAHeadThatIsNotComplete) {
  const std::string all = kPost + kBody + kGet;
  for (size_t size = kPost.size() + kBody.size(); size < all.size(); ++size) {
    const Read read = ReadAll(all.substr(0, size), 7);
    ASSERT_EQ(read.targets.size(), 1U);
    ASSERT_EQ(read.left,
              all.substr(kPost.size() + kBody.size(), size - kPost.size() - kBody.size()));
  }
}

TEST(HttpRequests, MayEndWithTheLastChunkAlone) {
  const Read read = ReadAll(kChunked + "0\r\n\r\n" + kGet, 3);
  EXPECT_FALSE(read.reject);
  EXPECT_EQ(read.targets.size(), 2U);
}

TEST(HttpRequests, WithoutABodyMayNotBeFollowedByAnythingElse) {
  EXPECT_EQ(ReadAll(kGet + "\r\n", 1).reject, HttpReject::kBadRequestLine);
  EXPECT_EQ(ReadAll(kGet + "GET /2 HTTP/1.1\r\n\r\n", 5).reject, HttpReject::kNoHost);
  EXPECT_EQ(ReadAll(kPost + kBody + "\x16\x03\x01", 5).reject, HttpReject::kBadRequestLine);
}

TEST(HttpRequests, WithMalformedChunksAreRefused) {
  for (const std::string& chunks :
       {std::string("\r\n"), std::string("x\r\n"), std::string("-1\r\n"),
        std::string("+1\r\nx\r\n"), std::string("0x1\r\nx\r\n"), std::string(" 1\r\nx\r\n"),
        std::string("1 \r\nx\r\n"), std::string("1\nx\n"), std::string("1\rx"),
        std::string("1;a\nb\r\nx\r\n"), std::string("1\r\nxy\r\n"), std::string("1\r\nx\n"),
        std::string("1\r\nx\rx"), std::string("1111111111111111\r\n"),
        std::string("1;") + std::string(300, 'x'), std::string("0\r\nno field\r\n\r\n"),
        std::string("0\r\n folded\r\n\r\n"), std::string("0\r\nX: a\nb\r\n\r\n"),
        std::string("0\r\nX: ") + std::string(9000, 'x')}) {
    for (const size_t part : {size_t{1}, size_t{4}, chunks.size() + kChunked.size()}) {
      const Read read = ReadAll(kChunked + chunks, part);
      EXPECT_EQ(read.reject, HttpReject::kBadChunk) << chunks;
      EXPECT_EQ(read.targets.size(), 1U);
    }
  }
}

TEST(HttpRequests, MayHaveBodiesOfAnySize) {
  RequestStream stream;
  const std::string head =
      "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 18446744073709551615\r\n\r\n";
  ASSERT_EQ(stream.Next(head)->kind, Kind::kHead);
  for (int i = 0; i < 10; ++i) {
    const auto step = stream.Next(head);
    ASSERT_TRUE(step);
    EXPECT_EQ(step->kind, Kind::kBody);
    EXPECT_EQ(step->size, head.size());
  }
}

}  // namespace
}  // namespace palyra::broker
