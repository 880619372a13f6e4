#include "engine/kernel_judge.h"

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "bpf/judge.skel.h"
#include "engine/libbpf_log.h"

namespace palyra::engine {
namespace {

// The least that TEST_RUN takes for a packet; the program does not look at it.
constexpr size_t kPacketBytes = 64;

// What the value of a map of one shares with this process.
template <typename Value>
class Shared {
 public:
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    if (value_ != nullptr) munmap(value_, sizeof(Value));
  }

  Result<void> Map(int map_fd, const char* name) {
    void* memory = mmap(nullptr, sizeof(Value), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
    if (memory == MAP_FAILED) {
      return FailErrno(errno, std::string("cannot map the kernel table \"") + name + '"');
    }
    value_ = static_cast<Value*>(memory);
    return {};
  }

  Value* operator->() const { return value_; }

 private:
  Value* value_ = nullptr;
};

template <typename Key, typename Value>
Result<void> UploadTo(int map_fd, const Entries<Key, Value>& entries, const char* name) {
  if (entries.keys.empty()) return {};
  LIBBPF_OPTS(bpf_map_batch_opts, options);
  auto count = static_cast<__u32>(entries.keys.size());
  if (bpf_map_update_batch(map_fd, entries.keys.data(), entries.values.data(), &count, &options) ==
      0) {
    return {};
  }
  return FailErrno(errno, std::string("cannot write the kernel table \"") + name + '"');
}

}  // namespace

struct KernelJudge::State {
  std::unique_ptr<judge_bpf, void (*)(judge_bpf*)> skeleton{judge_bpf__open(), judge_bpf__destroy};
  Shared<palyra_arena> arena;
  Shared<palyra_judgement> judgement;
  Shared<palyra_net_judgement> net_judgement;
  uint32_t next_place = 1;

  // Lets the kernel answer what lies in `judgement`; the mean time of `repeat` answers.
  [[nodiscard]] Result<std::chrono::nanoseconds> Run(uint32_t repeat) const {
    return Run(*skeleton->progs.palyra_judge_text, judgement->judged, repeat);
  }

