import { expect, it } from 'vitest'
import { createMemoryNotifier } from '../alerts/adapters/memory-notifier.ts'
import { createSelfTests } from '../alerts/adapters/self-tests.ts'
import { calm, openLab } from '../alerts/testing/alert-lab.ts'
import { startHealthChecker, type HealthChecker } from '../health/health-checker.ts'
import type { SystemEvent } from '../operation/system-event.ts'
import { createEventStream } from '../runtime/event-stream.ts'
import { alertManagerComponent, receiverOf } from './health-subjects.ts'

const minuteMs = 60_000
const healthSettings = { intervalMs: 10_000, undecidedIntervalMs: 2_000, timeoutMs: 5_000, worsensAfter: 3, recoversAfter: 5, trustTrafficMs: 60_000, probing: true }

/** An Alert Manager with two receivers, and a Health Checker that tests them every five minutes. */
async function openWatchedLab() {
  const slack = createMemoryNotifier('slack-1')
  let tests = 0
  const counted = { ...slack, selfTest: (signal: AbortSignal) => ((tests += 1), slack.selfTest(signal)) }
  const lab = await openLab({ notifiers: [counted] })
  const selfTests = createSelfTests(lab.clock, [lab.pager, counted])
  const component = alertManagerComponent(() => lab.manager.health(), lab.clock, { tests: selfTests, intervalMs: () => 5 * minuteMs })
  const checker: HealthChecker = startHealthChecker({ clock: lab.clock, events: createEventStream<SystemEvent>(() => {}), settings: () => healthSettings, components: () => [component] })
  const failing = (): readonly string[] => checker.components().flatMap(({ subjects }) => subjects.flatMap(({ id, status }) => (status === 'critical' ? (receiverOf(id) ?? []) : [])))
  lab.set(() => ({ ...calm, unreachableNotifiers: failing() }))
  const found = () => checker.components()[0]?.subjects.find(({ id }) => id === 'self-test:slack-1')
  return { lab, slack, checker, found, tests: () => tests }
}

it('receivers are tested at their interval and no more often, and nobody is told of it', async () => {
  const { lab, checker, found, tests } = await openWatchedLab()
  await lab.pass(60 * minuteMs)
  expect(tests()).toBe(13)
  expect(found()).toMatchObject({ status: 'healthy', title: 'slack-1 (self-test)' })
  expect(lab.pages()).toEqual([])
  checker.stop()
})

it('one that cannot be reached is an alert through the others, once it is certain, and is over when it can be reached again', async () => {
  const { lab, slack, checker, found } = await openWatchedLab()
  await lab.pass(minuteMs)
  slack.testsAs({ kind: 'unreachable', reason: 'no connection (ECONNREFUSED)' })
  await lab.pass(4 * minuteMs)
  expect(found()?.status).toBe('healthy')
  await lab.pass(65_000)
  expect(found()).toMatchObject({ status: 'critical', message: 'no connection (ECONNREFUSED)' })
  await lab.pass(5_000)
  expect(lab.active()).toEqual(['notifier-failing'])
  expect(lab.pages()).toEqual(['firing [P1] notifier-failing on alert-manager: receivers that cannot be notified: slack-1.'])
  expect(slack.received).toEqual([])
  slack.testsAs({ kind: 'reachable' })
  await lab.pass(10 * minuteMs)
  expect(found()?.status).toBe('healthy')
  expect(lab.active()).toEqual([])
  checker.stop()
})

it('one test that fails by chance is nothing', async () => {
  const { lab, slack, checker, found } = await openWatchedLab()
  await lab.pass(minuteMs)
  slack.testsAs({ kind: 'unreachable', reason: 'no connection' })
  await lab.pass(4 * minuteMs + 10_000)
  slack.testsAs({ kind: 'reachable' })
  await lab.pass(30 * minuteMs)
  expect(found()?.status).toBe('healthy')
  expect(lab.pages()).toEqual([])
  checker.stop()
})
