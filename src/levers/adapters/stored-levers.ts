/**
 * The levers' state in the store: one small record, written by compare-and-set, looked at several times a second where other
 * instances write it too. Here the state is the stored one plus the steps that wait to be stored.
 *
 * A step is in force here before it is stored. A failed write is tried again until the store is back; a step whose first
 * write did happen after all is recognised by its id.
 */
import type { JsonValue } from '../../operation/converse.ts'
import { sleep, type CancelSchedule, type Clock } from '../../runtime/clock.ts'
import type { StateStore } from '../../store/state-store.ts'
import { StoreError } from '../../store/store-error.ts'
import { emptyState, takeStep, type LeverState, type Pulled, type Step } from '../lever-state.ts'
import { leverLimits } from '../limits.ts'

export interface StoredLevers {
  /** Reads what is stored; with the store away it goes on without, and takes it over later. */
  start(): Promise<void>
  /** In force at once; resolves when it is stored. */
  take(step: Step): Promise<void>
  hasRoom(): boolean
  isStored(): boolean
  close(): Promise<void>
}

export interface StoredLeversParts {
  readonly state: StateStore
  readonly shared: boolean
  readonly clock: Clock
  readonly onState: (state: LeverState) => void
  /** Levers that this instance, and no other, has taken out of the stored state because they are over. */
  readonly onEnded: (ended: readonly Pulled[]) => void
  readonly onInternalError: (error: unknown) => void
}

interface Waiting {
  readonly step: Step
  readonly done: () => void
  /** What the step took out of the stored state, by its last attempt. */
  ended: readonly Pulled[]
}

const collection = 'levers'
const key = 'in-force'

export function createStoredLevers(parts: StoredLeversParts): StoredLevers {
  const { state: store, clock } = parts
  const closing = new AbortController()
  let known: LeverState = emptyState
  let version: number | 'absent' = 'absent'
  let isRead = false
  let waiting: readonly Waiting[] = []
  let storing: Promise<void> | null = null
  let cancelPoll: CancelSchedule = () => undefined

  const tell = (): void => {
    let local = known
    for (const { step } of waiting) local = takeStep(local, step)
    parts.onState(local)
  }

  const read = async (): Promise<boolean> => {
    const record = await store.get(collection, key)
    const next = record?.version ?? 'absent'
    // A write of this instance may have been quicker than the answer.
    if (typeof version === 'number' && (next === 'absent' || next < version)) return false
    const isNew = !isRead || next !== version
    isRead = true
    version = next
    if (isNew) known = record === undefined ? emptyState : (record.value as unknown as LeverState)
    return isNew
  }

  const storeAll = async (): Promise<void> => {
    // Steps of the same turn are stored together.
    await Promise.resolve()
    while (waiting.length > 0) {
      try {
        if (!isRead && (await read())) tell()
        await storeOnce()
      } catch (error) {
        if (!(error instanceof StoreError)) parts.onInternalError(error)
        // What came of the write is not known: look before the next one.
        isRead = false
        if (closing.signal.aborted) break
        try {
          await sleep(clock, leverLimits.retryMs, closing.signal)
        } catch {
          // Told to close: one more attempt, then it is given up.
        }
      }
    }
    storing = null
  }

  const storeOnce = async (): Promise<void> => {
    const taken = waiting
    let next = known
    for (const entry of taken) {
      // An attempt whose outcome was unknown had been carried out: what it ended is known from then.
      if (!next.taken.includes(entry.step.id)) entry.ended = endedBy(next, entry.step)
      next = takeStep(next, entry.step)
    }
    const outcome = await store.put(collection, key, next as unknown as JsonValue, { ifVersion: version })
    if (!outcome.stored) {
      version = outcome.current?.version ?? 'absent'
      known = outcome.current === undefined ? emptyState : (outcome.current.value as unknown as LeverState)
      tell()
      return
    }
    version = outcome.version
    known = next
    waiting = waiting.filter((other) => !taken.includes(other))
    for (const { done } of taken) done()
    const ended = taken.flatMap((entry) => entry.ended)
    if (ended.length > 0) parts.onEnded(ended)
    tell()
  }

  const poll = (): void => {
    cancelPoll = clock.schedule(clock.monotonicMs() + leverLimits.pollMs, () => {
      const look = async (): Promise<void> => {
        // While steps are being stored, the write itself tells what others have written.
        if (storing === null && (await read())) tell()
      }
      look()
        .catch((error: unknown) => {
          if (!(error instanceof StoreError)) parts.onInternalError(error)
        })
        .finally(() => {
          if (!closing.signal.aborted) poll()
        })
    })
  }

  return {
    async start() {
      const reading = read().then(
        (isNew) => {
          if (isNew) tell()
        },
        (error: unknown) => {
          if (!(error instanceof StoreError)) parts.onInternalError(error)
        },
      )
      await Promise.race([reading, sleep(clock, leverLimits.startWaitMs, closing.signal).catch(() => undefined)])
      if (parts.shared) poll()
      else if (!isRead) pollUntilRead()
    },
    take(step) {
      let done = (): void => undefined
      const stored = new Promise<void>((resolve) => {
        done = resolve
      })
      waiting = [...waiting, { step, done, ended: [] }]
      tell()
      storing ??= storeAll()
      return stored
    },
    hasRoom: () => waiting.length < leverLimits.waiting,
    isStored: () => waiting.length === 0,
    async close() {
      cancelPoll()
      closing.abort()
      await storing
    },
  }

  /** A store of one instance is read once; when it was away at the start, until it is back. */
  function pollUntilRead(): void {
    cancelPoll = clock.schedule(clock.monotonicMs() + leverLimits.retryMs, () => {
      if (isRead) return
      read()
        .then((isNew) => {
          if (isNew) tell()
        })
        .catch(() => {
          // Still away: the next look tells.
          if (!closing.signal.aborted) pollUntilRead()
        })
    })
  }
}

/** A lever that set several slots ends once. */
function endedBy(state: LeverState, step: Step): readonly Pulled[] {
  const ids = new Set(step.actions.flatMap((action) => (action.kind === 'end' ? action.ids : [])))
  return Object.values(state.slots).flatMap((stack) => stack.filter((pulled) => ids.delete(pulled.id)))
}
