// Any policies on names: refused, or equal to the authorizer on every event.

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "policy/compile/named_resource.h"
#include "tests/unit/policy/compile_fixture.h"

namespace palyra::policy {
namespace {

constexpr int kPolicySets = 1200;
constexpr int kEventsPerSet = 300;

class RandomNames {
 public:
  explicit RandomNames(uint64_t seed) : random_(seed) {}

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  std::string Policies() {
    std::string text;
    for (size_t i = 0, count = 1 + Below(6); i < count; ++i) {
      text += Below(5) == 0 ? "@ask(\"?\") " : "";
      text += Below(3) == 0 ? "forbid (principal" : "permit (principal";
      text += Head();
      text += Below(5) == 0 ? " unless { " : " when { ";
      text += Condition(3) + " };\n";
    }
    return text;
  }

  NameEvent Event() {
    NameEvent event{.action = static_cast<NameAction>(Below(kNameActionCount)), .name = ""};
    const std::string_view type = ResourceTypeOf(event.action);
    if (type == kProcessType || type == kSocketType) {
      event.flag = Below(2) == 0;
    }
    if (type != kProcessType) {
      event.name = Path();
    }
    if (type == kExecutableType && Below(3) != 0) {
      event.sha256 = Pick({"aa", "bb", "cc"});
    }
    return event;
  }

 private:
  std::mt19937_64 random_;

  std::string Pick(const std::vector<std::string>& choices) {
    return choices[Below(choices.size())];
  }

  std::string Path() {
    std::string path;
    for (size_t i = 0, count = Below(4); i < count; ++i) {
      path += '/' + Pick({"a", "b", "ab", "é", "a*"});
    }
    return path.empty() ? "/" : path;
  }

  std::string Head() {
    return Pick({", action, resource)", ", action == Palyra::Action::\"file.read\", resource)",
                 ", action in Palyra::Action::\"file.modify\", resource)",
                 ", action == Palyra::Action::\"process.exec\", resource)",
                 ", action == Palyra::Action::\"file.write\", resource in "
                 "Palyra::Directory::\"/a\")",
                 ", action == Palyra::Action::\"unix.connect\", resource)",
                 ", action == Palyra::Action::\"process.signal\", resource)",
                 ", action, resource is Palyra::Path in Palyra::Directory::\"/a/b\")"});
  }

  std::string Condition(int depth) {
    const size_t kind = depth == 0 ? 9 : Below(10);
    if (kind < 3) {
      return '(' + Condition(depth - 1) + " && " + Condition(depth - 1) + ')';
    }
    if (kind < 6) {
      return '(' + Condition(depth - 1) + " || " + Condition(depth - 1) + ')';
    }
    if (kind == 6) {
      return "!(" + Condition(depth - 1) + ')';
    }
    if (kind == 7) {
      return "(if " + Condition(depth - 1) + " then " + Condition(depth - 1) + " else " +
             Condition(depth - 1) + ')';
    }
    return Atom();
  }

  std::string Pattern() {
    std::string pattern = Pick({"/", "*", "/*", ""});
    for (size_t i = 0, count = Below(4); i < count; ++i) {
      pattern += Pick({"a", "b", "*", "/", "é", "\\*"});
    }
    return pattern;
  }

  std::string Atom() {
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
        return "resource has path && resource.path like \"" + Pattern() + '"';
      case 3:
        return "resource has path && resource.path == \"" + Path() + '"';
      case 4:
        return "resource in Palyra::Directory::\"" + Path() + '"';
      case 5:
        return "resource in [Palyra::Directory::\"shared\", Palyra::Directory::\"" + Path() + "\"]";
      case 6:
        return "resource == Palyra::Path::\"" + Path() + '"';
      case 7:
        return R"(resource has path && ["/a", "/b", "/a/b"].contains(resource.path))";
      case 8:
        return "resource has sha256 && resource.sha256 == \"" + Pick({"aa", "bb"}) + '"';
      case 9:
        return Pick({"resource has abstract && resource.abstract",
                     "resource has same_run && resource.same_run", "resource has sha256",
                     "resource is Palyra::Executable"});
      case 10:  // Fails where there is none.
        return Pick(
            {"resource.sha256 == \"aa\"", "resource.path like \"*a\"", "resource.same_run"});
      default:
        return Pick({"principal in Palyra::AgentGroup::\"ci\"", "false",
                     "resource in principal.places", "[resource].contains(Palyra::Path::\"/a\")",
                     "resource has sha256 && resource.path == resource.sha256"});
    }
  }
};

TEST(NamePropertyTest, RandomPoliciesAreRefusedOrDecidedAsTheAuthorizerDoes) {
  const char* given = std::getenv("PALYRA_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  RandomNames random(seed);
  const std::string seed_text = "PALYRA_SEED=" + std::to_string(seed) + '\n';
  int compiled = 0;
  int refused = 0;
  for (int i = 0; i < kPolicySets; ++i) {
    std::vector<std::pair<Layer, std::string>> layers;
    if (random.Below(3) == 0) {
      layers.emplace_back(Layer::kMandatory,
                          "permit (principal, action, resource);\n" + random.Policies());
    }
    layers.emplace_back(Layer::kCaller, random.Policies());
    CompileFixture fixture(layers);
    fixture.set_coverage(Coverage::kAll);
    const auto output = fixture.Compile();
    if (!output) {
      ++refused;
      ASSERT_FALSE(output.error().empty()) << seed_text;
      continue;
    }
    ++compiled;
    for (int j = 0; j < kEventsPerSet; ++j) {
      const NameEvent event = random.Event();
      ASSERT_EQ(EvaluateWithContext(fixture.input(), event), OutcomeOf(output->rules, event))
          << seed_text << EventText(event) << '\n'
          << layers.front().second << layers.back().second << DumpText(output->rules);
    }
  }
  EXPECT_GE(compiled, kPolicySets / 4) << seed_text;
  EXPECT_GE(refused, kPolicySets / 50) << seed_text;
}

}  // namespace
}  // namespace palyra::policy
