import { EventStreamCodec } from '@smithy/eventstream-codec'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createNetServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import type { ConverseRequest, ConverseStreamEvent } from '../operation/converse.ts'
import type { Operation } from '../operation/operation.ts'
import type { AttemptEnd } from '../operation/path.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { createSystemClock } from '../runtime/clock.ts'
import type { AwsCredentials, CredentialSource } from './adapters/credential-keeper.ts'
import { createDirectBedrockClient } from './direct-bedrock-client.ts'
import type { DirectBedrockClient } from './direct-bedrock-client.ts'
import { defaultDirectLimits } from './settings.ts'
import type { DirectLimits, DirectSettings } from './settings.ts'

const clock = createSystemClock()
const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

const staticCredentials: CredentialSource = { kind: 'provider', obtain: async () => ({ accessKeyId: 'emulator', secretAccessKey: 'emulator' }) }
const prompt: ConverseRequest = { messages: [{ role: 'user', content: [{ text: 'the prompt that must never be shown' }] }] }

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A Bedrock that answers as the test says. */
function upstream(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void): Promise<string> {
  return listen(
    createHttpServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => answer(request, response, body))
    }),
  )
}

/** A Bedrock that speaks no HTTP at all, or breaks it. */
function rawUpstream(onRequest: (socket: Socket) => void): Promise<string> {
  return listen(createNetServer((socket) => socket.once('data', () => onRequest(socket))))
}

function clientFor(
  endpoint: string,
  options: { limits?: Partial<DirectLimits>; credentials?: CredentialSource; operations?: DirectSettings['operations'] } = {},
): DirectBedrockClient {
  const client = createDirectBedrockClient({
    clock,
    credentials: options.credentials ?? staticCredentials,
    settings: {
      targets: [{ id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.test-model-v1:0', endpoint }],
      operations: options.operations ?? {},
      limits: { ...defaultDirectLimits, ...options.limits },
    },
  })
  cleanups.push(() => client.close())
  return client
}

function operation(overrides: Partial<Operation> = {}): Operation {
  return operationOf('emergency', { id: 'op_test', converse: prompt, streamSilenceMs: 10_000, streamMaxMs: 60_000, ...overrides })
}

interface Run {
  readonly end: AttemptEnd
  readonly events: ConverseStreamEvent[]
  readonly calls: string[]
}

interface Attempt {
  streaming?: boolean
  deadlineInMs?: number
  target?: string
  operation?: Partial<Operation>
  /** Cancels when it returns true for a call. */
  cancelOn?: (call: string, cancel: () => void) => void
}

function attempt(client: DirectBedrockClient, options: Attempt = {}): Promise<Run> {
  return new Promise((resolve) => {
    const calls: string[] = []
    const events: ConverseStreamEvent[] = []
    const note = (call: string): void => {
      calls.push(call)
      options.cancelOn?.(call, () => running.cancel())
    }
    const running = client.start(
      {
        operation: operation({ mode: options.streaming === true ? 'stream' : 'sync', ...options.operation }),
        number: 1,
        target: options.target ?? 'frankfurt',
        streaming: options.streaming ?? false,
        deadlineMs: clock.monotonicMs() + (options.deadlineInMs ?? 8_000),
      },
      {
        onSent: () => note('sent'),
        onEvent(event) {
          events.push(event)
          note(event.type)
        },
        onEnd(end) {
          calls.push('end')
          // Anything that came after the end would be seen in `calls`.
          setTimeout(() => resolve({ end, events, calls }), 20)
        },
      },
    )
  })
}

function faultOf(run: Run): Extract<AttemptEnd, { outcome: 'failed' }>['fault'] {
  if (run.end.outcome !== 'failed') throw new Error(`expected a failure, got ${JSON.stringify(run.end)}`)
  expect(run.calls.filter((call) => call === 'end')).toHaveLength(1)
  expect(run.calls.at(-1)).toBe('end')
  expect(JSON.stringify(run.end)).not.toContain('never be shown')
  return run.end.fault
}

const wholeAnswer = {
  output: { message: { role: 'assistant', content: [{ text: 'an answer' }] } },
  stopReason: 'end_turn',
  usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 },
  metrics: { latencyMs: 7 },
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
)

function frame(name: string, payload: unknown, messageType: 'event' | 'exception' | 'error' = 'event'): Buffer {
  const header = messageType === 'event' ? ':event-type' : messageType === 'exception' ? ':exception-type' : ':error-code'
  return Buffer.from(
    codec.encode({
      headers: { [header]: { type: 'string', value: name }, ':message-type': { type: 'string', value: messageType } },
      body: Buffer.from(JSON.stringify(payload)),
    }),
  )
}

const start = frame('messageStart', { role: 'assistant' })
const delta = (text: string): Buffer => frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text } })
const stop = frame('messageStop', { stopReason: 'end_turn' })
const metadata = frame('metadata', { usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 }, metrics: { latencyMs: 7 } })

