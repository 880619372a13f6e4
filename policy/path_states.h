// What rules say of paths while a tree of directories is walked: the automata of files and programs
// side by side, and of each point on the way what is still to come below it.

#ifndef PALYRA_POLICY_PATH_STATES_H_
#define PALYRA_POLICY_PATH_STATES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/automaton.h"
#include "policy/rule_set.h"

namespace palyra::policy {

// Bit set over the first of NameAction: file.* and process.exec.
using FileActions = uint8_t;
inline constexpr int kFileActionCount = 8;
inline constexpr FileActions kEveryAction = (1U << kFileActionCount) - 1;
constexpr FileActions ActionBit(NameAction action) {
  return static_cast<FileActions>(1U << static_cast<unsigned>(action));
}

// Whether a digest makes a difference to what is permitted.
bool DependsOnDigest(const NameRules& rules);

// What an ask counts as.
enum class Asks { kDeny, kPermit };

class PathStates {
 public:
  // One state of each automaton.
  using State = std::array<uint32_t, kFileActionCount>;

  // Borrows `rules`. An action without rules is denied. Of programs counts what is said of one
  // whose digest is not known.
  explicit PathStates(const RuleSet& rules, Asks asks = Asks::kDeny);

  static State Start() { return {}; }
  [[nodiscard]] State After(const State& state, std::string_view text) const;

  // What is permitted on the path that ends here.
  [[nodiscard]] FileActions Permitted(const State& state) const;
  // What every path permits that goes on from here by a byte or more, and what some does.
  [[nodiscard]] FileActions AlwaysBelow(const State& state) const;
  [[nodiscard]] FileActions EverBelow(const State& state) const;
  [[nodiscard]] bool IsUniform(const State& state) const {
    return AlwaysBelow(state) == EverBelow(state);
  }
  // What some path permits that goes on without another slash.
  [[nodiscard]] FileActions EverChild(const State& state) const;

  // The names in a directory whose path, with a slash, ends in `state`: `usual` is permitted on all
  // but those listed and on everything below them.
  struct Names {
    FileActions usual;
    std::vector<std::string> others;
  };
  // Nothing where the others are no list: more than `most`, or a pattern. Only `actions` count.
  [[nodiscard]] std::optional<Names> NamesIn(const State& state, size_t most,
                                             FileActions actions = kEveryAction) const;

  // The same where patterns go on: of the names of which, or of what is below which, rules say
  // something else than of a name that no rule names, those that are no pattern themselves. `usual`
  // is of that name alone. Nothing where they are more than `most`.
  [[nodiscard]] std::optional<Names> NamesApart(const State& state, size_t most) const;

  // After a name that no rule names; where rules name every byte, after nothing. And what it is
  // permitted.
  [[nodiscard]] State UnnamedAfter(const State& state) const;
  [[nodiscard]] FileActions UnnamedIn(const State& state) const;

  // Whose policies deny the action here or on some path below; where nothing does, whose permit it.
  // Texts as of ReasonText, at most `most`.
  [[nodiscard]] std::vector<std::string> ReasonsBelow(const State& state, NameAction action,
                                                      size_t most) const;

 private:
  struct Action {
    const NameRules* rules = nullptr;  // Null: everything is denied.
    std::vector<bool> permits;         // By state, as the following.
    std::vector<bool> ever_below;
    std::vector<bool> ever_denied_below;
    std::vector<bool> ever_child;
  };

  static Action Look(const NameRules& rules, Asks asks);
  [[nodiscard]] FileActions Collect(const State& state, std::vector<bool> Action::* facts) const;
  // A byte that no rule names, and that is no slash; 0 where there is none.
  [[nodiscard]] char UnnamedByte() const;
  [[nodiscard]] State After(const State& state, std::string_view text, FileActions actions) const;
  class NameLister;

  const RuleSet* rules_;
  std::array<Action, kFileActionCount> actions_;
};

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_PATH_STATES_H_
