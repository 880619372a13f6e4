#include "tests/unit/policy/random_names.h"

#include "policy/compile/named_resource.h"

namespace palyra::policy {

std::string RandomNames::Policies() {
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

NameEvent RandomNames::Event() {
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

std::string RandomNames::Path() {
  std::string path;
  for (size_t i = 0, count = Below(4); i < count; ++i) {
    path += '/' + Pick({"a", "b", "ab", "é", "a*"});
  }
  return path.empty() ? "/" : path;
}

std::string RandomNames::Head() {
  return Pick({", action, resource)", ", action == Palyra::Action::\"file.read\", resource)",
               ", action in Palyra::Action::\"file.modify\", resource)",
               ", action == Palyra::Action::\"process.exec\", resource)",
               ", action == Palyra::Action::\"file.write\", resource in "
               "Palyra::Directory::\"/a\")",
               ", action == Palyra::Action::\"unix.connect\", resource)",
               ", action == Palyra::Action::\"process.signal\", resource)",
               ", action, resource is Palyra::Path in Palyra::Directory::\"/a/b\")"});
}

std::string RandomNames::Condition(int depth) {
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

std::string RandomNames::Pattern() {
  std::string pattern = Pick({"/", "*", "/*", ""});
  for (size_t i = 0, count = Below(4); i < count; ++i) {
    pattern += Pick({"a", "b", "*", "/", "é", "\\*"});
  }
  return pattern;
}

std::string RandomNames::Atom() {
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
      return Pick({"resource.sha256 == \"aa\"", "resource.path like \"*a\"", "resource.same_run"});
    default:
      return Pick({"principal in Palyra::AgentGroup::\"ci\"", "false",
                   "resource in principal.places", "[resource].contains(Palyra::Path::\"/a\")",
                   "resource has sha256 && resource.path == resource.sha256"});
  }
}

}  // namespace palyra::policy
