// TOML text to ToolMetadata. Nothing is skipped: each key is taken by name, and what is left over
// is an error at its place.

// toml++ 3.3 asserts what a wrong file can make untrue, and checks it afterwards: with NDEBUG the
// compiler would take it for granted and leave the check out.
#undef NDEBUG
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <string>
#include <utility>

#include "engine/tools/tool_metadata.h"

namespace palyra::engine {
namespace {

constexpr size_t kMostName = 64;
constexpr size_t kMostItems = 256;    // Of any list.
constexpr size_t kMostText = 4096;    // Bytes of any text.
constexpr size_t kDigestDigits = 64;  // Of SHA-256.

bool IsToolName(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= kMostName && is_letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) {
           return is_letter(c) || std::string_view("._+-").find(c) != std::string_view::npos;
         });
}

// Where the dynamic linker looks: with these any program is another one.
bool LeadsTheLinker(std::string_view variable) { return variable.starts_with("LD_"); }

// The first error ends it, as an exception that does not leave this file.
struct Wrong {
  toml::source_region place;
  std::string message;
};

[[noreturn]] void Refuse(const toml::node& node, std::string message) {
  throw Wrong{.place = node.source(), .message = std::move(message)};
}

std::string TextOf(const toml::node& node, const std::string& key) {
  const std::optional<std::string> text = node.value_exact<std::string>();
  if (!text) Refuse(node, '"' + key + "\" takes a text");
  if (text->size() > kMostText) {
    Refuse(node, '"' + key + "\" has more than " + std::to_string(kMostText) + " bytes");
  }
  if (text->find('\0') != std::string::npos) Refuse(node, '"' + key + "\" has a zero byte");
  return *text;
}

uint64_t NumberOf(const toml::node& node, const std::string& key) {
  const std::optional<int64_t> number = node.value_exact<int64_t>();
  if (!number || *number < 0) Refuse(node, '"' + key + "\" takes a number from 0 on");
  return static_cast<uint64_t>(*number);
}

const toml::table& TableOf(const toml::node& node, const std::string& key) {
  if (!node.is_table()) Refuse(node, '"' + key + "\" is a table; write [" + key + ']');
  return *node.as_table();
}

template <typename Take>
void EachOf(const toml::node& node, const std::string& key, const Take& take) {
  const toml::array* list = node.as_array();
  if (list == nullptr) Refuse(node, '"' + key + "\" takes a list");
  if (list->size() > kMostItems) {
    Refuse(node, '"' + key + "\" has more than " + std::to_string(kMostItems) + " items");
  }
  for (const toml::node& item : *list) take(item);
}

std::vector<std::string> TextsOf(const toml::node& node, const std::string& key) {
  std::vector<std::string> texts;
  EachOf(node, key, [&](const toml::node& item) {
    texts.push_back(TextOf(item, key));
    if (texts.back().empty()) Refuse(item, '"' + key + "\" has an empty text");
  });
  return texts;
}

CallBudget BudgetOf(const toml::node& node, const std::string& key) {
  const Result<CallBudget> budget = ParseBudget(TextOf(node, key));
  if (!budget) Refuse(node, budget.error().message);
  return *budget;
}

std::string NoKey(const std::string& name, const std::string& where, const char* known) {
  return "there is no key \"" + name + "\" in " + where + "; there are " + known;
}

// Calls `take(key, node)` for each key, which says whether it knows it.
template <typename Take>
void EachKey(const toml::table& table, const std::string& where, const char* known,
             const Take& take) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (take(name, node)) continue;
    throw Wrong{.place = key.source(), .message = NoKey(name, where, known)};
  }
}

ToolExecutable ExecutableOf(const toml::node& node) {
  ToolExecutable executable;
  if (node.is_table()) {
    EachKey(*node.as_table(), "executables", "path and sha256",
            [&](const std::string& key, const toml::node& value) {
              if (key == "path") executable.path = TextOf(value, key);
              if (key == "sha256") {
                executable.sha256 = base::DigestOfHex(TextOf(value, key));
                if (!executable.sha256) {
                  Refuse(value, "\"sha256\" takes " + std::to_string(kDigestDigits) +
                                    " hexadecimal digits in lower case");
                }
              }
              return key == "path" || key == "sha256";
            });
  } else {
    executable.path = TextOf(node, "executables");
  }
  if (!executable.path.starts_with('/')) Refuse(node, "an executable takes an absolute path");
  return executable;
}

