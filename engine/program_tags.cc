#include "engine/program_tags.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/unique_fd.h"

namespace palyra::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLinkPrefix = "link_";

Result<std::string> TagOfLink(const std::string& path) {
  const UniqueFd link(bpf_obj_get(path.c_str()));
  if (!link.valid()) return FailErrno(errno, "cannot open \"" + path + '"');
  bpf_link_info link_info = {};
  __u32 size = sizeof(link_info);
  if (bpf_obj_get_info_by_fd(link.get(), &link_info, &size) != 0) {
    return FailErrno(errno, "cannot look at \"" + path + '"');
  }
  const UniqueFd program(bpf_prog_get_fd_by_id(link_info.prog_id));
  bpf_prog_info info = {};
  size = sizeof(info);
  if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) {
    return FailErrno(errno, "cannot look at the program of \"" + path + '"');
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string tag;
  for (const __u8 byte : info.tag) {
    tag += kDigits[byte >> 4];
    tag += kDigits[byte & 0xF];
  }
  return tag;
}

}  // namespace

Result<std::vector<ProgramTag>> AttachedPrograms(const std::string& pin_path) {
  std::vector<ProgramTag> programs;
  std::error_code failure;
  fs::directory_iterator entry(pin_path, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const std::string name = entry->path().filename();
    if (!name.starts_with(kLinkPrefix)) continue;
    Result<std::string> tag = TagOfLink(entry->path());
    if (!tag) return std::unexpected(tag.error());
    programs.push_back({.name = name.substr(kLinkPrefix.size()), .tag = *std::move(tag)});
  }
  if (failure) return FailErrno(failure.value(), "cannot read \"" + pin_path + '"');
  std::ranges::sort(programs, {}, &ProgramTag::name);
  return programs;
}

}  // namespace palyra::engine
