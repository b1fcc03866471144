/**
 * Hash and signature of the chain, with Node's own SHA-256 and HMAC.
 */
import { createHmac, hash } from 'node:crypto'
import type { Seal } from '../chain.ts'

export function createSeal(key: string): Seal {
  return {
    hash: (text) => hash('sha256', text),
    sign: (text) => createHmac('sha256', key).update(text).digest('hex'),
  }
}