function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
}

describe('a whole answer', () => {
  test('is Bedrock\'s message, stop reason and usage, with whatever else it said', async () => {
    const seen: { url?: string | undefined; body?: string } = {}
    const client = clientFor(
      await upstream((request, response, body) => {
        Object.assign(seen, { url: request.url, body })
        json(response, 200, wholeAnswer)
      }),
    )
    const run = await attempt(client)
    expect(run.end).toEqual({
      outcome: 'succeeded',
      answer: { message: wholeAnswer.output.message, stopReason: 'end_turn', usage: wholeAnswer.usage, additional: { metrics: { latencyMs: 7 } } },
      spend: { modelId: 'eu.test-model-v1:0', usage: wholeAnswer.usage, estimated: false },
    })
    expect(run.calls).toEqual(['sent', 'end'])
    expect(seen.url).toBe('/model/eu.test-model-v1%3A0/converse')
    expect(JSON.parse(seen.body ?? '')).toEqual(prompt)
  })

  test('is asked for with the trace context of the caller, and without any where the caller gave none', async () => {
    const seen: (string | string[] | undefined)[] = []
    const client = clientFor(
      await upstream((request, response) => {
        seen.push(request.headers['traceparent'])
        json(response, 200, wholeAnswer)
      }),
    )
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    await attempt(client, { operation: { traceparent } })
    await attempt(client)
    expect(seen).toEqual([traceparent, undefined])
  })

  test('is asked for below the base path, with the model the operation or its type names', async () => {
    const urls: (string | undefined)[] = []
    const endpoint = await upstream((request, response) => {
      urls.push(request.url)
      json(response, 200, wholeAnswer)
    })
    const client = clientFor(`${endpoint}/prefix/x/`, { operations: { emergency: { modelId: 'of-the-type' } } })
    await attempt(client)
    await attempt(client, { operation: { modelId: 'arn:aws:bedrock:eu-central-1:1:inference-profile/eu.a' } })
    expect(urls).toEqual([
      '/prefix/x/model/of-the-type/converse',
      '/prefix/x/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.a/converse',
    ])
  })

  test('reuses one connection for attempts in a row', async () => {
    const ports = new Set<number | undefined>()
    const client = clientFor(
      await upstream((request, response) => {
        ports.add(request.socket.remotePort)
        json(response, 200, wholeAnswer)
      }),
    )
    for (let count = 0; count < 5; count += 1) await attempt(client)
    expect(ports.size).toBe(1)
  })

  test('estimates the usage that Bedrock did not say', async () => {
    const client = clientFor(await upstream((_request, response) => json(response, 200, { ...wholeAnswer, usage: undefined })))
    const { end } = await attempt(client)
    expect(end).toMatchObject({ outcome: 'succeeded', spend: { estimated: true } })
    expect(end.spend.usage.outputTokens).toBeGreaterThan(0)
    expect(end.spend.usage.inputTokens).toBeGreaterThan(0)
  })

  test.each([
    ['no JSON', 'not json', {}],
    ['no message', '{"output":{}}', {}],
    ['JSON that is no object', '[]', {}],
    ['another content type', '<html></html>', { 'content-type': 'text/html' }],
  ])('with %s is a protocol fault', async (_name, body, headers) => {
    const client = clientFor(await upstream((_request, response) => json(response, 200, body, headers)))
    expect(faultOf(await attempt(client))).toMatchObject({ kind: 'protocol', upstreamStatus: 200 })
  })

  test('larger than allowed is a protocol fault, and the connection is closed before the rest comes', async () => {
    let closed = false
    const client = clientFor(
      await upstream((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const more = setInterval(() => response.write('x'.repeat(10_000)), 1)
        response.on('close', () => {
          closed = true
          clearInterval(more)
        })
      }),
      { limits: { maxResponseBytes: 50_000 } },
    )
    expect(faultOf(await attempt(client))).toMatchObject({ kind: 'protocol' })
    expect(closed).toBe(true)
  })
})

