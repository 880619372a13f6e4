#include "tests/corpus/corpus.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/cedar/raw_json.h"
#include "policy/json_tree.h"
#include "policy/json_value.h"
#include "policy/schema/printer.h"
#include "policy/schema/text_parser.h"
#include "policy/validate/validator.h"
#include "tests/corpus/json_difference.h"

namespace palyra::tests {
namespace {

using cli::RawMember;
using policy::Decision;
using policy::JsonNode;
using policy::SourceFile;

Result<JsonNode> ReadNode(const std::string& name, std::string_view text) {
  return policy::ParseJson(SourceFile(name, std::string(text)));
}

std::string Text(const JsonNode& object, std::string_view key) {
  const JsonNode* node = object.Find(key);
  return node != nullptr && node->AsString() != nullptr ? *node->AsString() : "";
}

// `what` is read from a member of `request`.
Result<policy::EntityUid> ReadUid(const JsonNode& request, std::string_view key) {
  const JsonNode* node = request.Find(key);
  if (node == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("a request has no {}", key));
  }
  return policy::UidFromJson(*node, std::string(key));
}

std::set<std::string> ReadIds(const JsonNode& request, std::string_view key) {
  std::set<std::string> ids;
  const JsonNode* list = request.Find(key);
  if (list == nullptr || list->AsArray() == nullptr) return ids;
  for (const JsonNode& id : *list->AsArray()) {
    if (id.AsString() != nullptr) ids.insert(*id.AsString());
  }
  return ids;
}

Result<CorpusRequest> ReadRequest(const std::string& name, std::string_view text) {
  Result<JsonNode> node = ReadNode(name, text);
  if (!node) return std::unexpected(node.error());
  Result<policy::EntityUid> principal = ReadUid(*node, "principal");
  if (!principal) return std::unexpected(principal.error());
  Result<policy::EntityUid> action = ReadUid(*node, "action");
  if (!action) return std::unexpected(action.error());
  Result<policy::EntityUid> resource = ReadUid(*node, "resource");
  if (!resource) return std::unexpected(resource.error());
  Result<std::vector<RawMember>> members = cli::SplitObject(text);
  if (!members) return std::unexpected(members.error());
  const RawMember* context = cli::FindMember(*members, "context");
  policy::SourcePtr source;
  if (context != nullptr) {
    source = std::make_shared<const SourceFile>("context", std::string(context->value));
  }
  const std::string decision = Text(*node, "decision");
  if (decision != "allow" && decision != "deny") {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no decision", decision));
  }
  return CorpusRequest{
      .description = Text(*node, "description"),
      .question = {*std::move(principal), *std::move(action), *std::move(resource), source},
      .decision = decision == "allow" ? Decision::kAllow : Decision::kDeny,
      .reasons = ReadIds(*node, "reason"),
      .errors = ReadIds(*node, "errors")};
}

Result<std::vector<CorpusRequest>> ReadRequests(const std::string& name, std::string_view text) {
  Result<std::vector<RawMember>> members = cli::SplitObject(text);
  if (!members) return std::unexpected(members.error());
  const RawMember* list = cli::FindMember(*members, "requests");
  if (list == nullptr) return Fail(ErrorCode::kInvalidArgument, "the test has no requests");
  Result<std::vector<std::string_view>> items = cli::SplitArray(list->value);
  if (!items) return std::unexpected(items.error());
  std::vector<CorpusRequest> requests;
  for (const std::string_view item : *items) {
    Result<CorpusRequest> request = ReadRequest(name, item);
    if (!request) return std::unexpected(request.error());
    requests.push_back(*std::move(request));
  }
  return requests;
}

std::string Describe(Decision decision, const std::set<std::string>& reasons,
                     const std::set<std::string>& errors) {
  return fmt::format("{} by [{}] with errors of [{}]",
                     decision == Decision::kAllow ? "allow" : "deny", fmt::join(reasons, ", "),
                     fmt::join(errors, ", "));
}

std::string Difference(const CorpusRequest& request, const cli::Setting& setting) {
  const auto answer = setting.Ask(request.question);
  const std::string wanted = Describe(request.decision, request.reasons, request.errors);
  std::string got;
  if (answer) {
    got = Describe(answer->decision, {answer->reasons.begin(), answer->reasons.end()},
                   {answer->errors.begin(), answer->errors.end()});
  } else {
    got = fmt::format("refused at {}: {}", NameOf(answer.error().stage), answer.error().message);
  }
  if (got == wanted) return "";
  return fmt::format("{}: expected {}; got {}", request.description, wanted, got);
}

std::string TranslationDifference(const policy::SourcePtr& text, const std::string& json) {
  const auto fragment = policy::ParseSchemaText(text);
  if (!fragment) return policy::Render(fragment.error());
  const std::string difference = JsonDifference(json, policy::ToSchemaJson(*fragment));
  return difference.empty() ? "" : fmt::format("schema in JSON {}", difference);
}

// Official verdicts on the policies of a test in one mode, and ours.
std::string VerdictDifference(const JsonNode& official, std::string_view mode,
                              const policy::ValidationReport& report) {
  std::set<std::string> invalid;
  for (const policy::Diagnostic& error : report.errors) {
    invalid.insert(error.policy_id.value_or(""));
  }
  std::set<std::string> expected;
  const JsonNode* policies = official.Find("perPolicy");
  if (policies == nullptr || policies->AsObject() == nullptr) return "there are no verdicts";
  for (const JsonNode& policy : policies->AsObject()->members) {
    const JsonNode* valid = policy.Find(mode);
    if (valid == nullptr || valid->AsBool() == nullptr) return "a verdict is missing";
    if (!*valid->AsBool()) expected.insert(policy.key);
  }
  if (invalid == expected) return "";
  return fmt::format("{}: invalid officially [{}], by us [{}]", mode, fmt::join(expected, ", "),
                     fmt::join(invalid, ", "));
}

std::string BaseName(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string StemOf(const std::string& name) { return name.substr(0, name.size() - 5); }

}  // namespace

bool IsCorpusTest(std::string_view name) {
  return name.ends_with(".json") && !name.ends_with(".entities.json") &&
         !name.ends_with("/entities.json") && name != "entities.json" &&
         !name.ends_with(".cedarschema.json");
}

Result<CorpusTest> ReadCorpusTest(const std::string& name, const std::string& text) {
  Result<JsonNode> node = ReadNode(name, text);
  if (!node) return std::unexpected(node.error());
  CorpusTest test{.name = StemOf(name),
                  .policies = Text(*node, "policies"),
                  .schema = Text(*node, "schema"),
                  .entities = Text(*node, "entities"),
                  .requests = {}};
  const JsonNode* should_validate = node->Find("shouldValidate");
  if (should_validate == nullptr || should_validate->AsBool() == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "the test does not say whether it should validate");
  }
  test.should_validate = *should_validate->AsBool();
  Result<std::vector<CorpusRequest>> requests = ReadRequests(name, text);
  if (!requests) return std::unexpected(requests.error());
  test.requests = *std::move(requests);
  return test;
}

