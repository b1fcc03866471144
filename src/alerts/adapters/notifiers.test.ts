import { createHmac, timingSafeEqual } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished, test } from 'vitest'
import { createSystemClock } from '../../runtime/clock.ts'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { openReceiver, sampleNotification, testNotifier, type ReceivedRequest } from '../notifier.conformance.ts'
import type { Notification } from '../notification.ts'
import { createAlertmanagerNotifier } from './alertmanager.ts'
import { createHeartbeat } from './heartbeat.ts'
import { createHttpPost } from './http-post.ts'
import { openNotifiers } from './open-notifiers.ts'
import { createPagerDutyNotifier } from './pagerduty.ts'
import { createSlackNotifier } from './slack.ts'
import { createSnsNotifier } from './sns.ts'
import { createWebhookNotifier } from './webhook.ts'

const nowMs = (): number => Date.UTC(2026, 0, 1, 8, 0, 6)
const about = { name: 'one', leastPriority: 'P3' as const }
const http = () => createHttpPost(nowMs)
const never = new AbortController().signal
const say = (status: number, body: string, type = 'application/json') => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': type })
  response.end(body)
}
const json = (request: ReceivedRequest | undefined): Record<string, unknown> => JSON.parse(request?.body ?? '{}') as Record<string, unknown>

const secret = 'a-shared-secret-of-the-webhook'
const topicArn = 'arn:aws:sns:eu-central-1:111122223333:pages'
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret' }
/** What SNS answers to Publish in the query protocol (Amazon SNS API reference, "Publish"). */
const published = say(
  200,
  '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>567910cd-659e-55d4-8ccb-5aaf14679dc0</MessageId></PublishResult><ResponseMetadata><RequestId>d74b8436-ae13-5ab4-a9ff-ce54dfea72a0</RequestId></ResponseMetadata></PublishResponse>',
  'text/xml',
)
const attributeOf = (request: ReceivedRequest, wanted: string): string | null => {
  const form = new URLSearchParams(request.body)
  const index = [...form].find(([key, value]) => key.endsWith('.Name') && value === wanted)?.[0].split('.')[2]
  return form.get(`MessageAttributes.entry.${index}.Value.StringValue`)
}

testNotifier({ name: 'signed webhook', accept: say(204, ''), open: (url) => createWebhookNotifier({ ...about, url: `${url}/hook`, secret }, http(), nowMs), incidentOf: (request) => String(json(request)['dedupKey']) })
testNotifier({
  name: 'PagerDuty',
  accept: say(202, '{"status":"success","message":"Event processed","dedup_key":"x"}'),
  open: (url) => createPagerDutyNotifier({ ...about, routingKey: 'R0UT1NG', endpoint: `${url}/v2/enqueue` }, http()),
  incidentOf: (request) => String(json(request)['dedup_key']),
  requestsOf: (event) => (event === 'test' ? 2 : 1),
})
testNotifier({
  name: 'Slack',
  accept: say(200, 'ok', 'text/plain'),
  open: (url) => createSlackNotifier({ ...about, url: `${url}/services/T/B/X` }, http()),
  incidentOf: (request) => JSON.stringify((json(request)['blocks'] as { type: string }[]).find((block) => block.type === 'context')),
})
testNotifier({
  name: 'Alertmanager',
  accept: say(200, ''),
  open: (url) => createAlertmanagerNotifier({ ...about, url: `${url}/`, deployment: 'hybrid-routing', repeatMs: 60_000 }, http(), nowMs),
  incidentOf: (request) => JSON.stringify((JSON.parse(request.body) as { labels: object }[])[0]?.labels),
})
testNotifier({ name: 'Amazon SNS', accept: published, open: (url) => createSnsNotifier({ ...about, topicArn, endpoint: url, credentials }), incidentOf: (request) => attributeOf(request, 'dedupKey') ?? '' })

