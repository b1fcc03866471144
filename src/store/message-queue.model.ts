/**
 * A model of the message queue for the property test: a plain list that is searched from end to end, with none of the
 * engines' structures. Any sequence of calls and waits must have the outcome that the list allows, and nothing may vanish.
 *
 * Where the port leaves a choice the model follows the engine: a lease that is late may be used or lost until somebody else
 * claims, and a message that lapsed late, with no delivery left, may have expired instead of died.
 */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { priorities, priorityRank } from '../operation/matrix.ts'
import type { MessageQueueEngine, OpenedQueue } from './message-queue.conformance.ts'
import type { EndedDelivery, Lease, Message } from './message-queue.ts'

type Held = { readonly lease: Lease; readonly untilMs: number }
type ModelState =
  | { readonly in: 'waiting' }
  | { readonly in: 'delayed'; readonly untilMs: number }
  | ({ readonly in: 'leased' } & Held)
  | { readonly in: 'expired' }
  | { readonly in: 'dead' }
  | ({ readonly in: 'reporting'; readonly as: 'expired' | 'dead' } & Held)
  | { readonly in: 'resting' }

interface ModelMessage {
  readonly message: Message
  readonly arrival: number
  deliveries: number
  state: ModelState
}

const leaseMs = 40

const arbitraryStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('enqueue' as const), priority: fc.constantFrom(...priorities), lifeMs: fc.integer({ min: 1, max: 120 }), deadlineMs: fc.integer({ min: 0, max: 60 }), maxDeliveries: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('complete' as const, 'extend' as const, 'deadLetter' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(), delayMs: fc.integer({ min: 0, max: 50 }), attempted: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('claimEnded' as const), limit: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), durationMs: fc.integer({ min: 0, max: 60 }) }) },
)
type Step = typeof arbitraryStep extends fc.Arbitrary<infer Value> ? Value : never

export async function checkQueueModel(engine: MessageQueueEngine): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(arbitraryStep, { maxLength: 80 }), async (steps) => {
      const opened = await engine.open({ reservedClaimEvery: 0 })
      try {
        await followModel(opened, steps)
      } finally {
        await opened.close()
      }
    }),
    { numRuns: engine.modelRuns, endOnFailure: true },
  )
}

