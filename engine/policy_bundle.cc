#include "engine/policy_bundle.h"

#include <charconv>
#include <cstdint>
#include <utility>

#include "base/sha256.h"

namespace palyra::engine {
namespace {

constexpr std::string_view kHead = "palyra-policy 1\n";

void Append(std::string& bytes, std::string_view kind, const PolicyFile& file) {
  bytes += kind;
  bytes += ' ' + std::to_string(file.text.size()) + ' ' + file.name + '\n';
  bytes += file.text;
  bytes += '\n';
}

std::unexpected<Error> Damaged() {
  return Fail(ErrorCode::kInvalidArgument, "these are not the bytes of a policy version");
}

// Takes the text up to `end`, and it, off the front; nothing where it is not there.
std::optional<std::string_view> TakeUntil(std::string_view& bytes, char end) {
  const size_t at = bytes.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = bytes.substr(0, at);
  bytes.remove_prefix(at + 1);
  return taken;
}

struct Section {
  std::string_view kind;
  PolicyFile file;
};

std::optional<Section> TakeSection(std::string_view& bytes) {
  const auto kind = TakeUntil(bytes, ' ');
  const auto digits = kind ? TakeUntil(bytes, ' ') : std::nullopt;
  const auto name = digits ? TakeUntil(bytes, '\n') : std::nullopt;
  if (!name) return std::nullopt;
  size_t size = 0;
  const auto [end, failure] =
      std::from_chars(digits->data(), digits->data() + digits->size(), size);
  const bool is_number = failure == std::errc() && end == digits->data() + digits->size();
  if (!is_number || size >= bytes.size() || bytes[size] != '\n') return std::nullopt;
  Section section = {.kind = *kind,
                     .file = {.name = std::string(*name), .text = std::string(bytes, 0, size)}};
  bytes.remove_prefix(size + 1);
  return section;
}

}  // namespace

Result<std::string> BundleBytes(const PolicyBundle& bundle) {
  std::vector<std::pair<std::string_view, const PolicyFile*>> sections;
  sections.reserve(bundle.policies.size() + 2);
  for (const PolicyFile& policy : bundle.policies) sections.emplace_back("policy", &policy);
  if (bundle.entities) sections.emplace_back("entities", &*bundle.entities);
  if (bundle.schema) sections.emplace_back("schema", &*bundle.schema);
  std::string bytes(kHead);
  for (const auto& [kind, file] : sections) {
    if (file->name.contains('\n')) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the name \"" + file->name + "\" has a newline in it; rename the file");
    }
    Append(bytes, kind, *file);
  }
  return bytes;
}

Result<PolicyBundle> ParseBundle(std::string_view bytes) {
  if (!bytes.starts_with(kHead)) return Damaged();
  bytes.remove_prefix(kHead.size());
  PolicyBundle bundle;
  while (!bytes.empty()) {
    std::optional<Section> section = TakeSection(bytes);
    if (!section) return Damaged();
    if (section->kind == "policy" && !bundle.entities && !bundle.schema) {
      bundle.policies.push_back(std::move(section->file));
    } else if (section->kind == "entities" && !bundle.entities && !bundle.schema) {
      bundle.entities = std::move(section->file);
    } else if (section->kind == "schema" && !bundle.schema) {
      bundle.schema = std::move(section->file);
    } else {
      return Damaged();
    }
  }
  return bundle;
}

std::string BundleDigest(std::string_view bytes) {
  base::Sha256 digest;
  digest.Update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  return base::HexText(digest.Finish());
}

}  // namespace palyra::engine
