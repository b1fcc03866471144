/**
 * What every notifier that speaks HTTP does, as tests. A notifier's own test file opens it against a server that this suite
 * scripts, and says how that receiver shows what it got.
 */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { notificationEvents, type Notification } from './notification.ts'
import type { Notifier } from './notifier.ts'

export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Receiver {
  readonly url: string
  readonly requests: readonly ReceivedRequest[]
  /** What the next requests are answered with. */
  answerWith(answer: (response: ServerResponse, request: ReceivedRequest) => void): void
}

export interface NotifierUnderTest {
  readonly name: string
  /** How the receiver says that it has taken a notification. */
  readonly accept: (response: ServerResponse) => void
  open(url: string): Notifier
  /** What of a request names the incident, so that the receiver can put together what belongs together. */
  readonly incidentOf: (request: ReceivedRequest) => string
  /** How many requests one delivery of the event is; one unless said. */
  readonly requestsOf?: (event: Notification['event']) => number
}

export const sampleNotification: Notification = {
  id: 'ntf_0001',
  event: 'firing',
  dedupKey: 'hybrid-routing:direct-bedrock-unavailable/direct-bedrock-client',
  deployment: 'hybrid-routing',
  priority: 'P0',
  title: '[P0] direct-bedrock-unavailable on direct-bedrock-client: no target answers & <nobody> is there, Zürich \u{1f6a8}.',
  alerts: [
    {
      id: 'alrt_0001',
      rule: 'direct-bedrock-unavailable',
      component: 'direct-bedrock-client',
      priority: 'P0',
      status: 'firing',
      message: 'no target answers.',
      action: 'Verify, test Bedrock.',
      runbook: 'runbook/critical-component-failure.md',
      startedAtMs: Date.UTC(2026, 0, 1, 8),
      resolvedAtMs: null,
    },
  ],
  more: 0,
  storm: null,
  to: 'on-call engineer',
  by: null,
  createdAtMs: Date.UTC(2026, 0, 1, 8, 0, 5),
}

export async function openReceiver(accept: (response: ServerResponse) => void): Promise<Receiver> {
  const requests: ReceivedRequest[] = []
  let answer: (response: ServerResponse, request: ReceivedRequest) => void = accept
  const server: Server = createServer((incoming, response) => {
    void text(incoming).then(
      (body) => {
        const request = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers, body }
        requests.push(request)
        answer(response, request)
      },
      () => response.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answerWith(next) {
      answer = next
    },
  }
}

export function testNotifier(subject: NotifierUnderTest): void {
  const open = async (): Promise<{ readonly receiver: Receiver; readonly notifier: Notifier }> => {
    const receiver = await openReceiver(subject.accept)
    const notifier = subject.open(receiver.url)
    onTestFinished(() => notifier.close())
    return { receiver, notifier }
  }
  const never = new AbortController().signal
  const withStatus = (status: number, headers: Record<string, string> = {}) => (response: ServerResponse) => {
    response.writeHead(status, headers)
    response.end()
  }

  describe(`notifier: ${subject.name}`, () => {
    test.each(notificationEvents)('%s is one delivery that the receiver takes', async (event) => {
      const { receiver, notifier } = await open()
      expect(await notifier.deliver({ ...sampleNotification, event }, never)).toEqual({ kind: 'delivered' })
      expect(receiver.requests).toHaveLength(subject.requestsOf?.(event) ?? 1)
    })

    test('what belongs to one incident arrives under one name, also when it is repeated, and another incident does not', async () => {
      const { receiver, notifier } = await open()
      await notifier.deliver(sampleNotification, never)
      await notifier.deliver(sampleNotification, never)
      await notifier.deliver({ ...sampleNotification, id: 'ntf_0002', event: 'escalated', to: 'CTO' }, never)
      const other = { ...sampleNotification, id: 'ntf_0003', dedupKey: 'hybrid-routing:budget/direct-bedrock-client', alerts: sampleNotification.alerts.map((alert) => ({ ...alert, rule: 'budget' })) }
      await notifier.deliver(other, never)
      const names = receiver.requests.map(subject.incidentOf)
      expect(new Set(names.slice(0, 3)).size).toBe(1)
      expect(names[3]).not.toBe(names[0])
    })

    test.each([500, 502, 503, 429])('HTTP %i may pass: it is worth another attempt', async (status) => {
      const { receiver, notifier } = await open()
      receiver.answerWith(withStatus(status))
      expect(await notifier.deliver(sampleNotification, never)).toMatchObject({ kind: 'failed', retryable: true, reason: expect.stringContaining(String(status)) })
    })

    test.each([400, 401, 403, 404])('HTTP %i is a definite refusal', async (status) => {
      const { receiver, notifier } = await open()
      receiver.answerWith(withStatus(status))
      expect(await notifier.deliver(sampleNotification, never)).toMatchObject({ kind: 'failed', retryable: false, reason: expect.stringContaining(String(status)) })
    })

    test.each([301, 302, 307, 308])('a redirect (%i) is not followed', async (status) => {
      const { receiver, notifier } = await open()
      const elsewhere = await openReceiver(subject.accept)
      receiver.answerWith(withStatus(status, { location: `${elsewhere.url}/elsewhere` }))
      expect(await notifier.deliver(sampleNotification, never)).toMatchObject({ kind: 'failed' })
      expect(elsewhere.requests).toEqual([])
    })

    test('an answer without end is read up to a bound', async () => {
      const { receiver, notifier } = await open()
      let written = 0
      let isClosed = false
      receiver.answerWith((response) => {
        response.writeHead(200, { 'content-type': 'text/xml' })
        response.on('close', () => (isClosed = true))
        const more = (): void => {
          if (isClosed || written > 64 * 1_024 * 1_024) return
          written += 65_536
          if (response.write('x'.repeat(65_536))) setImmediate(more)
          else response.once('drain', more)
        }
        more()
      })
      await notifier.deliver(sampleNotification, AbortSignal.timeout(10_000))
      expect(written).toBeLessThan(32 * 1_024 * 1_024)
    })

    test('a receiver that never answers is left when the attempt is over', async () => {
      const { receiver, notifier } = await open()
      const controller = new AbortController()
      receiver.answerWith(() => controller.abort())
      expect(await notifier.deliver(sampleNotification, controller.signal)).toMatchObject({ kind: 'failed', retryable: true })
      expect(receiver.requests).toHaveLength(1)
    })

    test('a connection that is cut, and a port where nobody listens, may pass, and no reason names the address', async () => {
      const { receiver, notifier } = await open()
      receiver.answerWith((response) => response.destroy())
      const cut = await notifier.deliver(sampleNotification, never)
      const unreachable = subject.open('http://127.0.0.1:1')
      onTestFinished(() => unreachable.close())
      for (const outcome of [cut, await unreachable.deliver(sampleNotification, never)]) {
        expect(outcome).toMatchObject({ kind: 'failed', retryable: true })
        expect(JSON.stringify(outcome)).not.toContain('127.0.0.1')
      }
    })
  })
}
