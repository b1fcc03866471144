/**
 * The intake: everything between a front door and the router. It admits operations, binds idempotency keys, knows what
 * runs in this process, lets callers wait, follow, read back, list and cancel, and keeps results (public contract, part 3).
 *
 * Operations that carry no key and are not asynchronous never wait for the store: they are answered first and written
 * after. Keyed ones need it to bind, asynchronous ones to be found again; without it they are refused. It knows neither
 * routes nor HTTP: refusals are `OperationError`s that every front door spells in its own way.
 */
import type { RoutingDecision } from '../operation/decision.ts'
import type { Priority } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { OperationError } from '../operation/problem.ts'
import { isFinal, type OperationResult } from '../operation/result.ts'
import type { OperationRunner } from '../operation/runner.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { sleep, type Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import { StoreError } from '../store/store-error.ts'
import type { StateStore } from '../store/state-store.ts'
import { createIdempotencyKeys, type Binding, type HeldBinding } from './adapters/idempotency-keys.ts'
import { bindingKey, fingerprint } from './adapters/fingerprint.ts'
import { createResultWriter } from './adapters/result-writer.ts'
import { admit, admittedPriority, refusalForCapacity, refusalForDraining, refusalForModel, type AdmissionSettings } from './admission.ts'
import type { EventLogLimits, Follower } from './event-log.ts'
import { intakeLimits, type IntakeLimits } from './limits.ts'
import { listOperations, type OperationPage, type PageRequest } from './listing.ts'
import { LiveOperation } from './live-operation.ts'
import { maySee, type OperationDraft, type Reader } from './operation-draft.ts'
import { keepsItsKey, operationsCollection, queuedResult, readRecord, toValue, type OperationRecord } from './operation-record.ts'
import { createStoredTicket, type Ticket } from './ticket.ts'

export interface IntakeSettings extends AdmissionSettings {
  /** In which costs are told. */
  readonly currency: string
}

export interface IntakeOptions {
  readonly runner: OperationRunner
  readonly state: StateStore
  readonly clock: Clock
  readonly ids: Ids
  readonly events: EventStream<SystemEvent>
  readonly limits: IntakeLimits
  /** As the configuration says now; an operation keeps what it was admitted with. */
  readonly settings: () => IntakeSettings
}

export interface IntakeCounts {
  readonly running: number
  readonly pendingWrites: number
  /** Results that could not be written since the start. */
  readonly lostResults: number
}

export interface Intake {
  /** Admits and starts it, or finds the operation that its key stands for. Throws or rejects with `OperationError`. */
  submit(draft: OperationDraft): Ticket | Promise<Ticket>
  /** The operation that a draft would be, and the decision for it; nothing is executed or bound. */
  decide(draft: OperationDraft): { readonly operation: Operation; readonly decision: RoutingDecision }
  get(reader: Reader, id: string): Promise<OperationResult>
  list(reader: Reader, page: PageRequest): Promise<OperationPage>
  /** Resolves with the state that holds afterwards. */
  cancel(reader: Reader, id: string): Promise<OperationResult>
  follow(reader: Reader, id: string, afterId: number, wake: () => void): Promise<Follower>
  counts(): IntakeCounts
  /** From now on new operations are refused; what runs runs on. */
  beginDrain(): void
  /** Resolves when nothing runs and nothing waits to be written. */
  idle(): Promise<void>
  /** Cancels what still runs. */
  stop(): void
}

