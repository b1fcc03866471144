/**
 * The recorder of the Metrics Publisher: reads the event stream into totals since the start and into the slots of the last 24
 * hours, writes the minutes of this instance down, and reads those of the others and of its own earlier lives.
 *
 * It never delays an operation: an event is counted into a small buffer, the store is used in the background, by one write
 * and one read at a time. What could not be written stays marked and is written later; a store that fails or hangs is
 * counted and shown, and the figures of this process go on without it. The bound of what is kept is that of the slots.
 *
 * Several instances on one store: views sum all of them, each with its own records, unless a view asks for this instance.
 * "This instance" is this process: what an earlier life counted is under the name it had then.
 */
import type { SystemEvent } from '../operation/system-event.ts'
import type { CancelSchedule, Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { StateStore } from '../store/state-store.ts'
import { EventCounter } from './event-counter.ts'
import { OtherInstances } from './other-instances.ts'
import { readRollup, rollupCollection, rollupExpiresAtMs, rollupKey, rollupKeyFrom, rollupValue } from './rollup-record.ts'
import { Tally } from './tally.ts'
import { coarseSlotMs, fineSlotMs, keptForMs, TimeSlots } from './time-slots.ts'

export type Scope = 'all' | 'instance'

export interface MetricsRecorderParts {
  readonly clock: Clock
  readonly events: EventStream<SystemEvent>
  readonly store: Pick<StateStore, 'put' | 'list'>
  /** The name of this process among the instances on the store; unique for every start. */
  readonly instance: string
}

export interface RecorderStatus {
  readonly instance: string
  /** Other instances seen lately. */
  readonly others: readonly string[]
  /** Whether what was written before the start has been read. */
  readonly restored: boolean
  readonly storeFailures: number
  /** In a row; 0 when the last one went well. */
  readonly failuresInRow: number
  readonly lastError: string | null
  /** Wall clock. */
  readonly lastWriteAtMs: number | null
  /** Minutes that are not written yet. */
  readonly unwritten: number
  /** Minutes of other instances that there was no room for. */
  readonly leftOut: number
  /** Rounds that were left out because the one before still waited for the store. */
  readonly skippedRounds: number
}

export interface MetricsRecorder {
  /** What happened in the window that ends now. The caller may keep it. */
  window(windowMs: number, scope?: Scope): Tally
  /** What this process counted since its start. */
  totals(): Tally
  status(): RecorderStatus
  /** Writes what is left and ends; resolves also when the store does not answer. */
  stop(): Promise<void>
}

/** ms between two rounds with the store: what a crash may lose, and how far the views of other instances are behind. */
export const roundMs = 10_000
/** ms for which a minute of another instance is read again after its end: twelve rounds, so that a late one is not missed. */
const rereadMs = 120_000
/** Minutes that one round writes at most after an outage: a day is caught up in four minutes, without a burst. */
const minutesPerRound = 60
/** Records of one page: parsing them stays below a few milliseconds. */
const recordsPerPage = 100
/** ms that the end of the process waits for the last write. */
const lastWriteMs = 1_000

export function startMetricsRecorder(parts: MetricsRecorderParts): MetricsRecorder {
  return new Recorder(parts)
}

class Recorder implements MetricsRecorder {
  readonly #parts: MetricsRecorderParts
  readonly #counter = new EventCounter()
  readonly #own = new TimeSlots()
  readonly #others = new OtherInstances()
  readonly #totals = new Tally()
  readonly #unwritten = new Set<number>()
  readonly #unsubscribe: () => void
  #buffer = new Tally()
  #bufferStartMs = 0
  #readFromMs: number
  #restored = false
  #storeFailures = 0
  #failuresInRow = 0
  #lastError: string | null = null
  #lastWriteAtMs: number | null = null
  #skippedRounds = 0
  #round: Promise<void> | null = null
  #cancelTick: CancelSchedule = () => undefined
  #stopped = false

  constructor(parts: MetricsRecorderParts) {
    this.#parts = parts
    this.#readFromMs = parts.clock.nowMs() - keptForMs
    this.#unsubscribe = parts.events.subscribe((event) => this.#record(event))
    this.#beginRound()
    this.#scheduleTick()
  }

  window(windowMs: number, scope: Scope = 'all'): Tally {
    this.#emptyBuffer()
    const nowMs = this.#parts.clock.nowMs()
    const sum = this.#own.window(windowMs, nowMs)
    if (scope === 'all') this.#others.addWindow(sum, windowMs, nowMs)
    return sum
  }

  totals(): Tally {
    this.#emptyBuffer()
    return this.#totals
  }

  status(): RecorderStatus {
    return {
      instance: this.#parts.instance,
      others: this.#others.instances(),
      restored: this.#restored,
      storeFailures: this.#storeFailures,
      failuresInRow: this.#failuresInRow,
      lastError: this.#lastError,
      lastWriteAtMs: this.#lastWriteAtMs,
      unwritten: this.#unwritten.size,
      leftOut: this.#others.leftOut,
      skippedRounds: this.#skippedRounds,
    }
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#cancelTick()
    this.#unsubscribe()
    const { clock } = this.#parts
    let cancelLimit: CancelSchedule = () => undefined
    const limit = new Promise<void>((resolve) => {
      cancelLimit = clock.schedule(clock.monotonicMs() + lastWriteMs, resolve)
    })
    const lastWrite = (this.#round ?? Promise.resolve()).then(() => this.#write()).catch((error: unknown) => this.#failed(error))
    await Promise.race([lastWrite, limit])
    cancelLimit()
  }

  #record(event: SystemEvent): void {
    const elapsedMs = event.atMs - this.#bufferStartMs
    // Also when the wall clock was set back.
    if (elapsedMs >= fineSlotMs || elapsedMs < 0) {
      this.#emptyBuffer()
      this.#bufferStartMs = Math.floor(event.atMs / fineSlotMs) * fineSlotMs
    }
    this.#counter.count(this.#buffer, event)
  }

  #emptyBuffer(): void {
    if (this.#buffer.isEmpty) return
    this.#own.at(this.#bufferStartMs).add(this.#buffer)
    this.#totals.add(this.#buffer)
    this.#unwritten.add(Math.floor(this.#bufferStartMs / coarseSlotMs) * coarseSlotMs)
    this.#buffer = new Tally()
  }

  #scheduleTick(): void {
    const { clock } = this.#parts
    this.#cancelTick = clock.schedule(clock.monotonicMs() + roundMs, () => {
      this.#scheduleTick()
      this.#beginRound()
    })
  }

  #beginRound(): void {
    if (this.#round !== null) {
      this.#skippedRounds += 1
      return
    }
    this.#round = this.#write()
      .then(() => this.#read())
      .then(
        () => {
          this.#failuresInRow = 0
        },
        (error: unknown) => this.#failed(error),
      )
      .finally(() => {
        this.#round = null
      })
  }

  async #write(): Promise<void> {
    this.#emptyBuffer()
    const { clock, store, instance } = this.#parts
    this.#own.forget(clock.nowMs())
    const due = [...this.#unwritten].sort((a, b) => a - b).slice(0, minutesPerRound)
    for (const startMs of due) {
      // Before the write, so that what is counted while it runs marks the minute again.
      this.#unwritten.delete(startMs)
      if (startMs + keptForMs <= clock.nowMs()) continue
      try {
        await store.put(rollupCollection, rollupKey(startMs, instance), rollupValue(this.#own.minute(startMs)), { expiresAtMs: rollupExpiresAtMs(startMs) })
      } catch (error) {
        this.#unwritten.add(startMs)
        throw error
      }
      this.#lastWriteAtMs = clock.nowMs()
    }
  }

  async #read(): Promise<void> {
    const { clock, store, instance } = this.#parts
    const nowMs = clock.nowMs()
    let after = rollupKeyFrom(this.#readFromMs)
    for (;;) {
      const page = await store.list(rollupCollection, { after, limit: recordsPerPage })
      for (const record of page) {
        const rollup = readRollup(record)
        if (rollup !== null && rollup.instance !== instance) this.#others.take(rollup)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < recordsPerPage || this.#stopped) break
      after = last.key
    }
    this.#restored = true
    this.#readFromMs = Math.floor((nowMs - coarseSlotMs - rereadMs) / coarseSlotMs) * coarseSlotMs
    this.#others.settle(this.#readFromMs, nowMs)
  }

  #failed(error: unknown): void {
    this.#storeFailures += 1
    this.#failuresInRow += 1
    this.#lastError = error instanceof Error ? error.message : String(error)
  }
}
