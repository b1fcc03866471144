/**
 * The Direct Bedrock Client and the AWS SDK's own client side by side against the emulator: the same answers, and for every
 * fault the same verdict. Where the SDK's client is known to be silent, the test says so: a stream that ends early is no
 * error to it.
 */
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime'
import type { ConverseStreamOutput, Message, ToolConfiguration } from '@aws-sdk/client-bedrock-runtime'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createEmulator } from '../emulator/emulator.ts'
import type { Emulator } from '../emulator/emulator.ts'
import type { ConverseRequest, ConverseStreamEvent } from '../operation/converse.ts'
import type { Fault } from '../operation/fault.ts'
import type { AttemptEnd, AttemptSpend, RunningAttempt } from '../operation/path.ts'
import { operationOf } from '../operation/testing/operation.ts'
import { createSystemClock } from '../runtime/clock.ts'
import type { CredentialSource } from './adapters/credential-keeper.ts'
import { createDirectBedrockClient } from './direct-bedrock-client.ts'
import type { DirectBedrockClient } from './direct-bedrock-client.ts'
import { defaultDirectLimits } from './settings.ts'
import type { DirectSettings } from './settings.ts'

const clock = createSystemClock()
const modelId = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0'
/** For the faults that only a limit ends. */
const impatienceMs = 150

let emulator: Emulator
let ours: DirectBedrockClient
let oursImpatient: DirectBedrockClient
let sdk: BedrockRuntimeClient
let sdkImpatient: BedrockRuntimeClient

function sdkClient(socketTimeout: number): BedrockRuntimeClient {
  return new BedrockRuntimeClient({
    endpoint: emulator.url,
    region: 'eu-central-1',
    maxAttempts: 1,
    credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator' },
    requestHandler: new NodeHttpHandler({ socketTimeout }),
  })
}

beforeAll(async () => {
  emulator = createEmulator({ clock })
  await emulator.listen()
  const settings: DirectSettings = {
    targets: [
      { id: 'sigv4', region: 'eu-central-1', modelId, endpoint: emulator.url },
      { id: 'arn', region: 'eu-central-1', modelId: `arn:aws:bedrock:eu-central-1:123456789012:inference-profile/${modelId}`, endpoint: emulator.url },
    ],
    operations: {},
    limits: defaultDirectLimits,
  }
  const credentials: CredentialSource = { kind: 'provider', obtain: async () => ({ accessKeyId: 'emulator', secretAccessKey: 'emulator' }) }
  ours = createDirectBedrockClient({ clock, credentials, settings })
  oursImpatient = createDirectBedrockClient({ clock, credentials, settings: { ...settings, limits: { ...defaultDirectLimits, firstByteMs: impatienceMs, silenceMs: impatienceMs } } })
  sdk = sdkClient(10_000)
  sdkImpatient = sdkClient(impatienceMs)
})
afterEach(() => emulator.reset())
afterAll(async () => {
  for (const client of [ours, oursImpatient]) client.close()
  for (const client of [sdk, sdkImpatient]) client.destroy()
  await emulator.close()
})

interface Asked {
  readonly converse: ConverseRequest
  readonly streaming: boolean
  readonly target?: string
  readonly model?: string
  readonly client?: DirectBedrockClient
  readonly deadlineInMs?: number
  readonly onEvent?: (event: ConverseStreamEvent, running: RunningAttempt) => void
}

function ask({ converse, streaming, target = 'sigv4', model, client = ours, deadlineInMs = 10_000, onEvent }: Asked): Promise<{ end: AttemptEnd; events: ConverseStreamEvent[] }> {
  return new Promise((resolve) => {
    const events: ConverseStreamEvent[] = []
    const running = client.start(
      {
        operation: operationOf('infrastructure', { mode: streaming ? 'stream' : 'sync', converse, streamSilenceMs: 30_000, streamMaxMs: 60_000, ...(model === undefined ? {} : { modelId: model }) }),
        number: 1,
        target,
        streaming,
        deadlineMs: clock.monotonicMs() + deadlineInMs,
      },
      {
        onSent() {},
        onEvent(event) {
          events.push(event)
          onEvent?.(event, running)
        },
        onEnd: (end) => resolve({ end, events }),
      },
    )
  })
}

