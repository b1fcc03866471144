import { once } from 'node:events'
import { connect } from 'node:net'
import { BedrockClient, GetFoundationModelCommand, ListFoundationModelsCommand } from '@aws-sdk/client-bedrock'
import * as runtime from '@aws-sdk/client-bedrock-runtime'
import {
  BedrockRuntimeClient,
  ConverseCommand,
  ConverseStreamCommand,
  CountTokensCommand,
  InvokeModelCommand,
  InvokeModelWithResponseStreamCommand,
  type ConverseCommandInput,
  type ConverseStreamOutput,
  type Message,
} from '@aws-sdk/client-bedrock-runtime'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createSystemClock } from '../runtime/clock.ts'
import { createVirtualClock, type VirtualClock } from '../runtime/virtual-clock.ts'
import { createEmulator, type Emulator, type EmulatorOptions } from './emulator.ts'
import { exceptionNames, exceptionShapes, streamableExceptions } from './exceptions.ts'

const sonnet = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0'
const clock = createSystemClock()
const protocols = ['HTTP/2', 'HTTP/1.1'] as const
type Protocol = (typeof protocols)[number]

interface ClientSettings {
  readonly region?: string
  readonly accessKeyId?: string
  readonly secretAccessKey?: string
  readonly sessionToken?: string
  readonly systemClockOffset?: number
}

const clients: { destroy(): void }[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
})

function clientOf(emulator: Emulator, protocol: Protocol, settings: ClientSettings = {}): BedrockRuntimeClient {
  const { region = 'eu-central-1', accessKeyId = 'emulator', secretAccessKey = 'emulator', sessionToken, systemClockOffset = 0 } = settings
  const client = new BedrockRuntimeClient({
    endpoint: emulator.url,
    region,
    maxAttempts: 1,
    systemClockOffset,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
    ...(protocol === 'HTTP/1.1' ? { requestHandler: new NodeHttpHandler() } : {}),
  })
  clients.push(client)
  return client
}

async function withEmulator<T>(options: Partial<EmulatorOptions>, use: (emulator: Emulator) => Promise<T>): Promise<T> {
  const emulator = createEmulator({ clock, ...options })
  await emulator.listen()
  try {
    return await use(emulator)
  } finally {
    await emulator.close()
  }
}

const ask = (text: string): Message[] => [{ role: 'user', content: [{ text }] }]

async function collect<T>(stream: AsyncIterable<T> | undefined): Promise<T[]> {
  const events: T[] = []
  for await (const event of stream ?? []) events.push(event)
  return events
}

const textOf = (events: readonly ConverseStreamOutput[]): string => events.map((event) => event.contentBlockDelta?.delta?.text ?? '').join('')

/** Over HTTP/1.1 an idle emulator has nothing scheduled, so that time is the test's alone. */
async function withVirtualTime(faults: readonly object[], use: (emulator: Emulator, time: VirtualClock) => Promise<void>): Promise<void> {
  const time = createVirtualClock(Date.now())
  await withEmulator({ clock: time, faults }, (emulator) => use(emulator, time))
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

async function failureOf(promise: Promise<unknown>): Promise<Error & { $metadata?: { httpStatusCode?: number } }> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('it did not fail')
}

const weather: ConverseCommandInput['toolConfig'] = {
  tools: [
    {
      toolSpec: {
        name: 'get_weather',
        description: 'Returns the current weather of a city',
        inputSchema: { json: { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } }, required: ['city', 'unit'] } },
      },
    },
    { toolSpec: { name: 'restart_server', description: 'Restarts a virtual machine', inputSchema: { json: { type: 'object', properties: { machine: { type: 'string' } }, required: ['machine'] } } } },
  ],
}

