/**
 * When a lost server is tried again: exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS
 * Architecture Blog, 2015), so that many routers do not meet at a server that has just come back. The first attempt after a
 * connection that had lived long enough is made at once: a restarted server is the usual case.
 */
import { mcpLimits } from './limits.ts'

/**
 * @param failures connections in a row that failed or did not live long; 0 for the first loss.
 * @param chance uniform in [0, 1).
 */
export function reconnectDelayMs(failures: number, chance: number): number {
  if (failures === 0) return 0
  const ceilingMs = Math.min(mcpLimits.reconnectCapMs, mcpLimits.reconnectBaseMs * 2 ** Math.min(failures - 1, 30))
  return chance * ceilingMs
}

/** What the era of a server was when it was asked; believed until it expires. */
export interface EraVerdict<Discover> {
  readonly era: { readonly kind: 'legacy' } | { readonly kind: 'modern'; readonly discover: Discover }
  readonly atMs: number
}

export function believed<Discover>(verdict: EraVerdict<Discover> | null, nowMs: number, expiryMs: number): EraVerdict<Discover>['era'] | null {
  return verdict !== null && nowMs - verdict.atMs < expiryMs ? verdict.era : null
}