describe('a streamed answer', () => {
  test('arrives as events, in any chunks, and adds up to the answer', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        const bytes = Buffer.concat([start, delta('an '), delta('answer'), stop, metadata])
        let at = 0
        const pump = (): void => {
          if (at >= bytes.length) response.end()
          else {
            response.write(bytes.subarray(at, at + 7))
            at += 7
            setImmediate(pump)
          }
        }
        pump()
      }),
    )
    const run = await attempt(client, { streaming: true })
    expect(run.calls).toEqual(['sent', 'messageStart', 'contentBlockDelta', 'contentBlockDelta', 'messageStop', 'metadata', 'end'])
    expect(run.end).toMatchObject({
      outcome: 'succeeded',
      answer: { message: { role: 'assistant', content: [{ text: 'an answer' }] }, stopReason: 'end_turn', additional: { metrics: { latencyMs: 7 } } },
      spend: { usage: { totalTokens: 5 }, estimated: false },
    })
  })

  test('without metadata is an answer whose usage is estimated', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.end(Buffer.concat([start, delta('an answer'), stop]))
      }),
    )
    expect((await attempt(client, { streaming: true })).end).toMatchObject({ outcome: 'succeeded', spend: { estimated: true } })
  })

  test('whose connection breaks after messageStop is an answer', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.write(Buffer.concat([start, delta('an answer'), stop]))
        setTimeout(() => response.destroy(), 20)
      }),
    )
    expect((await attempt(client, { streaming: true })).end).toMatchObject({ outcome: 'succeeded', spend: { estimated: true } })
  })

  const corrupt = Buffer.from(delta('broken'))
  corrupt[corrupt.length - 6] = (corrupt[corrupt.length - 6] ?? 0) ^ 1
  const huge = Buffer.alloc(12)
  huge.writeUInt32BE(900_000_000, 0)
  huge.writeUInt32BE(crc32(huge.subarray(0, 8)), 8)

  test.each<[string, Buffer[], object]>([
    ['that ends without messageStop', [start, delta('half an')], { kind: 'protocol' }],
    ['that ends without a single event', [], { kind: 'protocol' }],
    ['cut in the middle of a frame', [start, delta('half an'), stop.subarray(0, 20)], { kind: 'protocol' }],
    ['with a wrong checksum', [start, corrupt, stop], { kind: 'protocol' }],
    ['with a huge frame', [start, huge], { kind: 'protocol' }],
    ['of garbage', [Buffer.from('this is no event stream at all, is it?')], { kind: 'protocol' }],
    ['with a payload that is not JSON', [start, Buffer.from(codec.encode({ headers: { ':event-type': { type: 'string', value: 'contentBlockDelta' }, ':message-type': { type: 'string', value: 'event' } }, body: Buffer.from('{') }))], { kind: 'protocol' }],
    ['with an event that lacks what it must have', [start, frame('contentBlockDelta', { delta: { text: 'where?' } })], { kind: 'protocol' }],
    ['with content after messageStop', [start, delta('a'), stop, delta('b')], { kind: 'protocol' }],
    ['that calls a tool with half an input', [start, frame('contentBlockStart', { contentBlockIndex: 0, start: { toolUse: { toolUseId: 't', name: 'n' } } }), frame('contentBlockDelta', { contentBlockIndex: 0, delta: { toolUse: { input: '{"a":' } } }), frame('messageStop', { stopReason: 'tool_use' }), metadata], { kind: 'protocol' }],
    ['with a throttling exception', [start, delta('a'), frame('throttlingException', { message: 'never be shown' }, 'exception')], { kind: 'throttled', retryable: true, upstreamCode: 'ThrottlingException' }],
    ['with an unavailable exception', [start, frame('serviceUnavailableException', { message: 'x' }, 'exception')], { kind: 'overloaded', retryable: true }],
    ['with an internal exception', [frame('internalServerException', {}, 'exception')], { kind: 'overloaded', retryable: true }],
    ['with a validation exception', [frame('validationException', { message: 'x' }, 'exception')], { kind: 'validation', retryable: false }],
    ['with a model stream error', [start, delta('a'), frame('modelStreamErrorException', { message: 'x' }, 'exception')], { kind: 'model_error', retryable: true }],
    ['with an unmodelled error frame', [start, frame('SomethingNew', {}, 'error')], { kind: 'overloaded' }],
  ])('%s is a fault, however much came before', async (_name, chunks, expected) => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.end(Buffer.concat(chunks))
      }),
    )
    expect(faultOf(await attempt(client, { streaming: true }))).toMatchObject(expected)
  })

  test('skips an event that it does not know', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.end(Buffer.concat([start, frame('somethingNew', { a: 1 }), delta('a'), stop, metadata]))
      }),
    )
    const run = await attempt(client, { streaming: true })
    expect(run.end.outcome).toBe('succeeded')
    expect(run.calls).not.toContain('somethingNew')
  })

  test('that is cut by a reset is a network fault, and what came is in the estimate of its cost', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.write(Buffer.concat([start, delta('x'.repeat(400))]))
        setTimeout(() => response.socket?.resetAndDestroy(), 20)
      }),
    )
    const run = await attempt(client, { streaming: true })
    expect(faultOf(run)).toMatchObject({ kind: 'network', retryable: true })
    expect(run.end.spend).toMatchObject({ estimated: true, usage: { outputTokens: 100 } })
  })
})

