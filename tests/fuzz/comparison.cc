#include "tests/fuzz/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "policy/est.h"
#include "policy/formatter.h"
#include "policy/json_tree.h"
#include "policy/json_value.h"
#include "policy/parser.h"
#include "policy/printer.h"
#include "policy/schema/full_names.h"
#include "policy/schema/printer.h"
#include "policy/schema/text_parser.h"
#include "tests/corpus/json_difference.h"

namespace palyra::tests {
namespace {

using cli::RawMember;
using cli::Refusal;
using cli::Setting;
using policy::JsonNode;
using policy::PolicySet;
using policy::Schema;
using policy::SourceFile;
using policy::SourcePtr;

using Members = std::vector<RawMember>;

SourcePtr SourceOf(std::string_view name, std::string_view text) {
  return std::make_shared<const SourceFile>(std::string(name), std::string(text));
}

std::string_view Raw(const Members& members, std::string_view key) {
  const RawMember* member = cli::FindMember(members, key);
  return member == nullptr ? std::string_view() : member->value;
}

// The text that a string says, or JSON as it stands; null where there is none.
SourcePtr TextOf(const Members& members, std::string_view key) {
  const std::string_view raw = Raw(members, key);
  if (raw.empty()) return nullptr;
  if (!raw.starts_with('"')) return SourceOf(key, raw);
  const Result<std::string> text = cli::ReadJsonString(raw);
  return SourceOf(key, text ? *text : raw);
}

template <typename T>
std::string Show(const std::set<T>& items) {
  return fmt::format("[{}]", fmt::join(items, ", "));
}

std::set<std::string> Strings(const JsonNode& array) {
  std::set<std::string> strings;
  for (const JsonNode& item : *array.AsArray()) strings.insert(*item.AsString());
  return strings;
}

Result<JsonNode> Parse(std::string_view text) {
  return policy::ParseJson(SourceFile("case", std::string(text)));
}

// An official answer, and ours, as one text: "allow by [policy0], errors of []".
std::string ShowAnswer(std::string_view decision, const std::set<std::string>& reasons,
                       const std::set<std::string>& errors) {
  return fmt::format("{} by {}, errors of {}", decision, Show(reasons), Show(errors));
}

std::string ExpectedAnswer(std::string_view raw) {
  const Result<JsonNode> node = Parse(raw);
  if (!node || node->AsArray() == nullptr) return "refused";
  const JsonNode::Array& parts = *node->AsArray();
  return ShowAnswer(*parts[0].AsString(), Strings(parts[1]), Strings(parts[2]));
}

// Policies that one of two answers names and the other does not: each decides by itself, so they
// alone show the difference.
std::set<std::string> Suspects(std::string_view raw, const cli::Answer& ours) {
  std::set<std::string> suspects;
  const Result<JsonNode> node = Parse(raw);
  if (!node || node->AsArray() == nullptr) return suspects;
  const auto add = [&](const JsonNode& official, const std::vector<std::string>& own) {
    const std::set<std::string> a = Strings(official);
    const std::set<std::string> b(own.begin(), own.end());
    std::ranges::set_symmetric_difference(a, b, std::inserter(suspects, suspects.end()));
  };
  add((*node->AsArray())[1], ours.reasons);
  add((*node->AsArray())[2], ours.errors);
  return suspects;
}

std::string ShowPolicies(const PolicySet& policies, const std::set<std::string>& ids) {
  std::string text;
  for (const std::string& id : ids) {
    const policy::PlacedPolicy* policy = policies.Find(id);
    if (policy != nullptr) text += fmt::format("\n  {}: {}", id, policy::ToCedar(policy->policy));
  }
  return text;
}

}  // namespace

struct Comparison::Case {
  Members members;
  Members expect;
  SourcePtr policies = nullptr;
  SourcePtr links = nullptr;
  cli::Text schema = {};
  SourcePtr entities = nullptr;
  bool lawless = false;

