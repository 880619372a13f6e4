#include "broker/resolver.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "base/domain_name.h"
#include "broker/answer_cache.h"
#include "broker/answer_gate.h"
#include "broker/dns_query.h"
#include "broker/dns_reply.h"
#include "broker/pinned_answers.h"
#include "broker/poller.h"
#include "broker/tcp_server.h"
#include "broker/udp_listener.h"
#include "broker/upstream.h"
#include "broker/waiting_queries.h"

namespace palyra::broker {
namespace {

// A client that says it takes more over UDP gets no more: over loopback this is one packet.
constexpr size_t kMaxUdpReply = 4096;

// Questions to servers at once before the run; there is nothing to be late for.
constexpr size_t kMostAtOnce = 32;

// How a query is answered for its type alone; nullopt if it is not.
std::optional<Rcode> RcodeOf(RecordType type) {
  switch (type) {
    case RecordType::kA:
    case RecordType::kAaaa:
    case RecordType::kCname:
    case RecordType::kSrv:
    case RecordType::kSvcb:
    case RecordType::kHttps:
      return std::nullopt;
    case RecordType::kPtr:
      return Rcode::kNameError;
  }
  return Rcode::kRefused;
}

Answer LocalhostAnswer(RecordType type) {
  Answer answer;
  if (type == RecordType::kA) answer.addresses = {Address::V4({127, 0, 0, 1})};
  if (type == RecordType::kAaaa) {
    Address::V6Bytes bytes = {};
    bytes.back() = 1;
    answer.addresses = {Address::V6(bytes)};
  }
  return answer;
}

// Up to a day, rounded up so that epoll does not return too early.
int PollTimeout(TimePoint now, TimePoint deadline) {
  if (deadline == TimePoint::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now);
  constexpr std::chrono::milliseconds kDay = std::chrono::hours(24);
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kDay).count());
}

}  // namespace

class Resolver::Core {
 public:
  Core(ResolverSockets sockets, std::vector<Endpoint> servers, ResolverOptions options,
       NameAuthority& authority, Poller poller);

  Result<void> Preflight(int stop);
  Result<void> Run(int stop);
  [[nodiscard]] const ResolverCounters& counters() const { return counters_; }

 private:
  [[nodiscard]] bool WatchListeners();
  Result<void> ServeOnce();
  void Dispatch(const Event& event);
  void ReceiveFrom(uint64_t listener);

  // False if the query has no reply, now or later.
  bool Handle(const ClientRef& client, std::span<const uint8_t> packet);
  bool Refuse(const ClientRef& client, const Query& query);
  void AnswerLocally(const ClientRef& client, const Query& query);
  bool AskServers(const ClientRef& client, const Query& query);
  void AnswerPinned(const ClientRef& client, const Query& query);

  void OnAnswer(const Question& question, std::optional<Answer> answer);
  void Pin(const Question& question, std::optional<Answer> answer);
  [[nodiscard]] std::chrono::seconds Clamp(const Question& question, const Answer& answer) const;

  void Tell(const ClientRef& client, const Query& query, const KnownAnswer& known,
            std::chrono::seconds ttl);
  void Reply(const ClientRef& client, const Query& query, const ReplyFields& fields,
             const ReplyRecords& records = {});

  ResolverOptions options_;
  NameAuthority& authority_;
  ResolverCounters counters_;
  Poller poller_;
  TimePoint now_;
  std::vector<UdpListener> udp_;
  TcpServer tcp_;
  Upstream upstream_;
  AnswerCache cache_;
  AnswerGate gate_;
  WaitingQueries waiting_;
  std::optional<PinnedAnswers> pinned_;
  std::vector<uint8_t> tcp_reply_;
  bool stopping_ = false;
};

Resolver::Core::Core(ResolverSockets sockets, std::vector<Endpoint> servers,
                     ResolverOptions options, NameAuthority& authority, Poller poller)
    : options_(std::move(options)),
      authority_(authority),
      poller_(std::move(poller)),
      now_(options_.now()),
      tcp_(std::move(sockets.tcp), options_, poller_, counters_,
           [this](uint64_t client, std::span<const uint8_t> packet) {
             ++counters_.tcp_queries;
             return Handle({.over_tcp = true, .number = client, .peer = {}}, packet);
           }),
      upstream_(std::move(servers), options_, poller_, counters_,
                [this](const Question& question, std::optional<Answer> answer) {
                  OnAnswer(question, std::move(answer));
                }),
      cache_(options_.cache_entries, options_.cache_bytes),
      gate_(authority, counters_),
      waiting_(options_.max_in_flight, options_.max_waiting) {
  for (UniqueFd& fd : sockets.udp) udp_.emplace_back(std::move(fd));
  if (options_.pins) pinned_.emplace(*options_.pins);
}

bool Resolver::Core::WatchListeners() {
  for (size_t i = 0; i < udp_.size(); ++i) {
    if (!poller_.Watch(udp_[i].fd(), EPOLLIN, {Source::kUdpListener, i})) return false;
  }
  return tcp_.Start();
}

