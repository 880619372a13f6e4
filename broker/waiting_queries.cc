#include "broker/waiting_queries.h"

#include <algorithm>
#include <utility>

namespace palyra::broker {

HeldQuery::HeldQuery(const ClientRef& client, const Query& query)
    : client_(client), wire_(query.wire.begin(), query.wire.end()), query_(query) {
  query_.wire = wire_;
}

WaitingQueries::Added WaitingQueries::Add(const ClientRef& client, const Query& query) {
  const auto found = by_question_.find(query.question);
  const bool is_first = found == by_question_.end();
  if (!is_first && !client.over_tcp) {
    const auto is_same = [&](const HeldQuery& one) {
      return one.query().id == query.id && one.client() == client;
    };
    if (std::ranges::any_of(found->second, is_same)) return Added::kDuplicate;
  }
  if (queries_ >= max_queries_) return Added::kFull;
  if (is_first && by_question_.size() >= max_questions_) return Added::kFull;
  ++queries_;
  auto& waiting = is_first ? by_question_[query.question] : found->second;
  waiting.emplace_back(client, query);
  return is_first ? Added::kFirst : Added::kJoined;
}

std::vector<HeldQuery> WaitingQueries::Take(const Question& question) {
  auto node = by_question_.extract(question);
  if (node.empty()) return {};
  queries_ -= node.mapped().size();
  return std::move(node.mapped());
}

}  // namespace palyra::broker
