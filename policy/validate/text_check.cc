#include "policy/validate/text_check.h"

#include <algorithm>
#include <bitset>
#include <string>
#include <vector>

#include "policy/printer.h"
#include "policy/text.h"
#include "policy/validate/expr_walk.h"
#include "policy/validate/script_table.h"

namespace palyra::policy {
namespace {

// Behind the scripts: three ways of writing that mix some of them.
constexpr size_t kHanWithBopomofo = kMaxScripts;
constexpr size_t kJapanese = kMaxScripts + 1;
constexpr size_t kKorean = kMaxScripts + 2;
using ScriptSet = std::bitset<kMaxScripts + 3>;

ScriptSet WithMixedWriting(ScriptSet set) {
  const bool has_han = set[kHan];
  set[kHanWithBopomofo] = has_han || set[kBopomofo];
  set[kJapanese] = has_han || set[kHiragana] || set[kKatakana];
  set[kKorean] = has_han || set[kHangul];
  return set;
}

std::vector<ScriptSet> ReadSets() {
  std::vector<ScriptSet> sets = {ScriptSet().set()};
  const auto flat = ScriptSets();
  for (size_t at = 0; at < flat.size(); at += flat[at] + size_t{1}) {
    ScriptSet set;
    for (const uint8_t script : flat.subspan(at + 1, flat[at])) {
      set[script] = true;
    }
    sets.push_back(WithMixedWriting(set));
  }
  return sets;
}

uint32_t RowOf(uint32_t code_point) {
  const auto rows = ScriptRows();
  return *(std::ranges::upper_bound(rows, code_point << 10U | 0x3FFU) - 1);
}

const ScriptSet& ScriptsOf(uint32_t code_point) {
  static const std::vector<ScriptSet> kSets = ReadSets();
  return kSets[RowOf(code_point) >> 1U & 0x1FFU];
}

bool IsAllowedInIdentifier(uint32_t code_point) {
  const bool is_printable_ascii = code_point >= 0x20 && code_point < 0x7F;
  return is_printable_ascii || (RowOf(code_point) & 1U) != 0;
}

bool IsBidirectionalControl(uint32_t code_point) {
  return (code_point >= 0x202A && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

bool AnyCharacter(std::string_view text, auto predicate) {
  for (size_t at = 0; at < text.size();) {
    const Character character = CharacterAt(text, at);
    if (predicate(character.code_point)) {
      return true;
    }
    at += character.length;
  }
  return false;
}

void CheckString(std::string_view text, Span span, Findings& findings) {
  if (AnyCharacter(text, IsBidirectionalControl)) {
    findings.Add(FindingKind::kBidirectionalText, span,
                 QuoteString(text) + " has characters that change the direction of text");
  } else if (!IsSingleScript(text)) {
    findings.Add(FindingKind::kMixedScripts, span, QuoteString(text) + " mixes scripts");
  }
}

void CheckIdentifier(std::string_view name, Span span, Findings& findings) {
  const bool has_bidirectional = AnyCharacter(name, IsBidirectionalControl);
  if (!has_bidirectional &&
      AnyCharacter(name, [](uint32_t c) { return !IsAllowedInIdentifier(c); })) {
    findings.Add(FindingKind::kConfusableIdentifier, span,
                 "the name " + QuoteString(name) + " has characters that names should not have");
    return;
  }
  CheckString(name, span, findings);
}

// Types and keywords are ASCII by their grammar; ids are not.
void CheckPart(const Expr& expr, Findings& findings) {
  if (const auto* literal = std::get_if<Literal>(&expr.node)) {
    if (const std::string* text = literal->value.AsString()) {
      CheckString(*text, expr.span, findings);
    } else if (const EntityUid* uid = literal->value.AsEntity()) {
      CheckIdentifier(uid->id(), expr.span, findings);
    }
  } else if (const auto* access = std::get_if<GetAttr>(&expr.node)) {
    CheckIdentifier(access->attr, expr.span, findings);
  } else if (const auto* has = std::get_if<HasAttr>(&expr.node)) {
    for (const std::string& attr : has->path) {
      CheckIdentifier(attr, expr.span, findings);
    }
  } else if (const auto* record = std::get_if<RecordLiteral>(&expr.node)) {
    for (const auto& [key, value] : record->fields) {
      CheckIdentifier(key, expr.span, findings);
    }
  } else if (const auto* like = std::get_if<Like>(&expr.node)) {
    std::string pattern;
    for (const std::string& piece : like->pattern.pieces) {
      pattern += (pattern.empty() ? "" : "*") + piece;
    }
    CheckString(pattern, expr.span, findings);
  }
}

}  // namespace

bool IsSingleScript(std::string_view text) {
  ScriptSet common = ScriptSet().set();
  AnyCharacter(text, [&](uint32_t code_point) {
    common &= ScriptsOf(code_point);
    return common.none();
  });
  return common.any();
}

void CheckTexts(const Policy& policy, Findings& findings) {
  for (const Scope* scope : {&policy.principal, &policy.action, &policy.resource}) {
    for (const EntityUid& uid : scope->entities) {
      CheckIdentifier(uid.id(), scope->span, findings);
    }
  }
  for (const Condition& condition : policy.conditions) {
    ForEachPart(*condition.body, [&](const Expr& part) { CheckPart(part, findings); });
  }
}

}  // namespace palyra::policy