type SdkOutcome = { readonly events: readonly ConverseStreamOutput[] } | { readonly error: Error & { readonly $metadata?: unknown } }

async function askSdk(converse: ConverseRequest, streaming: boolean, client = sdk): Promise<SdkOutcome> {
  const events: ConverseStreamOutput[] = []
  try {
    const input = { ...(converse as unknown as { messages: Message[]; toolConfig?: ToolConfiguration }), modelId }
    if (streaming) for await (const event of (await client.send(new ConverseStreamCommand(input))).stream ?? []) events.push(event)
    else await client.send(new ConverseCommand(input))
    return { events }
  } catch (error) {
    return { error: error as Error }
  }
}

const prompt: ConverseRequest = { messages: [{ role: 'user', content: [{ text: 'Explain the outage of last night.' }] }] }
const withTool: ConverseRequest = {
  messages: [{ role: 'user', content: [{ text: 'What is the current weather in Berlin?' }] }],
  system: [{ text: 'Be brief.' }],
  inferenceConfig: { maxTokens: 200, temperature: 0.2, topP: 0.5, stopSequences: ['STOP'] },
  toolConfig: {
    tools: [
      {
        toolSpec: {
          name: 'get_weather',
          description: 'Returns the current weather of a city',
          inputSchema: { json: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
        },
      },
    ],
  },
  requestMetadata: { team: 'a' },
}

describe('the same answer as the AWS SDK', () => {
  test.each<[string, ConverseRequest]>([
    ['text', prompt],
    ['a tool call', withTool],
    ['text in many scripts', { messages: [{ role: 'user', content: [{ text: 'Grüße 世界 👩‍👩‍👧 \u0000 \u2028' }] }] }],
  ])('%s, whole and streamed', async (_name, converse) => {
    const reference = await sdk.send(new ConverseCommand({ ...(converse as unknown as { messages: Message[] }), modelId }))
    for (const streaming of [false, true]) {
      const { end, events } = await ask({ converse, streaming })
      expect(end).toMatchObject({
        outcome: 'succeeded',
        answer: { message: reference.output?.message, stopReason: reference.stopReason, usage: { totalTokens: reference.usage?.totalTokens } },
        spend: { estimated: false, modelId },
      })
      if (!streaming) continue
      const theirs = await askSdk(converse, true)
      if ('error' in theirs) throw theirs.error
      expect(events.map((event) => event.type)).toEqual(theirs.events.map((event) => Object.keys(event)[0]))
    }
  })

  test('by an ARN, and with a Bedrock API key', async () => {
    expect((await ask({ converse: prompt, streaming: false, target: 'arn' })).end.outcome).toBe('succeeded')
    const withKey = createDirectBedrockClient({
      clock,
      credentials: { kind: 'api_key', key: 'emulator' },
      settings: { targets: ours.targets, operations: {}, limits: defaultDirectLimits },
    })
    expect((await ask({ converse: prompt, streaming: true, client: withKey })).end.outcome).toBe('succeeded')
    expect(emulator.requests().at(-1)).toMatchObject({ scheme: 'bearer' })
    withKey.close()
  })

  test('from the control plane, signed', async () => {
    expect(await ours.checkConnection('sigv4', clock.monotonicMs() + 5_000)).toMatchObject({ ok: true })
    emulator.faults.set([{ kind: 'expired' }])
    expect(await ours.checkConnection('sigv4', clock.monotonicMs() + 5_000)).toMatchObject({ ok: false, fault: { kind: 'auth' } })
  })
})

interface Row {
  readonly fault: Record<string, unknown> & { readonly kind: string }
  readonly only?: 'whole' | 'stream'
  readonly expected: Partial<Fault>
  /** Only a limit ends it. */
  readonly waits?: true
  /** The SDK's client notices nothing: its stream just ends. */
  readonly silentInSdk?: true
}

const modelled: readonly [exception: string, kind: Fault['kind'], retryable: boolean][] = [
  ['AccessDeniedException', 'access', false],
  ['ConflictException', 'overloaded', true],
  ['InternalServerException', 'overloaded', true],
  ['ModelErrorException', 'model_error', false],
  ['ModelNotReadyException', 'overloaded', true],
  ['ModelStreamErrorException', 'model_error', true],
  ['ModelTimeoutException', 'timeout', true],
  ['ResourceNotFoundException', 'not_found', false],
  ['ServiceQuotaExceededException', 'quota', false],
  ['ServiceUnavailableException', 'overloaded', true],
  ['ThrottlingException', 'throttled', true],
  ['ValidationException', 'validation', false],
]
const inStream = ['InternalServerException', 'ModelStreamErrorException', 'ServiceUnavailableException', 'ThrottlingException', 'ValidationException']

const rows: readonly Row[] = [
  ...modelled.map(([exception, kind, retryable]): Row => ({ fault: { kind: 'error', exception }, expected: { kind, retryable, upstreamCode: exception } })),
  ...modelled
    .filter(([exception]) => inStream.includes(exception))
    .map(([exception, kind, retryable]): Row => ({ fault: { kind: 'midstream', exception }, only: 'stream', expected: { kind, retryable, upstreamCode: exception } })),
  { fault: { kind: 'throttle' }, expected: { kind: 'throttled', retryable: true, upstreamStatus: 429 } },
  { fault: { kind: 'throttle', retryAfterMs: 3_000 }, expected: { kind: 'throttled', retryAfterMs: 3_000 } },
  { fault: { kind: 'concurrency', limit: 0 }, expected: { kind: 'throttled' } },
  { fault: { kind: 'expired' }, expected: { kind: 'auth', retryable: false } },
  { fault: { kind: 'refused' }, expected: { kind: 'network', retryable: true } },
  { fault: { kind: 'reset' }, expected: { kind: 'network', retryable: true } },
  { fault: { kind: 'hang' }, expected: { kind: 'timeout', retryable: true }, waits: true },
  { fault: { kind: 'stall' }, only: 'stream', expected: { kind: 'timeout' }, waits: true },
  { fault: { kind: 'cut', how: 'reset' }, only: 'stream', expected: { kind: 'network', retryable: true } },
  { fault: { kind: 'cut', how: 'end' }, only: 'stream', expected: { kind: 'protocol', retryable: true }, silentInSdk: true },
  { fault: { kind: 'malformed', form: 'not_json' }, only: 'whole', expected: { kind: 'protocol' } },
  { fault: { kind: 'malformed', form: 'html' }, only: 'whole', expected: { kind: 'protocol' } },
  { fault: { kind: 'malformed', form: 'html', status: 502 }, expected: { kind: 'overloaded', retryable: true, upstreamStatus: 502 } },
  { fault: { kind: 'malformed', form: 'truncated_json' }, only: 'whole', expected: { kind: 'protocol' } },
  { fault: { kind: 'malformed', form: 'bad_checksum' }, only: 'stream', expected: { kind: 'protocol' } },
  { fault: { kind: 'malformed', form: 'truncated_frame' }, only: 'stream', expected: { kind: 'protocol' } },
]

describe('the same verdict as the AWS SDK', () => {
  const cases = rows.flatMap((row) => (['whole', 'stream'] as const).filter((form) => row.only === undefined || row.only === form).map((form) => ({ ...row, form, name: JSON.stringify(row.fault) })))

  test.each(cases)('$form: $name', async ({ fault, form, expected, waits, silentInSdk }) => {
    emulator.faults.set([fault])
    const streaming = form === 'stream'
    // A whole answer has no first-byte limit: its deadline ends a hang.
    const { end } = await ask({ converse: prompt, streaming, ...(waits === true ? { client: oursImpatient, deadlineInMs: streaming ? 10_000 : impatienceMs } : {}) })
    const theirs = await askSdk(prompt, streaming, waits === true ? sdkImpatient : sdk)
    if (end.outcome !== 'failed') throw new Error(`ended as ${end.outcome}`)
    expect(end.fault).toMatchObject(expected)
    expect(JSON.stringify(end)).not.toContain('outage of last night')
    if (silentInSdk === true) {
      expect('events' in theirs && theirs.events.some((event) => event.messageStop !== undefined)).toBe(false)
      return
    }
    if (!('error' in theirs)) throw new Error('the SDK noticed nothing')
    if (theirs.error.name.endsWith('Exception')) expect(end.fault.upstreamCode).toBe(theirs.error.name)
    else expect(['network', 'protocol', 'timeout', 'overloaded']).toContain(end.fault.kind)
  })

  test('a huge frame is refused at once; the SDK would wait for all of it', async () => {
    emulator.faults.set([{ kind: 'malformed', form: 'huge_frame' }])
    expect((await ask({ converse: prompt, streaming: true })).end).toMatchObject({ outcome: 'failed', fault: { kind: 'protocol' } })
  })

  test('slowness is no fault while the limits hold', async () => {
    emulator.faults.set([{ kind: 'latency', firstTokenMs: { p50: 30, p99: 60 }, perTokenMs: { p50: 1, p99: 2 } }])
    expect((await ask({ converse: prompt, streaming: true })).end.outcome).toBe('succeeded')
  })

  test.each([
    ['fault.throttle', 'throttled'],
    ['fault.unavailable', 'overloaded'],
    ['fault.internal', 'overloaded'],
    ['fault.denied', 'access'],
    ['fault.midstream', 'model_error'],
    ['fault.cut', 'network'],
    ['fault.hang', 'timeout'],
    ['fault.modelerror', 'model_error'],
    ['fault.modeltimeout', 'timeout'],
    ['fault.notready', 'overloaded'],
  ])('the model id %s meets a fault of kind %s', async (model, kind) => {
    const client = kind === 'timeout' ? oursImpatient : ours
    expect((await ask({ converse: prompt, streaming: true, model, client })).end).toMatchObject({ outcome: 'failed', fault: { kind } })
  })

  test('a wrong secret and an unknown key are faults of our credentials', async () => {
    for (const pair of [
      { accessKeyId: 'emulator', secretAccessKey: 'wrong' },
      { accessKeyId: 'nobody', secretAccessKey: 'emulator' },
    ]) {
      const client = createDirectBedrockClient({ clock, credentials: { kind: 'provider', obtain: async () => pair }, settings: { targets: ours.targets, operations: {}, limits: defaultDirectLimits } })
      expect((await ask({ converse: prompt, streaming: false, client })).end).toMatchObject({ outcome: 'failed', fault: { kind: 'auth', retryable: false } })
      client.close()
    }
  })
})

test('a cancelled attempt says at once what it has used, before its end comes', async () => {
  emulator.faults.set([{ kind: 'stall', afterEvents: 3 }])
  let atOnce: AttemptSpend | undefined
  const { end } = await ask({
    converse: prompt,
    streaming: true,
    onEvent(event, running) {
      if (event.type !== 'contentBlockDelta' || atOnce !== undefined) return
      running.cancel()
      atOnce = running.spent?.()
    },
  })
  expect(end).toEqual({ outcome: 'cancelled', spend: atOnce })
  expect(atOnce).toMatchObject({ modelId: expect.any(String) as string, estimated: true })
  expect(atOnce?.usage.inputTokens).toBeGreaterThan(0)
  expect(atOnce?.usage.outputTokens).toBeGreaterThan(0)
})

test('a cancelled stream is gone at the emulator too', async () => {
  emulator.faults.set([{ kind: 'stall', afterEvents: 3 }])
  const { end } = await ask({ converse: prompt, streaming: true, onEvent: (event, running) => void (event.type === 'contentBlockDelta' && running.cancel()) })
  expect(end.outcome).toBe('cancelled')
  await expect.poll(() => emulator.counters().cancelledByClient, { timeout: 2_000 }).toBe(1)
})
