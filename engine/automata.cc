#include "engine/automata.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

namespace palyra::engine {
namespace {

// A part of the memory that is taken.
struct Extent {
  uint32_t first;
  uint32_t count;
};

// Sorted; extents that are shared are there more than once. An error where not all could be read:
// what is overlooked would be given away twice.
Result<std::vector<Extent>> TakenExtents(const KernelObjects& objects) {
  constexpr size_t kAtOnce = 512;
  std::vector<Extent> taken;
  std::vector<palyra_name_rules_key> keys(kAtOnce);
  std::vector<palyra_name_rules> rules(kAtOnce);
  uint32_t position = 0;
  void* from = nullptr;
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  while (true) {
    __u32 count = kAtOnce;
    const int status = bpf_map_lookup_batch(objects.fd(Table::kNameRules), from, &position,
                                            keys.data(), rules.data(), &count, &options);
    if (status != 0 && errno != ENOENT) {
      return FailErrno(errno, "cannot read the kernel table \"name_rules\"");
    }
    for (size_t i = 0; i < count; ++i) {
      taken.push_back({.first = rules[i].automaton, .count = rules[i].entry_count});
    }
    if (status != 0) break;
    from = &position;
  }
  std::ranges::sort(taken, {}, &Extent::first);
  return taken;
}

// No automaton has place 0.
std::optional<uint32_t> FindGap(const std::vector<Extent>& taken, uint32_t count) {
  uint32_t at = 1;
  for (const Extent& extent : taken) {
    if (extent.first >= at && extent.first - at >= count) return at;
    at = std::max(at, extent.first + extent.count);
  }
  if (at > PALYRA_AUTOMATA_ENTRIES || PALYRA_AUTOMATA_ENTRIES - at < count) return std::nullopt;
  return at;
}

Result<void> WriteRules(const KernelObjects& objects, const palyra_name_rules_key& key,
                        const palyra_name_rules& rules) {
  if (bpf_map_update_elem(objects.fd(Table::kNameRules), &key, &rules, BPF_NOEXIST) == 0) return {};
  const int failure = errno;
  if (failure == E2BIG) {
    return Fail(ErrorCode::kExhausted,
                "the kernel table \"name_rules\" is full: other runs hold many policies; end one");
  }
  return FailErrno(failure, "cannot write the kernel table \"name_rules\"");
}

// The earlier one with an equal automaton.
const NameRulesImage* EqualBefore(const std::vector<NameRulesImage>& rules, size_t index) {
  for (size_t i = 0; i < index; ++i) {
    if (rules[i].automaton == rules[index].automaton) return &rules[i];
  }
  return nullptr;
}

// The place of each automaton, equal ones in the same: nobody else has it from then on.
Result<std::vector<uint32_t>> TakePlaces(const KernelObjects& objects,
                                         const std::vector<NameRulesImage>& images) {
  const Result<UniqueFd> lock = objects.LockAutomata();
  if (!lock) return std::unexpected(lock.error());
  Result<std::vector<Extent>> taken = TakenExtents(objects);
  if (!taken) return std::unexpected(taken.error());
  std::vector<uint32_t> places;
  for (size_t i = 0; i < images.size(); ++i) {
    const NameRulesImage* equal = EqualBefore(images, i);
    palyra_name_rules rules = images[i].rules;
    const std::optional<uint32_t> place = equal == nullptr
                                              ? FindGap(*taken, rules.entry_count)
                                              : places[static_cast<size_t>(equal - images.data())];
    if (!place) {
      return Fail(ErrorCode::kExhausted,
                  "no room for " + std::to_string(rules.entry_count) +
                      " more entries of automata: other runs hold large policies; end one, or use "
                      "fewer patterns with \"*\"");
    }
    rules.automaton = *place;
    Result<void> written = WriteRules(objects, images[i].key, rules);
    if (!written) return std::unexpected(written.error());
    places.push_back(*place);
    taken->push_back({.first = *place, .count = rules.entry_count});
    std::ranges::sort(*taken, {}, &Extent::first);
  }
  return places;
}

}  // namespace

Result<AutomataMemory> AutomataMemory::Map(const KernelObjects& objects) {
  void* memory = mmap(nullptr, sizeof(palyra_arena), PROT_READ | PROT_WRITE, MAP_SHARED,
                      objects.fd(Table::kAutomata), 0);
  if (memory == MAP_FAILED) return FailErrno(errno, "cannot map the kernel table \"automata\"");
  return AutomataMemory(static_cast<palyra_arena*>(memory));
}

AutomataMemory::AutomataMemory(AutomataMemory&& other) noexcept
    : arena_(std::exchange(other.arena_, nullptr)) {}

AutomataMemory::~AutomataMemory() {
  if (arena_ != nullptr) munmap(arena_, sizeof(palyra_arena));
}

Result<void> UploadNameRules(const KernelObjects& objects,
                             const std::vector<NameRulesImage>& rules) {
  if (rules.empty()) return {};
  Result<AutomataMemory> memory = AutomataMemory::Map(objects);
  if (!memory) return std::unexpected(memory.error());
  Result<std::vector<uint32_t>> places = TakePlaces(objects, rules);
  if (!places) return std::unexpected(places.error());
  for (size_t i = 0; i < rules.size(); ++i) {
    if (EqualBefore(rules, i) != nullptr) continue;
    rules[i].automaton->WriteTo(memory->entries(), (*places)[i]);
  }
  return {};
}

uint32_t AutomataEntries(const std::vector<NameRulesImage>& rules) {
  uint32_t entries = 0;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (EqualBefore(rules, i) == nullptr) entries += rules[i].rules.entry_count;
  }
  return entries;
}

Result<std::vector<NameRulesImage>> ReadNameRules(const KernelObjects& objects, uint32_t profile) {
  Result<AutomataMemory> memory = AutomataMemory::Map(objects);
  if (!memory) return std::unexpected(memory.error());
  std::vector<NameRulesImage> images;
  for (uint8_t action = 0; action < PALYRA_NAME_ACTIONS; ++action) {
    NameRulesImage image = {};
    image.key.profile = profile;
    image.key.action = static_cast<palyra_name_action>(action);
    if (bpf_map_lookup_elem(objects.fd(Table::kNameRules), &image.key, &image.rules) != 0) continue;
    Result<AutomatonImage> automaton =
        AutomatonImage::ReadFrom(memory->entries(), image.rules.automaton, image.rules.entry_count);
    if (automaton) image.automaton = *std::move(automaton);
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace palyra::engine