std::vector<Capability> CapabilitiesOf(const toml::node& node) {
  std::vector<Capability> all;
  EachOf(node, "capabilities", [&](const toml::node& item) {
    const std::string text = TextOf(item, "capabilities");
    for (size_t i = 0; i < kCapabilityCount; ++i) {
      const auto capability = static_cast<Capability>(i);
      if (CapabilityName(capability) != text) continue;
      all.push_back(capability);
      return;
    }
    Refuse(item, '"' + text +
                     "\" is no capability; there are process-exec, network, secrets and "
                     "filesystem-write");
  });
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

Sensitivity SensitivityOf(const toml::node& node) {
  const std::string text = TextOf(node, "sensitivity");
  for (const Sensitivity each : {Sensitivity::kLow, Sensitivity::kMedium, Sensitivity::kHigh}) {
    if (SensitivityName(each) == text) return each;
  }
  Refuse(node, '"' + text + "\" is no sensitivity; there are low, medium and high");
}

ArgumentSchema ArgumentsOf(const toml::table& table, const std::string& where) {
  ArgumentSchema schema;
  EachKey(table, where, "max-count, max-length, allowed and forbidden",
          [&](const std::string& key, const toml::node& node) {
            if (key == "max-count") {
              schema.max_count = NumberOf(node, key);
            } else if (key == "max-length") {
              schema.max_length = NumberOf(node, key);
            } else if (key == "allowed") {
              schema.allowed = TextsOf(node, key);
            } else if (key == "forbidden") {
              schema.forbidden = TextsOf(node, key);
            } else {
              return false;
            }
            return true;
          });
  return schema;
}

void ReadLimits(const toml::table& table, const std::string& where, ToolDefaults& defaults) {
  EachKey(table, where,
          "memory, swap, cpus, cpu-time, pids, io, output-limit, disk, open-files and timeout",
          [&](const std::string& key, const toml::node& node) {
            for (const auto& [name, member] : kLimitKeys) {
              if (key != name) continue;
              defaults.*member = TextOf(node, key);
              return true;
            }
            return false;
          });
}

std::vector<std::string> VariablesOf(const toml::node& node) {
  std::vector<std::string> names = TextsOf(node, "environment");
  for (const std::string& name : names) {
    const std::string_view stem = std::string_view(name).substr(0, name.find('*'));
    if (stem.size() + 1 < name.size() || stem.empty() || name.contains('=')) {
      Refuse(node,
             '"' + name + "\" names no variables; write NAME, or NAME* for all that begin so");
    }
    if (LeadsTheLinker(stem) || std::string_view("LD_").starts_with(stem)) {
      Refuse(node, '"' + name + "\" would let the caller load other code into the tool");
    }
  }
  return names;
}

constexpr const char* kToolKeys =
    "description, capabilities, sensitivity, executables, environment, secrets, calls, tier, "
    "egress, arguments and limits";

bool ReadToolKey(const std::string& key, const toml::node& node, ToolMetadata& tool) {
  const std::string where = "tool." + tool.name + '.' + key;
  if (key == "description") {
    tool.description = TextOf(node, key);
  } else if (key == "capabilities") {
    tool.capabilities = CapabilitiesOf(node);
  } else if (key == "sensitivity") {
    tool.sensitivity = SensitivityOf(node);
  } else if (key == "executables") {
    EachOf(node, key,
           [&](const toml::node& item) { tool.executables.push_back(ExecutableOf(item)); });
  } else if (key == "environment") {
    tool.environment = VariablesOf(node);
  } else if (key == "secrets") {
    tool.secrets = TextsOf(node, key);
  } else if (key == "calls") {
    tool.calls = BudgetOf(node, key);
  } else if (key == "tier") {
    tool.defaults.tier = TextOf(node, key);
  } else if (key == "egress") {
    tool.defaults.egress = TextOf(node, key);
  } else if (key == "arguments") {
    tool.arguments = ArgumentsOf(TableOf(node, where), '[' + where + ']');
  } else if (key == "limits") {
    ReadLimits(TableOf(node, where), '[' + where + ']', tool.defaults);
  } else {
    return false;
  }
  return true;
}

ToolMetadata ToolOf(const std::string& name, const toml::node& node) {
  if (!IsToolName(name)) {
    Refuse(node, '"' + name +
                     "\" is no name of a tool; write letters a to z, digits, and . _ + - "
                     "after the first");
  }
  ToolMetadata tool;
  tool.name = name;
  const std::string where = "tool." + name;
  const toml::table& table = TableOf(node, where);
  EachKey(table, '[' + where + ']', kToolKeys,
          [&](const std::string& key, const toml::node& value) {
            return ReadToolKey(key, value, tool);
          });
  for (const char* const needed : {"capabilities", "sensitivity"}) {
    if (!table.contains(needed)) Refuse(node, '[' + where + "] says no \"" + needed + '"');
  }
  const bool is_unknown = name == kUnknownToolName;
  if (is_unknown != tool.executables.empty()) {
    Refuse(node, is_unknown ? "[tool.unknown] has no executables: it is what no other entry knows"
                            : '[' + where + "] says no \"executables\"");
  }
  return tool;
}

ToolFile FileOf(const toml::table& document) {
  ToolFile file;
  EachKey(document, "the file", "[tool.NAME] and [budget]",
          [&](const std::string& key, const toml::node& node) {
            if (key == "tool") {
              for (const auto& [name, entry] : TableOf(node, key)) {
                file.tools.push_back(ToolOf(std::string(name.str()), entry));
              }
            } else if (key == "budget") {
              EachKey(TableOf(node, key), "[budget]", "calls",
                      [&](const std::string& name, const toml::node& value) {
                        if (name == "calls") file.budget = BudgetOf(value, name);
                        return name == "calls";
                      });
            }
            return key == "tool" || key == "budget";
          });
  std::ranges::sort(file.tools, {}, &ToolMetadata::name);
  return file;
}

std::unexpected<Error> At(const toml::source_region& place, const std::string& name,
                          const std::string& message) {
  return Fail(ErrorCode::kInvalidArgument, name + ':' + std::to_string(place.begin.line) + ':' +
                                               std::to_string(place.begin.column) + ": " + message);
}

}  // namespace

Result<ToolFile> ParseTools(std::string_view text, const std::string& name) {
  try {
    ToolFile file = FileOf(toml::parse(text));
    for (ToolMetadata& tool : file.tools) tool.source = name;
    return file;
  } catch (const Wrong& wrong) {
    return At(wrong.place, name, wrong.message);
  } catch (const toml::parse_error& error) {
    return At(error.source(), name, std::string(error.description()));
  }
}

}  // namespace palyra::engine