async function followModel({ queue, nowMs, advance }: OpenedQueue, steps: readonly Step[]): Promise<void> {
  const all = new Map<string, ModelMessage>()
  const leases: Lease[] = []
  let arrivals = 0

  const lapse = (entry: ModelMessage, atMs: number): void => {
    if (entry.state.in === 'reporting') entry.state = entry.state.as === 'dead' ? { in: 'dead' } : { in: 'expired' }
    else putBack(entry, atMs, 0)
  }
  const putBack = (entry: ModelMessage, atMs: number, delayMs: number): void => {
    if (entry.message.expiresAtMs <= atMs) entry.state = { in: 'expired' }
    else if (entry.deliveries >= entry.message.maxDeliveries) entry.state = { in: 'dead' }
    else entry.state = delayMs > 0 ? { in: 'delayed', untilMs: atMs + delayMs } : { in: 'waiting' }
  }
  const settle = (): void => {
    for (const entry of all.values()) {
      const { state } = entry
      if ((state.in === 'leased' || state.in === 'reporting') && state.untilMs <= nowMs()) lapse(entry, state.untilMs)
      if (entry.state.in === 'delayed' && entry.state.untilMs <= nowMs()) entry.state = { in: 'waiting' }
      if ((entry.state.in === 'waiting' || entry.state.in === 'delayed') && entry.message.expiresAtMs <= nowMs()) entry.state = { in: 'expired' }
    }
  }
  const holder = (lease: Lease): ModelMessage | undefined => {
    const entry = all.get(lease.id)
    if (entry === undefined || (entry.state.in !== 'leased' && entry.state.in !== 'reporting')) return undefined
    return entry.state.lease.token === lease.token ? entry : undefined
  }
  /** What an operation on a lease meets; a late lease is settled the way the engine decided. */
  const meets = (lease: Lease, lost: boolean): ModelMessage | undefined => {
    const entry = holder(lease)
    const isLate = entry !== undefined && 'untilMs' in entry.state && entry.state.untilMs <= nowMs()
    if (isLate && lost) {
      lapse(entry, nowMs())
      return undefined
    }
    expect(lost).toBe(entry === undefined)
    return entry
  }
  const noteEnded = (ended: EndedDelivery): void => {
    const entry = all.get(ended.message.id)
    expect(entry?.deliveries).toBe(ended.deliveries)
    if (entry === undefined) return
    const mayBeEither = entry.deliveries >= entry.message.maxDeliveries && entry.message.expiresAtMs <= nowMs()
    const wanted = entry.state.in === 'dead' ? 'dead_lettered' : 'expired'
    expect(['dead', 'expired']).toContain(entry.state.in)
    if (!mayBeEither) expect(ended.ended).toBe(wanted)
    entry.state = { in: 'reporting', as: ended.ended === 'expired' ? 'expired' : 'dead', lease: ended.lease, untilMs: nowMs() + leaseMs }
    leases.push(ended.lease)
  }

  for (const step of steps) {
    switch (step.do) {
      case 'enqueue': {
        arrivals += 1
        const at = nowMs()
        const message: Message = {
          id: `op_${arrivals}`,
          priority: step.priority,
          payload: arrivals,
          enqueuedAtMs: at,
          expiresAtMs: at + step.lifeMs,
          deadlineMs: at + step.deadlineMs,
          maxDeliveries: step.maxDeliveries,
        }
        expect((await queue.enqueue(message)).kind).toBe('enqueued')
        all.set(message.id, { message, arrival: arrivals, deliveries: 0, state: { in: 'waiting' } })
        break
      }
      case 'claim': {
        const delivery = await queue.claim({ workerId: 'worker', leaseMs })
        settle()
        const wanted = [...all.values()]
          .filter((entry) => entry.state.in === 'waiting')
          .sort((a, b) => priorityRank(a.message.priority) - priorityRank(b.message.priority) || a.message.deadlineMs - b.message.deadlineMs || a.arrival - b.arrival)[0]
        expect(delivery?.message).toEqual(wanted?.message)
        if (delivery === undefined || wanted === undefined) break
        wanted.deliveries += 1
        expect(delivery.delivery).toBe(wanted.deliveries)
        wanted.state = { in: 'leased', lease: delivery.lease, untilMs: nowMs() + leaseMs }
        leases.push(delivery.lease)
        break
      }
      case 'complete': {
        const lease = leases[step.which % Math.max(1, leases.length)]
        if (lease === undefined) break
        const { kind } = await queue.complete(lease)
        const entry = meets(lease, kind === 'lost')
        if (entry?.state.in === 'reporting' && entry.state.as === 'dead') entry.state = { in: 'resting' }
        else if (entry !== undefined) all.delete(lease.id)
        break
      }
      case 'extend': {
        const lease = leases[step.which % Math.max(1, leases.length)]
        if (lease === undefined) break
        const { kind } = await queue.extend(lease, leaseMs)
        const entry = meets(lease, kind === 'lost')
        if (entry !== undefined && 'untilMs' in entry.state) entry.state = { ...entry.state, untilMs: nowMs() + leaseMs }
        break
      }
      case 'deadLetter': {
        const lease = leases[step.which % Math.max(1, leases.length)]
        if (lease === undefined || holder(lease)?.state.in === 'reporting') break
        const { kind } = await queue.deadLetter(lease, 'poison')
        const entry = meets(lease, kind === 'lost')
        if (entry !== undefined) entry.state = { in: 'dead' }
        break
      }
      case 'release': {
        const lease = leases[step.which % Math.max(1, leases.length)]
        if (lease === undefined) break
        const outcome = await queue.release(lease, { delayMs: step.delayMs, reason: 'tried', attempted: step.attempted })
        const entry = meets(lease, outcome.kind === 'lost')
        if (entry === undefined) break
        if (entry.state.in === 'reporting') lapse(entry, nowMs())
        else {
          if (!step.attempted) entry.deliveries -= 1
          putBack(entry, nowMs(), step.delayMs)
        }
        if (outcome.kind === 'ended') expect(entry.state.in).toBe(outcome.as === 'expired' ? 'expired' : 'dead')
        else expect(['waiting', 'delayed']).toContain(entry.state.in)
        break
      }
      case 'remove': {
        const id = `op_${(step.which % Math.max(1, arrivals)) + 1}`
        const outcome = await queue.remove(id)
        settle()
        const state = all.get(id)?.state.in
        const wanted = state === undefined ? 'absent' : state === 'waiting' || state === 'delayed' ? 'removed' : state === 'leased' || state === 'reporting' ? 'leased' : 'ended'
        expect(outcome.kind).toBe(wanted)
        if (outcome.kind === 'removed') all.delete(id)
        break
      }
      case 'claimEnded': {
        const ended = await queue.claimEnded({ workerId: 'worker', leaseMs, limit: step.limit })
        settle()
        const waiting = [...all.values()].filter((entry) => entry.state.in === 'expired' || entry.state.in === 'dead').length
        expect(ended).toHaveLength(Math.min(step.limit, waiting))
        ended.forEach(noteEnded)
        break
      }
      case 'wait':
        await advance(step.durationMs)
        break
    }
  }

  // Whatever happened, what was neither completed nor removed is still there, and the inspection counts it.
  const inspection = await queue.inspect()
  settle()
  const inState = (...states: readonly ModelState['in'][]): number => [...all.values()].filter((entry) => states.includes(entry.state.in)).length
  const leased = Object.values(inspection.classes).reduce((sum, { leased }) => sum + leased, 0)
  expect(leased).toBe(inState('leased'))
  // The engine may not have looked at what expired just now: it counts as waiting or as unreported.
  expect(inspection.depth + inspection.unreported).toBe(inState('waiting', 'delayed', 'expired', 'dead', 'reporting'))
}
