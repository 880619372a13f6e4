'use strict';
// Choices that a seed decides: the same seed gives the same cases everywhere.

class Random {
  constructor(seed) {
    this.state = (seed ^ 0x9e3779b9) >>> 0;
  }

  // Uniform in [0, 2^32). (mulberry32)
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  below(limit) {
    return this.next() % limit;
  }

  between(low, high) {
    return low + this.below(high - low + 1);
  }

  chance(probability) {
    return this.next() < probability * 0x100000000;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  // [[weight, make], …]: the result of one of them.
  weighted(choices) {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of choices) {
      if (at < weight) return make();
      at -= weight;
    }
    throw new Error('unreachable');
  }

  // Each element with this probability.
  some(list, probability) {
    return list.filter(() => this.chance(probability));
  }

  times(count, make) {
    return Array.from({ length: count }, (_, i) => make(i));
  }
}

module.exports = { Random };
