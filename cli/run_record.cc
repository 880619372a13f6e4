#include "cli/run_record.h"

#include "engine/events.h"

namespace palyra::cli {
namespace {

// Rules that somebody else put in force name policies that are not known here.
void Disown(Denial& denial) {
  if (!denial.layer) return;
  denial.layer.reset();
  denial.policies.clear();
  denial.note = "by rules that replaced this command line's";
}

}  // namespace

void RunRecord::OnDenial(const palyra_event& event, const policy::RuleSet* rules, size_t source) {
  Denial denial = NamesBy(rules, source).Name(event);
  if (rules == nullptr) Disown(denial);
  AddNames(event, denial);
  denials_.Add(denial);
  if (audit_ != nullptr) audit_->Write(event, denial);
}

void RunRecord::OnDenial(const engine::PathEvent& event, const policy::RuleSet* rules,
                         size_t source) {
  Denial denial = NamesBy(rules, source).Name(event);
  if (rules == nullptr) Disown(denial);
  denials_.Add(denial);
  if (audit_ != nullptr) audit_->Write(event, denial);
}

void RunRecord::OnAllow(const palyra_event& event, const policy::RuleSet* rules, size_t source) {
  if (audit_ == nullptr) return;
  Denial allowed = NamesBy(rules, source).NameAllowed(event);
  if (rules == nullptr) allowed.policies.clear();
  AddNames(event, allowed);
  audit_->WriteAllow(event, allowed);
}

void RunRecord::OnAllow(const engine::PathEvent& event, const policy::RuleSet* rules,
                        size_t source) {
  if (audit_ == nullptr) return;
  Denial allowed = NamesBy(rules, source).NameAllowed(event);
  if (rules == nullptr) allowed.policies.clear();
  audit_->WriteAllow(event, allowed);
}

std::vector<Asking> RunRecord::AskingOf(uint32_t reason, const policy::RuleSet* rules,
                                        size_t source) const {
  std::vector<Asking> asking;
  if (rules == nullptr || reason >= rules->reasons.size()) return asking;
  for (const policy::Reason::LayerPolicies& named : rules->reasons[reason].layers) {
    for (const LayerPolicies& layer : sources_[source].Get()) {
      if (layer.layer != named.layer) continue;
      for (const std::string& id : named.policy_ids) {
        const policy::PlacedPolicy* policy = layer.policies.Find(id);
        if (policy == nullptr) continue;
        const std::string* text = policy->policy.FindAnnotation("ask");
        asking.push_back({.policy = policy->Label(), .text = text == nullptr ? "" : *text});
      }
    }
  }
  return asking;
}

std::vector<std::string> RunRecord::NamesOf(const policy::NetEvent& event) const {
  if (names_ == nullptr) return {};
  return names_->NamesOf({.is_ipv6 = event.is_ipv6, .bytes = event.address});
}

void RunRecord::OnRefusedName(const ResolverProcess::RefusedName& refused) {
  AddOfBroker(RefusedName(refused.name, refused.is_unpinned));
}

void RunRecord::OnRelayed(const broker::RelayEvent& event) {
  if (IsDenial(event)) {
    AddOfBroker(DenialOf(event));
    return;
  }
  const bool is_allow = event.outcome == broker::RelayEvent::Outcome::kAllowed;
  if (!is_allow || audit_ == nullptr || audit_allows_ == 0) return;
  if (verified_++ % audit_allows_ == 0) audit_->WriteVerified(DenialOf(event));
}

void RunRecord::AddNames(const palyra_event& event, Denial& denial) const {
  if (names_ != nullptr) denial.names = names_->NamesOf(engine::AddressOf(event));
}

void RunRecord::AddOfBroker(const Denial& denial) {
  denials_.AddOfBroker(denial);
  if (audit_ != nullptr) audit_->WriteOfBroker(denial);
}

}  // namespace palyra::cli
