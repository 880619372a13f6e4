#include "tests/unit/engine/seccomp_interpreter.h"

#include <linux/bpf_common.h>

#include <array>
#include <cstring>
#include <stdexcept>

namespace palyra::engine {
namespace {

// Only the arithmetic that compilers of filters emit.
uint32_t Arithmetic(uint32_t left, uint16_t operation, uint32_t right) {
  switch (operation) {
    case BPF_ADD:
      return left + right;
    case BPF_SUB:
      return left - right;
    case BPF_AND:
      return left & right;
    case BPF_OR:
      return left | right;
    case BPF_XOR:
      return left ^ right;
    default:
      throw std::runtime_error("unknown arithmetic");
  }
}

bool Compare(uint32_t left, uint16_t operation, uint32_t right) {
  switch (operation) {
    case BPF_JEQ:
      return left == right;
    case BPF_JGT:
      return left > right;
    case BPF_JGE:
      return left >= right;
    case BPF_JSET:
      return (left & right) != 0;
    default:
      throw std::runtime_error("unknown jump");
  }
}

uint32_t Load(const seccomp_data& call, uint32_t offset) {
  if (offset % sizeof(uint32_t) != 0 || offset > sizeof(call) - sizeof(uint32_t)) {
    throw std::runtime_error("load out of bounds");
  }
  uint32_t word = 0;
  std::memcpy(&word, reinterpret_cast<const char*>(&call) + offset, sizeof(word));
  return word;
}

}  // namespace

uint32_t Interpret(std::span<const sock_filter> filter, const seccomp_data& call) {
  uint32_t accumulator = 0;
  uint32_t index = 0;
  std::array<uint32_t, BPF_MEMWORDS> memory = {};
  for (size_t at = 0; at < filter.size(); ++at) {
    const sock_filter& step = filter[at];
    const uint32_t operand = (step.code & BPF_X) != 0 ? index : step.k;
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        accumulator = Load(call, step.k);
        continue;
      case BPF_LD | BPF_MEM:
        accumulator = memory.at(step.k);
        continue;
      case BPF_LDX | BPF_MEM:
        index = memory.at(step.k);
        continue;
      case BPF_ST:
        memory.at(step.k) = accumulator;
        continue;
      case BPF_MISC | BPF_TAX:
        index = accumulator;
        continue;
      case BPF_MISC | BPF_TXA:
        accumulator = index;
        continue;
      case BPF_JMP | BPF_JA:
        at += step.k;
        continue;
      case BPF_RET | BPF_K:
        return step.k;
      case BPF_RET | BPF_A:
        return accumulator;
      default:
        break;
    }
    if (BPF_CLASS(step.code) == BPF_ALU) {
      accumulator = Arithmetic(accumulator, BPF_OP(step.code), operand);
    } else if (BPF_CLASS(step.code) == BPF_JMP) {
      at += Compare(accumulator, BPF_OP(step.code), operand) ? step.jt : step.jf;
    } else {
      throw std::runtime_error("unknown instruction");
    }
  }
  throw std::runtime_error("no return before the end");
}

}  // namespace palyra::engine