Result<void> Resolver::Core::Preflight(int stop) {
  if (!poller_.Watch(stop, EPOLLIN, {Source::kStop, 0})) {
    return FailErrno(errno, "cannot watch the end of the resolver");
  }
  now_ = options_.now();
  while (!stopping_ && pinned_ && !pinned_->is_complete()) {
    while (upstream_.size() < kMostAtOnce) {
      const std::optional<Question> question = pinned_->Next();
      if (!question) break;
      upstream_.Ask(*question, now_);
    }
    if (Result<void> served = ServeOnce(); !served) return served;
  }
  poller_.Forget(stop);
  return {};
}

Result<void> Resolver::Core::Run(int stop) {
  if (!poller_.Watch(stop, EPOLLIN, {Source::kStop, 0}) || !WatchListeners()) {
    return FailErrno(errno, "cannot watch the sockets of the resolver");
  }
  while (!stopping_) {
    if (Result<void> served = ServeOnce(); !served) return served;
  }
  return {};
}

Result<void> Resolver::Core::ServeOnce() {
  const TimePoint deadline = std::min(tcp_.NextDeadline(), upstream_.NextDeadline());
  const auto events = poller_.Wait(PollTimeout(options_.now(), deadline));
  if (!events) return std::unexpected(events.error());
  now_ = options_.now();
  for (const Event& event : *events) Dispatch(event);
  upstream_.Sweep(now_);
  tcp_.Sweep(now_);
  for (UdpListener& listener : udp_) counters_.unsent_replies += listener.Flush();
  return {};
}

void Resolver::Core::Dispatch(const Event& event) {
  const uint64_t number = event.watched.number;
  switch (event.watched.source) {
    case Source::kStop:
      stopping_ = true;
      break;
    case Source::kUdpListener:
      ReceiveFrom(number);
      break;
    case Source::kTcpListener:
      tcp_.OnListener(number, now_);
      break;
    case Source::kTcpClient:
      tcp_.OnClient(number, event.events, now_);
      break;
    case Source::kServer:
      upstream_.OnEvent(number, event.events, now_);
      break;
  }
}

void Resolver::Core::ReceiveFrom(uint64_t listener) {
  UdpListener& from = udp_[listener];
  const size_t count = from.Receive();
  counters_.udp_queries += count;
  for (size_t i = 0; i < count; ++i) {
    Handle({.over_tcp = false, .number = listener, .peer = from.peer(i)}, from.packet(i));
  }
}

bool Resolver::Core::Handle(const ClientRef& client, std::span<const uint8_t> packet) {
  const Query query = ParseQuery(packet);
  if (query.fault != QueryFault::kNone) return Refuse(client, query);
  const Question& question = query.question;
  if (const std::optional<Rcode> rcode = RcodeOf(question.type)) {
    ++counters_.refused_types;
    Reply(client, query, {.rcode = *rcode});
    return true;
  }
  if (base::IsLocalhost(question.name)) {
    AnswerLocally(client, query);
    return true;
  }
  if (!authority_.MayAsk(question.name)) {
    ++counters_.denied_names;
    Reply(client, query, {.rcode = Rcode::kNameError, .error = ExtendedError::kBlocked});
    return true;
  }
  if (pinned_) {
    AnswerPinned(client, query);
    return true;
  }
  if (const KnownAnswer* known = cache_.Find(question, now_)) {
    ++counters_.cache_hits;
    Tell(client, query, *known, known->Remaining(now_));
    return true;
  }
  return AskServers(client, query);
}

bool Resolver::Core::Refuse(const ClientRef& client, const Query& query) {
  switch (query.fault) {
    case QueryFault::kNone:
      break;
    case QueryFault::kShort:
      ++counters_.dropped_short;
      break;
    case QueryFault::kIsResponse:
      ++counters_.dropped_responses;
      break;
    case QueryFault::kOpcode:
      ++counters_.not_implemented;
      break;
    case QueryFault::kMalformed:
      ++counters_.malformed_queries;
      break;
    case QueryFault::kEdnsVersion:
      ++counters_.bad_edns_versions;
      break;
    case QueryFault::kClass:
      ++counters_.wrong_classes;
      break;
    case QueryFault::kNameNotCanonical:
      ++counters_.bad_names;
      break;
  }
  const std::optional<Rcode> rcode = RcodeOf(query.fault);
  if (rcode) Reply(client, query, {.rcode = *rcode});
  return rcode.has_value();
}

void Resolver::Core::AnswerLocally(const ClientRef& client, const Query& query) {
  ++counters_.local_names;
  const KnownAnswer known(query.question, LocalhostAnswer(query.question.type), now_);
  const AnswerGate::Passed passed = gate_.PassLocal(query.question, known, options_.max_ttl);
  Reply(client, query, {.ttl = options_.max_ttl, .error = passed.error}, *passed.records);
}