  static Result<Case> Read(std::string_view line) {
    Result<Members> members = cli::SplitObject(line);
    if (!members) return std::unexpected(members.error());
    Result<Members> expect = cli::SplitObject(Raw(*members, "expect"));
    if (!expect) return std::unexpected(expect.error());
    Case made{.members = *std::move(members), .expect = *std::move(expect)};
    made.policies = TextOf(made.members, "policies");
    made.links = TextOf(made.members, "links");
    made.schema = {TextOf(made.members, "schema"), false};
    if (made.schema.source == nullptr) made.schema = {TextOf(made.members, "schemaJson"), true};
    made.entities = TextOf(made.members, "entities");
    made.lawless = Raw(made.members, "lawless") == "true";
    return made;
  }
};

void Comparison::Take(std::string_view line) {
  ++cases_;
  const size_t before = differences_.size();
  const Result<Case> made = Case::Read(line);
  if (made) {
    CompareCase(*made);
  } else {
    Differ(fmt::format("not a case: {}", made.error().message));
  }
  if (differences_.size() > before) different_lines_.emplace_back(line);
}

void Comparison::CompareCase(const Case& made) {
  if (cli::FindMember(made.expect, "policyJson") != nullptr) ComparePolicyJson(made);
  std::optional<std::expected<PolicySet, Refusal>> policies;
  if (made.policies != nullptr) {
    policies = cli::LoadPolicies({made.policies, false}, made.links);
    ComparePolicies(made, *policies);
  }
  std::optional<std::expected<Schema, Refusal>> schema;
  if (made.schema.source != nullptr) {
    schema = cli::LoadSchema(made.schema);
    CompareSchema(made, *schema);
  }
  const Schema* law = schema && *schema ? &**schema : nullptr;
  if (made.entities != nullptr) CompareEntities(made, made.lawless ? nullptr : law);
  if (policies && *policies && law != nullptr) CompareValidation(made, **policies, *law);
  if (cli::FindMember(made.expect, "answers") != nullptr) CompareRequests(made);
}

void Comparison::CompareVerdict(std::string_view what, std::string_view expected,
                                const std::string* refusal, std::string_view shown) {
  if (expected.empty()) return;
  ++compared_;
  const bool official = expected != "false";
  if (official == (refusal == nullptr)) return;
  Differ(official ? fmt::format("{}: accepted officially, refused by us: {}\n  {}", what, *refusal,
                                shown)
                  : fmt::format("{}: refused officially, accepted by us\n  {}", what, shown));
}

void Comparison::ComparePolicies(const Case& made, const std::expected<PolicySet, Refusal>& ours) {
  CompareVerdict("policies", Raw(made.expect, "policies"), ours ? nullptr : &ours.error().message,
                 made.policies->text());
  if (!ours) return;
  CheckFormatter(made);
  const Result<Members> texts = cli::SplitObject(Raw(made.expect, "est"));
  if (!texts) return;
  for (const RawMember& text : *texts) {
    ++compared_;
    const policy::PlacedPolicy* found = ours->Find(text.key);
    if (found == nullptr) found = ours->FindTemplate(text.key);
    const std::string difference =
        found == nullptr ? "there is no such policy"
                         : JsonDifference(std::string(text.value), policy::ToEst(found->policy));
    if (difference.empty()) continue;
    Differ(fmt::format("{} in JSON {}\n  {}", text.key, difference,
                       found == nullptr ? "" : policy::ToCedar(found->policy)));
  }
}

void Comparison::CheckFormatter(const Case& made) {
  const auto formatted = policy::FormatPolicies(made.policies);
  if (!formatted) {
    Differ("the formatter refuses what the parser takes");
    return;
  }
  const SourcePtr source = SourceOf("formatted", *formatted);
  const auto again = policy::FormatPolicies(source);
  if (!again || *again != *formatted)
    Differ(fmt::format("formatting twice differs:\n{}", *formatted));
  const auto before = policy::ParsePolicies(made.policies);
  const auto after = policy::ParsePolicies(source);
  if (before && after && std::ranges::equal(*before, *after, policy::SamePolicy)) return;
  Differ(fmt::format("formatting changes the meaning:\n{}", *formatted));
}

void Comparison::ComparePolicyJson(const Case& made) {
  const std::string_view expected = Raw(made.expect, "policyJson");
  const SourcePtr text = TextOf(made.members, "policyJson");
  const Result<policy::Policy> ours = policy::PolicyFromEst(*text);
  CompareVerdict("policy in JSON", expected, ours ? nullptr : &ours.error().message, text->text());
  if (!ours || !expected.starts_with('{')) return;
  ++compared_;
  const std::string difference = JsonDifference(std::string(expected), policy::ToEst(*ours));
  if (!difference.empty()) Differ(fmt::format("JSON again {}\n  {}", difference, text->text()));
}

void Comparison::CompareSchema(const Case& made, const std::expected<Schema, Refusal>& ours) {
  CompareVerdict("schema", Raw(made.expect, "schema"), ours ? nullptr : &ours.error().message,
                 made.schema.source->text());
  if (made.schema.is_json) return;
  auto fragment = policy::ParseSchemaText(made.schema.source);
  if (ours) CompareTranslation(made, "translation", *fragment);
  if (fragment) fragment = policy::WithFullNames(*fragment);
  const std::string refusal = fragment ? "" : policy::ToError(fragment.error()).message;
  CompareVerdict("resolved types", Raw(made.expect, "resolved"), fragment ? nullptr : &refusal,
                 made.schema.source->text());
  if (fragment) CompareTranslation(made, "resolved", *fragment);
}

void Comparison::CompareTranslation(const Case& made, std::string_view key,
                                    const policy::SchemaFragment& fragment) {
  const std::string_view expected = Raw(made.expect, key);
  if (!expected.starts_with('{')) return;
  ++compared_;
  const std::string difference =
      JsonDifference(std::string(expected), policy::ToSchemaJson(fragment));
  if (difference.empty()) return;
  Differ(fmt::format("schema in JSON ({}) {}\n  {}", key, difference, made.schema.source->text()));
}

void Comparison::CompareEntities(const Case& made, const Schema* schema) {
  if (schema == nullptr && made.schema.source != nullptr && !made.lawless) return;
  const auto ours = cli::LoadEntities(made.entities, schema);
  CompareVerdict("entities", Raw(made.expect, "entities"), ours ? nullptr : &ours.error().message,
                 made.entities->text());
}

void Comparison::CompareValidation(const Case& made, const PolicySet& policies,
                                   const Schema& schema) {
  const std::string_view expected = Raw(made.expect, "invalid");
  if (expected.empty()) return;
  compared_ += policies.size() + policies.templates().size();
  std::set<std::string> invalid;
  const policy::ValidationReport report = policy::Validate(policies, schema);
  for (const policy::Diagnostic& error : report.errors) {
    invalid.insert(error.policy_id.value_or(""));
  }
  const std::set<std::string> official = Strings(*Parse(expected));
  if (invalid == official) return;
  std::set<std::string> suspects;
  std::ranges::set_symmetric_difference(invalid, official, std::inserter(suspects, suspects.end()));
  std::string said;
  for (const policy::Diagnostic& error : report.errors) {
    if (suspects.contains(error.policy_id.value_or(""))) said += policy::Render(error);
  }
  Differ(fmt::format("invalid officially {}, by us {}{}\n{}  {}", Show(official), Show(invalid),
                     ShowPolicies(policies, suspects), said, made.schema.source->text()));
}

void Comparison::CompareRequests(const Case& made) {
  cli::SettingTexts texts;
  texts.policies = {made.policies, false};
  texts.links = made.links;
  if (!made.lawless) texts.schema = made.schema;
  texts.entities = made.entities;
  const std::expected<Setting, Refusal> setting = Setting::Load(texts);
  if (!setting) return;  // Told already, as a verdict on the part that is refused.
  const auto requests = cli::SplitArray(Raw(made.members, "requests"));
  const auto answers = cli::SplitArray(Raw(made.expect, "answers"));
  if (!requests || !answers || requests->size() != answers->size()) {
    Differ("not as many answers as requests");
    return;
  }
  for (size_t i = 0; i < requests->size(); ++i) {
    CompareRequest(made, *setting, (*requests)[i], (*answers)[i]);
  }
}

void Comparison::CompareRequest(const Case& made, const Setting& setting, std::string_view request,
                                std::string_view expected) {
  ++compared_;
  ++requests_;
  const auto parts = cli::SplitArray(request);
  if (!parts || parts->size() != 4) {
    Differ("a request has not four parts");
    return;
  }
  std::vector<policy::EntityUid> uids;
  for (size_t i = 0; i < 3; ++i) {
    const Result<JsonNode> node = Parse((*parts)[i]);
    Result<policy::EntityUid> uid = policy::UidFromJson(*node, "request");
    if (!uid) {
      Differ(uid.error().message);
      return;
    }
    uids.push_back(*std::move(uid));
  }
  const auto answer = setting.Ask({uids[0], uids[1], uids[2], SourceOf("context", (*parts)[3])});
  const std::string official = ExpectedAnswer(expected);
  const std::string ours =
      answer ? ShowAnswer(answer->decision == policy::Decision::kAllow ? "allow" : "deny",
                          {answer->reasons.begin(), answer->reasons.end()},
                          {answer->errors.begin(), answer->errors.end()})
             : "refused";
  if (ours == official) return;
  const std::string why = answer ? ShowPolicies(setting.policies(), Suspects(expected, *answer))
                                 : answer.error().message;
  Differ(fmt::format("request {}: officially {}, by us {}{}\n  entities {}\n", request, official,
                     ours, why, made.entities->text()));
}

}  // namespace palyra::tests
