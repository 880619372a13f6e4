#include "broker/answer_gate.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "broker/special_address.h"

namespace palyra::broker {
namespace {

AddressSet All(size_t count) {
  AddressSet all;
  for (size_t i = 0; i < count; ++i) all.set(i);
  return all;
}

std::vector<Address> Chosen(std::span<const Address> addresses, const AddressSet& chosen) {
  std::vector<Address> some;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (chosen[i]) some.push_back(addresses[i]);
  }
  return some;
}

}  // namespace

AnswerGate::Passed AnswerGate::Pass(const Question& question, const KnownAnswer& known,
                                    std::chrono::seconds ttl) {
  const Answer& answer = known.answer;
  if (!answer.addresses.empty()) {
    const AddressSet candidates =
        known.has_special ? Revealed(question, answer.addresses) : All(answer.addresses.size());
    return PassAddresses(question, known, candidates, ttl);
  }
  if (!answer.servers.empty() || !answer.services.empty()) return PassTargets(question, known);
  return {.records = &known.records, .error = std::nullopt};
}

AnswerGate::Passed AnswerGate::PassLocal(const Question& question, const KnownAnswer& known,
                                         std::chrono::seconds ttl) {
  if (known.answer.addresses.empty()) return {.records = &known.records, .error = std::nullopt};
  return PassAddresses(question, known, All(known.answer.addresses.size()), ttl);
}

AnswerGate::Passed AnswerGate::PassAddresses(const Question& question, const KnownAnswer& known,
                                             AddressSet candidates, std::chrono::seconds ttl) {
  const std::span<const Address> all = known.answer.addresses;
  const AddressSet told = Learned(question, all, candidates, ttl);
  if (told.count() == all.size()) {
    return {.records = &known.records, .error = std::nullopt, .addresses = all.size()};
  }
  Answer rest;
  if (told.any()) {
    rest.chain = known.answer.chain;
    rest.addresses = Chosen(all, told);
  }
  rewritten_ = ReplyRecords(question, rest);
  return {.records = &rewritten_, .error = ExtendedError::kFiltered, .addresses = told.count()};
}

AddressSet AnswerGate::Revealed(const Question& question, std::span<const Address> addresses) {
  AddressSet revealed;
  for (size_t i = 0; i < addresses.size(); ++i) {
    revealed[i] = !IsSpecial(addresses[i]) || authority_.MayReveal(question.name, addresses[i]);
  }
  counters_.special_addresses += addresses.size() - revealed.count();
  return revealed;
}

AddressSet AnswerGate::Learned(const Question& question, std::span<const Address> addresses,
                               AddressSet candidates, std::chrono::seconds ttl) {
  if (candidates.none()) return candidates;
  if (candidates.count() == addresses.size()) {
    const AddressSet learned = candidates & authority_.Learn(question.name, addresses, ttl);
    counters_.unlearned_addresses += candidates.count() - learned.count();
    return learned;
  }
  const std::vector<Address> some = Chosen(addresses, candidates);
  const AddressSet learned = authority_.Learn(question.name, some, ttl);
  AddressSet told;
  size_t next = 0;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (candidates[i]) told[i] = learned[next++];
  }
  counters_.unlearned_addresses += candidates.count() - told.count();
  return told;
}

AnswerGate::Passed AnswerGate::PassTargets(const Question& question, const KnownAnswer& known) {
  Answer rest = known.answer;
  // Where the service is the owner itself, the client goes to the end of the chain.
  const std::string& owner = rest.chain.empty() ? question.name : rest.chain.back();
  const size_t left_out =
      std::erase_if(rest.servers,
                    [this](const ServerRecord& one) {
                      return !one.target.empty() && !authority_.MayAsk(one.target);
                    }) +
      std::erase_if(rest.services, [this, &owner](const ServiceRecord& one) {
        return !authority_.MayAsk(one.target.empty() ? owner : one.target);
      });
  if (left_out == 0) return {.records = &known.records, .error = std::nullopt};
  counters_.denied_targets += left_out;
  if (rest.IsNegative(question.type)) rest.chain.clear();
  rewritten_ = ReplyRecords(question, rest);
  return {.records = &rewritten_, .error = ExtendedError::kFiltered};
}

}  // namespace palyra::broker
