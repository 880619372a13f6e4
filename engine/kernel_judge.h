// Asks the kernel's own code what it decides, without a run: bpf/judge.bpf.c on maps of its own.

#ifndef PALYRA_ENGINE_KERNEL_JUDGE_H_
#define PALYRA_ENGINE_KERNEL_JUDGE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.h"
#include "bpf/abi.h"
#include "engine/automaton_image.h"
#include "engine/table_image.h"

namespace palyra::engine {

// Nothing is pinned or attached: all of it goes with the object. Not thread-safe.
class KernelJudge {
 public:
  // Needs CAP_BPF and CAP_NET_ADMIN.
  static Result<KernelJudge> Load();

  KernelJudge(KernelJudge&& other) noexcept;
  KernelJudge& operator=(KernelJudge&& other) noexcept;
  ~KernelJudge();

  // Gives the kernel one more automaton; returns by what to ask for it. kExhausted where there is
  // no room beside the others.
  Result<uint32_t> Add(const AutomatonImage& image);
  // Takes all automata away.
  void Clear();

  struct TextAnswer {
    palyra_judged judged;
    uint32_t text_class;  // These two mean something where judged is PALYRA_JUDGED.
    uint32_t state;       // For AutomatonImage::StateAt().
  };
  Result<TextAnswer> AskText(uint32_t automaton, std::string_view text);

  // What the profile decides of that name; `question` without its answers, length and text.
  Result<palyra_judgement> AskName(const palyra_judgement& question, std::string_view name);

  // Gives the kernel the entries of rules, with the automata at the places that Add() gave; once.
  Result<void> Upload(const TableImage& image);
  // `question` without its answers.
  Result<palyra_net_judgement> AskNet(const palyra_net_judgement& question);

  // How long the kernel takes for such an answer, the mean of `repeat` times.
  Result<std::chrono::nanoseconds> TimeText(uint32_t automaton, std::string_view text,
                                            uint32_t repeat);

  // The memory that the programs walk.
  [[nodiscard]] std::span<palyra_entry> arena() const;

 private:
  struct State;
  explicit KernelJudge(std::unique_ptr<State> state);

  void SetQuestion(uint32_t automaton, std::string_view text);

  std::unique_ptr<State> state_;
};

}  // namespace palyra::engine

#endif  // PALYRA_ENGINE_KERNEL_JUDGE_H_
