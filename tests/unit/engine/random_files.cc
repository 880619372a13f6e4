#include "tests/unit/engine/random_files.h"

#include <algorithm>

namespace palyra::engine {

std::string RandomFiles::Path(size_t deepest) {
  std::string path = root_;
  for (size_t i = 0, count = 1 + Below(deepest); i < count; ++i) {
    path += '/' + Pick({"a", "b", "ab", "c"});
  }
  return path;
}

FakeTree RandomFiles::Tree() {
  FakeTree tree;
  if (!root_.empty()) tree.AddDirectory(root_);
  for (size_t i = 0, count = 2 + Below(10); i < count; ++i) {
    const std::string path = Path(4);
    const bool is_free = std::ranges::none_of(tree.nodes(), [&](const auto& node) {
      return node.second != FileKind::kDirectory && path.starts_with(node.first);
    });
    if (!is_free || tree.nodes().contains(path)) continue;
    const FileKind file = Below(6) == 0 ? FileKind::kSpecial : FileKind::kFile;
    tree.Add(path, Below(2) == 0 ? FileKind::kDirectory : file);
  }
  return tree;
}

std::string RandomFiles::Policies() {
  std::string text;
  for (size_t i = 0, count = 1 + Below(4); i < count; ++i) text += Policy("permit");
  for (size_t i = 0, count = Below(3); i < count; ++i) text += Policy("forbid");
  return text;
}

std::string RandomFiles::Policy(const std::string& effect) {
  std::string text = effect + " (principal, action ";
  text += Pick({"in Palyra::Action::\"file.any\"", "in Palyra::Action::\"file.modify\"",
                "== Palyra::Action::\"file.read\"", "== Palyra::Action::\"process.exec\"",
                "in [Palyra::Action::\"file.any\", Palyra::Action::\"process.exec\"]",
                "in [Palyra::Action::\"file.write\", Palyra::Action::\"file.attributes\"]",
                "in [Palyra::Action::\"file.remove\", Palyra::Action::\"file.attributes\"]",
                "in [Palyra::Action::\"file.read\", Palyra::Action::\"process.exec\"]",
                "== Palyra::Action::\"file.rename\""});
  const std::string whole = root_.empty() ? "/" : root_;
  const std::string directory = Below(4) == 0 ? whole : Path(3);
  switch (Below(8)) {
    case 0:
      return text + ", resource) when { resource.path like \"" + Path(2) + Pick({"*", "/*"}) +
             "\" };\n";
    case 1:
      if (!root_.empty()) break;
      return text + ", resource) when { resource.path like \"*" + Path(1) + "\" };\n";
    case 2:
      return text + ", resource) when { resource.path == \"" + directory + "\" };\n";
    default:
      break;
  }
  return text + ", resource in Palyra::Directory::\"" + directory + "\");\n";
}

}  // namespace palyra::engine
