/**
 * Where a scenario is played: a virtual clock, the operations that run on it, their arrivals, and the luck of their attempts.
 * Whoever plays on it says what becomes of an operation.
 *
 * Operations come in one after the other while the clock runs, so that a million of them need the memory of those in flight.
 */
import type { ConverseRequest } from '../operation/converse.ts'
import type { Matrix } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { plainOperation } from '../operation/plain-operation.ts'
import type { OperationObserver } from '../operation/runner.ts'
import type { RouteTopology } from '../routing/conditions.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { Fates } from './fate.ts'
import { servedBefore } from './figures.ts'
import { placesOf, type Scenario } from './scenario.ts'
import type { LiveItem, SimulatedWorld } from './simulated-path.ts'
import type { WorkItem } from './workload.ts'

const request: ConverseRequest = Object.freeze({ messages: Object.freeze([Object.freeze({ role: 'user' as const, content: Object.freeze([Object.freeze({ text: 'What is wrong?' })]) })]) })
/** ms at the scale of the matrix. */
const streamMaxMs = 600_000

export type Play = (operation: Operation, item: WorkItem, done: () => void) => void

/** The virtual clock, the operations that run on it, and their arrivals. */
export class Stage implements SimulatedWorld {
  readonly scenario: Scenario
  readonly fates: Fates
  readonly clock: VirtualClock = createVirtualClock()
  readonly #matrix: Matrix
  readonly #live = new Map<string, LiveItem>()

  constructor(scenario: Scenario, seed: number, matrix: Matrix) {
    this.scenario = scenario
    this.#matrix = matrix
    this.fates = new Fates(scenario, seed)
  }

  get running(): number {
    return this.#live.size
  }

  liveOf(operation: Operation): LiveItem {
    const live = this.#live.get(operation.id)
    if (live === undefined) throw new Error(`${operation.id} does not run`)
    return live
  }

  /** Of what has just been served, the part while operations came in. */
  servedInTime(servedMs: number): number {
    return servedBefore(this.scenario.durationMs, this.clock.monotonicMs(), servedMs)
  }

  /** Until nothing is scheduled any more. */
  play(work: Iterable<WorkItem>, run: Play): void {
    this.begin(work, run)
    while (this.clock.next());
  }

  /** Operations come in while whoever holds the clock lets time pass. */
  begin(work: Iterable<WorkItem>, run: Play): void {
    const { clock } = this
    const items = work[Symbol.iterator]()
    const arrive = (item: WorkItem): void => {
      const operation = this.#operationOf(item)
      this.#live.set(operation.id, { item, turns: new Map() })
      run(operation, item, () => this.#live.delete(operation.id))
      comeNext()
    }
    const comeNext = (): void => {
      const next = items.next()
      if (next.done !== true) clock.schedule(next.value.atMs, () => arrive(next.value))
    }
    comeNext()
  }

  #operationOf(item: WorkItem): Operation {
    return plainOperation(item.type, this.#matrix[item.type], {
      id: `op_${item.index}`,
      mode: item.mode,
      converse: request,
      arrivedAtMs: this.clock.monotonicMs(),
      createdAtMs: this.clock.nowMs(),
      streamMaxMs: streamMaxMs / this.scenario.scale,
      correlationId: `cor_${item.index}`,
    })
  }
}

export function topologyOf(scenario: Scenario, route: 'direct' | 'mcp'): RouteTopology {
  return { carriesMoreThanText: true, repeatable: true, targets: placesOf(scenario, route).map((place) => place.id) }
}

/** An observer that only waits for the result. */
export const deaf: Omit<OperationObserver, 'onResult'> = { onDecision: () => undefined, onAttempt: () => undefined, onEvent: () => undefined }
