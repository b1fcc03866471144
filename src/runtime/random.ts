/**
 * Chance, handed in, so that a run can be repeated from its seed. Not for secrets: those come from `node:crypto`.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
}

export function createSystemRandom(): Random {
  return { next: () => Math.random() }
}

/**
 * A small deterministic generator: SplitMix32 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
 * 2014, in its 32-bit form). Good enough for faults, jitter and simulation; the same seed gives the same sequence everywhere.
 */
export function createSeededRandom(seed: number): Random {
  let state = seed | 0
  return {
    next() {
      state = (state + 0x9e3779b9) | 0
      let mixed = state ^ (state >>> 16)
      mixed = Math.imul(mixed, 0x21f0aaad)
      mixed ^= mixed >>> 15
      mixed = Math.imul(mixed, 0x735a2d97)
      mixed ^= mixed >>> 15
      return (mixed >>> 0) / 4_294_967_296
    },
  }
}
