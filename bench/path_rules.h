// Lists of path rules as people write them, of any length.

#ifndef PALYRA_BENCH_PATH_RULES_H_
#define PALYRA_BENCH_PATH_RULES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "policy/ast.h"

namespace palyra::bench {

// 45 % files, 25 % prefixes within a directory, 25 % directories, 5 % with two stars, spread over a
// tree. All different, in no order.
inline std::vector<policy::Pattern> PathRules(size_t count) {
  static constexpr const char* kTops[] = {"/usr/lib", "/usr/share", "/etc", "/opt/vendor",
                                          "/var/lib", "/srv/data",  "/home"};
  static constexpr const char* kMiddles[] = {"python3", "node_modules", "config", "cache",
                                             "locale"};
  std::vector<policy::Pattern> rules;
  rules.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i * 2654435761U % 1000000007U);
    const std::string directory = std::string(kTops[i % 7]) + '/' + kMiddles[i / 7 % 5] + number;
    switch (i % 20) {
      case 0:
        rules.push_back({.pieces = {"/home/u" + number + '/', "/.ssh/", ""}});
        break;
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        rules.push_back({.pieces = {directory + "/sub", ""}});
        break;
      case 6:
      case 7:
      case 8:
      case 9:
      case 10:
        rules.push_back({.pieces = {directory + '/', ""}});
        break;
      default:
        rules.push_back({.pieces = {directory + "/file" + std::to_string(i) + ".conf"}});
    }
  }
  return rules;
}

}  // namespace palyra::bench

#endif  // PALYRA_BENCH_PATH_RULES_H_