  // The same of another program, which leaves its mark in `judged`.
  static Result<std::chrono::nanoseconds> Run(const bpf_program& program, palyra_judged& judged,
                                              uint32_t repeat) {
    std::array<char, kPacketBytes> packet = {};
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = packet.size();
    options.repeat = static_cast<int>(repeat);
    judged = PALYRA_JUDGED_NOTHING;
    const int failure = bpf_prog_test_run_opts(bpf_program__fd(&program), &options);
    if (failure != 0) return FailErrno(-failure, "cannot run the judging program");
    if (judged == PALYRA_JUDGED_NOTHING) {
      return Fail(ErrorCode::kInternal, "the judging program gives no answer");
    }
    return std::chrono::nanoseconds(options.duration);
  }
};

KernelJudge::KernelJudge(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelJudge::KernelJudge(KernelJudge&& other) noexcept = default;
KernelJudge& KernelJudge::operator=(KernelJudge&& other) noexcept = default;
KernelJudge::~KernelJudge() = default;

Result<KernelJudge> KernelJudge::Load() {
  const LibbpfLog log;
  auto state = std::make_unique<State>();
  if (state->skeleton == nullptr) return LoadFailure(errno, "to open the judging program");
  if (const int failure = judge_bpf__load(state->skeleton.get()); failure != 0) {
    return LoadFailure(-failure, "to load the judging program");
  }
  const auto& maps = state->skeleton->maps;
  Result<void> mapped = state->arena.Map(bpf_map__fd(maps.automata), "automata");
  if (mapped) mapped = state->judgement.Map(bpf_map__fd(maps.judgement), "judgement");
  if (mapped) {
    mapped = state->net_judgement.Map(bpf_map__fd(maps.net_judgement), "net_judgement");
  }
  if (!mapped) return std::unexpected(mapped.error());
  return KernelJudge(std::move(state));
}

Result<uint32_t> KernelJudge::Add(const AutomatonImage& image) {
  if (image.entry_count() > PALYRA_AUTOMATA_ENTRIES - state_->next_place) {
    return Fail(ErrorCode::kExhausted, "the automata have no room beside one another");
  }
  const uint32_t place = state_->next_place;
  image.WriteTo(arena(), place);
  state_->next_place += static_cast<uint32_t>(image.entry_count());
  return place;
}

void KernelJudge::Clear() { state_->next_place = 1; }

void KernelJudge::SetQuestion(uint32_t automaton, std::string_view text) {
  palyra_judgement& question = *state_->judgement.operator->();
  question.automaton = automaton;
  question.length = static_cast<uint32_t>(std::min<size_t>(text.size(), UINT32_MAX));
  std::memcpy(question.text.bytes, text.data(), std::min(text.size(), sizeof(question.text.bytes)));
}

Result<KernelJudge::TextAnswer> KernelJudge::AskText(uint32_t automaton, std::string_view text) {
  SetQuestion(automaton, text);
  const Result<std::chrono::nanoseconds> ran = state_->Run(1);
  if (!ran) return std::unexpected(ran.error());
  return TextAnswer{.judged = state_->judgement->judged,
                    .text_class = state_->judgement->text_class,
                    .state = state_->judgement->state};
}

Result<void> KernelJudge::Upload(const TableImage& image) {
  const auto& maps = state_->skeleton->maps;
  Result<void> written = UploadTo(bpf_map__fd(maps.rows), image.rows, "rows");
  if (written) written = UploadTo(bpf_map__fd(maps.hosts4), image.hosts4, "hosts4");
  if (written) written = UploadTo(bpf_map__fd(maps.hosts6), image.hosts6, "hosts6");
  if (written) written = UploadTo(bpf_map__fd(maps.addresses4), image.addresses4, "addresses4");
  if (written) written = UploadTo(bpf_map__fd(maps.addresses6), image.addresses6, "addresses6");
  if (written) {
    written = UploadTo(bpf_map__fd(maps.name_leaves), image.name_leaves, "name_leaves");
  }
  if (written) {
    written = UploadTo(bpf_map__fd(maps.program_digests), image.program_digests, "program_digests");
  }
  Entries<palyra_name_rules_key, palyra_name_rules> names;
  for (const NameRulesImage& rules : image.name_rules) names.Add(rules.key, rules.rules);
  if (written) written = UploadTo(bpf_map__fd(maps.name_rules), names, "name_rules");
  return written;
}

Result<palyra_judgement> KernelJudge::AskName(const palyra_judgement& question,
                                              std::string_view name) {
  palyra_judgement& asked = *state_->judgement.operator->();
  SetQuestion(0, name);
  asked.profile = question.profile;
  asked.action = question.action;
  asked.flag = question.flag;
  asked.has_digest = question.has_digest;
  std::ranges::copy(question.digest, asked.digest);
  const Result<std::chrono::nanoseconds> ran =
      State::Run(*state_->skeleton->progs.palyra_judge_name, asked.judged, 1);
  if (!ran) return std::unexpected(ran.error());
  return asked;
}

Result<palyra_net_judgement> KernelJudge::AskNet(const palyra_net_judgement& question) {
  palyra_net_judgement& asked = *state_->net_judgement.operator->();
  asked = question;
  const Result<std::chrono::nanoseconds> ran =
      State::Run(*state_->skeleton->progs.palyra_judge_net, asked.judged, 1);
  if (!ran) return std::unexpected(ran.error());
  return asked;
}

Result<std::chrono::nanoseconds> KernelJudge::TimeText(uint32_t automaton, std::string_view text,
                                                       uint32_t repeat) {
  SetQuestion(automaton, text);
  return state_->Run(repeat);
}

std::span<palyra_entry> KernelJudge::arena() const { return state_->arena->entries; }

}  // namespace palyra::engine
