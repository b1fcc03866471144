/**
 * A path whose targets or servers are places of a scenario, on a clock that is handed in: the simulator's stand-in for
 * sockets. It keeps the promises of the port, counts the slots of each place, and lets wait or refuses what is too much.
 *
 * Which work item an operation is, it asks `liveOf`; what becomes of an attempt is decided in `fate.ts`.
 */
import type { Answer, ConverseStreamEvent } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'
import type { Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptListener, AttemptRequest, AttemptSpend, Path, RunningAttempt } from '../operation/path.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import { faultOf, type Fates } from './fate.ts'
import { placesOf, type Place, type Scenario } from './scenario.ts'
import type { WorkItem } from './workload.ts'

export interface SimulatedWorld {
  readonly scenario: Scenario
  readonly fates: Fates
  readonly clock: Clock
  liveOf(operation: Operation): LiveItem
}

/** An operation that runs, and how often it was at each place. */
export interface LiveItem {
  readonly item: WorkItem
  readonly turns: Map<string, number>
}

export interface SimulatedPath extends Path {
  /** Whether the place would refuse an attempt now, because its slots are taken. */
  isFull(target: string): boolean
}

export function createSimulatedPath(route: Route, world: SimulatedWorld): SimulatedPath {
  const floors = new Map(placesOf(world.scenario, route).map((place) => [place.id, new Floor(place, world)]))
  return {
    route,
    start(request, listener) {
      const floor = floors.get(request.target)
      if (floor === undefined) throw new Error(`The scenario has no place ${request.target}`)
      return floor.take(request, listener)
    },
    isFull: (target) => floors.get(target)?.isFull() ?? true,
  }
}

/** Where the attempts of one place run. */
class Floor {
  readonly place: Place
  readonly world: SimulatedWorld
  readonly #line = new Set<PlacedAttempt>()
  #busy = 0

  constructor(place: Place, world: SimulatedWorld) {
    this.place = place
    this.world = world
  }

  take(request: AttemptRequest, listener: AttemptListener): RunningAttempt {
    const { item, turns } = this.world.liveOf(request.operation)
    const turn = turns.get(this.place.id) ?? 0
    turns.set(this.place.id, turn + 1)
    const attempt = new PlacedAttempt(this, request, listener, item, turn)
    listener.onSent()
    if (attempt.over) return attempt
    const { slots, above } = this.place
    if (slots === null || this.#busy < slots) this.#begin(attempt)
    else if (above === 'queue') this.#line.add(attempt)
    else attempt.refuse(faultOf.throttle)
    return attempt
  }

  isFull(): boolean {
    const { slots, above } = this.place
    return slots !== null && above === 'throttle' && this.#busy >= slots
  }

  left(attempt: PlacedAttempt): void {
    if (!attempt.begun) {
      this.#line.delete(attempt)
      return
    }
    this.#busy -= 1
    const [next] = this.#line
    if (next === undefined) return
    this.#line.delete(next)
    this.#begin(next)
  }

  #begin(attempt: PlacedAttempt): void {
    this.#busy += 1
    attempt.begin()
  }
}

/** ms at the scale of the matrix, as `fate.ts` has it for refusals. */
const refusalMs = 20

class PlacedAttempt implements RunningAttempt {
  readonly #floor: Floor
  readonly #request: AttemptRequest
  readonly #listener: AttemptListener
  readonly #turn: number
  readonly #item: WorkItem
  #cancelNext: CancelSchedule | null = null
  begun = false
  over = false

  constructor(floor: Floor, request: AttemptRequest, listener: AttemptListener, item: WorkItem, turn: number) {
    this.#floor = floor
    this.#request = request
    this.#listener = listener
    this.#turn = turn
    this.#item = item
  }

  begin(): void {
    this.begun = true
    const { fates, clock } = this.#floor.world
    const nowMs = clock.monotonicMs()
    const fate = fates.of(this.#item, this.#floor.place, this.#turn, nowMs)
    if (fate.kind === 'hangs') return
    const endsAtMs = nowMs + (fate.kind === 'answers' ? fate.totalMs : fate.afterMs)
    const end = fate.kind === 'answers' ? (): void => this.#answer() : (): void => this.#fail(fate.fault)
    const { firstContentMs } = fate
    if (!this.#request.streaming || firstContentMs === null) {
      this.#at(endsAtMs, end)
      return
    }
    this.#at(nowMs + firstContentMs, () => {
      // Scheduled before the word is out: hearing it, the router may cancel.
      this.#at(endsAtMs, end)
      this.#listener.onEvent(word)
    })
  }

  refuse(fault: Fault): void {
    const { clock, scenario } = this.#floor.world
    this.#at(clock.monotonicMs() + refusalMs / scenario.scale, () => this.#fail(fault))
  }

  cancel(): void {
    if (this.over) return
    this.#cancelNext?.()
    this.#leave()
    this.#listener.onEnd({ outcome: 'cancelled', spend: spendOf(0) })
  }

  #answer(): void {
    this.#leave()
    const spend = spendOf(this.#item.outputTokens)
    this.#listener.onEnd({ outcome: 'succeeded', answer: answerOf(spend), spend })
  }

  #fail(fault: Fault): void {
    this.#leave()
    this.#listener.onEnd({ outcome: 'failed', fault, spend: spendOf(0) })
  }

  #leave(): void {
    this.over = true
    // What was refused never took a slot.
    this.#floor.left(this)
  }

  #at(instantMs: number, call: () => void): void {
    this.#cancelNext = this.#floor.world.clock.schedule(instantMs, call)
  }
}

const word: ConverseStreamEvent = Object.freeze({ type: 'contentBlockDelta', payload: { contentBlockIndex: 0, delta: { text: 'word' } } })
const message: Answer['message'] = Object.freeze({ role: 'assistant', content: Object.freeze([Object.freeze({ text: 'word' })]) })

function spendOf(outputTokens: number): AttemptSpend {
  return { modelId: null, usage: { inputTokens: 10, outputTokens, totalTokens: 10 + outputTokens }, estimated: outputTokens === 0 }
}

function answerOf(spend: AttemptSpend): Answer {
  return { message, stopReason: 'end_turn', usage: spend.usage }
}
