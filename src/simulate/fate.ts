/**
 * What becomes of one attempt at one place: the answer with its times, or the fault with its instant. A function of the
 * scenario, the seed, the operation, the place, how often the operation was there before, and when it begins.
 *
 * It does not depend on what was asked elsewhere or in which order. So every policy that is compared (ours, the peers', the
 * oracle's) meets the same luck, and differences between them are theirs (common random numbers; Law and Kelton,
 * "Simulation Modeling and Analysis").
 */
import type { Fault } from '../operation/fault.ts'
import { createSeededRandom } from '../runtime/random.ts'
import type { IncidentFault, Place, Quantiles, Scenario } from './scenario.ts'
import type { WorkItem } from './workload.ts'

export type Fate =
  | { readonly kind: 'answers'; readonly firstContentMs: number; readonly totalMs: number }
  /** `firstContentMs` where something was said before. */
  | { readonly kind: 'fails'; readonly afterMs: number; readonly fault: Fault; readonly firstContentMs: number | null }
  | { readonly kind: 'hangs' }

/** ms at the scale of the matrix: a refusal crosses the network and is not worked on. */
const refusalMs = 20
/** The 99th percentile of the standard normal distribution. */
const z99 = 2.3263478740408408

export const faultOf: Readonly<Record<'throttle' | 'down' | 'break' | 'malformed' | 'expired', Fault>> = Object.freeze({
  throttle: { kind: 'throttled', retryable: true, message: 'Throttled.', upstreamCode: 'ThrottlingException', upstreamStatus: 429 },
  down: { kind: 'network', retryable: true, message: 'No connection.' },
  break: { kind: 'network', retryable: true, message: 'The answer broke off.' },
  malformed: { kind: 'protocol', retryable: true, message: 'The answer is not what the protocol says.' },
  expired: { kind: 'auth', retryable: false, message: 'The credentials have expired.', upstreamCode: 'ExpiredTokenException', upstreamStatus: 403 },
})

export class Fates {
  readonly #scenario: Scenario
  readonly #seed: number
  readonly #faultsAt: ReadonlyMap<string, readonly IncidentFault[]>
  readonly #indexOf: ReadonlyMap<string, number>

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario
    this.#seed = seed
    this.#faultsAt = new Map(scenario.places.map(({ id }) => [id, scenario.faults.filter((fault) => fault.places.includes(id))]))
    this.#indexOf = new Map(scenario.places.map(({ id }, index) => [id, index]))
  }

  /** @param turn how many attempts of the operation were there before @param beginsAtMs from the start of the run */
  of(item: WorkItem, place: Place, turn: number, beginsAtMs: number): Fate {
    const random = createSeededRandom(mixed(this.#seed, item.index, this.#indexOf.get(place.id) ?? 0, turn))
    const chance = (): number => random.next()
    let firstContentMs = sample(place.firstTokenMs, chance)
    let totalMs = firstContentMs + sample(place.perTokenMs, chance) * Math.max(0, item.outputTokens - 1)
    let factor = 1
    let ending: IncidentFault | null = null
    let cutAfterMs = Number.POSITIVE_INFINITY
    for (const fault of this.#faultsAt.get(place.id) ?? []) {
      const met = chance() < fault.share
      if (fault.kind === 'down' && beginsAtMs < fault.fromMs) cutAfterMs = Math.min(cutAfterMs, fault.fromMs - beginsAtMs)
      if (!met || beginsAtMs < fault.fromMs || beginsAtMs >= fault.untilMs) continue
      if (fault.kind === 'slow') factor *= fault.factor
      else ending ??= fault
    }
    firstContentMs *= factor
    totalMs *= factor
    const fate = ended(ending, firstContentMs, totalMs, refusalMs / this.#scenario.scale)
    return cut(fate, cutAfterMs)
  }
}

function ended(ending: IncidentFault | null, firstContentMs: number, totalMs: number, refusedAfterMs: number): Fate {
  switch (ending?.kind) {
    case undefined:
    case 'slow':
      return { kind: 'answers', firstContentMs, totalMs }
    case 'hang':
      return { kind: 'hangs' }
    case 'break':
      return { kind: 'fails', afterMs: (firstContentMs + totalMs) / 2, fault: faultOf.break, firstContentMs }
    case 'malformed':
      return { kind: 'fails', afterMs: firstContentMs, fault: faultOf.malformed, firstContentMs: null }
    case 'throttle':
    case 'down':
    case 'expired':
      return { kind: 'fails', afterMs: refusedAfterMs, fault: faultOf[ending.kind], firstContentMs: null }
  }
}

/** A place that goes down takes with it what runs there. */
function cut(fate: Fate, afterMs: number): Fate {
  if (!Number.isFinite(afterMs)) return fate
  const endsAfterMs = fate.kind === 'answers' ? fate.totalMs : fate.kind === 'fails' ? fate.afterMs : Number.POSITIVE_INFINITY
  if (endsAfterMs <= afterMs) return fate
  const spoke = fate.kind !== 'hangs' && fate.firstContentMs !== null && fate.firstContentMs < afterMs
  return { kind: 'fails', afterMs, fault: faultOf.down, firstContentMs: spoke ? fate.firstContentMs : null }
}

function sample(quantiles: Quantiles, chance: () => number): number {
  const firstChance = 1 - chance()
  const secondChance = chance()
  const normal = Math.sqrt(-2 * Math.log(firstChance)) * Math.cos(2 * Math.PI * secondChance)
  return quantiles.p50 * Math.exp((Math.log(quantiles.p99 / quantiles.p50) / z99) * normal)
}

/** One number of four, spread well enough to seed a generator (the finaliser of MurmurHash3, Austin Appleby, public domain). */
function mixed(...parts: readonly number[]): number {
  let hash = 0x9747b28c
  for (const part of parts) {
    hash = Math.imul(hash ^ part, 0x85ebca6b)
    hash ^= hash >>> 13
    hash = Math.imul(hash, 0xc2b2ae35)
    hash ^= hash >>> 16
  }
  return hash
}