describe('an error of HTTP', () => {
  test.each<[string, number, unknown, Record<string, string>, object]>([
    ['a throttle with seconds to wait', 429, { message: 'x' }, { 'x-amzn-errortype': 'ThrottlingException:http://internal.amazon.com/', 'retry-after': '2' }, { kind: 'throttled', retryable: true, retryAfterMs: 2_000, upstreamCode: 'ThrottlingException', upstreamStatus: 429 }],
    ['a throttle with milliseconds to wait', 429, { message: 'x' }, { 'x-amzn-errortype': 'ThrottlingException', 'x-amz-retry-after': '150' }, { kind: 'throttled', retryAfterMs: 150 }],
    ['expired credentials', 403, { message: 'x' }, { 'x-amzn-errortype': 'ExpiredTokenException' }, { kind: 'auth', retryable: false }],
    ['a denied model', 403, { message: 'x', __type: 'com.amazon.coral.service#AccessDeniedException' }, {}, { kind: 'access', retryable: false }],
    ['an unavailable service labelled 400', 400, { message: 'x' }, { 'x-amzn-errortype': 'serviceUnavailableException' }, { kind: 'overloaded', retryable: true, upstreamStatus: 400 }],
    ['a page of a proxy', 502, '<html><body>Bad gateway</body></html>', { 'content-type': 'text/html' }, { kind: 'overloaded', retryable: true, upstreamStatus: 502 }],
    ['no body at all', 503, '', {}, { kind: 'overloaded', retryable: true, upstreamStatus: 503 }],
    ['a redirect', 302, '', { location: 'http://elsewhere.invalid/' }, { kind: 'protocol' }],
    ['an endless page', 500, 'x'.repeat(400_000), {}, { kind: 'overloaded', upstreamStatus: 500 }],
  ])('%s', async (_name, status, body, headers, expected) => {
    const client = clientFor(await upstream((_request, response) => json(response, status, body, headers)))
    for (const streaming of [false, true]) expect(faultOf(await attempt(client, { streaming }))).toMatchObject(expected)
  })
})

test('an error whose page never ends is judged by its status, and the page is not read on', async () => {
  const client = clientFor(
    await upstream((_request, response) => {
      response.writeHead(503, { 'content-type': 'text/html' })
      const more = setInterval(() => response.write('<p>'.repeat(10_000)), 1)
      response.on('close', () => clearInterval(more))
    }),
    { limits: { maxResponseBytes: 1_000_000 } },
  )
  expect(faultOf(await attempt(client))).toMatchObject({ kind: 'overloaded', upstreamStatus: 503 })
})

