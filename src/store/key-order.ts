/**
 * Keys: what is one, and their order. The order is that of their UTF-8 bytes, as SQLite's binary collation and Redis's
 * lexicographic ranges have it. JavaScript compares UTF-16 units, which differs above U+FFFF: a surrogate pair (D800 to
 * DFFF) is a greater character than E000 to FFFF. Moving those two ranges past each other makes the orders equal.
 */
import { storeLimits } from './limits.ts'
import { StoreError } from './store-error.ts'

export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index += 1) {
    const unitA = a.charCodeAt(index)
    const unitB = b.charCodeAt(index)
    if (unitA !== unitB) return byteOrderRank(unitA) - byteOrderRank(unitB)
  }
  return a.length - b.length
}

function byteOrderRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** Throws `invalid` for a name that some engine could not keep or would keep as another one. */
export function assertKey(name: 'collection' | 'key' | 'id', key: string): void {
  if (key.length === 0) throw new StoreError('invalid', `${name}: the empty text is not a ${name}.`)
  if (!key.isWellFormed() || key.includes('\0')) {
    throw new StoreError('invalid', `${name}: unpaired surrogates and the null character are not allowed.`)
  }
  // No character takes more than three bytes per UTF-16 unit: short keys, which are nearly all, need no count.
  if (key.length * 3 > storeLimits.keyBytes && utf8Bytes(key) > storeLimits.keyBytes) {
    throw new StoreError('invalid', `${name}: longer than ${storeLimits.keyBytes} bytes.`)
  }
}

/** The length of well-formed text in UTF-8, without making it. */
export function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    // A pair is four bytes in two units: each half counts one more than its unit.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return bytes
}

/** The least text that is greater than every text with this prefix; undefined when there is none. */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    // The code points of surrogates are no characters.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}
