// Hosts to reach for, in a network that no other process is in.
//
// The test process moves to a network namespace of its own; a veth pair joins it to a second one,
// "outside", which has the addresses of all hosts. Both namespaces live only through descriptors
// of this process, so nothing is left however it ends.

#ifndef PALYRA_TESTS_SUPPORT_TEST_NETWORK_H_
#define PALYRA_TESTS_SUPPORT_TEST_NETWORK_H_

#include <functional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace palyra::tests {

// Of this side (RFC 5737, RFC 4193).
inline constexpr std::string_view kOwnV4 = "192.0.2.1";
inline constexpr std::string_view kOwnV6 = "fd00:a::1";

// The host that policies permit.
inline constexpr std::string_view kAllowedV4 = "192.0.2.10";
inline constexpr std::string_view kAllowedV6 = "fd00:a::10";

// The host that they do not.
inline constexpr std::string_view kDeniedV4 = "198.51.100.20";
inline constexpr std::string_view kDeniedV6 = "fd00:b::20";

// A host of the public Internet as far as the resolver can tell: nothing leaves these namespaces.
inline constexpr std::string_view kPublicV4 = "203.0.112.5";
inline constexpr std::string_view kPublicV6 = "2a0f:ffff::5";

// Cloud metadata addresses, which somebody answers at here too.
inline constexpr std::string_view kMetadataV4 = "169.254.169.254";
inline constexpr std::string_view kMetadataV6 = "fd00:ec2::254";
inline constexpr std::string_view kSharedMetadataV4 = "100.100.100.200";  // RFC 6598

// The interface of this namespace. To it, 127.0.0.1 is a host outside, as any address can be.
inline constexpr std::string_view kOwnInterface = "palyra0";

// The interface of the outside namespace.
inline constexpr std::string_view kOutsideInterface = "outside0";

class TestNetwork {
 public:
  // Made at the first call, which must come from the main thread before any other thread starts.
  // Throws std::runtime_error if it cannot be made.
  static TestNetwork& Get();

  // Runs `action` in a thread that is in the outside namespace; sockets that it opens stay there.
  void Outside(const std::function<void()>& action) const;

  // The outside namespace, for a child to enter with setns(2).
  [[nodiscard]] int outside() const { return outside_.get(); }

 private:
  TestNetwork();

  UniqueFd outside_;
};

}  // namespace palyra::tests

#endif  // PALYRA_TESTS_SUPPORT_TEST_NETWORK_H_
