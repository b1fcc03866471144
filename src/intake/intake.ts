/**
 * The intake: everything between a front door and the router. It admits operations, binds idempotency keys, knows what
 * runs in this process, lets callers wait, follow, read back, list and cancel, and keeps results (public contract, part 3).
 *
 * Operations that carry no key and are not asynchronous never wait for the store: they are answered first and written
 * after. Keyed ones need it to bind, asynchronous ones to be found again; without it they are refused. It knows neither
 * routes nor HTTP: refusals are `OperationError`s that every front door spells in its own way.
 */
import type { JsonValue } from '../operation/converse.ts'
import type { RoutingDecision } from '../operation/decision.ts'
import type { Priority } from '../operation/matrix.ts'
import type { Operation } from '../operation/operation.ts'
import { OperationError } from '../operation/problem.ts'
import { isFinal, type OperationResult } from '../operation/result.ts'
import type { OperationRunner } from '../operation/runner.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { operationMessage, type WorkBinding } from '../queue/work.ts'
import type { Clock } from '../runtime/clock.ts'
import type { EventStream } from '../runtime/event-stream.ts'
import type { Ids } from '../runtime/ids.ts'
import { createIsoTime } from '../runtime/iso-time.ts'
import { SlotMap } from '../runtime/slot-map.ts'
import { createBoundedStateStore } from '../store/adapters/bounded-state-store.ts'
import type { Relay } from '../store/relay.ts'
import { StoreError } from '../store/store-error.ts'
import type { StateStore } from '../store/state-store.ts'
import { createIdempotencyKeys } from './adapters/idempotency-keys.ts'
import { createDurableOperations, type DurableOperations, type WorkQueue } from './adapters/durable-operations.ts'
import { createKeyedOperations } from './adapters/keyed-operations.ts'
import { createOperationRecords, type OperationRecords } from './adapters/operation-records.ts'
import { createElsewhere, type Located } from './adapters/elsewhere.ts'
import { continueByRecord, createRecordFollower } from './adapters/record-follower.ts'
import { createRemoteOperations } from './adapters/remote-operations.ts'
import { createResultWriter } from './adapters/result-writer.ts'
import { admit, admittedPriority, refusalForCallback, refusalForCapacity, refusalForDraining, refusalForModel, type AdmissionSettings } from './admission.ts'
import { ContinuedFollower } from './continued-follower.ts'
import type { EventLogLimits, Follower } from './event-log.ts'
import { intakeLimits, type IntakeLimits } from './limits.ts'
import { listOperations, type OperationPage, type PageRequest } from './listing.ts'
import { LiveOperation } from './live-operation.ts'
import { maySee, type OperationDraft, type Reader } from './operation-draft.ts'
import { queuedResult, type OperationRecord } from './operation-record.ts'
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
  /** The durable queue, where asynchronous operations wait and resumed ones come from. */
  readonly work: WorkQueue
  readonly relay: Relay
  /** Whether what must not be repeated may have been sent by a process that is gone. */
  readonly wasSent: (operationId: string) => Promise<boolean>
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
  /** What the dispatcher hands the messages of operations to. */
  readonly durable: DurableOperations
  readonly records: OperationRecords
  /** Resumes what processes that are gone have left in flight, now and (with several instances) from time to time. */
  begin(): void
  /** What another instance says. */
  hear(message: JsonValue, from: string): void
  /** Whatever the tenant; undefined when it is not on record. */
  resultOf(id: string): Promise<OperationResult | undefined>
  /** From now on new operations are refused; what runs runs on. */
  beginDrain(): void
  /** Resolves when nothing runs and nothing waits to be written. */
  idle(): Promise<void>
  /** Cancels what still runs. */
  stop(): void
}

interface Found {
  readonly record: OperationRecord
  /** Where it runs, when the store does not know it. */
  readonly located: Located | undefined
}

