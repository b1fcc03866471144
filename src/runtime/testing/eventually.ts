/**
 * Waiting for what real processes, sockets and servers do: until a look says so, under a limit. Where the clock is virtual,
 * nothing waits; it is moved.
 */

/** ms between looks. */
const lookMs = 5

export interface Eventually<Seen> {
  /** By the last look. */
  readonly seen: Seen
  readonly tookMs: number
}

/** Resolves when a look says so; the last look is in the message when it takes too long. */
export async function eventually<Seen>(look: () => Seen | Promise<Seen>, isSo: (seen: Seen) => boolean, withinMs: number): Promise<Eventually<Seen>> {
  const startMs = performance.now()
  for (;;) {
    const seen = await look()
    const tookMs = performance.now() - startMs
    if (isSo(seen)) return { seen, tookMs }
    if (tookMs > withinMs) throw new Error(`not within ${withinMs} ms; last seen: ${JSON.stringify(seen)}`)
    await new Promise((again) => setTimeout(again, lookMs))
  }
}

/** Resolves when the condition holds, with the ms that it took. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 8_000): Promise<number> {
  const { tookMs } = await eventually(condition, (holds) => holds, withinMs)
  return tookMs
}