void Resolver::Core::AnswerPinned(const ClientRef& client, const Query& query) {
  ++counters_.pinned_answers;
  if (const PinnedAnswers::Pinned* pinned = pinned_->Find(query.question)) {
    Reply(client, query, {.ttl = options_.max_ttl, .error = pinned->error}, pinned->records);
  } else {
    Reply(client, query, {.rcode = Rcode::kNameError, .error = ExtendedError::kBlocked});
  }
}

bool Resolver::Core::AskServers(const ClientRef& client, const Query& query) {
  switch (waiting_.Add(client, query)) {
    case WaitingQueries::Added::kFirst:
      ++counters_.forwarded;
      upstream_.Ask(query.question, now_);
      return true;
    case WaitingQueries::Added::kJoined:
      ++counters_.joined;
      return true;
    case WaitingQueries::Added::kDuplicate:
      ++counters_.duplicates;
      return false;
    case WaitingQueries::Added::kFull:
      ++counters_.overloaded;
      Reply(client, query, {.rcode = Rcode::kServerFailure});
      return true;
  }
  return false;
}

std::chrono::seconds Resolver::Core::Clamp(const Question& question, const Answer& answer) const {
  const bool negative = answer.IsNegative(question.type);
  const std::chrono::seconds most =
      negative ? std::min(options_.max_negative_ttl, options_.max_ttl) : options_.max_ttl;
  return std::clamp(answer.ttl, std::min(options_.min_ttl, most), most);
}

void Resolver::Core::OnAnswer(const Question& question, std::optional<Answer> answer) {
  if (pinned_) {
    Pin(question, std::move(answer));
    return;
  }
  const std::vector<HeldQuery> waiting = waiting_.Take(question);
  if (!answer) {
    for (const HeldQuery& one : waiting) {
      Reply(one.client(), one.query(), {.rcode = Rcode::kServerFailure});
    }
    return;
  }
  // Nobody knows how long an answer without records and without an SOA holds.
  const bool lasts = !answer->IsNegative(question.type) || answer->zone;
  const std::chrono::seconds ttl = Clamp(question, *answer);
  KnownAnswer known(question, *std::move(answer), now_ + ttl);
  for (const HeldQuery& one : waiting) Tell(one.client(), one.query(), known, ttl);
  if (lasts) cache_.Put(question, std::move(known));
}

void Resolver::Core::Pin(const Question& question, std::optional<Answer> answer) {
  std::optional<PinnedAnswers::Result> result;
  std::optional<KnownAnswer> known;
  if (answer) {
    known.emplace(question, *std::move(answer), TimePoint::max());
    result = {.rcode = known->answer.rcode,
              .has_addresses = !known->answer.addresses.empty(),
              .passed = gate_.Pass(question, *known, options_.max_ttl)};
  }
  const std::optional<NameOutcome> outcome = pinned_->Take(question, result);
  if (outcome) authority_.Settle(question.name, *outcome);
}

void Resolver::Core::Tell(const ClientRef& client, const Query& query, const KnownAnswer& known,
                          std::chrono::seconds ttl) {
  const AnswerGate::Passed passed = gate_.Pass(query.question, known, ttl);
  Reply(client, query, {.rcode = known.answer.rcode, .ttl = ttl, .error = passed.error},
        *passed.records);
}

void Resolver::Core::Reply(const ClientRef& client, const Query& query, const ReplyFields& fields,
                           const ReplyRecords& records) {
  if (client.over_tcp) {
    WriteReply(query, records, fields, kMaxTcpSize, tcp_reply_);
    tcp_.Send(client.number, tcp_reply_, now_);
    return;
  }
  const size_t limit = std::min<size_t>(query.udp_size, kMaxUdpReply);
  WriteReply(query, records, fields, limit, udp_[client.number].NewReply(client.peer));
}

Result<Resolver> Resolver::Create(ResolverSockets sockets, std::vector<Endpoint> servers,
                                  ResolverOptions options, NameAuthority& authority) {
  if (servers.empty() && !(options.pins && options.pins->empty())) {
    return Fail(ErrorCode::kInvalidArgument, "the resolver needs a server that it can ask");
  }
  if (sockets.udp.empty() && sockets.tcp.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "the resolver needs a socket to be asked at");
  }
  Result<Poller> poller = Poller::Create();
  if (!poller) return std::unexpected(poller.error());
  return Resolver(std::make_unique<Core>(std::move(sockets), std::move(servers), std::move(options),
                                         authority, *std::move(poller)));
}

Resolver::Resolver(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Resolver::Resolver(Resolver&&) noexcept = default;
Resolver& Resolver::operator=(Resolver&&) noexcept = default;
Resolver::~Resolver() = default;

Result<void> Resolver::Preflight(int stop) { return core_->Preflight(stop); }

Result<void> Resolver::Run(int stop) { return core_->Run(stop); }

const ResolverCounters& Resolver::counters() const { return core_->counters(); }

}  // namespace palyra::broker
