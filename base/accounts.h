// The user database: who has which uid, home and groups.
//
// passwd(5) and group(5) are read here. What the machine keeps elsewhere (nsswitch.conf(5): LDAP,
// systemd-homed) is asked of getent(1), so that no name service module is loaded into a privileged
// process, and a program can be linked statically.

#ifndef PALYRA_BASE_ACCOUNTS_H_
#define PALYRA_BASE_ACCOUNTS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace palyra::base {

// A uid or gid in decimal. The all-ones id is none: to the kernel it means "unchanged".
std::optional<uint32_t> ParseId(std::string_view text);

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home;
  std::string shell;  // May be empty.
  bool operator==(const Account&) const = default;
};

class UserDatabase {
 public:
  struct Places {
    std::string passwd = "/etc/passwd";
    std::string group = "/etc/group";
    std::string nsswitch = "/etc/nsswitch.conf";
    std::string getent = "/usr/bin/getent";
  };

  UserDatabase() = default;
  explicit UserDatabase(Places places) : places_(std::move(places)) {}

  [[nodiscard]] std::optional<Account> Find(uid_t uid) const;
  [[nodiscard]] std::optional<Account> Find(const std::string& name) const;

  // The account's own group and those that it is a member of, as initgroups(3) would set them.
  [[nodiscard]] std::vector<gid_t> GroupsOf(const Account& account) const;

  // Nothing where there is no such group; an error where that could not be found out.
  [[nodiscard]] Result<std::optional<gid_t>> FindGroup(const std::string& name) const;

 private:
  Places places_;

  [[nodiscard]] bool IsInFiles(const char* database) const;
  // What getent prints of `key`; empty where it finds nothing.
  [[nodiscard]] Result<std::string> Ask(const char* database, const std::string& key) const;
  template <typename Matches>
  [[nodiscard]] std::optional<Account> FindAccount(const Matches& matches,
                                                   const std::string& key) const;
};

}  // namespace palyra::base

#endif  // PALYRA_BASE_ACCOUNTS_H_
