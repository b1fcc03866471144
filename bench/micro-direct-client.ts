/**
 * What the Direct Bedrock Client adds to the HTTP client below it: CPU of this process per operation and per streamed
 * event, against a trivial upstream in a process of its own. Beside it undici alone, asked in its cheapest way, unsigned,
 * with the answer thrown away. Run with `node bench/micro-direct-client.ts`.
 */
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Client, Pool } from 'undici'
import type { Dispatcher } from 'undici'
import type { Operation } from '../src/operation/operation.ts'
import { operationOf } from '../src/operation/testing/operation.ts'
import { createSystemClock } from '../src/runtime/clock.ts'
import { createDirectBedrockClient } from '../src/direct/direct-bedrock-client.ts'
import { defaultDirectLimits } from '../src/direct/settings.ts'

const rounds = 7
const warmUpRounds = 2
const concurrency = 32
const eventsPerStream = 200

if (process.argv[2] === 'upstream') serveUpstream()
else await measure()

function serveUpstream(): void {
  const answer = JSON.stringify({
    output: { message: { role: 'assistant', content: [{ text: 'x'.repeat(400) }] } },
    stopReason: 'end_turn',
    usage: { inputTokens: 30, outputTokens: 100, totalTokens: 130 },
    metrics: { latencyMs: 1 },
  })
  const codec = new EventStreamCodec(
    (bytes) => Buffer.from(bytes).toString('utf8'),
    (text) => Buffer.from(text, 'utf8'),
  )
  const frame = (name: string, payload: unknown): Buffer =>
    Buffer.from(
      codec.encode({
        headers: { ':event-type': { type: 'string', value: name }, ':content-type': { type: 'string', value: 'application/json' }, ':message-type': { type: 'string', value: 'event' } },
        body: Buffer.from(JSON.stringify(payload)),
      }),
    )
  const delta = frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: ' a few words' }, p: 'abcdefghijkl' })
  const begin = frame('messageStart', { role: 'assistant' })
  const end = Buffer.concat([frame('messageStop', { stopReason: 'end_turn' }), frame('metadata', { usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 } })])
  const server = createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      if (request.url?.endsWith('/converse-stream') !== true) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': answer.length })
        response.end(answer)
        return
      }
      response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
      response.write(begin)
      let left = eventsPerStream
      const pump = (): void => {
        response.write(delta)
        left -= 1
        if (left > 0) setImmediate(pump)
        else response.end(end)
      }
      pump()
    })
  })
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
  process.on('disconnect', () => process.exit())
}

async function measure(): Promise<void> {
  const upstream = fork(new URL(import.meta.url), ['upstream'])
  const port = await new Promise<number>((resolve) => upstream.once('message', (message) => resolve(message as number)))
  const origin = `http://127.0.0.1:${port}`
  const clock = createSystemClock()
  const client = createDirectBedrockClient({
    clock,
    credentials: { kind: 'provider', obtain: async () => ({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }) },
    settings: { targets: [{ id: 'a', region: 'eu-central-1', modelId: 'eu.model-v1:0', endpoint: origin }], operations: {}, limits: defaultDirectLimits },
  })
  await client.warmUp()

  // A request of its own each time: nothing prepared is shared.
  const requestOf = (mode: 'sync' | 'stream'): Operation => operationOf('infrastructure', { mode, converse: { messages: [{ role: 'user', content: [{ text: 'x'.repeat(400) }] }] } })
  const ours = (mode: 'sync' | 'stream') => (): Promise<void> =>
    new Promise((resolve, reject) => {
      client.start(
        { operation: requestOf(mode), number: 1, target: 'a', streaming: mode === 'stream', deadlineMs: clock.monotonicMs() + 15_000 },
        {
          onSent() {},
          onEvent() {},
          onEnd(end) {
            if (end.outcome === 'succeeded') resolve()
            else reject(new Error(JSON.stringify(end)))
          },
        },
      )
    })

  const idle: Client[] = []
  const pool = new Pool(origin, { pipelining: 1, allowH2: false })
  const bare = (path: string, shared: boolean) => (): Promise<void> =>
    new Promise((resolve, reject) => {
      const dispatcher: Dispatcher = shared ? pool : (idle.pop() ?? new Client(origin, { pipelining: 1, allowH2: false, headersTimeout: 0, bodyTimeout: 0 }))
      dispatcher.dispatch(
        {
          method: 'POST',
          path,
          headers: ['content-type', 'application/json', 'authorization', 'x'.repeat(200), 'x-amz-date', '20260101T000000Z'],
          body: Buffer.from(JSON.stringify(requestOf('sync').converse)),
        },
        {
          onRequestStart() {},
          onResponseStart() {},
          onResponseData() {},
          onResponseEnd() {
            if (!shared) idle.push(dispatcher as Client)
            resolve()
          },
          onResponseError(_controller, error) {
            reject(error)
          },
        },
      )
    })

  const whole = [
    ['undici Client, thrown away', bare('/model/m/converse', false)],
    ['undici Pool, thrown away', bare('/model/m/converse', true)],
    ['Direct Bedrock Client', ours('sync')],
  ] as const
  const streams = [
    ['undici Client, thrown away', bare('/model/m/converse-stream', false)],
    ['Direct Bedrock Client', ours('stream')],
  ] as const
  await compare('Whole answers', 'CPU µs per operation', whole, 4_000, 1)
  await compare('Streams', 'CPU µs per event', streams, 120, eventsPerStream)
  client.close()
  for (const one of idle) void one.destroy()
  void pool.destroy()
  upstream.disconnect()
}

async function compare(title: string, unit: string, contenders: readonly (readonly [string, () => Promise<void>])[], perRound: number, divisor: number): Promise<void> {
  const times = new Map(contenders.map(([name]) => [name, [] as number[]]))
  for (let round = 0; round < rounds + warmUpRounds; round += 1) {
    for (const [name, once] of contenders) {
      const start = process.cpuUsage()
      let left = perRound
      const worker = async (): Promise<void> => {
        while (left > 0) {
          left -= 1
          await once()
        }
      }
      await Promise.all(Array.from({ length: concurrency }, worker))
      const used = process.cpuUsage(start)
      if (round >= warmUpRounds) times.get(name)?.push((used.user + used.system) / perRound / divisor)
    }
  }
  console.log(`${title} (${unit}, median of ${rounds} interleaved rounds, ${concurrency} at once)`)
  for (const [name, values] of times) console.log(`  ${name.padEnd(40)} ${(values.sort((a, b) => a - b)[rounds >> 1] ?? 0).toFixed(1)}`)
}
