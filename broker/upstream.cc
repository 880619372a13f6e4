#include "broker/upstream.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "broker/dns_query.h"
#include "broker/socket_address.h"

namespace palyra::broker {
namespace {

// As many responses with a wrong id or question are somebody guessing.
constexpr size_t kMaxWrong = 8;

// What we said we take, with room for servers that send more all the same.
constexpr size_t kReadSize = 4096;

uint16_t RandomId() {
  uint16_t id = 0;
  // Up to 256 bytes are never cut short (getrandom(2)).
  while (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
  }
  return id;
}

}  // namespace

Upstream::Upstream(std::vector<Endpoint> servers, const ResolverOptions& options, Poller& poller,
                   ResolverCounters& counters, Handler handler)
    : servers_(std::move(servers)),
      options_(options),
      poller_(poller),
      counters_(counters),
      handler_(std::move(handler)) {}

void Upstream::Ask(const Question& question, TimePoint now) {
  Exchange exchange;
  exchange.question = question;
  exchange.server = preferred_;
  Try(std::move(exchange), now);
}

void Upstream::Try(Exchange exchange, TimePoint now) {
  exchange.id = RandomId();
  exchange.wrong = 0;
  exchange.input.clear();
  exchange.deadline = now + options_.upstream_timeout;
  next_deadline_ = std::min(next_deadline_, exchange.deadline);
  const uint64_t number = next_number_++;
  Exchange& placed = exchanges_.emplace(number, std::move(exchange)).first->second;
  const uint32_t events = placed.over_tcp ? EPOLLOUT : EPOLLIN;
  if (!Open(placed) || !poller_.Watch(placed.fd.get(), events, {Source::kServer, number})) {
    // The next Sweep() goes on to the next server.
    placed.fd.Reset();
    placed.deadline = now;
    next_deadline_ = now;
    ++counters_.upstream_errors;
  }
}

bool Upstream::Open(Exchange& exchange) {
  const SocketAddress server(servers_[exchange.server]);
  const int type = exchange.over_tcp ? SOCK_STREAM : SOCK_DGRAM;
  exchange.fd.Reset(socket(server.family(), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!exchange.fd.valid()) return false;
  const bool first_round = exchange.tries < servers_.size();
  std::vector<uint8_t> query = EncodeQuery(exchange.id, exchange.question, first_round);
  if (connect(exchange.fd.get(), server.get(), server.size()) != 0 && errno != EINPROGRESS) {
    return false;
  }
  if (exchange.over_tcp) {
    ++counters_.upstream_tcp;
    const auto size = static_cast<uint16_t>(query.size());
    query.insert(query.begin(), {static_cast<uint8_t>(size >> 8U), static_cast<uint8_t>(size)});
    exchange.output = std::move(query);
    return true;
  }
  ++counters_.upstream_udp;
  return send(exchange.fd.get(), query.data(), query.size(), MSG_NOSIGNAL) >= 0;
}

Upstream::Exchange Upstream::Remove(uint64_t number) {
  const auto found = exchanges_.find(number);
  Exchange exchange = std::move(found->second);
  exchanges_.erase(found);
  exchange.fd.Reset();
  return exchange;
}

void Upstream::TryNext(Exchange exchange, TimePoint now) {
  exchange.over_tcp = false;
  exchange.server = (exchange.server + 1) % servers_.size();
  if (++exchange.tries < servers_.size() * static_cast<size_t>(options_.attempts)) {
    Try(std::move(exchange), now);
    return;
  }
  ++counters_.unanswered;
  handler_(exchange.question, std::nullopt);
}

void Upstream::OnEvent(uint64_t number, uint32_t events, TimePoint now) {
  const auto found = exchanges_.find(number);
  if (found == exchanges_.end()) return;
  Exchange& exchange = found->second;
  if (!exchange.over_tcp) {
    ReadUdp(number, exchange, now);
  } else if (events & EPOLLOUT) {
    ContinueTcp(number, exchange, now);
  } else {
    ReadTcp(number, exchange, now);
  }
}

void Upstream::ReadUdp(uint64_t number, Exchange& exchange, TimePoint now) {
  std::array<uint8_t, kReadSize> bytes;
  const ssize_t size = recv(exchange.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    // Nobody listens there.
    ++counters_.upstream_errors;
    TryNext(Remove(number), now);
    return;
  }
  if (TakeResponse(number, std::span(bytes).first(static_cast<size_t>(size)), now)) return;
  if (++exchange.wrong < kMaxWrong) return;
  Exchange again = Remove(number);
  again.over_tcp = true;
  Try(std::move(again), now);
}

void Upstream::ContinueTcp(uint64_t number, Exchange& exchange, TimePoint now) {
  std::vector<uint8_t>& output = exchange.output;
  const ssize_t sent = send(exchange.fd.get(), output.data(), output.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    ++counters_.upstream_errors;
    TryNext(Remove(number), now);
    return;
  }
  output.erase(output.begin(), output.begin() + sent);
  if (output.empty()) poller_.Change(exchange.fd.get(), EPOLLIN, {Source::kServer, number});
}

void Upstream::ReadTcp(uint64_t number, Exchange& exchange, TimePoint now) {
  std::array<uint8_t, kReadSize> bytes;
  const ssize_t size = recv(exchange.fd.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  std::vector<uint8_t>& input = exchange.input;
  if (size > 0) input.insert(input.end(), bytes.begin(), bytes.begin() + size);
  const size_t wanted = input.size() < 2 ? 2 : 2 + ((size_t{input[0]} << 8U) | input[1]);
  if (size > 0 && input.size() < wanted) return;
  // One query has one response: anything else on this connection is a fault of the server.
  if (size > 0 && TakeResponse(number, std::span(input).subspan(2, wanted - 2), now)) return;
  ++counters_.upstream_errors;
  TryNext(Remove(number), now);
}

bool Upstream::TakeResponse(uint64_t number, std::span<const uint8_t> packet, TimePoint now) {
  const Exchange& exchange = exchanges_.find(number)->second;
  auto answer = ParseResponse(packet, exchange.id, exchange.question);
  if (answer) {
    ++counters_.answers;
    preferred_ = exchange.server;
    const Exchange done = Remove(number);
    handler_(done.question, *std::move(answer));
    return true;
  }
  Count(answer.error());
  if (IsUnrelated(answer.error())) return false;
  Exchange again = Remove(number);
  if (answer.error() == ResponseFault::kTruncated && !again.over_tcp) {
    again.over_tcp = true;
    Try(std::move(again), now);
  } else {
    TryNext(std::move(again), now);
  }
  return true;
}

void Upstream::Count(ResponseFault fault) {
  switch (fault) {
    case ResponseFault::kNotAResponse:
    case ResponseFault::kWrongQuestion:
      ++counters_.unrelated_responses;
      break;
    case ResponseFault::kWrongId:
      ++counters_.wrong_ids;
      break;
    case ResponseFault::kTruncated:
      ++counters_.truncated_responses;
      break;
    case ResponseFault::kServerFailed:
      ++counters_.failure_responses;
      break;
    case ResponseFault::kMalformed:
      ++counters_.malformed_responses;
      break;
    case ResponseFault::kChainLoops:
    case ResponseFault::kChainTooLong:
      ++counters_.bad_chains;
      break;
  }
}

void Upstream::Sweep(TimePoint now) {
  if (now < next_deadline_) return;
  std::vector<uint64_t> late;
  next_deadline_ = TimePoint::max();
  for (const auto& [number, exchange] : exchanges_) {
    if (exchange.deadline <= now) {
      late.push_back(number);
    } else {
      next_deadline_ = std::min(next_deadline_, exchange.deadline);
    }
  }
  for (const uint64_t number : late) {
    if (exchanges_.find(number)->second.fd.valid()) ++counters_.upstream_timeouts;
    TryNext(Remove(number), now);
  }
}

}  // namespace palyra::broker