describe.each(protocols)('the AWS SDK over %s', (protocol) => {
  let emulator: Emulator
  beforeAll(async () => {
    emulator = createEmulator({ clock })
    await emulator.listen()
  })
  afterAll(() => emulator.close())

  it('speaks that protocol', async () => {
    await clientOf(emulator, protocol).send(new ConverseCommand({ modelId: sonnet, messages: ask('hello') }))
    expect(emulator.requests().at(-1)).toMatchObject({ protocol: protocol === 'HTTP/2' ? '2.0' : '1.1', region: 'eu-central-1', scheme: 'sigv4', operation: 'Converse', modelId: sonnet, status: 200 })
  })

  it('gets the same recognisably synthetic answer to the same request, whole and as a stream', async () => {
    const client = clientOf(emulator, protocol)
    const request = { modelId: sonnet, messages: ask('Explain the outage of last night.'), system: [{ text: 'Be brief.' }] }
    const first = await client.send(new ConverseCommand(request))
    const second = await client.send(new ConverseCommand(request))
    const text = first.output?.message?.content?.[0]?.text ?? ''
    expect(second.output).toEqual(first.output)
    expect(text).toContain('synthetic answer')
    expect(text).toContain('Explain the outage')
    expect(first.stopReason).toBe('end_turn')
    expect(first.usage?.outputTokens).toBeGreaterThanOrEqual(60)
    const events = await collect((await client.send(new ConverseStreamCommand(request))).stream)
    expect(textOf(events)).toBe(text)
    expect(events.filter((event) => event.contentBlockDelta !== undefined).length).toBeGreaterThan(15)
    expect(events[0]).toEqual({ messageStart: { role: 'assistant' } })
    expect(events.at(-3)).toEqual({ contentBlockStop: { contentBlockIndex: 0 } })
    expect(events.at(-2)).toEqual({ messageStop: { stopReason: 'end_turn' } })
    expect(events.at(-1)?.metadata?.usage).toEqual(first.usage)
  })

  it('sees its limits and stop sequences respected, and its tiers echoed', async () => {
    const client = clientOf(emulator, protocol)
    const short = await client.send(new ConverseCommand({ modelId: sonnet, messages: ask('hello'), inferenceConfig: { maxTokens: 7 }, serviceTier: { type: 'flex' }, performanceConfig: { latency: 'optimized' } }))
    expect(short).toMatchObject({ stopReason: 'max_tokens', usage: { outputTokens: 7 }, serviceTier: { type: 'flex' }, performanceConfig: { latency: 'optimized' } })
    const stopped = await client.send(new ConverseCommand({ modelId: sonnet, messages: ask('hello'), inferenceConfig: { stopSequences: ['emulator'] } }))
    expect(stopped.stopReason).toBe('stop_sequence')
    expect(stopped.output?.message?.content?.[0]?.text).toBe('This is a synthetic answer of the AWS ')
  })

  it('CountTokens agrees with the usage of the answer', async () => {
    const client = clientOf(emulator, protocol)
    const converse = { messages: ask('How many tokens are in this sentence?'), system: [{ text: 'Count.' }] }
    const counted = await client.send(new CountTokensCommand({ modelId: sonnet, input: { converse } }))
    const answered = await client.send(new ConverseCommand({ modelId: sonnet, ...converse }))
    expect(counted.inputTokens).toBe(answered.usage?.inputTokens)
    const body = new TextEncoder().encode(JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 10, messages: [{ role: 'user', content: 'one two three' }] }))
    expect((await client.send(new CountTokensCommand({ modelId: sonnet, input: { invokeModel: { body } } }))).inputTokens).toBeGreaterThan(3)
  })

  it('runs a tool that the prompt asks for in a loop, and gets an answer that uses the result', async () => {
    const client = clientOf(emulator, protocol)
    const messages = ask('What is the weather in Berlin, in celsius?')
    const turns: string[] = []
    for (let turn = 0; turn < 5; turn += 1) {
      const answer = await client.send(new ConverseCommand({ modelId: sonnet, messages, toolConfig: weather }))
      turns.push(answer.stopReason ?? '')
      const message = answer.output?.message
      if (message === undefined) break
      messages.push(message)
      const use = message.content?.find((block) => block.toolUse !== undefined)?.toolUse
      if (use === undefined) break
      expect(use).toMatchObject({ name: 'get_weather', input: { city: 'Berlin', unit: 'celsius' } })
      messages.push({ role: 'user', content: [{ toolResult: { toolUseId: use.toolUseId, content: [{ json: { degrees: 21 } }] } }] })
    }
    expect(turns).toEqual(['tool_use', 'end_turn'])
    expect(messages.at(-1)?.content?.[0]?.text).toContain('"degrees":21')
  })

  it('streams the call of a tool as a start and fragments of its input', async () => {
    const client = clientOf(emulator, protocol)
    const events = await collect((await client.send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('Please restart the server "web-3"'), toolConfig: weather }))).stream)
    const start = events.find((event) => event.contentBlockStart !== undefined)?.contentBlockStart
    expect(start).toMatchObject({ contentBlockIndex: 1, start: { toolUse: { name: 'restart_server' } } })
    const fragments = events.flatMap((event) => event.contentBlockDelta?.delta?.toolUse?.input ?? [])
    expect(fragments.length).toBeGreaterThan(1)
    expect(JSON.parse(fragments.join(''))).toEqual({ machine: 'web-3' })
    expect(events.find((event) => event.messageStop !== undefined)).toEqual({ messageStop: { stopReason: 'tool_use' } })
  })

  it('a forced tool is called whatever is asked, and nothing is called without need', async () => {
    const client = clientOf(emulator, protocol)
    const forced = await client.send(new ConverseCommand({ modelId: sonnet, messages: ask('Hello there'), toolConfig: { ...weather, toolChoice: { tool: { name: 'restart_server' } } } }))
    expect(forced.stopReason).toBe('tool_use')
    expect((await client.send(new ConverseCommand({ modelId: sonnet, messages: ask('Hello there'), toolConfig: weather }))).stopReason).toBe('end_turn')
  })

  it.each([
    [sonnet, { anthropic_version: 'bedrock-2023-05-31', max_tokens: 500, messages: [{ role: 'user', content: 'Hello' }] }],
    ['amazon.nova-lite-v1:0', { messages: [{ role: 'user', content: [{ text: 'Hello' }] }], inferenceConfig: { max_new_tokens: 500 } }],
    ['mistral.mistral-large-2407-v1:0', { prompt: 'Hello', max_tokens: 500 }],
  ])('InvokeModel answers in the format of %s, whole and as a stream', async (modelId, body) => {
    const client = clientOf(emulator, protocol)
    const request = { modelId, body: JSON.stringify(body), contentType: 'application/json' }
    const whole = await client.send(new InvokeModelCommand(request))
    const answer = whole.body.transformToString()
    expect(answer).toContain('synthetic answer')
    const chunks = await collect((await client.send(new InvokeModelWithResponseStreamCommand(request))).body)
    const parsed = chunks.map((chunk) => JSON.parse(new TextDecoder().decode(chunk.chunk?.bytes)) as Record<string, unknown>)
    expect(parsed.length).toBeGreaterThan(10)
    expect(parsed.at(-1)).toHaveProperty(['amazon-bedrock-invocationMetrics', 'outputTokenCount'])
    const streamed = [...JSON.stringify(parsed).matchAll(/"text":"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]).join('')
    expect(answer).toContain(streamed)
  })

  it.each(['arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0', 'global.anthropic.claude-sonnet-5', 'apac.amazon.nova-pro-v1:0', 'us.anthropic.claude-opus-4-8'])(
    'the model identifier %s is understood',
    async (modelId) => {
      expect((await clientOf(emulator, protocol).send(new ConverseCommand({ modelId, messages: ask('hello') }))).stopReason).toBe('end_turn')
      expect(emulator.requests().at(-1)?.modelId).toBe(modelId)
    },
  )

  it('a wrong secret, an unknown key and an old signature get the errors of AWS', async () => {
    const converse = new ConverseCommand({ modelId: sonnet, messages: ask('hello') })
    const cases: readonly (readonly [ClientSettings, string])[] = [
      [{ secretAccessKey: 'wrong' }, 'InvalidSignatureException'],
      [{ accessKeyId: 'somebody' }, 'UnrecognizedClientException'],
      [{ sessionToken: 'unasked' }, 'UnrecognizedClientException'],
      [{ systemClockOffset: -6 * 60_000 }, 'InvalidSignatureException'],
      [{ systemClockOffset: 6 * 60_000 }, 'InvalidSignatureException'],
    ]
    for (const [settings, name] of cases) {
      const error = await failureOf(clientOf(emulator, protocol, settings).send(converse))
      expect([error.name, error.$metadata?.httpStatusCode], JSON.stringify(settings)).toEqual([name, 403])
    }
    expect((await failureOf(clientOf(emulator, protocol, { systemClockOffset: -6 * 60_000 }).send(converse))).message).toContain('Signature expired')
    expect((await clientOf(emulator, protocol, { systemClockOffset: -4 * 60_000 }).send(converse)).stopReason).toBe('end_turn')
  })

  it('every error of an answer arrives as the class of the SDK with its status', async () => {
    const client = clientOf(emulator, protocol)
    for (const exception of exceptionNames) {
      emulator.faults.set([{ kind: 'error', exception }])
      const error = await failureOf(client.send(new ConverseCommand({ modelId: sonnet, messages: ask('hello') })))
      expect([error.name, error.$metadata?.httpStatusCode]).toEqual([exception, exceptionShapes[exception].status])
      const modelled = (runtime as Readonly<Record<string, unknown>>)[exception]
      if (typeof modelled === 'function') expect(error).toBeInstanceOf(modelled)
    }
    emulator.faults.clear()
  })

  it('every exception frame arrives as the class of the SDK, after the events before it', async () => {
    const client = clientOf(emulator, protocol)
    for (const exception of streamableExceptions) {
      emulator.faults.set([{ kind: 'midstream', exception, afterEvents: 4 }])
      const body = JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 500, messages: [{ role: 'user', content: 'Hello' }] })
      const streams = [(await client.send(new InvokeModelWithResponseStreamCommand({ modelId: sonnet, body }))).body]
      // A timeout of the model is a member of InvokeModel's stream alone.
      if (exception !== 'ModelTimeoutException') streams.push((await client.send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('hello') }))).stream as never)
      for (const stream of streams) {
        let events = 0
        const error = await failureOf(
          (async () => {
            for await (const _event of stream ?? []) events += 1
          })(),
        )
        expect(error).toBeInstanceOf((runtime as unknown as Readonly<Record<string, typeof Error>>)[exception])
        expect(events).toBe(4)
      }
    }
    emulator.faults.clear()
  })

  it.each([
    ['fault.throttle', 'ThrottlingException', 429],
    ['fault.unavailable', 'ServiceUnavailableException', 503],
    ['fault.internal', 'InternalServerException', 500],
    ['fault.denied', 'AccessDeniedException', 403],
    ['fault.modelerror', 'ModelErrorException', 424],
    ['fault.modeltimeout', 'ModelTimeoutException', 408],
    ['fault.notready', 'ModelNotReadyException', 429],
    ['fault.unheard-of', 'ValidationException', 400],
    ['eu.anthropic.no-such-model', 'ValidationException', 400],
    ['arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.nobody.nothing', 'ResourceNotFoundException', 404],
  ])('the model %s answers %s', async (modelId, name, status) => {
    const error = await failureOf(clientOf(emulator, protocol).send(new ConverseCommand({ modelId, messages: ask('hello') })))
    expect([error.name, error.$metadata?.httpStatusCode]).toEqual([name, status])
  })

  it('fault.midstream fails in mid-stream; fault.cut never reaches messageStop', async () => {
    const client = clientOf(emulator, protocol)
    const failing = await client.send(new ConverseStreamCommand({ modelId: 'fault.midstream', messages: ask('hello') }))
    expect((await failureOf(collect(failing.stream))).name).toBe('ModelStreamErrorException')
    const cut = await client.send(new ConverseStreamCommand({ modelId: 'fault.cut', messages: ask('hello') }))
    const seen: ConverseStreamOutput[] = []
    try {
      for await (const event of cut.stream ?? []) seen.push(event)
    } catch {
      // Over HTTP/1.1 the SDK throws, over HTTP/2 it ends the iteration: both without the end of the message.
    }
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.some((event) => event.messageStop !== undefined)).toBe(false)
    await failureOf(client.send(new ConverseCommand({ modelId: 'fault.cut', messages: ask('hello') })))
  })

  it('a client that aborts a hanging request or a slow stream is noticed at once', async () => {
    const client = clientOf(emulator, protocol)
    const before = emulator.counters().cancelledByClient
    const abort = new AbortController()
    const hanging = failureOf(client.send(new ConverseCommand({ modelId: 'fault.hang', messages: ask('hello') }), { abortSignal: abort.signal }))
    const inFlight = async (count: number): Promise<void> => {
      while (emulator.counters().inFlight !== count) await new Promise((resolve) => setImmediate(resolve))
    }
    await inFlight(1)
    const abortedAtMs = performance.now()
    abort.abort()
    expect((await hanging).name).toBe('AbortError')
    await inFlight(0)
    expect(performance.now() - abortedAtMs).toBeLessThan(100)
    expect(emulator.counters().cancelledByClient).toBe(before + 1)

    emulator.faults.set([{ kind: 'latency', perTokenMs: { p50: 20 } }])
    const second = new AbortController()
    const slow = await client.send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('hello') }), { abortSignal: second.signal })
    const reading = collect(slow.stream).catch(() => [])
    second.abort()
    const secondAbortMs = performance.now()
    await inFlight(0)
    expect(performance.now() - secondAbortMs).toBeLessThan(100)
    await reading
    expect(emulator.counters().cancelledByClient).toBe(before + 2)
    emulator.faults.clear()
  })

  it.each(['not_json', 'html', 'truncated_json', 'bad_checksum', 'truncated_frame', 'huge_frame'])('a malformed body (%s) is no answer', async (form) => {
    const client = clientOf(emulator, protocol)
    emulator.faults.set([{ kind: 'malformed', form }])
    await failureOf(client.send(new ConverseCommand({ modelId: sonnet, messages: ask('hello') })))
    const streamed = client.send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('hello') })).then((answer) => collect(answer.stream))
    const whole = await streamed.then(
      (events) => events.some((event) => event.messageStop !== undefined),
      () => false,
    )
    expect(whole).toBe(false)
    emulator.faults.clear()
  })
})