describe('a connection', () => {
  test('that is not made in time is a timeout, its socket is closed, and nothing was sent', async () => {
    let hanging: Promise<string> = Promise.resolve('')
    const closed = new Promise<void>((resolve) => {
      const server = createNetServer((socket) => {
        // Takes the TCP connection and never answers the TLS greeting.
        socket.resume()
        socket.on('close', () => resolve())
      })
      hanging = listen(server)
    })
    const run = await attempt(clientFor((await hanging).replace('http:', 'https:'), { limits: { connectMs: 40 } }))
    expect(faultOf(run)).toMatchObject({ kind: 'timeout', message: 'No connection to Bedrock in time.' })
    expect(run.calls).toEqual(['end'])
    await closed
  })

  test('that is refused is a network fault, and nothing was sent', async () => {
    const server = createNetServer()
    const endpoint = await listen(server)
    await new Promise<void>((resolve) => server.close(() => resolve()))
    const run = await attempt(clientFor(endpoint))
    expect(faultOf(run)).toMatchObject({ kind: 'network', retryable: true })
    expect(run.calls).toEqual(['end'])
    expect(run.end.spend).toMatchObject({ estimated: false, usage: { totalTokens: 0 } })
  })

  test('that is reset before an answer is a network fault after sending', async () => {
    const run = await attempt(clientFor(await rawUpstream((socket) => socket.resetAndDestroy())))
    expect(faultOf(run)).toMatchObject({ kind: 'network', retryable: true })
    expect(run.calls).toEqual(['sent', 'end'])
  })

  test('that speaks no HTTP is a protocol fault', async () => {
    expect(faultOf(await attempt(clientFor(await rawUpstream((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')))))).toMatchObject({ kind: 'protocol' })
  })

  test('that closes in the middle of a body of known length is a failure', async () => {
    const endpoint = await rawUpstream((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"output":'))
    expect(['network', 'protocol']).toContain(faultOf(await attempt(clientFor(endpoint))).kind)
  })

  test('with endless headers is a protocol fault', async () => {
    const endpoint = await rawUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const more = setInterval(() => socket.write(`x-${'a'.repeat(60)}: ${'b'.repeat(900)}\r\n`), 1)
      socket.on('close', () => clearInterval(more))
    })
    expect(faultOf(await attempt(clientFor(endpoint))).kind).toBe('protocol')
  })

  test('beyond the allowed number is refused at once, and free again when an attempt ends', async () => {
    const held: ServerResponse[] = []
    const client = clientFor(await upstream((_request, response) => void held.push(response)), { limits: { connectionsPerTarget: 1 } })
    const first = attempt(client)
    expect(faultOf(await attempt(client))).toMatchObject({ kind: 'overloaded', retryable: true })
    await expect.poll(() => held.length).toBe(1)
    for (const response of held) json(response, 200, wholeAnswer)
    expect((await first).end.outcome).toBe('succeeded')
    const third = attempt(client)
    await expect.poll(() => held.length).toBe(2)
    for (const response of held.slice(1)) json(response, 200, wholeAnswer)
    expect((await third).end.outcome).toBe('succeeded')
  })
})

describe('a limit', () => {
  const silentAfter = (...chunks: Buffer[]): Promise<string> =>
    upstream((_request, response) => {
      beginStream(response)
      for (const chunk of chunks) response.write(chunk)
    })

  test('on the first byte ends a stream that does not begin', async () => {
    const client = clientFor(await upstream(() => {}), { limits: { firstByteMs: 40 } })
    expect(faultOf(await attempt(client, { streaming: true }))).toMatchObject({ kind: 'timeout', message: 'Bedrock did not begin to answer in time.' })
  })

  test('on the first byte is not met by headers alone', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.flushHeaders()
      }),
      { limits: { firstByteMs: 40 } },
    )
    expect(faultOf(await attempt(client, { streaming: true }))).toMatchObject({ message: 'Bedrock did not begin to answer in time.' })
  })

  test('on silence ends a stream that stalls', async () => {
    const run = await attempt(clientFor(await silentAfter(start, delta('a')), { limits: { silenceMs: 40 } }), { streaming: true })
    expect(faultOf(run)).toMatchObject({ kind: 'timeout', message: 'Bedrock fell silent in the middle of its answer.' })
    expect(run.events).toHaveLength(2)
  })

  test('on silence is the tighter of the client\'s and the operation\'s', async () => {
    const run = await attempt(clientFor(await silentAfter(start)), { streaming: true, operation: { streamSilenceMs: 40 } })
    expect(faultOf(run)).toMatchObject({ message: 'Bedrock fell silent in the middle of its answer.' })
  })

  test('on silence is not met by bytes that never make an event', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.write(start)
        const bytes = delta('x'.repeat(5_000))
        let at = 0
        const drip = setInterval(() => response.write(bytes.subarray(at, (at += 1))), 5)
        response.on('close', () => clearInterval(drip))
      }),
      { limits: { silenceMs: 100 } },
    )
    expect(faultOf(await attempt(client, { streaming: true }))).toMatchObject({ message: 'Bedrock fell silent in the middle of its answer.' })
  })

  test('on the whole attempt ends a whole answer that does not come, whatever the other limits are', async () => {
    const client = clientFor(await upstream(() => {}), { limits: { firstByteMs: 10 } })
    expect(faultOf(await attempt(client, { deadlineInMs: 60 }))).toMatchObject({ kind: 'timeout', message: 'Bedrock did not answer in time.' })
  })

  test('on the whole attempt bounds a stream only until its first content', async () => {
    const client = clientFor(
      await upstream((_request, response) => {
        beginStream(response)
        response.write(Buffer.concat([start, delta('a')]))
        setTimeout(() => response.end(Buffer.concat([stop, metadata])), 250)
      }),
    )
    expect((await attempt(client, { streaming: true, deadlineInMs: 150 })).end.outcome).toBe('succeeded')
    expect(faultOf(await attempt(clientFor(await silentAfter(start)), { streaming: true, deadlineInMs: 60 }))).toMatchObject({ message: 'Bedrock did not answer in time.' })
    expect(faultOf(await attempt(client, { streaming: true, operation: { streamMaxMs: 40 } }))).toMatchObject({ message: 'Bedrock did not answer in time.' })
  })
})

