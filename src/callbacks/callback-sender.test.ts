import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { OperationResult } from '../operation/result.ts'
import type { Disposition } from '../queue/dispatcher.ts'
import { queueLimits } from '../queue/limits.ts'
import type { CallbackWork } from '../queue/work.ts'
import { createSystemClock } from '../runtime/clock.ts'
import type { Delivery } from '../store/message-queue.ts'
import { createCallbackSender } from './callback-sender.ts'
import { retryDelayMs } from './signature.ts'

const secret = 'a secret that is long enough'
const result = { id: 'op_1', status: 'succeeded', correlationId: 'cor_1' } as OperationResult

async function receiver(answer: RequestListener): Promise<{ readonly url: string; readonly seen: { readonly headers: IncomingHttpHeaders; readonly body: string }[] }> {
  const seen: { headers: IncomingHttpHeaders; body: string }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      seen.push({ headers: request.headers, body })
      answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/done`, seen }
}

function send(url: string, settings: { readonly allowPrivateAddresses?: boolean; readonly secret?: string | null; readonly timeoutMs?: number } = {}): Promise<Disposition> {
  const sender = createCallbackSender({
    settings: () => ({ secret, allowPrivateAddresses: true, timeoutMs: 5_000, ...settings }),
    find: () => Promise.resolve(result),
    clock: createSystemClock(),
    random: { next: () => 0 },
  })
  const work: CallbackWork = { kind: 'callback', operationId: 'op_1', url }
  return sender.work(work, { delivery: 1 } as Delivery, new AbortController().signal)
}

describe('a callback', () => {
  it('is the result, signed with the secret over time and body', async () => {
    const { url, seen } = await receiver((_request, response) => response.writeHead(204).end())
    expect(await send(url)).toEqual({ kind: 'done' })
    const [{ headers, body } = { headers: {}, body: '' }] = seen
    expect(JSON.parse(body)).toEqual(result)
    const [, seconds = '', hex = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['x-hybrid-signature'])) ?? []
    expect(hex).toBe(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'))
    expect(Math.abs(Number(seconds) - Date.now() / 1_000)).toBeLessThan(60)
  })

  it('that meets an error is tried again later', async () => {
    const { url } = await receiver((_request, response) => response.writeHead(500).end())
    expect(await send(url)).toMatchObject({ kind: 'again', attempted: true, delayMs: 5_000 })
  })

  it('does not follow a redirect', async () => {
    const other = await receiver((_request, response) => response.writeHead(200).end())
    const { url } = await receiver((_request, response) => response.writeHead(302, { location: other.url }).end())
    expect(await send(url)).toMatchObject({ kind: 'again', reason: expect.stringContaining('redirect') })
    expect(other.seen).toEqual([])
  })

  it('is given up when the receiver is gone for good', async () => {
    const { url } = await receiver((_request, response) => response.writeHead(410).end())
    expect(await send(url)).toMatchObject({ kind: 'hopeless' })
  })

  it('to a receiver that hangs ends in time', async () => {
    const { url } = await receiver(() => undefined)
    expect(await send(url, { timeoutMs: 100 })).toMatchObject({ kind: 'again', reason: 'no answer within 100 ms' })
  })

  it('never reaches an address that is not public, written out or behind a name', async () => {
    const { url, seen } = await receiver((_request, response) => response.writeHead(200).end())
    for (const forbidden of [url, url.replace('127.0.0.1', 'localhost'), url.replace('127.0.0.1', '[::1]'), url.replace('127.0.0.1', '2130706433')]) {
      expect(await send(forbidden, { allowPrivateAddresses: false }), forbidden).toMatchObject({ kind: 'hopeless' })
    }
    expect(seen).toEqual([])
  })

  it('is not sent without a secret to sign it', async () => {
    const { url, seen } = await receiver((_request, response) => response.writeHead(200).end())
    expect(await send(url, { secret: null })).toEqual({ kind: 'done' })
    expect(seen).toEqual([])
  })
})

it('the tries of one callback take more than an hour, so that a receiver may be down for one', () => {
  const waitedMs = Array.from({ length: queueLimits.callbackDeliveries - 1 }, (_, index) => retryDelayMs(index + 1, 0)).reduce((sum, delayMs) => sum + delayMs, 0)
  expect(waitedMs).toBeGreaterThan(3_600_000)
})