describe('the signed webhook', () => {
  /** The receiver's side, as docs/alerts.md shows it. */
  const isGenuine = (request: ReceivedRequest, key: string, receivedAtMs: number): boolean => {
    const timestamp = String(request.headers['x-hybrid-routing-timestamp'])
    const expected = Buffer.from(`v1=${createHmac('sha256', key).update(`${timestamp}.${request.body}`).digest('hex')}`)
    const given = Buffer.from(String(request.headers['x-hybrid-routing-signature']))
    return given.length === expected.length && timingSafeEqual(given, expected) && Math.abs(receivedAtMs / 1_000 - Number(timestamp)) <= 300
  }
  const one = async (key: string | null): Promise<ReceivedRequest> => {
    const receiver = await openReceiver(say(204, ''))
    const notifier = createWebhookNotifier({ ...about, url: `${receiver.url}/hook?x=1`, secret: key }, http(), nowMs)
    onTestFinished(() => notifier.close())
    await notifier.deliver(sampleNotification, never)
    const request = receiver.requests[0]
    if (request === undefined) throw new Error('nothing arrived')
    return request
  }

  it('is verified with the secret, and by no other body, secret or time', async () => {
    const request = await one(secret)
    expect(isGenuine(request, secret, nowMs())).toBe(true)
    expect(isGenuine({ ...request, body: request.body.replace('P0', 'P3') }, secret, nowMs())).toBe(false)
    expect(isGenuine(request, 'another-secret', nowMs())).toBe(false)
    expect(isGenuine(request, secret, nowMs() + 301_000)).toBe(false)
    expect(isGenuine({ ...request, headers: { ...request.headers, 'x-hybrid-routing-timestamp': String(nowMs() / 1_000 + 1) } }, secret, nowMs())).toBe(false)
  })

  it('says everything as JSON, with times as texts, and no secret', async () => {
    const request = await one(secret)
    expect(request).toMatchObject({ method: 'POST', path: '/hook?x=1', headers: { 'content-type': 'application/json', 'x-hybrid-routing-notification': 'ntf_0001' } })
    expect(json(request)).toMatchObject({ id: 'ntf_0001', event: 'firing', severity: 'critical', timestamp: '2026-01-01T08:00:05.000Z', alerts: [{ id: 'alrt_0001', startedAt: '2026-01-01T08:00:00.000Z', resolvedAt: null }] })
    expect(JSON.stringify(request)).not.toContain(secret)
  })

  it('without a secret it is not signed', async () => {
    expect((await one(null)).headers['x-hybrid-routing-signature']).toBeUndefined()
  })

  it('obeys Retry-After as seconds and as a date', async () => {
    const receiver = await openReceiver(say(204, ''))
    const notifier = createWebhookNotifier({ ...about, url: receiver.url, secret: null }, http(), nowMs)
    onTestFinished(() => notifier.close())
    for (const header of ['30', new Date(nowMs() + 30_000).toUTCString()]) {
      receiver.answerWith((response) => response.writeHead(503, { 'retry-after': header }).end())
      expect(await notifier.deliver(sampleNotification, never)).toMatchObject({ retryable: true, retryAfterMs: 30_000 })
    }
  })
})

describe('PagerDuty', () => {
  test.each([
    ['firing', 'trigger'],
    ['updated', 'trigger'],
    ['escalated', 'trigger'],
    ['acknowledged', 'acknowledge'],
    ['resolved', 'resolve'],
  ] as const)('%s is the event action %s', async (event, action) => {
    const receiver = await openReceiver(say(202, '{}'))
    const notifier = createPagerDutyNotifier({ ...about, routingKey: 'R0UT1NG', endpoint: `${receiver.url}/v2/enqueue` }, http())
    onTestFinished(() => notifier.close())
    await notifier.deliver({ ...sampleNotification, event }, never)
    expect(receiver.requests[0]?.path).toBe('/v2/enqueue')
    expect(json(receiver.requests[0])).toMatchObject({ routing_key: 'R0UT1NG', event_action: action, dedup_key: sampleNotification.dedupKey })
    expect('payload' in json(receiver.requests[0])).toBe(action === 'trigger')
  })

  it('gives the members that PagerDuty requires, and its severities', async () => {
    const receiver = await openReceiver(say(202, '{}'))
    const notifier = createPagerDutyNotifier({ ...about, routingKey: 'R', endpoint: receiver.url }, http())
    onTestFinished(() => notifier.close())
    for (const priority of ['P0', 'P1', 'P2', 'P3'] as const) await notifier.deliver({ ...sampleNotification, priority, title: 'x'.repeat(5_000) }, never)
    const payloads = receiver.requests.map((request) => json(request)['payload'] as Record<string, unknown>)
    expect(payloads.map((payload) => payload['severity'])).toEqual(['critical', 'error', 'warning', 'info'])
    expect(payloads[0]).toMatchObject({ source: 'hybrid-routing', component: 'direct-bedrock-client', class: 'direct-bedrock-unavailable', timestamp: '2026-01-01T08:00:05.000Z' })
    expect(payloads[0]?.['summary']).toHaveLength(1_024)
  })
})

