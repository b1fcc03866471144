import { expect, it, onTestFinished } from 'vitest'
import { createSystemClock } from '../../runtime/clock.ts'
import { openReceiver, sampleNotification } from '../notifier.conformance.ts'
import { startAlertmanager } from '../testing/alertmanager-server.ts'
import { createAlertmanagerNotifier } from './alertmanager.ts'
import { createHttpPost } from './http-post.ts'

interface Group {
  readonly status: string
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[]
}

it('a real Alertmanager takes our alerts: repeated while firing it pages once, and a resolved one is told as resolved', async () => {
  const pager = await openReceiver((response) => response.writeHead(200).end())
  const server = await startAlertmanager(`${pager.url}/page`)
  onTestFinished(() => server.stop())
  const clock = createSystemClock()
  const nowMs = (): number => clock.nowMs()
  const notifier = createAlertmanagerNotifier({ name: 'alertmanager-1', leastPriority: 'P3', url: server.url, deployment: 'hybrid-routing', repeatMs: 60_000 }, createHttpPost(nowMs), nowMs)
  onTestFinished(() => notifier.close())
  const never = new AbortController().signal
  const told = (): readonly Group[] => pager.requests.map((request) => JSON.parse(request.body) as Group)
  const firing = { ...sampleNotification, alerts: sampleNotification.alerts.map((alert) => ({ ...alert, startedAtMs: nowMs() - 5_000 })) }

  for (let repetition = 0; repetition < 3; repetition += 1) expect(await notifier.deliver(firing, never)).toEqual({ kind: 'delivered' })
  await expect.poll(told, { timeout: 10_000 }).toMatchObject([{ status: 'firing', alerts: [{ labels: { alertname: 'direct-bedrock-unavailable', component: 'direct-bedrock-client', priority: 'P0', severity: 'critical' } }] }])
  const listed = (await (await fetch(`${server.url}/api/v2/alerts`)).json()) as readonly object[]
  expect(listed).toHaveLength(1)

  await notifier.deliver({ ...firing, event: 'resolved', alerts: firing.alerts.map((alert) => ({ ...alert, status: 'resolved' as const, resolvedAtMs: nowMs() - 1_000 })) }, never)
  await expect.poll(() => told().map((group) => group.status), { timeout: 10_000 }).toEqual(['firing', 'resolved'])

  expect(await notifier.deliver({ ...sampleNotification, event: 'test', alerts: [], createdAtMs: nowMs() }, never)).toEqual({ kind: 'delivered' })
  await expect.poll(() => told().at(-1)?.alerts[0]?.labels['alertname'], { timeout: 10_000 }).toBe('delivery-test')
}, 180_000)