export function createIntake(options: IntakeOptions): Intake {
  const { runner, state, clock, ids, events, limits, settings } = options
  const live = new Map<string, LiveOperation>()
  const writer = createResultWriter({ state, clock, limits })
  const keys = createIdempotencyKeys(state)
  const heldKeys = new Map<string, HeldBinding>()
  const logLimits: EventLogLimits = { events: limits.eventsPerOperation, characters: limits.streamBufferBytes }
  let running = 0
  let draining = false
  let idleWaiters: (() => void)[] = []

  const submit = (draft: OperationDraft): Ticket | Promise<Ticket> => {
    try {
      if (draining) throw refusalForDraining()
      const priority = priorityOf(draft)
      if (draft.idempotency !== undefined) return submitKeyed(draft, draft.idempotency, priority).catch((error: unknown) => refuse(error, draft))
      assertCapacity(priority)
      const operation = admitNow(draft, priority)
      if (draft.mode === 'async') return startDurably(operation).catch((error: unknown) => refuse(error, draft))
      return start(operation)
    } catch (error) {
      return refuse(error, draft)
    }
  }

  const refuse = (error: unknown, draft: OperationDraft): never => {
    const shown = shownError(error)
    if (shown instanceof OperationError) events.publish({ type: 'operation_refused', atMs: clock.nowMs(), code: shown.code, correlationId: draft.correlationId })
    throw shown
  }

  const priorityOf = (draft: OperationDraft): Priority => {
    const { matrix, models } = settings()
    const refusal = refusalForModel(draft.modelId, models)
    if (refusal !== undefined) throw refusal
    const priority = admittedPriority(draft, matrix)
    if (priority instanceof OperationError) throw priority
    return priority
  }

  const assertCapacity = (priority: Priority): void => {
    const refusal = refusalForCapacity(priority, running, limits.inFlightOperations)
    if (refusal !== undefined) throw refusal
  }

  const admitNow = (draft: OperationDraft, priority: Priority): Operation => admit(draft, ids.next('op'), priority, settings())

  const queued = (operation: Operation): OperationResult => queuedResult(operation, isoTime(operation.createdAtMs), settings().currency)

  const start = (operation: Operation): LiveOperation => {
    const entry = new LiveOperation(operation, () => queued(operation), logLimits, onEnd)
    live.set(operation.id, entry)
    running += 1
    events.publish({ type: 'operation_admitted', atMs: clock.nowMs(), operation })
    try {
      entry.begin(runner.run(operation, entry))
    } catch (error) {
      live.delete(operation.id)
      running -= 1
      wakeIdle()
      throw error
    }
    return entry
  }

  /** On record before it starts: its id is all that the caller will have. */
  const startDurably = async (operation: Operation): Promise<Ticket> => {
    const record: OperationRecord = { tenant: operation.tenant, endId: 0, result: queued(operation) }
    await state.put(operationsCollection, operation.id, toValue(record), { expiresAtMs: clock.nowMs() + limits.retainedResultMs })
    return start(operation)
  }

  const submitKeyed = async (draft: OperationDraft, { key, request }: NonNullable<OperationDraft['idempotency']>, priority: Priority): Promise<Ticket> => {
    const print = fingerprint(request)
    const storeKey = bindingKey(draft.tenant, key)
    for (;;) {
      const operation = admitNow(draft, priority)
      const before = await findRepeat(draft, storeKey, print)
      if (before !== undefined) return before
      // Only what is admitted binds, so the room is looked at first.
      assertCapacity(priority)
      const binding: Binding = { operationId: operation.id, fingerprint: print, endsByMs: endsBy(operation) }
      const { bound, held } = await keys.bind(storeKey, binding, clock.nowMs() + limits.idempotencyMs)
      // Somebody was quicker: look at what is there now.
      if (!bound) continue
      heldKeys.set(operation.id, held)
      try {
        return draft.mode === 'async' ? await startDurably(operation) : start(operation)
      } catch (error) {
        heldKeys.delete(operation.id)
        await keys.release(held).catch(() => undefined)
        throw error
      }
    }
  }

  /** The operation that the key stands for, when it does. Waits for one that runs in another process. */
  const findRepeat = async (draft: OperationDraft, storeKey: string, print: string): Promise<Ticket | undefined> => {
    for (;;) {
      const held = await keys.find(storeKey)
      if (held === undefined) return undefined
      const { binding } = held
      if (binding.fingerprint !== print) {
        throw new OperationError('conflict', 'Idempotency-Key: it already stands for another request.', { operationId: binding.operationId })
      }
      const here = live.get(binding.operationId)
      if (here !== undefined) return here
      const record = await find(binding.operationId)
      if (record !== undefined && isFinal(record.result.status)) {
        if (keepsItsKey(record.result)) return createStoredTicket(record)
        await keys.release(held)
        continue
      }
      if (record !== undefined && draft.mode === 'async') return createStoredTicket(record)
      if (clock.nowMs() > binding.endsByMs + intakeLimits.elsewhereGraceMs) {
        // Its process is gone without a word. What must not be repeated is not repeated on a guess.
        if (!draft.repeatable) throw new OperationError('outcome_unknown', 'The operation of this Idempotency-Key was started and its outcome was lost.', { operationId: binding.operationId })
        await keys.release(held)
        continue
      }
      await sleep(clock, intakeLimits.elsewherePollMs)
    }
  }

  const onEnd = (entry: LiveOperation, result: OperationResult): void => {
    running -= 1
    const record: OperationRecord = { tenant: entry.tenant, endId: entry.endId(), result }
    if (!entry.isRepeatable) {
      entry.settle()
      // It is known here until the store knows it, so that its id can be read from the moment it is told.
      void writer.remember(record).then(() => forget(entry))
      return
    }
    const held = heldKeys.get(entry.id)
    heldKeys.delete(entry.id)
    const released = held === undefined || keepsItsKey(result) ? Promise.resolve(true) : keys.release(held).catch(() => false)
    const kept = Promise.all([released, writer.keep(record)])
    const cancelWait = clock.schedule(clock.monotonicMs() + intakeLimits.storeWaitMs, () => entry.settle())
    void kept.then(() => {
      cancelWait()
      entry.settle()
      forget(entry)
    })
  }

  const forget = (entry: LiveOperation): void => {
    live.delete(entry.id)
    wakeIdle()
  }

  const find = async (id: string): Promise<OperationRecord | undefined> => {
    const stored = await state.get(operationsCollection, id)
    return stored === undefined ? undefined : readRecord(stored.value)
  }

  const ticketFor = async (reader: Reader, id: string): Promise<Ticket> => {
    const here = live.get(id)
    const ticket = here ?? (await find(id).then((record) => (record === undefined ? undefined : createStoredTicket(record)), rethrowShown))
    // Another tenant's operation looks like none: its id must not be told from a made-up one.
    if (ticket === undefined || !maySee(reader, ticket.tenant)) throw new OperationError('not_found', 'There is no operation with this id, or it is not kept any more.')
    return ticket
  }

  const wakeIdle = (): void => {
    if (running > 0 || writer.pending > 0) {
      if (idleWaiters.length > 0) clock.schedule(clock.monotonicMs() + idlePollMs, wakeIdle)
      return
    }
    const waiters = idleWaiters
    idleWaiters = []
    for (const waiter of waiters) waiter()
  }

  return {
    submit,
    decide(draft) {
      const operation = admitNow(draft, priorityOf(draft))
      return { operation, decision: runner.decide(operation) }
    },
    get: async (reader, id) => (await ticketFor(reader, id)).current(),
    list: (reader, page) => listOperations({ state, live: () => [...live.values()].map((entry) => entry.record()), createdAtMs: (result) => Date.parse(result.createdAt) }, reader, page).catch(rethrowShown),
    async cancel(reader, id) {
      const ticket = await ticketFor(reader, id)
      const here = live.get(id)
      if (here === undefined) return ticket.current()
      here.cancel('requested')
      return new Promise((resolve) => here.whenSettled(resolve))
    },
    follow: async (reader, id, afterId, wake) => (await ticketFor(reader, id)).follow(afterId, wake),
    counts: () => ({ running, pendingWrites: writer.pending, lostResults: writer.lost }),
    beginDrain() {
      draining = true
    },
    idle: () =>
      new Promise((resolve) => {
        idleWaiters.push(resolve)
        wakeIdle()
      }),
    stop() {
      draining = true
      for (const entry of live.values()) entry.cancel('shutdown')
    },
  }
}

/** ms between looks at the writes that are left while the service stops. */
const idlePollMs = 10

function endsBy(operation: Operation): number {
  return operation.createdAtMs + operation.hardTimeoutMs + (operation.mode === 'stream' ? operation.streamMaxMs : 0)
}

function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString()
}

/** What a store says is for the log; the caller is told that it has to wait. */
function shownError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error
  return new OperationError('overloaded', 'The store does not answer; operations without an Idempotency-Key that are not async do not need it.', { retryAfterMs: 1_000, cause: error })
}

function rethrowShown(error: unknown): never {
  throw shownError(error)
}
