/**
 * The dispatcher: takes messages out of the durable queue, by priority class and earliest deadline, as long as there is a
 * free worker, hands each to the handler of its kind, keeps its lease while the handler works, and says to the queue how it
 * ended. What expired or died in the queue is handed to the same handlers to be reported, and acknowledged only then.
 *
 * It decides nothing about an operation. A handler that fails gives the message back for another delivery; a store that
 * fails is asked again after a while and never stops the process. The engine's notification makes a free worker claim in the
 * turn of the enqueue; nothing here polls.
 *
 * A message whose caller waits in this process brings a claim of its own. The others are begun at a pace that leaves room on the
 * event loop for direct operations (`pace.ts`).
 */
import type { Clock } from '../runtime/clock.ts'
import { sleep } from '../runtime/clock.ts'
import { SlotMap } from '../runtime/slot-map.ts'
import type { Delivery, EndedDelivery, EnqueueOutcome, Lease, Message, MessageQueue, RemoveOutcome } from '../store/message-queue.ts'
import { withinTime } from '../store/adapters/within-time.ts'
import { queueLimits } from './limits.ts'
import { afterReading, isReadingDue, notBegun, startPace, tryBegin, type LoopReading } from './pace.ts'
import { readWork, type AttemptWork, type CallbackWork, type OperationWork, type Work, type WorkKind } from './work.ts'

export type Disposition =
  | { readonly kind: 'done' }
  /** Give it out once more. `attempted`: false when nothing was tried. */
  | { readonly kind: 'again'; readonly delayMs: number; readonly reason: string; readonly attempted: boolean }
  /** No delivery can mend it. */
  | { readonly kind: 'hopeless'; readonly reason: string }

export interface WorkHandler<Kind extends Work = Work> {
  /** @param lost aborted when the lease was taken over: somebody else works on it. */
  work(work: Kind, delivery: Delivery, lost: AbortSignal): Promise<Disposition>
  /** It expired or died in the queue; resolves when that is on record. */
  ended(work: Kind, ended: EndedDelivery): Promise<void>
}

export interface WorkHandlers {
  readonly attempt: WorkHandler<AttemptWork>
  readonly operation: WorkHandler<OperationWork>
  readonly callback: WorkHandler<CallbackWork>
}

export interface DispatcherParts {
  readonly queue: MessageQueue
  readonly clock: Clock
  /** As the history of a message names this process. */
  readonly workerId: string
  /** Messages that are worked on at once; asked before every claim. */
  slots(): number
  /** How busy the event loop was since the last call, and with whom; without it, and in virtual time, the pace is free. */
  readLoop?(): LoopReading
  /** A handler or the store failed in a way that nobody waits to hear of. */
  onInternalError(error: unknown): void
}

export interface Dispatcher {
  /**
   * Rejects with a `StoreError`, also when the store does not answer in time; a message that gets in later is removed.
   * @param awaited whether a caller in this process waits for it: then a claim follows whatever the pace
   */
  enqueue(message: Message, awaited?: boolean): Promise<EnqueueOutcome>
  remove(id: string): Promise<RemoveOutcome>
  /** Whether this process works on the message just now. */
  holds(id: string): boolean
  /** Messages that are worked on. */
  busy(): number
  begin(handlers: WorkHandlers): void
  /** No claim any more; resolves when what is worked on has ended and is reported, or after a short while. */
  close(): Promise<void>
}