describe('cancelling', () => {
  /** Resolves with the milliseconds from the cancellation to the close that the upstream saw. */
  function closeSeenBy(stage: 'headers' | 'body'): { endpoint: Promise<string>; closedAtMs: Promise<number>; requested: Promise<void> } {
    let onClose: (atMs: number) => void
    let onRequested: () => void
    const closedAtMs = new Promise<number>((resolve) => (onClose = resolve))
    const requested = new Promise<void>((resolve) => (onRequested = resolve))
    const endpoint = upstream((request, response) => {
      request.socket.on('close', () => onClose(performance.now()))
      if (stage === 'body') {
        beginStream(response)
        response.write(Buffer.concat([start, delta('x'.repeat(40))]))
      }
      onRequested()
    })
    return { endpoint, closedAtMs, requested }
  }

  test('before the headers closes the upstream\'s socket within 100 ms', async () => {
    const { endpoint, closedAtMs, requested } = closeSeenBy('headers')
    let cancelledAtMs = 0
    const client = clientFor(await endpoint)
    const run = await attempt(client, {
      cancelOn: (call, cancel) => {
        if (call === 'sent') {
          void requested.then(() => {
            cancelledAtMs = performance.now()
            cancel()
          })
        }
      },
    })
    expect(run.calls).toEqual(['sent', 'end'])
    expect(run.end).toMatchObject({ outcome: 'cancelled', spend: { estimated: true, usage: { outputTokens: 0 } } })
    expect((await closedAtMs) - cancelledAtMs).toBeLessThan(100)
  })

  test('in the middle of a stream closes the socket, and no event follows, not even from the same chunk', async () => {
    const { endpoint, closedAtMs } = closeSeenBy('body')
    let cancelledAtMs = 0
    const run = await attempt(clientFor(await endpoint), {
      streaming: true,
      cancelOn: (call, cancel) => {
        if (call !== 'messageStart') return
        cancelledAtMs = performance.now()
        cancel()
      },
    })
    expect(run.calls).toEqual(['sent', 'messageStart', 'end'])
    expect(run.end.outcome).toBe('cancelled')
    expect((await closedAtMs) - cancelledAtMs).toBeLessThan(100)
  })

  test('at once after the start ends as cancelled, and nothing is sent', async () => {
    let requests = 0
    const client = clientFor(await upstream(() => void (requests += 1)))
    const ends: AttemptEnd[] = []
    let inStart = true
    const running = client.start(
      { operation: operation(), number: 1, target: 'frankfurt', streaming: false, deadlineMs: clock.monotonicMs() + 5_000 },
      { onSent: () => {}, onEvent: () => {}, onEnd: (end) => ends.push(end) },
    )
    running.cancel()
    running.cancel()
    expect(ends).toHaveLength(0)
    inStart = false
    await expect.poll(() => ends.length).toBe(1)
    expect(inStart).toBe(false)
    expect(ends[0]).toMatchObject({ outcome: 'cancelled', spend: { usage: { totalTokens: 0 } } })
    expect(requests).toBe(0)
  })

  test('before a kept connection was used again sends nothing either', async () => {
    let requests = 0
    const client = clientFor(
      await upstream((_request, response) => {
        requests += 1
        json(response, 200, wholeAnswer)
      }),
    )
    await attempt(client)
    const ends: AttemptEnd[] = []
    client
      .start(
        { operation: operation(), number: 1, target: 'frankfurt', streaming: false, deadlineMs: clock.monotonicMs() + 5_000 },
        { onSent: () => {}, onEvent: () => {}, onEnd: (end) => ends.push(end) },
      )
      .cancel()
    await expect.poll(() => ends.length).toBe(1)
    // The attempt after it shows that the upstream has seen everything there was.
    await attempt(client)
    expect(requests).toBe(2)
  })

  test('closing the client cancels what runs, and refuses what comes', async () => {
    const client = clientFor(await upstream(() => {}))
    const running = attempt(client, { cancelOn: (call) => void (call === 'sent' && setTimeout(() => client.close(), 10)) })
    expect((await running).end.outcome).toBe('cancelled')
    expect(faultOf(await attempt(client)).message).toBe('The Direct Bedrock Client is closed.')
  })
})