void CorpusRun::Take(std::string name, std::string content) {
  if (!IsCorpusTest(name)) {
    files_.insert_or_assign(std::move(name), std::move(content));
    RunWaiting();
    return;
  }
  Result<CorpusTest> test = ReadCorpusTest(name, content);
  if (!test) {
    failures_.push_back(fmt::format("{}: {}", name, test.error().message));
    return;
  }
  waiting_.push_back(*std::move(test));
  RunWaiting();
}

void CorpusRun::RunWaiting() {
  std::erase_if(waiting_, [this](const CorpusTest& test) {
    if (!Missing(test).empty()) return false;
    Run(test);
    return true;
  });
}

void CorpusRun::Run(const CorpusTest& test) {
  const std::vector<std::string> differences = Differences(test);
  if (differences.empty()) {
    ++passed_;
  } else {
    constexpr size_t kShown = 4;
    std::string text = test.name;
    for (size_t i = 0; i < std::min(kShown, differences.size()); ++i) {
      text += "\n  " + differences[i];
    }
    if (differences.size() > kShown) {
      text += fmt::format("\n  … {} more", differences.size() - kShown);
    }
    failures_.push_back(std::move(text));
  }
  std::erase_if(files_, [&](const auto& file) { return file.first.starts_with(test.name + '.'); });
}