export function createDispatcher(parts: DispatcherParts): Dispatcher {
  const { queue, clock, workerId } = parts
  const held = new SlotMap<Lease>()
  const works = new Set<Promise<void>>()
  let handlers: WorkHandlers | null = null
  let claims = 0
  let more = false
  let resting = false
  let lookingForEnded = false
  let moreEnded = false
  let closed = false
  let pace = startPace(clock.monotonicMs())
  let pausing = false
  /** Claims that callers wait for. */
  let awaitedClaims = 0

  const claimRequest = { workerId, leaseMs: queueLimits.leaseMs }

  /** Nothing is asked of a store that failed until it had a moment. */
  const rest = (error: unknown): void => {
    if (closed || resting) return
    resting = true
    parts.onInternalError(error)
    clock.schedule(clock.monotonicMs() + queueLimits.retryMs, () => {
      resting = false
      claimMore()
      void reportEnded()
    })
  }

  const claimMore = (): void => {
    if (closed || resting || handlers === null) return
    if (claims >= queueLimits.claims || held.size + claims >= parts.slots()) {
      // A claim that is under way may have looked before this message came: if it finds nothing, there is another look.
      more = claims > 0
      return
    }
    if (awaitedClaims > 0) awaitedClaims -= 1
    else if (!isInPace()) return
    claims += 1
    queue.claim(claimRequest).then(
      (delivery) => {
        claims -= 1
        const again = more
        more = false
        if (delivery === undefined) {
          pace = notBegun(pace)
          // What was waited for has gone, or another process has it.
          if (!again) awaitedClaims = 0
          else claimMore()
          return
        }
        take(delivery)
        claimMore()
      },
      (error: unknown) => {
        claims -= 1
        rest(error)
      },
    )
  }

  /** Whether one more may be begun now; if not, there is another look when it may. */
  const isInPace = (): boolean => {
    if (parts.readLoop === undefined) return true
    if (pausing) return false
    const nowMs = clock.monotonicMs()
    if (isReadingDue(pace, nowMs)) pace = afterReading(pace, parts.readLoop(), nowMs)
    const tried = tryBegin(pace, nowMs)
    pace = tried.pace
    if (tried.waitMs === 0) return true
    pausing = true
    clock.schedule(nowMs + tried.waitMs, () => {
      pausing = false
      claimMore()
    })
    return false
  }

  const take = (delivery: Delivery): void => {
    const { lease } = delivery
    held.set(lease.id, lease)
    const working = workOn(delivery)
      .catch((error: unknown) => parts.onInternalError(error))
      .finally(() => {
        if (held.get(lease.id) === lease) held.delete(lease.id)
        works.delete(working)
        claimMore()
      })
    works.add(working)
  }

  const workOn = async (delivery: Delivery): Promise<void> => {
    const { lease } = delivery
    const work = readWork(delivery.message.payload)
    if (work === undefined) {
      await queue.deadLetter(lease, 'its payload cannot be read by this version')
      return
    }
    const lost = new AbortController()
    const stopKeeping = keepLease(lease, lost)
    let disposition: Disposition
    try {
      disposition = await handlerOf(work.kind).work(work, delivery, lost.signal)
    } catch (error) {
      parts.onInternalError(error)
      disposition = { kind: 'again', delayMs: queueLimits.retryMs, reason: 'its handler failed', attempted: true }
    } finally {
      stopKeeping()
    }
    // Its place is free for the next one while the store hears of the end.
    if (held.get(lease.id) === lease) held.delete(lease.id)
    claimMore()
    if (!lost.signal.aborted) await tell(lease, disposition)
  }

  const tell = async (lease: Lease, disposition: Disposition): Promise<void> => {
    switch (disposition.kind) {
      case 'done':
        await queue.complete(lease)
        return
      case 'again':
        await queue.release(lease, disposition)
        return
      case 'hopeless':
        await queue.deadLetter(lease, disposition.reason)
    }
  }

  const keepLease = (lease: Lease, lost: AbortController): (() => void) => {
    let stopped = false
    let cancel = (): void => undefined
    const arm = (): void => {
      cancel = clock.schedule(clock.monotonicMs() + queueLimits.leaseMs * queueLimits.extendShare, () => {
        if (closed) return
        queue.extend(lease, queueLimits.leaseMs).then(
          ({ kind }) => {
            if (stopped) return
            if (kind === 'lost') lost.abort(new Error('the lease was taken over'))
            else arm()
          },
          // A store that is away for a moment does not take the lease from anybody: it is asked again.
          () => {
            if (!stopped) arm()
          },
        )
      })
    }
    arm()
    return () => {
      stopped = true
      cancel()
    }
  }

  const reportEnded = async (): Promise<void> => {
    if (closed || resting || handlers === null) return
    if (lookingForEnded) {
      moreEnded = true
      return
    }
    lookingForEnded = true
    try {
      for (;;) {
        moreEnded = false
        const found = await queue.claimEnded({ ...claimRequest, limit: queueLimits.endedPerLook })
        for (const ended of found) await reportOne(ended)
        if (found.length < queueLimits.endedPerLook && !isAskedAgain()) return
        if (isClosed()) return
      }
    } catch (error) {
      rest(error)
    } finally {
      lookingForEnded = false
    }
  }

  /** One that cannot be reported now is handed out again when its lease is over. */
  const reportOne = async (ended: EndedDelivery): Promise<void> => {
    try {
      const work = readWork(ended.message.payload)
      if (work !== undefined) await handlerOf(work.kind).ended(work, ended)
      await queue.complete(ended.lease)
    } catch (error) {
      parts.onInternalError(error)
    }
  }

  // Asked for by a call, because what happens during an await is not seen by the type checker.
  const isAskedAgain = (): boolean => moreEnded
  const isClosed = (): boolean => closed

  const handlerOf = (kind: WorkKind): WorkHandler => {
    if (handlers === null) throw new Error('the dispatcher has not begun')
    return handlers[kind]
  }

  const unsubscribe = queue.subscribe((signal) => {
    if (signal === 'work') claimMore()
    else void reportEnded()
  })

  const enqueue = async (message: Message, awaited = false): Promise<EnqueueOutcome> => {
    const entering = queue.enqueue(message)
    try {
      const outcome = await withinTime(clock, entering, queueLimits.enqueueMs, 'The message queue')
      // Not before it is there: a claim that finds nothing would take the others' turns with it.
      if (awaited && outcome.kind === 'enqueued') {
        awaitedClaims = Math.min(queueLimits.awaited, awaitedClaims + 1)
        claimMore()
      }
      return outcome
    } catch (error) {
      // Its caller was told that it was not taken: should it get in after all, it is taken out again.
      void entering.then(() => queue.remove(message.id)).catch(() => undefined)
      throw error
    }
  }

  return {
    enqueue,
    remove: (id) => queue.remove(id),
    holds: (id) => held.get(id) !== undefined,
    busy: () => held.size,
    begin(given) {
      handlers = given
      claimMore()
      void reportEnded()
    },
    async close() {
      closed = true
      unsubscribe()
      const inTime = new AbortController()
      await Promise.race([Promise.all(works), sleep(clock, queueLimits.closeMs, inTime.signal).catch(() => undefined)])
      inTime.abort()
    },
  }
}
