// Policy texts that the end-to-end tests share. Policies are counted from policy0 in file order.

#ifndef PALYRA_TESTS_E2E_POLICIES_H_
#define PALYRA_TESTS_E2E_POLICIES_H_

#include <array>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

namespace palyra::tests {

inline constexpr std::string_view kPermitAll = "permit (principal, action, resource);\n";

// One permit or forbid for every network action when `condition` holds.
inline std::string PermitWhen(std::string_view condition) {
  return std::string("permit (principal, action, resource is Palyra::Endpoint) when { ")
             .append(condition) +
         " };\n";
}

inline std::string ForbidWhen(std::string_view condition) {
  return std::string("forbid (principal, action, resource is Palyra::Endpoint) when { ")
             .append(condition) +
         " };\n";
}

// "resource.address == ip(...) || ..."
inline std::string AddressIsOneOf(const std::vector<std::string_view>& addresses) {
  std::string condition;
  for (const std::string_view address : addresses) {
    if (!condition.empty()) condition += " || ";
    condition.append("resource.address == ip(\"").append(address).append("\")");
  }
  return condition;
}

// A time as Cedar writes it, so far from now.
inline std::string Moment(std::chrono::seconds from_now) {
  const time_t time =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + from_now);
  tm parts = {};
  gmtime_r(&time, &parts);
  std::array<char, 32> text = {};
  return {text.data(), strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_E2E_POLICIES_H_