it('Slack gets its three characters escaped, and no more sections than it takes', async () => {
  const receiver = await openReceiver(say(200, 'ok', 'text/plain'))
  const notifier = createSlackNotifier({ ...about, url: receiver.url }, http())
  onTestFinished(() => notifier.close())
  const many: Notification = { ...sampleNotification, alerts: Array.from({ length: 50 }, () => sampleNotification.alerts[0]).flatMap((alert) => (alert === undefined ? [] : [alert])) }
  await notifier.deliver(many, never)
  const message = json(receiver.requests[0]) as { text: string; blocks: unknown[] }
  expect(message.text).toContain('&amp; &lt;nobody&gt;')
  expect(message.blocks.length).toBeLessThanOrEqual(50)
})

describe('Amazon SNS, through the AWS SDK', () => {
  const publish = async (notification: Notification, arn = topicArn): Promise<URLSearchParams> => {
    const receiver = await openReceiver(published)
    const notifier = createSnsNotifier({ ...about, topicArn: arn, endpoint: receiver.url, credentials })
    onTestFinished(() => notifier.close())
    expect(await notifier.deliver(notification, never)).toEqual({ kind: 'delivered' })
    expect(receiver.requests[0]?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/sns\/aws4_request/)
    return new URLSearchParams(receiver.requests[0]?.body)
  }

  it('publishes a signed message with a subject that a mail can show', async () => {
    const form = await publish(sampleNotification)
    expect(form.get('Action')).toBe('Publish')
    expect(form.get('TopicArn')).toBe(topicArn)
    expect(form.get('Subject')).toMatch(/^firing: \[P0\] direct-bedrock-unavailable[\x20-\x7e]{1,80}$/)
    expect(form.get('Message')).toContain('To act: on-call engineer.')
    expect(form.get('MessageDeduplicationId')).toBeNull()
  })

  it('a FIFO topic keeps one incident in order and recognises a repetition', async () => {
    const form = await publish(sampleNotification, `${topicArn}.fifo`)
    expect([form.get('MessageGroupId'), form.get('MessageDeduplicationId')]).toEqual([sampleNotification.dedupKey, 'ntf_0001'])
  })

  it('throttling may pass, a topic that is not there may not', async () => {
    const receiver = await openReceiver(published)
    const notifier = createSnsNotifier({ ...about, topicArn, endpoint: receiver.url, credentials })
    onTestFinished(() => notifier.close())
    const fault = (status: number, code: string) => say(status, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>`, 'text/xml')
    receiver.answerWith(fault(429, 'Throttled'))
    expect(await notifier.deliver(sampleNotification, never)).toMatchObject({ retryable: true })
    receiver.answerWith(fault(404, 'NotFound'))
    expect(await notifier.deliver(sampleNotification, never)).toEqual({ kind: 'failed', retryable: false, retryAfterMs: null, reason: 'SNS answered HTTP 404' })
    expect(receiver.requests).toHaveLength(2)
  })
})

describe('Alertmanager', () => {
  const open = async () => {
    const receiver = await openReceiver(say(200, ''))
    const notifier = createAlertmanagerNotifier({ ...about, url: receiver.url, deployment: 'hybrid-routing', repeatMs: 60_000 }, http(), nowMs)
    onTestFinished(() => notifier.close())
    const alerts = (): readonly Record<string, unknown>[] => receiver.requests.map((request) => (JSON.parse(request.body) as Record<string, unknown>[])[0] ?? {})
    return { receiver, notifier, alerts }
  }

  it('a firing alert ends by itself some repetitions away, a resolved one when it ended', async () => {
    const { notifier, receiver, alerts } = await open()
    await notifier.deliver(sampleNotification, never)
    await notifier.deliver({ ...sampleNotification, event: 'resolved', alerts: sampleNotification.alerts.map((alert) => ({ ...alert, status: 'resolved' as const, resolvedAtMs: Date.UTC(2026, 0, 1, 8, 30) })) }, never)
    expect(receiver.requests.map((request) => request.path)).toEqual(['/api/v2/alerts', '/api/v2/alerts'])
    expect(alerts().map((alert) => [alert['startsAt'], alert['endsAt']])).toEqual([
      ['2026-01-01T08:00:00.000Z', '2026-01-01T08:04:06.000Z'],
      ['2026-01-01T08:00:00.000Z', '2026-01-01T08:30:00.000Z'],
    ])
    expect(alerts()[0]).toMatchObject({ labels: { alertname: 'direct-bedrock-unavailable', component: 'direct-bedrock-client', severity: 'critical', priority: 'P0', deployment: 'hybrid-routing' } })
  })
})

test('the heartbeat is a signed sign of life', async () => {
  const receiver = await openReceiver(say(200, 'ok'))
  const heartbeat = createHeartbeat(`${receiver.url}/ping`, 60_000, secret, http())
  onTestFinished(() => heartbeat.close())
  expect(await heartbeat.send({ deployment: 'hybrid-routing', instance: 'one', activeAlerts: 2 }, nowMs(), never)).toEqual({ kind: 'delivered' })
  expect(json(receiver.requests[0])).toEqual({ event: 'heartbeat', deployment: 'hybrid-routing', instance: 'one', activeAlerts: 2, timestamp: '2026-01-01T08:00:06.000Z' })
  expect(receiver.requests[0]?.headers['x-hybrid-routing-signature']).toMatch(/^v1=[0-9a-f]{64}$/)
})

test('the log gets one line, as urgent as the alert', async () => {
  const lines: unknown[][] = []
  const [log] = openNotifiers([{ type: 'log', leastSeverity: 'low' }], { clock: createVirtualClock(), deployment: 'd', credentials: null, writeLine: (...line) => lines.push(line), droppedLines: () => 0 })
  await log?.deliver(sampleNotification, never)
  await log?.deliver({ ...sampleNotification, event: 'resolved' }, never)
  await log?.deliver({ ...sampleNotification, priority: 'P2' }, never)
  expect(lines.map((line) => line.slice(0, 2))).toEqual([
    ['error', 'ALERT'],
    ['info', 'ALERT'],
    ['warn', 'ALERT'],
  ])
})

test('receivers are named by their type and place', () => {
  const opened = openNotifiers(
    [
      { type: 'webhook', url: 'http://127.0.0.1:1/', secret: null, leastSeverity: 'low' },
      { type: 'log', leastSeverity: 'low' },
      { type: 'webhook', url: 'http://127.0.0.1:1/', secret: null, leastSeverity: 'critical' },
      { type: 'sns', topicArn, endpoint: null, leastSeverity: 'high' },
      { type: 'slack', url: 'http://127.0.0.1:1/', leastSeverity: 'low' },
      { type: 'pagerduty', routingKey: 'R', endpoint: null, leastSeverity: 'critical' },
      { type: 'alertmanager', url: 'http://127.0.0.1:1/', repeatMs: 1_000, leastSeverity: 'low' },
    ],
    { clock: createSystemClock(), deployment: 'd', credentials: null, writeLine: () => {}, droppedLines: () => 0 },
  )
  onTestFinished(async () => {
    await Promise.all(opened.map((notifier) => notifier.close()))
  })
  expect(opened.map(({ name, leastPriority }) => [name, leastPriority])).toEqual([
    ['webhook-1', 'P3'],
    ['log-1', 'P3'],
    ['webhook-2', 'P0'],
    ['sns-1', 'P1'],
    ['slack-1', 'P3'],
    ['pagerduty-1', 'P0'],
    ['alertmanager-1', 'P3'],
  ])
})
