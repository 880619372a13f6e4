#include "broker/http_head.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace palyra::broker {
namespace {

HttpResult<std::optional<HttpHead>> Read(std::string_view stream) {
  HttpHeadReader reader;
  return reader.Read(stream);
}

// The answer when the bytes come one by one.
HttpResult<std::optional<HttpHead>> ReadSlowly(std::string_view stream) {
  HttpHeadReader reader;
  HttpResult<std::optional<HttpHead>> answer = std::nullopt;
  for (size_t size = 1; size <= stream.size(); ++size) {
    answer = reader.Read(stream.substr(0, size));
    if (!answer || *answer) return answer;
  }
  return answer;
}

constexpr std::string_view kGet =
    "GET /path?q=1 HTTP/1.1\r\nHost: Example.com:8080\r\nUser-Agent: x\r\nAccept:\t*/* \r\n\r\n";

TEST(HttpHead, TellsWhoIsAskedForWhat) {
  const auto head = Read(std::string(kGet) + "behind");
  ASSERT_TRUE(head && *head);
  EXPECT_EQ((*head)->method, "GET");
  EXPECT_EQ((*head)->target, "/path?q=1");
  EXPECT_EQ((*head)->minor_version, 1);
  EXPECT_EQ((*head)->host, "Example.com");
  EXPECT_EQ((*head)->port, 8080);
  EXPECT_EQ((*head)->content_length, std::nullopt);
  EXPECT_FALSE((*head)->chunked);
  EXPECT_EQ((*head)->size, kGet.size());
}

TEST(HttpHead, MayBeSplitAtEveryByte) {
  for (size_t split = 0; split < kGet.size(); ++split) {
    HttpHeadReader reader;
    const auto first = reader.Read(kGet.substr(0, split));
    ASSERT_TRUE(first) << split;
    ASSERT_FALSE(*first) << split;
    const auto second = reader.Read(kGet);
    ASSERT_TRUE(second && *second) << split;
    ASSERT_EQ((*second)->host, "Example.com");
  }
}

TEST(HttpHead, TellsHowTheBodyIsFramed) {
  const auto sized = Read("POST / HTTP/1.0\r\nhost: a\r\nCONTENT-LENGTH: 0012\r\n\r\n");
  ASSERT_TRUE(sized && *sized);
  EXPECT_EQ((*sized)->content_length, 12U);
  EXPECT_EQ((*sized)->minor_version, 0);
  const auto chunked = Read("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n");
  ASSERT_TRUE(chunked && *chunked);
  EXPECT_TRUE((*chunked)->chunked);
}

TEST(HttpHead, MayNameItsHostInTheTargetToo) {
  for (const std::string_view target :
       {"http://a.test/", "HTTP://A.TEST:80/x", "http://a.test", "http://a.test?q", "*", "/"}) {
    const auto head = Read("OPTIONS " + std::string(target) + " HTTP/1.1\r\nHost: a.test\r\n\r\n");
    EXPECT_TRUE(head && *head) << target;
  }
}

struct BadHead {
  std::string text;
  HttpReject reject;
};

const std::string kHost = "Host: a.test\r\n";

std::string Get(std::string_view fields) {
  return "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}

std::vector<BadHead> BadFirstLines() {
  return {
      {"\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kBadRequestLine},
      {" GET / HTTP/1.1\r\n", HttpReject::kBadRequestLine},
      {"GET /\r\n" + kHost + "\r\n", HttpReject::kBadRequestLine},
      {"GET / HTTP/1.1 \r\n" + kHost + "\r\n", HttpReject::kBadRequestLine},
      {"GET\r\n\r\n", HttpReject::kBadRequestLine},
      {"GET / http/1.1\r\n", HttpReject::kBadRequestLine},
      {"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", HttpReject::kBadRequestLine},
      {"G\x80T / HTTP/1.1\r\n", HttpReject::kBadRequestLine},
      {std::string(40, 'A'), HttpReject::kBadRequestLine},
      {"GET / HTTP/1.2\r\n", HttpReject::kBadVersion},
      {"GET / HTTP/2.0\r\n", HttpReject::kBadVersion},
      {"GET / HTTP/0.9\r\n", HttpReject::kBadVersion},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HttpReject::kHttp2},
      {"CONNECT a.test:443 HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kConnect},
      {"GET  / HTTP/1.1\r\n", HttpReject::kBadTarget},
      {"GET /a b HTTP/1.1\r\n", HttpReject::kBadTarget},
      {"GET /\xc3\xbc HTTP/1.1\r\n", HttpReject::kBadTarget},
      {"GET a.test HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kBadTarget},
      {"GET * HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kBadTarget},
      {"GET https://a.test/ HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kBadTarget},
      {"GET http://u@a.test/ HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kBadTarget},
      {"GET http:/// HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kBadTarget},
      {"GET http://b.test/ HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kTargetIsOtherHost},
      {"GET http://a.test:81/ HTTP/1.1\r\n" + kHost + "\r\n", HttpReject::kTargetIsOtherHost},
      {std::string("GET /\0 HTTP/1.1\r\n", 17), HttpReject::kControlByte},
      {"GET / HTTP/1.1\n" + kHost + "\r\n", HttpReject::kControlByte},
      {"GET / HTTP/1.1\rHost: a\r\n", HttpReject::kControlByte},
      {"GET / HTTP/1.1\r\r\n", HttpReject::kControlByte},
      {"GET /\x7f HTTP/1.1\r\n", HttpReject::kControlByte},
  };
}

std::vector<BadHead> BadFields() {
  return {
      {Get(""), HttpReject::kNoHost},
      {"GET / HTTP/1.0\r\n\r\n", HttpReject::kNoHost},
      {Get(kHost + kHost), HttpReject::kSeveralHosts},
      {Get(kHost + "hOST: b.test\r\n"), HttpReject::kSeveralHosts},
      {Get("Host:\r\n"), HttpReject::kBadHost},
      {Get("Host: \t \r\n"), HttpReject::kBadHost},
      {Get("Host: a.test:\r\n"), HttpReject::kBadHost},
      {Get("Host: a.test:0\r\n"), HttpReject::kBadHost},
      {Get("Host: a.test:65536\r\n"), HttpReject::kBadHost},
      {Get("Host: a.test:+80\r\n"), HttpReject::kBadHost},
      {Get("Host: :80\r\n"), HttpReject::kBadHost},
      {Get("Host: a.test, b.test\r\n"), HttpReject::kBadHost},
      {Get("Host: a.test b.test\r\n"), HttpReject::kBadHost},
      {Get("Host: u@a.test\r\n"), HttpReject::kBadHost},
      {Get("Host: a.test/\r\n"), HttpReject::kBadHost},
      {Get("Host: [::1\r\n"), HttpReject::kBadHost},
      {Get("Host : a.test\r\n"), HttpReject::kBadField},
      {Get("No colon\r\n"), HttpReject::kBadField},
      {Get(": x\r\n"), HttpReject::kBadField},
      {Get("B\xc3\xbc: x\r\n"), HttpReject::kBadField},
      {Get(kHost + "X: y\r\n z\r\n"), HttpReject::kFoldedLine},
      {Get(kHost + "X: y\r\n\tz\r\n"), HttpReject::kFoldedLine},
      {Get(" X: y\r\n" + kHost), HttpReject::kFoldedLine},
      {Get(kHost + "X: a\rb\r\n"), HttpReject::kControlByte},
      {Get(kHost + "X: a\nb\r\n"), HttpReject::kControlByte},
      {Get(kHost + std::string("X: a\0b\r\n", 8)), HttpReject::kControlByte},
      {Get(kHost + "Upgrade: websocket\r\n"), HttpReject::kUpgrade},
      {Get(kHost + "upgrade: h2c\r\n"), HttpReject::kUpgrade},
      {Get(kHost + "Content-Length: 1\r\nContent-Length: 1\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Content-Length: 1, 1\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Content-Length: +1\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Content-Length: -1\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Content-Length: 0x1\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Content-Length:\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Content-Length: 18446744073709551616\r\n"), HttpReject::kBadLength},
      {Get(kHost + "Transfer-Encoding: gzip, chunked\r\n"), HttpReject::kBadCoding},
      {Get(kHost + "Transfer-Encoding: identity\r\n"), HttpReject::kBadCoding},
      {Get(kHost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       HttpReject::kBadCoding},
      {"GET / HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n", HttpReject::kBadCoding},
      {Get(kHost + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
       HttpReject::kLengthAndCoding},
      {Get(kHost + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
       HttpReject::kLengthAndCoding},
  };
}

void ExpectRejected(const std::vector<BadHead>& heads) {
  for (const BadHead& bad : heads) {
    const auto answer = Read(bad.text);
    EXPECT_FALSE(answer) << bad.text;
    if (answer) continue;
    EXPECT_EQ(answer.error(), bad.reject) << bad.text << HttpRejectText(answer.error());
    EXPECT_FALSE(HttpRejectText(answer.error()).empty());
    const auto slow = ReadSlowly(bad.text);
    ASSERT_FALSE(slow) << bad.text;
    // Of two faults the first is found first.
    if (bad.reject != HttpReject::kControlByte) {
      EXPECT_EQ(slow.error(), bad.reject) << bad.text;
    }
  }
}

TEST(HttpHead, IsRefusedForItsFirstLine) { ExpectRejected(BadFirstLines()); }

TEST(HttpHead, IsRefusedForItsFields) { ExpectRejected(BadFields()); }

TEST(HttpHead, MayBeAsLongAsItsLimit) {
  const std::string start = "GET / HTTP/1.1\r\n" + kHost + "X: ";
  const std::string longest =
      start + std::string(kLongestHead - start.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_TRUE(Read(longest).value());
  const std::string longer = start + std::string(kLongestHead - start.size() - 3, 'x') + "\r\n\r\n";
  EXPECT_EQ(Read(longer).error(), HttpReject::kTooLong);
  EXPECT_EQ(Read(start + std::string(kLongestHead, 'x')).error(), HttpReject::kTooLong);
}

}  // namespace
}  // namespace palyra::broker
