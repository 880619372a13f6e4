// The part of the Palyra schema whose resources have names: files, programs, processes and unix
// sockets, and the actions on them.

#ifndef PALYRA_POLICY_COMPILE_NAMED_RESOURCE_H_
#define PALYRA_POLICY_COMPILE_NAMED_RESOURCE_H_

#include <string>
#include <string_view>
#include <vector>

#include "policy/ast.h"
#include "policy/entities.h"
#include "policy/partial.h"
#include "policy/rule_set.h"
#include "policy/value.h"

namespace palyra::policy {

inline constexpr std::string_view kPathType = "Palyra::Path";
inline constexpr std::string_view kDirectoryType = "Palyra::Directory";
inline constexpr std::string_view kExecutableType = "Palyra::Executable";
inline constexpr std::string_view kProcessType = "Palyra::Process";
inline constexpr std::string_view kSocketType = "Palyra::Socket";

inline constexpr std::string_view kPathAttr = "path";          // String
inline constexpr std::string_view kDigestAttr = "sha256";      // String, optional
inline constexpr std::string_view kSameRunAttr = "same_run";   // Bool
inline constexpr std::string_view kAbstractAttr = "abstract";  // Bool

// "file.read"
std::string_view ActionName(NameAction action);
// Palyra::Action::"file.read"
EntityUid ActionUid(NameAction action);
// "Palyra::Path"
std::string_view ResourceTypeOf(NameAction action);

// Whether a resource of this type is in directories, and is named by its path: files and programs.
bool LiesInDirectories(std::string_view resource_type);

// Absolute, without "." and "..", without doubled or trailing slashes; "/" is one. UTF-8 is not
// looked at.
bool IsCanonicalPath(std::string_view path);

// The resource that the event is about, as it comes with the request. A file or program lies in
// every Palyra::Directory on its path, its own path included (a directory holds itself, so that
// what is said of a directory is said of reading it), and in whatever those lie in by `entities`.
Entity NamedEntity(const NameEvent& event, const EntityStore& entities);

// The resource of an event that is to come.
PartialEntity OpenNamed(NameAction action, const EntityStore& entities);

// The names for which `resource in ancestor` holds, where the resource lies in directories.
std::vector<Pattern> NamesIn(const EntityUid& ancestor, std::string_view resource_type,
                             const EntityStore& entities);

// What every name of the action matches.
Pattern UniverseOf(NameAction action);

}  // namespace palyra::policy

#endif  // PALYRA_POLICY_COMPILE_NAMED_RESOURCE_H_
