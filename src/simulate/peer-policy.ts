/**
 * What a gateway with retries and fallbacks does, as a runner of its own on the same two paths, so that drills and simulations
 * can say how much planning is worth. The policy, not somebody's program: primary with the hard timeout, two retries with
 * backoff on another target, then the fallback route; a target rests for five seconds after three failures in a row, unless
 * all rest. It hedges nothing, rescues nothing, limits nothing and knows no priority.
 *
 * A stream that breaks after its first words has delivered them: such gateways cannot take text back, and the operation fails.
 * Operations end at the hard timeout, as ours do.
 */
import type { Fault } from '../operation/fault.ts'
import { failsEverywhere } from '../operation/fault.ts'
import type { Matrix, Route } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptEnd, Path, RunningAttempt } from '../operation/path.ts'
import { isContent } from '../operation/converse.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'

export interface PeerParts {
  readonly paths: Readonly<Record<Route, Path>>
  readonly targets: Readonly<Record<Route, readonly string[]>>
  readonly matrix: Matrix
  readonly clock: Clock
  readonly random: Random
  /** By which rest and backoff are divided: the requirements are. */
  readonly scale: number
}

export interface PeerEnd {
  readonly answered: boolean
  /** To first content for a stream, else to the end. */
  readonly latencyMs: number
  readonly attempts: number
  /** How long the attempt that answered took; 0 without one. */
  readonly servedMs: number
  readonly text: string
}

export interface PeerRunner {
  run(operation: Operation, onEnd: (end: PeerEnd) => void): void
}

const retries = 2
const failuresBeforeRest = 3
const restMs = 5_000
/** The first backoff, doubled with each, with full jitter: the defaults of such clients. */
const backoffMs = 500

interface TargetMemory {
  failures: number
  restsUntilMs: number
}

export function createPeerRunner(parts: PeerParts): PeerRunner {
  const memories = new Map<string, TargetMemory>()
  const memoryOf = (route: Route, target: string): TargetMemory => {
    const key = `${route} ${target}`
    const known = memories.get(key)
    if (known !== undefined) return known
    const fresh = { failures: 0, restsUntilMs: Number.NEGATIVE_INFINITY }
    memories.set(key, fresh)
    return fresh
  }
  return {
    run: (operation, onEnd) => new PeerOperation(parts, memoryOf, operation, onEnd).begin(),
  }
}

class PeerOperation {
  readonly #parts: PeerParts
  readonly #memoryOf: (route: Route, target: string) => TargetMemory
  readonly #operation: Operation
  readonly #onEnd: (end: PeerEnd) => void
  readonly #deadlineMs: number
  #route: Route
  #last: string | null = null
  #attempts = 0
  #startedAtMs = 0
  #onRoute = 0
  #firstContentMs: number | null = null
  #text = ''
  #running: RunningAttempt | null = null
  #cancelTimer: CancelSchedule | null = null
  #cancelBackoff: CancelSchedule | null = null
  #over = false

  constructor(parts: PeerParts, memoryOf: (route: Route, target: string) => TargetMemory, operation: Operation, onEnd: (end: PeerEnd) => void) {
    this.#parts = parts
    this.#memoryOf = memoryOf
    this.#operation = operation
    this.#onEnd = onEnd
    this.#deadlineMs = operation.arrivedAtMs + operation.hardTimeoutMs
    this.#route = parts.matrix[operation.type].route
  }

  begin(): void {
    this.#cancelTimer = this.#parts.clock.schedule(this.#deadlineMs, () => this.#onDeadline())
    this.#attempt()
  }

  #attempt(): void {
    const { paths } = this.#parts
    const target = this.#choose()
    this.#last = target
    this.#attempts += 1
    this.#startedAtMs = this.#parts.clock.monotonicMs()
    this.#onRoute += 1
    const streaming = this.#operation.mode === 'stream'
    const number = this.#attempts
    let ended = false
    const handle = paths[this.#route].start(
      { operation: this.#operation, number, target, streaming, deadlineMs: this.#deadlineMs },
      {
        onSent: () => undefined,
        onEvent: (event) => {
          if (this.#over || !isContent(event)) return
          this.#firstContentMs ??= this.#sinceArrivalMs()
          if (event.type === 'contentBlockDelta') this.#text += event.payload.delta.text ?? ''
          // From its first words on a stream has time.
          this.#cancelTimer?.()
        },
        onEnd: (end) => {
          ended = true
          this.#ended(target, end)
        },
      },
    )
    this.#running = ended ? null : handle
  }

  /** Another target than the last where there is one, and one that does not rest. */
  #choose(): string {
    const nowMs = this.#parts.clock.monotonicMs()
    const targets = this.#parts.targets[this.#route]
    const awake = targets.filter((target) => this.#memoryOf(this.#route, target).restsUntilMs <= nowMs)
    const able = awake.length > 0 ? awake : targets
    return able.find((target) => target !== this.#last) ?? able[0] ?? ''
  }

  #ended(target: string, end: AttemptEnd): void {
    this.#running = null
    const memory = this.#memoryOf(this.#route, target)
    if (end.outcome === 'succeeded') {
      memory.failures = 0
      if (this.#firstContentMs === null) for (const block of end.answer.message.content) this.#text += block.text ?? ''
      this.#finish(true)
      return
    }
    if (this.#over || end.outcome === 'cancelled') return
    memory.failures += 1
    if (memory.failures >= failuresBeforeRest) {
      memory.failures = 0
      memory.restsUntilMs = this.#parts.clock.monotonicMs() + restMs / this.#parts.scale
    }
    this.#afterFailure(end.fault)
  }

  #afterFailure(fault: Fault): void {
    if (this.#firstContentMs !== null || failsEverywhere(fault)) {
      this.#finish(false)
      return
    }
    if (this.#onRoute <= retries && fault.retryable) {
      const { clock, random, scale } = this.#parts
      const longestMs = (backoffMs / scale) * 2 ** (this.#onRoute - 1)
      this.#cancelBackoff = clock.schedule(clock.monotonicMs() + random.next() * longestMs, () => this.#attempt())
      return
    }
    const { route, fallback } = this.#parts.matrix[this.#operation.type]
    if (fallback === 'none' || this.#route !== route) {
      this.#finish(false)
      return
    }
    this.#route = fallback
    this.#onRoute = 0
    this.#last = null
    this.#attempt()
  }

  #onDeadline(): void {
    // What was cut by the timeout counts against its target.
    if (this.#running !== null && this.#last !== null) this.#memoryOf(this.#route, this.#last).failures += 1
    const running = this.#running
    this.#finish(false)
    running?.cancel()
  }

  #finish(answered: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#cancelTimer?.()
    this.#cancelBackoff?.()
    const latencyMs = answered ? (this.#firstContentMs ?? this.#sinceArrivalMs()) : this.#sinceArrivalMs()
    this.#onEnd({ answered, latencyMs, attempts: this.#attempts, servedMs: answered ? this.#parts.clock.monotonicMs() - this.#startedAtMs : 0, text: this.#text })
  }

  #sinceArrivalMs(): number {
    return this.#parts.clock.monotonicMs() - this.#operation.arrivedAtMs
  }
}
