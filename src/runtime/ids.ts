/**
 * Identifiers: a prefix that says of what (`op_`, `alrt_`, `cor_`), then 26 characters of Crockford's base 32 that hold 48
 * bits of wall time and 80 random bits. They sort by creation, so that a store can page through them by key, and cannot
 * be guessed.
 */
import { randomFillSync } from 'node:crypto'
import type { Clock } from './clock.ts'

export type IdPrefix = 'op' | 'cor' | 'alrt' | 'msg' | 'aud' | 'ntf' | 'log'

export interface Ids {
  next(prefix: IdPrefix): string
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
/** Random characters are drawn in blocks: one call to the kernel serves a few hundred ids, and each id is a slice. */
const blockBytes = 4_096
const charactersPerId = 16

export function createIds(clock: Clock): Ids {
  const block = Buffer.alloc(blockBytes)
  let used = blockBytes
  let lastMs = -1
  let timePart = ''

  return {
    next(prefix) {
      const nowMs = Math.floor(clock.nowMs())
      if (nowMs !== lastMs) {
        lastMs = nowMs
        timePart = encodeTime(nowMs)
      }
      if (used + charactersPerId > blockBytes) {
        fillWithCharacters(block)
        used = 0
      }
      const random = block.toString('latin1', used, used + charactersPerId)
      used += charactersPerId
      return `${prefix}_${timePart}${random}`
    },
  }
}

/** Deterministic ids for tests and the simulator: the prefix and a counter of fixed width. */
export function createCountingIds(): Ids {
  let count = 0
  return {
    next(prefix) {
      count += 1
      return `${prefix}_${String(count).padStart(26, '0')}`
    },
  }
}

/** 32 characters, 256 values of a byte: each is as likely as the others. */
function fillWithCharacters(block: Uint8Array): void {
  randomFillSync(block)
  for (let index = 0; index < block.length; index += 1) block[index] = alphabet.charCodeAt((block[index] ?? 0) & 31)
}

function encodeTime(nowMs: number): string {
  let rest = nowMs
  let text = ''
  for (let index = 0; index < 10; index += 1) {
    text = `${alphabet[rest % 32]}${text}`
    rest = Math.floor(rest / 32)
  }
  return text
}