describe('credentials', () => {
  test('that cannot be obtained are an auth fault without a word of the reason', async () => {
    const client = clientFor('http://127.0.0.1:9', { credentials: { kind: 'provider', obtain: () => Promise.reject(new Error('secret profile path')) } })
    const fault = faultOf(await attempt(client))
    expect(fault).toEqual({ kind: 'auth', retryable: false, message: 'No AWS credentials could be obtained.' })
    expect(await client.warmUp()).toMatchObject({ kind: 'auth' })
  })

  test('that never come are waited for until the deadline', async () => {
    const client = clientFor('http://127.0.0.1:9', { credentials: { kind: 'provider', obtain: () => new Promise<AwsCredentials>(() => {}) } })
    expect(faultOf(await attempt(client, { deadlineInMs: 40 }))).toMatchObject({ kind: 'timeout' })
  })

  test('are obtained once for many attempts at once', async () => {
    let obtained = 0
    const endpoint = await upstream((_request, response) => json(response, 200, wholeAnswer))
    const client = clientFor(endpoint, {
      credentials: {
        kind: 'provider',
        obtain: async () => {
          obtained += 1
          return { accessKeyId: 'emulator', secretAccessKey: 'emulator' }
        },
      },
    })
    const runs = await Promise.all(Array.from({ length: 10 }, () => attempt(client)))
    expect(runs.every((run) => run.end.outcome === 'succeeded')).toBe(true)
    expect(obtained).toBe(1)
  })

  test('that are refused as expired are obtained again for the next attempt', async () => {
    let obtained = 0
    const seen: string[] = []
    const endpoint = await upstream((request, response) => {
      seen.push(/Credential=(\w+)/.exec(request.headers.authorization ?? '')?.[1] ?? '')
      if (seen.length === 1) json(response, 403, {}, { 'x-amzn-errortype': 'ExpiredTokenException' })
      else json(response, 200, wholeAnswer)
    })
    const client = clientFor(endpoint, {
      credentials: {
        kind: 'provider',
        obtain: async () => {
          obtained += 1
          return { accessKeyId: `KEY${obtained}`, secretAccessKey: 's' }
        },
      },
    })
    expect(faultOf(await attempt(client)).kind).toBe('auth')
    expect((await attempt(client)).end.outcome).toBe('succeeded')
    expect(seen).toEqual(['KEY1', 'KEY2'])
  })

  test('as a Bedrock API key travel as a bearer token, unsigned', async () => {
    let headers: IncomingMessage['headers'] = {}
    const endpoint = await upstream((request, response) => {
      headers = request.headers
      json(response, 200, wholeAnswer)
    })
    await attempt(clientFor(endpoint, { credentials: { kind: 'api_key', key: 'emulator' } }))
    expect(headers.authorization).toBe('Bearer emulator')
    expect(headers['x-amz-date']).toBeUndefined()
  })
})