describe('the control plane', () => {
  it('lists and describes the foundation models', () =>
    withEmulator({}, async (emulator) => {
      const client = new BedrockClient({ endpoint: emulator.url, region: 'eu-west-1', maxAttempts: 1, credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' } })
      clients.push(client)
      const listed = await client.send(new ListFoundationModelsCommand({ byProvider: 'Anthropic', byInferenceType: 'ON_DEMAND' }))
      expect(listed.modelSummaries).toEqual([])
      const all = await client.send(new ListFoundationModelsCommand({}))
      expect(all.modelSummaries?.length).toBeGreaterThan(5)
      const one = await client.send(new GetFoundationModelCommand({ modelIdentifier: 'amazon.nova-lite-v1:0' }))
      expect(one.modelDetails).toMatchObject({ modelArn: 'arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0', modelLifecycle: { status: 'ACTIVE' } })
      expect((await failureOf(client.send(new GetFoundationModelCommand({ modelIdentifier: 'amazon.nothing' })))).name).toBe('ResourceNotFoundException')
    }))
})

describe('who may call', () => {
  it('the bearer key is accepted, another one and none are refused', () =>
    withEmulator({}, async (emulator) => {
      const call = async (headers: Record<string, string>): Promise<readonly [number, string | null]> => {
        const response = await fetch(`${emulator.url}/model/${encodeURIComponent(sonnet)}/converse`, { method: 'POST', headers, body: JSON.stringify({ messages: ask('hi') }) })
        await response.text()
        return [response.status, response.headers.get('x-amzn-errortype')?.split(':')[0] ?? null]
      }
      expect(await call({ authorization: 'Bearer emulator' })).toEqual([200, null])
      expect(await call({ authorization: 'Bearer other' })).toEqual([403, 'AccessDeniedException'])
      expect(await call({})).toEqual([403, 'MissingAuthenticationTokenException'])
      expect(await call({ authorization: 'AWS4-HMAC-SHA256 Credential=emulator' })).toEqual([403, 'IncompleteSignatureException'])
    }))

  it('a session token is needed where one is configured', () =>
    withEmulator({ credentials: [{ accessKeyId: 'emulator', secretAccessKey: 'emulator', sessionToken: 'session' }] }, async (emulator) => {
      const converse = new ConverseCommand({ modelId: sonnet, messages: ask('hello') })
      expect((await clientOf(emulator, 'HTTP/2', { sessionToken: 'session' }).send(converse)).stopReason).toBe('end_turn')
      expect((await failureOf(clientOf(emulator, 'HTTP/2').send(converse))).name).toBe('UnrecognizedClientException')
    }))
})

describe('what is refused', () => {
  const call = (emulator: Emulator, body: string, path = `/model/${sonnet}/converse`): Promise<Response> =>
    fetch(`${emulator.url}${path}`, { method: 'POST', headers: { authorization: 'Bearer emulator' }, body })

  it.each([
    ['no JSON', '{', 'Malformed input request'],
    ['no messages', '{}', "'messages'"],
    ['an unknown member', '{"messages":[],"nonsense":1}', '"nonsense"'],
    ['an assistant who begins', JSON.stringify({ messages: [{ role: 'assistant', content: [{ text: 'a' }] }] }), 'must start with a user message'],
    ['roles that do not alternate', JSON.stringify({ messages: [...ask('a'), ...ask('b')] }), 'must alternate'],
    ['a blank text', JSON.stringify({ messages: ask(' ') }), 'is blank'],
    ['no content', JSON.stringify({ messages: [{ role: 'user', content: [] }] }), 'is empty'],
    ['a temperature out of range', JSON.stringify({ messages: ask('a'), inferenceConfig: { temperature: 2 } }), 'temperature'],
    ['a result of a tool nobody called', JSON.stringify({ messages: [{ role: 'user', content: [{ toolResult: { toolUseId: 'x', content: [] } }] }], toolConfig: weather }), 'exceeds the number of toolUse blocks'],
  ])('%s is a ValidationException that says so', (_name, body, message) =>
    withEmulator({}, async (emulator) => {
      const response = await call(emulator, body)
      expect(response.status).toBe(400)
      expect(response.headers.get('x-amzn-errortype')).toMatch(/^ValidationException/)
      expect(((await response.json()) as { message: string }).message).toContain(message)
    }),
  )

  it('a body nested beyond reason is answered, and the emulator goes on', () =>
    withEmulator({}, async (emulator) => {
      const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`
      expect((await call(emulator, deep)).status).toBeGreaterThanOrEqual(400)
      expect((await call(emulator, `{"messages":[{"role":"user","content":[{"text":"a"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{"type":"object","x":${deep}}}}}]}}`)).status).toBeGreaterThanOrEqual(400)
      expect((await call(emulator, JSON.stringify({ messages: ask('hi') }))).status).toBe(200)
    }))

  it('a body above the limit is 413, an unknown path 404', () =>
    withEmulator({ maxBodyBytes: 1_000 }, async (emulator) => {
      expect((await call(emulator, 'x'.repeat(2_000))).status).toBe(413)
      expect((await call(emulator, '{}', '/model/a/b/c')).status).toBe(404)
    }))
})

describe('faults', () => {
  const converse = (emulator: Emulator, region = 'eu-central-1'): Promise<unknown> =>
    clientOf(emulator, 'HTTP/1.1', { region }).send(new ConverseCommand({ modelId: sonnet, messages: ask('hello') }))

  it('meet the region they are for, and no other', () =>
    withEmulator({ faults: [{ kind: 'throttle', retryAfterMs: 1_500, target: { region: 'eu-west-*' } }] }, async (emulator) => {
      const error = (await failureOf(converse(emulator, 'eu-west-1'))) as Error & { $response?: { headers: Record<string, string> } }
      expect(error.name).toBe('ThrottlingException')
      expect(error.$response?.headers['retry-after']).toBe('2')
      await converse(emulator)
      expect(emulator.counters()).toMatchObject({ byFault: { throttle: 1 }, byStatus: { 200: 1, 429: 1 } })
    }))

  it('a hard share of them follows the seed, so that a run can be repeated', async () => {
    const outcomes = (): Promise<string> =>
      withEmulator({ seed: 7, faults: [{ kind: 'error', exception: 'InternalServerException', share: 0.5 }] }, async (emulator) => {
        let pattern = ''
        for (let index = 0; index < 12; index += 1) pattern += await converse(emulator).then(() => '.', () => 'x')
        return pattern
      })
    const first = await outcomes()
    expect(first).toMatch(/x/)
    expect(first).toMatch(/\./)
    expect(await outcomes()).toBe(first)
  })

  it('a refused port has no listener until the window ends, and connections are cut', () =>
    withVirtualTime([], async (emulator, time) => {
      await converse(emulator)
      emulator.faults.set([{ kind: 'refused', untilMs: 60_000 }])
      expect(((await failureOf(converse(emulator))) as NodeJS.ErrnoException).code).toBe('ECONNREFUSED')
      time.advance(59_999)
      expect(((await failureOf(converse(emulator))) as NodeJS.ErrnoException).code).toBe('ECONNREFUSED')
      time.advance(1)
      await converse(emulator)
    }))

  it('a reset breaks the connection without an answer', () =>
    withEmulator({ faults: [{ kind: 'reset' }] }, async (emulator) => {
      expect((await failureOf(converse(emulator)) as NodeJS.ErrnoException).code).toBe('ECONNRESET')
      expect(emulator.counters()).toMatchObject({ cut: 1, cancelledByClient: 0 })
    }))

  it('a limit on concurrency throttles what is above it', () =>
    withVirtualTime([{ kind: 'concurrency', limit: 2 }, { kind: 'latency', firstTokenMs: { p50: 50 } }], async (emulator, time) => {
      const outcomes = Promise.allSettled(Array.from({ length: 5 }, () => converse(emulator)))
      await until(() => emulator.counters().byStatus['429'] === 3)
      expect(emulator.counters().inFlight).toBe(2)
      time.advance(50)
      expect((await outcomes).filter(({ status }) => status === 'fulfilled').length).toBe(2)
    }))

  it('or lets it wait, and everything is answered in turn', () =>
    withVirtualTime([{ kind: 'concurrency', limit: 1, above: 'queue' }, { kind: 'latency', firstTokenMs: { p50: 20 } }], async (emulator, time) => {
      const all = Promise.all(Array.from({ length: 4 }, () => converse(emulator)))
      await until(() => emulator.counters().inFlight === 4)
      for (let answered = 1; answered <= 4; answered += 1) {
        // A request counts as in flight from its head; its turn begins once its body is there.
        await until(() => time.pending() > 0)
        time.advance(20)
        await until(() => emulator.counters().answered === answered)
      }
      await all
      expect(emulator.counters()).toMatchObject({ answered: 4, inFlight: 0 })
      expect(time.pending()).toBe(0)
    }))

  it('a stall keeps the stream silent and open, then goes on', () =>
    withVirtualTime([{ kind: 'stall', afterEvents: 3, durationMs: 30_000 }], async (emulator, time) => {
      const answer = await clientOf(emulator, 'HTTP/1.1').send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('hello') }))
      const events: ConverseStreamOutput[] = []
      const reading = (async () => {
        for await (const event of answer.stream ?? []) events.push(event)
      })()
      await until(() => events.length === 3)
      await time.advanceAsync(29_999)
      expect(events).toHaveLength(3)
      time.advance(1)
      await reading
      expect(events.some((event) => event.messageStop !== undefined)).toBe(true)
    }))

  it('a clean end without messageStop is possible', () =>
    withEmulator({ faults: [{ kind: 'cut', how: 'end', afterEvents: 6 }] }, async (emulator) => {
      const answer = await clientOf(emulator, 'HTTP/1.1').send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('hello') }))
      expect(await collect(answer.stream)).toHaveLength(6)
    }))

  it('can be set, read and cleared over the control endpoint, and mistakes are told', () =>
    withEmulator({}, async (emulator) => {
      const control = (method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Response> => fetch(`${emulator.url}/_emulator/${path}`, { method, headers, ...(body === undefined ? {} : { body }) })
      const bad = await control('PUT', 'faults', JSON.stringify({ faults: [{ kind: 'slow', factor: 0 }, { kind: 'no' }] }))
      expect(bad.status).toBe(400)
      expect(((await bad.json()) as { problems: { path: string }[] }).problems.map(({ path }) => path)).toEqual(['faults[0].factor', 'faults[1].kind'])
      expect((await control('PUT', 'faults', JSON.stringify([{ kind: 'expired' }]))).status).toBe(200)
      expect((await failureOf(converse(emulator))).name).toBe('ExpiredTokenException')
      expect(await (await control('GET', 'requests')).text()).not.toContain('hello')
      expect((await control('DELETE', 'faults')).status).toBe(200)
      await converse(emulator)
      expect(await (await control('GET', 'counters')).json()).toMatchObject({ byOperation: { Converse: 2 } })
      expect(await (await control('POST', 'reset')).json()).toMatchObject({ received: 0, byOperation: {} })
      expect((await control('GET', 'faults', undefined, { origin: 'http://evil.example' })).status).toBe(403)
    }))

  it('an answer that waits for its latency leaves no timer behind when its client goes', async () => {
    await withVirtualTime([{ kind: 'latency', firstTokenMs: { p50: 60_000 } }], async (emulator, waiting) => {
      const abort = new AbortController()
      const send = clientOf(emulator, 'HTTP/1.1').send(new ConverseCommand({ modelId: sonnet, messages: ask('hello') }), { abortSignal: abort.signal })
      const failed = failureOf(send)
      while (waiting.pending() === 0 || emulator.counters().inFlight === 0) await new Promise((resolve) => setImmediate(resolve))
      abort.abort()
      await failed
      while (emulator.counters().inFlight > 0) await new Promise((resolve) => setImmediate(resolve))
      expect(waiting.pending()).toBe(0)
      expect(emulator.counters().cancelledByClient).toBe(1)
    })
  })

  it('a paced stream sends its events when they are due, not before', async () => {
    await withVirtualTime([{ kind: 'latency', firstTokenMs: { p50: 100 }, perTokenMs: { p50: 10 } }], async (emulator, paced) => {
      let settled = false
      const send = clientOf(emulator, 'HTTP/1.1').send(new ConverseStreamCommand({ modelId: sonnet, messages: ask('hello') }))
      void send.then(() => (settled = true))
      while (emulator.counters().inFlight === 0) await new Promise((resolve) => setImmediate(resolve))
      await paced.advanceAsync(99)
      expect(settled).toBe(false)
      await paced.advanceAsync(1)
      const events: ConverseStreamOutput[] = []
      const reading = (async () => {
        for await (const event of (await send).stream ?? []) events.push(event)
      })()
      while (events.length < 2) await new Promise((resolve) => setImmediate(resolve))
      expect(events).toHaveLength(2)
      await paced.advanceAsync(30)
      while (events.length < 3) await new Promise((resolve) => setImmediate(resolve))
      expect(events).toHaveLength(3)
      await paced.advanceAsync(10_000)
      await reading
      expect(events.at(-1)?.metadata?.usage?.outputTokens).toBeGreaterThanOrEqual(60)
      expect(paced.pending()).toBe(0)
    })
  })

  it('closing does not wait for a request that hangs, and leaves no listener', () =>
    withEmulator({}, async (emulator) => {
      const hanging = clientOf(emulator, 'HTTP/2').send(new ConverseCommand({ modelId: 'fault.hang', messages: ask('hello') }))
      const failed = failureOf(hanging)
      while (emulator.counters().inFlight === 0) await new Promise((resolve) => setImmediate(resolve))
      await emulator.close()
      expect(await failed).toBeInstanceOf(Error)
      expect(emulator.counters()).toMatchObject({ inFlight: 0, cut: 1, cancelledByClient: 0 })
      const refused = connect(Number(new URL(emulator.url).port), '127.0.0.1')
      const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
      expect(error.code).toBe('ECONNREFUSED')
    }))
})
