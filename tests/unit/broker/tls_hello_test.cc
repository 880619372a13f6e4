#include "broker/tls_hello.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/broker/hellos.h"

namespace palyra::broker {
namespace {

using State = TlsHelloReader::State;
using testing::ElementsAre;
using namespace tests;  // NOLINT(google-build-using-namespace): the makers of hellos.

struct Answer {
  State state = State::kMore;
  TlsHello hello;
  std::string problem;
};

Answer Read(std::string_view bytes) {
  TlsHelloReader reader;
  const State state = reader.Feed(AsBytes(bytes));
  return {state, reader.hello(), std::string(reader.problem())};
}

TEST(TlsHello, HasTheNameThatOpenSslSends) {
  const Answer answer = Read(OpenSslHello("www.Example.com", "http/1.1"));
  ASSERT_EQ(answer.state, State::kDone) << answer.problem;
  EXPECT_EQ(answer.hello.server_name, "www.Example.com");
  EXPECT_THAT(answer.hello.protocols, ElementsAre("http/1.1"));
  EXPECT_FALSE(answer.hello.encrypted_hello);
}

TEST(TlsHello, OfOpenSslWithoutANameHasNone) {
  const Answer answer = Read(OpenSslHello(""));
  ASSERT_EQ(answer.state, State::kDone) << answer.problem;
  EXPECT_EQ(answer.hello.server_name, std::nullopt);
}

TEST(TlsHello, MayBeSplitAtEveryByte) {
  const std::string hello = OpenSslHello("example.com");
  for (size_t split = 0; split < hello.size(); ++split) {
    TlsHelloReader reader;
    ASSERT_EQ(reader.Feed(AsBytes(std::string_view(hello).substr(0, split))), State::kMore);
    ASSERT_EQ(reader.Feed(AsBytes(std::string_view(hello).substr(split))), State::kDone) << split;
    ASSERT_EQ(reader.hello().server_name, "example.com");
  }
}

TEST(TlsHello, MayComeInRecordsOfEverySize) {
  const std::string hello = OpenSslHello("example.com");
  const std::string_view message = std::string_view(hello).substr(5);
  for (size_t size = 1; size <= message.size(); ++size) {
    const Answer answer = Read(Records(message, size));
    ASSERT_EQ(answer.state, State::kDone) << size << answer.problem;
    ASSERT_EQ(answer.hello.server_name, "example.com");
  }
}

TEST(TlsHello, CutShortInsideIsMalformedAtEveryByte) {
  const std::string hello = OpenSslHello("example.com");
  const std::string_view body = std::string_view(hello).substr(9);
  size_t whole = 0;
  for (size_t size = 0; size < body.size(); ++size) {
    const Answer answer = Read(Record(Message(1, body.substr(0, size))));
    if (answer.state == State::kDone) {
      ++whole;
      EXPECT_FALSE(answer.hello.server_name);
    } else {
      EXPECT_EQ(answer.state, State::kMalformed) << size;
    }
  }
  // Without extensions a hello is whole, as it was in TLS 1.0.
  EXPECT_EQ(whole, 1U);
}

TEST(TlsHello, NeedsNotLookBehindItself) {
  const std::string hello = Hello(ServerName("a.test"));
  EXPECT_EQ(Read(hello + "anything").state, State::kDone);
  TlsHelloReader reader;
  EXPECT_EQ(reader.Feed(AsBytes(hello)), State::kDone);
  EXPECT_EQ(reader.Feed(AsBytes("more")), State::kDone);
}

TEST(TlsHello, SkipsGreaseAndUnknownExtensions) {
  const Answer answer =
      Read(Hello(Extension(0x0a0a, "") + Extension(0xfafa, "x") + Extension(0x1234, "unknown") +
                 ServerName("a.test") + Alpn({"\x0a\x0a", "h2", "http/1.1"})));
  ASSERT_EQ(answer.state, State::kDone) << answer.problem;
  EXPECT_EQ(answer.hello.server_name, "a.test");
  EXPECT_THAT(answer.hello.protocols, ElementsAre("\x0a\x0a", "h2", "http/1.1"));
}

TEST(TlsHello, TellsThatAnotherHelloIsHidden) {
  for (const size_t type : {size_t{0xfe0d}, size_t{0xffce}}) {
    const Answer answer = Read(Hello(ServerName("a.test") + Extension(type, "sealed")));
    ASSERT_EQ(answer.state, State::kDone);
    EXPECT_TRUE(answer.hello.encrypted_hello);
  }
}

TEST(TlsHello, KeepsTheNameAsItWasSent) {
  const std::string odd("a\0b.TEST.", 9);
  EXPECT_EQ(Read(Hello(ServerName(odd))).hello.server_name, odd);
  const std::string longest(255, 'a');
  EXPECT_EQ(Read(Hello(ServerName(longest))).hello.server_name, longest);
}

struct BadHello {
  std::string_view name;
  std::string bytes;
  State state = State::kMalformed;
};

std::vector<BadHello> BadHellos() {
  const std::string name = Number(0, 1) + Vector("a.test", 2);
  const std::string good = ServerName("a.test");
  const std::string fixed = HelloBody("").substr(0, HelloBody("").size() - 2);
  const std::string message = Message(1, HelloBody(good));
  return {
      {"server_name twice", Hello(good + good)},
      {"another extension twice", Hello(Extension(9, "") + Extension(9, ""))},
      {"two names", Hello(Extension(0, Vector(name + name, 2)))},
      {"another type of name", Hello(Extension(0, Vector(Number(1, 1) + Vector("a.test", 2), 2)))},
      {"another type behind", Hello(Extension(0, Vector(name + Number(7, 1) + Vector("x", 2), 2)))},
      {"empty name", Hello(ServerName(""))},
      {"no name in the list", Hello(Extension(0, Vector("", 2)))},
      {"empty extension", Hello(Extension(0, ""))},
      {"list shorter than the extension", Hello(Extension(0, Vector(name, 2) + "x"))},
      {"name longer than the list",
       Hello(Extension(0, Vector(Number(0, 1) + Number(9, 2) + "a", 2)))},
      {"name of 256 bytes", Hello(ServerName(std::string(256, 'a')))},
      {"empty ALPN", Hello(Extension(16, Vector("", 2)))},
      {"empty protocol", Hello(Alpn({""}))},
      {"extension longer than the rest", Hello(Number(0, 2) + Number(99, 2) + "x")},
      {"bytes behind the extensions", Record(Message(1, HelloBody(good) + "x"))},
      {"extensions longer than the hello", Record(Message(1, fixed + Number(9, 2) + "x"))},
      {"version 2", Record(Message(1, Number(0x0200, 2) + HelloBody(good).substr(2)))},
      {"long session id", Record(Message(1, Number(0x0303, 2) + std::string(32, 'r') +
                                                Vector(std::string(33, 's'), 1) +
                                                Vector(Number(1, 2), 2) + Vector("x", 1)))},
      {"no cipher", Record(Message(1, Number(0x0303, 2) + std::string(32, 'r') + Vector("", 1) +
                                          Vector("", 2) + Vector("x", 1)))},
      {"half a cipher", Record(Message(1, Number(0x0303, 2) + std::string(32, 'r') + Vector("", 1) +
                                              Vector("abc", 2) + Vector("x", 1)))},
      {"no compression", Record(Message(1, Number(0x0303, 2) + std::string(32, 'r') +
                                               Vector("", 1) + Vector("ab", 2) + Vector("", 1)))},
      {"a ServerHello", Record(Message(2, HelloBody(good)))},
      {"another message in the record", Record(message + Message(1, "x"))},
      {"an alert in between",
       Record(message.substr(0, 9)) + Record("\1\1", 21) + Record(message.substr(9))},
      {"another version in between", Record(message.substr(0, 9)) + "\x16\x02" + message.substr(9)},
      {"empty record", Record("") + Record(message)},
      {"empty record in between", Record(message.substr(0, 9)) + Record("") + "x"},
      {"over-long record", Number(22, 1) + Number(0x0301, 2) + Number(16385, 2)},
      {"over-long hello", Record(Number(1, 1) + Number(size_t{64} * 1024, 3))},
      {"over-long in tiny records", Records(Message(1, std::string(20000, 'x')), 1)},
      {"HTTP", "GET / HTTP/1.1\r\n", State::kNotTls},
      {"hello of SSL 2", std::string("\x80\x2e\x01\x00\x02", 5), State::kNotTls},
      {"application data", Record("x", 23), State::kNotTls},
      {"version 2 in the record", "\x16\x02", State::kNotTls},
      {"version 3.5 in the record", Record(message, 22, 5), State::kNotTls},
  };
}

TEST(TlsHello, IsRefusedWhereServersMightReadItOtherwise) {
  for (const BadHello& bad : BadHellos()) {
    const Answer answer = Read(bad.bytes);
    EXPECT_EQ(answer.state, bad.state) << bad.name;
    EXPECT_EQ(answer.problem.empty(), bad.state == State::kNotTls) << bad.name;
  }
}

TEST(TlsHello, GivesTheSameAnswerHoweverItComes) {
  for (const BadHello& bad : BadHellos()) {
    TlsHelloReader reader;
    State state = State::kMore;
    for (const uint8_t byte : AsBytes(bad.bytes)) state = reader.Feed({&byte, 1});
    EXPECT_EQ(state, bad.state) << bad.name;
  }
}

TEST(TlsHello, MayBeAsLongAsItsLimit) {
  const std::string padding = Extension(21, std::string(50000, '\0'));
  const Answer answer = Read(Records(Message(1, HelloBody(padding + ServerName("a.test"))), 16384));
  ASSERT_EQ(answer.state, State::kDone) << answer.problem;
  EXPECT_EQ(answer.hello.server_name, "a.test");
}

}  // namespace
}  // namespace palyra::broker