describe('the control plane', () => {
  test('tells its models, asked with a signature', async () => {
    let seen: IncomingMessage | null = null
    const endpoint = await upstream((request, response) => {
      seen = request
      json(response, 200, { modelSummaries: [{ modelId: 'a' }, { modelId: 'b' }] })
    })
    const client = clientFor(endpoint)
    expect(await client.checkConnection('frankfurt', clock.monotonicMs() + 2_000)).toMatchObject({ ok: true, modelIds: ['a', 'b'] })
    expect(seen).toMatchObject({ url: '/foundation-models', method: 'GET' })
  })

  test('that denies, hangs, is not there or is something else is a fault', async () => {
    const denying = clientFor(await upstream((_request, response) => json(response, 403, {}, { 'x-amzn-errortype': 'UnrecognizedClientException' })))
    expect(await denying.checkConnection('frankfurt', clock.monotonicMs() + 2_000)).toMatchObject({ ok: false, fault: { kind: 'auth' } })
    const hanging = clientFor(await upstream(() => {}))
    expect(await hanging.checkConnection('frankfurt', clock.monotonicMs() + 40)).toMatchObject({ ok: false, fault: { kind: 'timeout' } })
    const gone = clientFor(await rawUpstream((socket) => socket.destroy()))
    expect(await gone.checkConnection('frankfurt', clock.monotonicMs() + 2_000)).toMatchObject({ ok: false, fault: { kind: 'network' } })
    const other = clientFor(await upstream((_request, response) => json(response, 200, '<html>')))
    expect(await other.checkConnection('frankfurt', clock.monotonicMs() + 2_000)).toMatchObject({ ok: false, fault: { kind: 'protocol' } })
    expect(await other.checkConnection('nowhere', clock.monotonicMs() + 2_000)).toMatchObject({ ok: false, fault: { kind: 'not_found' } })
  })
})

describe('a live reload', () => {
  test('changes targets and settings for the next attempt; a running one keeps what it began with', async () => {
    const bodies: string[] = []
    const releases: (() => void)[] = []
    const endpoint = await upstream((_request, response, body) => {
      bodies.push(body)
      if (bodies.length === 1) releases.push(() => json(response, 200, wholeAnswer))
      else json(response, 200, wholeAnswer)
    })
    const client = clientFor(endpoint)
    const first = attempt(client)
    await expect.poll(() => releases.length).toBe(1)
    client.update({ targets: [{ id: 'ireland', region: 'eu-west-1', modelId: 'm', endpoint }], operations: { emergency: { maxTokens: 7 } }, limits: defaultDirectLimits })
    expect(client.targets.map((target) => target.id)).toEqual(['ireland'])
    for (const release of releases) release()
    expect((await first).end.outcome).toBe('succeeded')
    expect(faultOf(await attempt(client))).toMatchObject({ kind: 'not_found' })
    expect((await attempt(client, { target: 'ireland' })).end.outcome).toBe('succeeded')
    expect(JSON.parse(bodies[1] ?? '{}')).toMatchObject({ inferenceConfig: { maxTokens: 7 } })
  })
})