void CorpusRun::Finish() {
  for (const CorpusTest& test : waiting_) {
    failures_.push_back(
        fmt::format("{}\n  the archive lacks {}", test.name, fmt::join(Missing(test), ", ")));
  }
  waiting_.clear();
  if (passed_ == 0 && failures_.empty()) failures_.emplace_back("the archive has no test");
}

std::vector<std::string> CorpusRun::Missing(const CorpusTest& test) const {
  std::vector<std::string> missing;
  for (const std::string& name : {test.policies, test.schema, test.entities}) {
    if (!files_.contains(name)) missing.push_back(name);
  }
  return missing;
}

policy::SourcePtr CorpusRun::FindFile(const std::string& name) const {
  return std::make_shared<const SourceFile>(name, files_.at(name));
}

std::vector<std::string> CorpusRun::Differences(const CorpusTest& test) {
  const policy::SourcePtr text = FindFile(test.schema);
  std::vector<std::string> differences = DifferencesUnder(test, {text, false});
  const auto json = json_schemas_.find(BaseName(test.schema) + ".json");
  if (json == json_schemas_.end()) return differences;
  ++translations_;
  std::string difference = TranslationDifference(text, json->second);
  if (!difference.empty()) differences.push_back(std::move(difference));
  const auto source = std::make_shared<const SourceFile>(json->first, json->second);
  for (const std::string& found : DifferencesUnder(test, {source, true})) {
    differences.push_back("with the schema in JSON: " + found);
  }
  return differences;
}

std::vector<std::string> CorpusRun::DifferencesUnder(const CorpusTest& test,
                                                     const cli::Text& schema) {
  cli::SettingTexts texts;
  texts.policies = {FindFile(test.policies), false};
  texts.schema = schema;
  texts.entities = FindFile(test.entities);
  const auto setting = cli::Setting::Load(texts);
  if (!setting) {
    return {
        fmt::format("refused at {}: {}", NameOf(setting.error().stage), setting.error().message)};
  }
  std::vector<std::string> differences = VerdictDifferences(test, *setting);
  for (const CorpusRequest& request : test.requests) {
    ++requests_;
    std::string difference = Difference(request, *setting);
    if (!difference.empty()) differences.push_back(std::move(difference));
  }
  return differences;
}

std::vector<std::string> CorpusRun::VerdictDifferences(const CorpusTest& test,
                                                       const cli::Setting& setting) {
  std::vector<std::string> differences;
  const policy::ValidationReport strict = setting.Validate();
  if (strict.valid() != test.should_validate) {
    differences.push_back(fmt::format("should {}validate\n{}", test.should_validate ? "" : "not ",
                                      policy::Render(strict.errors)));
  }
  const auto verdicts = verdicts_.find(BaseName(test.name) + ".validation.json");
  if (verdicts == verdicts_.end()) return differences;
  ++judged_;
  const Result<JsonNode> node = ReadNode(verdicts->first, verdicts->second);
  const JsonNode* official = node ? node->Find("policyValidation") : nullptr;
  if (official == nullptr) return {fmt::format("{} has no verdicts", verdicts->first)};
  const policy::ValidationReport permissive =
      policy::Validate(setting.policies(), *setting.schema(),
                       {.mode = policy::ValidationMode::kPermissive, .max_level = std::nullopt});
  for (std::string difference : {VerdictDifference(*official, "strict", strict),
                                 VerdictDifference(*official, "permissive", permissive)}) {
    if (!difference.empty()) differences.push_back(std::move(difference));
  }
  return differences;
}

}  // namespace palyra::tests