export function createIntake(options: IntakeOptions): Intake {
  const isoTime = createIsoTime()
  const { runner, clock, ids, events, limits, settings } = options
  const live = new SlotMap<LiveOperation>()
  const state = createBoundedStateStore(options.state, clock, intakeLimits.storeWaitMs)
  const writer = createResultWriter({ state: options.state, clock, limits })
  const keys = createIdempotencyKeys(state)
  const records = createOperationRecords(state, clock, () => limits.retainedResultMs)
  const logLimits: EventLogLimits = { events: limits.eventsPerOperation, characters: limits.streamBufferBytes }
  let running = 0
  let pendingEnds = 0
  let draining = false
  let stopping = false
  let idleWaiters: (() => void)[] = []

  const submit = (draft: OperationDraft): Ticket | Promise<Ticket> => {
    try {
      if (draining) throw refusalForDraining()
      const priority = priorityOf(draft)
      if (draft.idempotency !== undefined) return keyed.submit(draft, draft.idempotency, priority).catch((error: unknown) => refuse(error, draft))
      if (draft.mode === 'async') return enqueue(admitNow(draft, priority), null).catch((error: unknown) => refuse(error, draft))
      assertCapacity(priority)
      return start(admitNow(draft, priority))
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
    const { matrix, models, callbacks } = settings()
    const refusal = refusalForModel(draft.modelId, models) ?? refusalForCallback(draft.callbackUrl, callbacks)
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
    events.publish({ type: 'operation_admitted', atMs: clock.nowMs(), operation })
    return run(operation, new LiveOperation(operation, () => queued(operation), logLimits, onEnd))
  }

  const run = (operation: Operation, entry: LiveOperation): LiveOperation => {
    live.set(operation.id, entry)
    running += 1
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

  /** In the queue before its caller is told: its id is all that the caller will have. */
  const enqueue = async (operation: Operation, binding: WorkBinding | null): Promise<Ticket> => {
    const outcome = await options.work.enqueue(operationMessage({ kind: 'operation', operation, binding, resumed: false }, clock.nowMs()))
    if (outcome.kind === 'refused') throw new OperationError('overloaded', 'The message queue is full.', { retryAfterMs: outcome.retryAfterMs })
    const { callbackUrl } = operation
    const record: OperationRecord = { tenant: operation.tenant, endId: 0, result: queued(operation), told: [], ...(callbackUrl === undefined ? {} : { callbackUrl }) }
    try {
      // A worker may have been quicker and written more: then there is something, and it stays.
      await records.put(record, 'absent')
    } catch (error) {
      // Nobody could ask for it: it is taken back and refused. A worker that has it already meets the same store.
      await options.work.remove(operation.id).catch(() => undefined)
      throw error
    }
    events.publish({ type: 'operation_admitted', atMs: clock.nowMs(), operation })
    return createStoredTicket(record)
  }

  const durable = createDurableOperations({
    records,
    work: options.work,
    relay: options.relay,
    clock,
    events,
    wasSent: (id) => options.wasSent(id),
    releaseKey: (binding) => keys.release(binding),
    queued,
    run(operation, told, onTold) {
      const entry = new LiveOperation(operation, () => queued(operation), logLimits, () => undefined, told)
      entry.onTold = onTold
      return run(operation, entry)
    },
    forget(entry) {
      running -= 1
      forget(entry)
    },
    continuationOf: (record) => continueByRecord({ clock, record, load: () => find(record.result.id) }),
    isDraining: () => draining,
    isStopping: () => stopping,
  })

  const keyed = createKeyedOperations({
    keys,
    records,
    work: options.work,
    clock,
    instanceId: options.relay.instanceId,
    idempotencyMs: limits.idempotencyMs,
    admit: (draft, priority) => admitNow(draft, priority ?? priorityOf(draft)),
    assertCapacity,
    enqueue: (operation, binding) => enqueue(operation, binding),
    start,
    live: (id) => live.get(id),
    find: (id) => find(id),
    async locate(id) {
      const located = await elsewhere.locate(id)
      return located === undefined ? undefined : remote.ticket(located)
    },
    callBack: (record) => durable.callBack(record),
  })

  const elsewhere = createElsewhere({ relay: options.relay, clock, live: (id) => live.get(id), bufferCharacters: limits.streamBufferBytes })
  const remote = createRemoteOperations({ elsewhere, relay: options.relay, clock, find: (id) => find(id) })

  const onEnd = (entry: LiveOperation, result: OperationResult): void => {
    running -= 1
    const { callbackUrl } = entry.operation
    const record: OperationRecord = { tenant: entry.tenant, endId: entry.endId(), result, ...(callbackUrl === undefined ? {} : { callbackUrl }) }
    if (!entry.isRepeatable) {
      entry.settle()
      // It is known here until the store knows it, so that its id can be read from the moment it is told.
      void writer.remember(record, () => entry.text()).then(() => {
        forget(entry)
        // Best effort, as the record itself: nothing of an operation without a key waits for the store.
        durable.callBack(record).catch(() => undefined)
      })
      return
    }
    // Cut off by the stop of the service: another process resumes it.
    if (stopping && result.status === 'cancelled' && result.error?.code !== 'outcome_unknown') {
      keyed.leave(entry.id)
      entry.settle()
      forget(entry)
      return
    }
    const cancelWait = clock.schedule(clock.monotonicMs() + intakeLimits.storeWaitMs, () => entry.settle())
    pendingEnds += 1
    void keyed
      .finish(record)
      .then((holds) => entry.settle(holds.result))
      .catch(() => {
        writer.countLost()
      })
      .finally(() => {
        pendingEnds -= 1
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
    const stored = await records.find(id)
    if (stored !== undefined) return stored.record
    // A keyed one that runs in another process is on record only once it has ended.
    const note = await records.findInFlight(id)
    return note === undefined ? undefined : { tenant: note.operation.tenant, endId: 0, result: { ...queued(note.operation), status: 'running' } }
  }

  const noSuchOperation = (): OperationError => new OperationError('not_found', 'There is no operation with this id, or it is not kept any more.')

  /** Another tenant's operation looks like none: its id must not be told from a made-up one. */
  const findFor = async (reader: Reader, id: string): Promise<Found> => {
    const stored = await find(id).catch(rethrowShown)
    // One without a key is on record only once it has ended: who has it is asked. Between the two it may have ended.
    const located = stored === undefined ? await elsewhere.locate(id) : undefined
    const record = stored ?? located?.record ?? (options.relay.shared ? await find(id).catch(rethrowShown) : undefined)
    if (record === undefined || !maySee(reader, record.tenant)) throw noSuchOperation()
    return { record, located }
  }

  const liveFor = (reader: Reader, id: string): LiveOperation | undefined => {
    const here = live.get(id)
    if (here !== undefined && !maySee(reader, here.tenant)) throw noSuchOperation()
    return here
  }

  const cancelElsewhere = async (record: OperationRecord): Promise<OperationResult> => {
    if (isFinal(record.result.status)) return record.result
    const stored = await records.find(record.result.id)
    const holds = await durable.cancelElsewhere(stored ?? { record, version: undefined })
    return holds.result
  }

  const wakeIdle = (): void => {
    if (running > 0 || pendingEnds > 0 || writer.pending > 0) {
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
    get: async (reader, id) => liveFor(reader, id)?.current() ?? (await findFor(reader, id)).record.result,
    list: (reader, page) => listOperations({ state, live: () => live.values().map((entry) => entry.record()), createdAtMs: (result) => Date.parse(result.createdAt) }, reader, page).catch(rethrowShown),
    async cancel(reader, id) {
      const here = liveFor(reader, id)
      if (here === undefined) {
        const { record, located } = await findFor(reader, id)
        return located === undefined ? cancelElsewhere(record).catch(rethrowShown) : remote.cancel(located)
      }
      here.cancel('requested')
      return new Promise((resolve) => here.whenSettled(resolve))
    },
    async follow(reader, id, afterId, wake) {
      const here = liveFor(reader, id)
      if (here !== undefined) return here.follow(afterId, wake)
      const { record, located } = await findFor(reader, id)
      if (located !== undefined) return remote.ticket(located).follow(afterId, wake)
      if (isFinal(record.result.status)) return createStoredTicket(record).follow(afterId, wake)
      const follower = new ContinuedFollower(createRecordFollower({ clock, record, afterId, wake, load: () => find(id) }), afterId, wake)
      // Whoever carries it out tells it sooner than the record does, and text as it comes.
      void elsewhere.locate(id).then((there) => {
        if (there !== undefined) follower.handOver(remote.ticket(there))
      })
      return follower
    },
    durable,
    records,
    hear(message, from) {
      elsewhere.hear(message, from)
      if (message === null || typeof message !== 'object') return
      const { about, id } = message as { readonly about?: unknown; readonly id?: unknown }
      if (about === 'cancel' && typeof id === 'string') live.get(id)?.cancel('requested')
    },
    resultOf: async (id) => (await find(id))?.result,
    begin() {
      const look = (): void => {
        if (draining) return
        durable.resume().catch(() => 0).finally(() => {
          // What is left behind by the process before this one is all there is, unless others can die beside it.
          if (options.relay.shared) clock.schedule(clock.monotonicMs() + intakeLimits.resumeEveryMs, look)
        })
      }
      look()
    },
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
      stopping = true
      for (const entry of live.values()) entry.cancel('shutdown')
    },
  }
}

/** ms between looks at the writes that are left while the service stops. */
const idlePollMs = 10

/** What a store says is for the log; the caller is told that it has to wait. */
function shownError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error
  return new OperationError('overloaded', 'The store does not answer; operations without an Idempotency-Key that are not async do not need it.', { retryAfterMs: 1_000, cause: error })
}

function rethrowShown(error: unknown): never {
  throw shownError(error)
}
