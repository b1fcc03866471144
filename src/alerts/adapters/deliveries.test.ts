import { describe, expect, it, onTestFinished } from 'vitest'
import { createSeededRandom } from '../../runtime/random.ts'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { alertLimits } from '../limits.ts'
import { sampleNotification } from '../notifier.conformance.ts'
import type { DeliveryOutcome, Notifier } from '../notifier.ts'
import { createDeliveries, type Settled } from './deliveries.ts'
import { createMemoryNotifier } from './memory-notifier.ts'

const minute = 60_000
const passing: DeliveryOutcome = { kind: 'failed', retryable: true, retryAfterMs: null, reason: 'HTTP 503' }
const refusal: DeliveryOutcome = { kind: 'failed', retryable: false, retryAfterMs: null, reason: 'HTTP 403' }

function open(...notifiers: readonly Notifier[]) {
  const clock = createVirtualClock(sampleNotification.createdAtMs)
  const settled: Settled[] = []
  const deliveries = createDeliveries(clock, createSeededRandom(7), notifiers, (outcome) => settled.push(outcome))
  onTestFinished(() => deliveries.stop())
  const offer = (count: number, from = 0): void =>
    deliveries.offer(Array.from({ length: count }, (_, index) => ({ notification: { ...sampleNotification, id: `ntf_${String(from + index).padStart(4, '0')}` }, waiting: notifiers.map((notifier) => notifier.name) })))
  return { clock, settled, deliveries, offer }
}

describe('deliveries', () => {
  it('keep the order of events, and take nothing twice that is on its way', async () => {
    const one = createMemoryNotifier('one')
    const { clock, offer } = open(one)
    offer(5)
    offer(5)
    await clock.advanceAsync(1)
    expect(one.received.map((notification) => notification.id)).toEqual(['ntf_0000', 'ntf_0001', 'ntf_0002', 'ntf_0003', 'ntf_0004'])
  })

  it('one receiver that fails never delays another', async () => {
    const [good, bad] = [createMemoryNotifier('good'), createMemoryNotifier('bad')]
    bad.answerWith(() => passing)
    const { clock, offer, settled, deliveries } = open(good, bad)
    offer(3)
    await clock.advanceAsync(1)
    expect(good.received).toHaveLength(3)
    expect(settled.map((each) => each.notifier)).toEqual(['good', 'good', 'good'])
    expect(deliveries.health().map((each) => each.status)).toEqual(['healthy', 'degraded'])
    await clock.advanceAsync(2 * minute)
    expect(deliveries.health()[1]).toMatchObject({ status: 'critical', lastFailure: { reason: 'HTTP 503' }, waiting: 3 })
    expect(deliveries.readings()).toEqual([
      { name: 'good', failing: false },
      { name: 'bad', failing: true },
    ])
  })

  it('a failure that may pass is tried again, with a backoff that spreads and a bound in time', async () => {
    const at: number[] = []
    const bad = createMemoryNotifier('bad')
    const { clock, offer, settled } = open(bad)
    bad.answerWith(() => {
      at.push(clock.monotonicMs())
      return passing
    })
    offer(1)
    await clock.advanceAsync(alertLimits.deliveryMs + minute)
    const gaps = at.slice(1).map((atMs, index) => atMs - (at[index] ?? 0))
    expect(gaps.every((gapMs, index) => gapMs <= Math.min(30_000, 500 * 2 ** index))).toBe(true)
    expect(new Set(gaps).size).toBe(gaps.length)
    expect(gaps.length).toBeGreaterThan(30)
    expect(settled).toMatchObject([{ notifier: 'bad', givenUp: 'HTTP 503' }])
    expect(settled[0]?.notification.id).toBe('ntf_0000')
  })

  it('recovers when the receiver does', async () => {
    let failures = 4
    const one = createMemoryNotifier('one')
    one.answerWith(() => (failures-- > 0 ? passing : { kind: 'delivered' }))
    const { clock, offer, deliveries } = open(one)
    offer(2)
    await clock.advanceAsync(minute)
    expect(one.received).toHaveLength(2)
    expect(deliveries.health()[0]).toMatchObject({ status: 'healthy', waiting: 0, delivered: 2, givenUp: 0 })
  })

  it('a definite refusal is given up at once and makes the receiver failing', async () => {
    const one = createMemoryNotifier('one')
    one.answerWith(() => refusal)
    const { clock, offer, settled, deliveries } = open(one)
    offer(1)
    await clock.advanceAsync(0)
    expect(settled).toMatchObject([{ givenUp: 'HTTP 403' }])
    expect(deliveries.readings()).toEqual([{ name: 'one', failing: true }])
  })

  it('Retry-After is obeyed up to a minute', async () => {
    const at: number[] = []
    const one = createMemoryNotifier('one')
    const { clock, offer } = open(one)
    const answers: readonly DeliveryOutcome[] = [{ ...passing, retryAfterMs: 20_000 }, { ...passing, retryAfterMs: 3_600_000 }]
    one.answerWith(() => {
      at.push(clock.monotonicMs())
      return answers[at.length - 1] ?? { kind: 'delivered' }
    })
    offer(1)
    await clock.advanceAsync(5 * minute)
    expect(at).toEqual([0, 20_000, 80_000])
  })

  it('an attempt that hangs is ended, and a notifier that rejects stops nothing', async () => {
    let aborted = 0
    const hanging: Notifier = {
      ...createMemoryNotifier('hanging'),
      deliver: (_notification, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            aborted += 1
            resolve(passing)
          })
        }),
    }
    const rejecting: Notifier = { ...createMemoryNotifier('rejecting'), deliver: () => Promise.reject(new Error('a bug')) }
    const { clock, offer, deliveries } = open(hanging, rejecting)
    offer(1)
    await clock.advanceAsync(alertLimits.attemptMs - 1)
    expect(aborted).toBe(0)
    await clock.advanceAsync(1)
    expect(aborted).toBe(1)
    expect(deliveries.health()[1]?.lastFailure?.reason).toBe('the notifier failed unexpectedly')
  })

  it('a queue is bounded, and what is withdrawn is not sent', async () => {
    const one = createMemoryNotifier('one')
    one.answerWith(() => passing)
    const { clock, offer, deliveries } = open(one)
    offer(1_000)
    expect(deliveries.health()[0]?.waiting).toBe(alertLimits.deliveriesPerNotifier)
    deliveries.withdraw()
    one.answerWith(() => ({ kind: 'delivered' }))
    await clock.advanceAsync(minute)
    expect(one.received).toHaveLength(1)
  })

  it('stopping leaves nothing running', async () => {
    const one = createMemoryNotifier('one')
    one.answerWith(() => passing)
    const { clock, offer, deliveries } = open(one)
    offer(3)
    await clock.advanceAsync(10_000)
    await deliveries.stop()
    expect(clock.pending()).toBe(0)
  })
})
