/**
 * The AWS emulator: Amazon Bedrock's wire protocol on loopback, for tests, drills and demonstrations without an account.
 * It joins the parts: one port for both HTTP versions, signatures verified as AWS does, answers that are deterministic and
 * say that they are synthetic, and faults on order. docs/emulator.md is its manual.
 *
 * A request goes: body → signature → model → fault plan → the body's meaning → answer → delivery at the plan's pace.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../runtime/clock.ts'
import { createDualProtocolServer, type DualProtocolServer } from '../runtime/dual-protocol-server.ts'
import { createSeededRandom, type Random } from '../runtime/random.ts'
import { createAdmission } from './adapters/admission.ts'
import { answerControl } from './adapters/control.ts'
import { after, deliverBody, deliverStream, refuse, type Headers } from './adapters/delivery.ts'
import { Exchange } from './adapters/exchange.ts'
import { createFrameEncoder } from './adapters/frames.ts'
import { createRecorder, type EmulatorCounters, type RecordedRequest } from './adapters/recorder.ts'
import { createSignatureVerifier, type Caller, type EmulatedCredentials } from './adapters/signature.ts'
import { defaultAnswerLength, type AnswerLength } from './answer.ts'
import type { Answer } from './conversation.ts'
import { invalid, type Refusal } from './exceptions.ts'
import { faultOfModel } from './fault-models.ts'
import { planFaults, refusalChanges, refusedShare, undisturbed, type FaultPlan, type SetRule } from './fault-plan.ts'
import { faultRules, type FaultRule } from './fault-rule.ts'
import { getFoundationModel, listFoundationModels } from './foundation-models.ts'
import { defaultFoundationModels, isRefusal, resolveModel, type ModelReference } from './model-id.ts'
import { routeOf, type Operation, type RuntimeOperation } from './route.ts'
import { runOperation } from './run-operation.ts'

export interface EmulatorOptions {
  readonly clock: Clock
  /** Chance of the faults; without it, a generator from `seed`. */
  readonly random?: Random
  readonly seed?: number
  /** Rules as docs/emulator.md describes them, valid from the start. */
  readonly faults?: unknown
  /** Model ids that are accepted besides those that Bedrock's families suggest. */
  readonly models?: readonly string[]
  readonly host?: string
  /** 0 takes any free port. */
  readonly port?: number
  /** Several ports at once, so that each can stand for a region with its own faults. */
  readonly ports?: readonly number[]
  readonly credentials?: readonly EmulatedCredentials[]
  readonly bearerKeys?: readonly string[]
  readonly answerLength?: AnswerLength
  readonly maxBodyBytes?: number
}

export interface Emulator {
  listen(): Promise<void>
  close(): Promise<void>
  /** Of the first port; known once it listens. */
  readonly url: string
  readonly urls: readonly string[]
  readonly faults: {
    /** Replaces all rules; their windows count from now. Throws `FaultConfigurationError` and keeps the old ones. */
    set(rules: unknown): void
    clear(): void
    list(): readonly FaultRule[]
  }
  counters(): EmulatorCounters
  requests(): readonly RecordedRequest[]
  /** Forgets counters and requests, and sets the faults of the start again. */
  reset(): void
}

/** Public contract, part 1. */
const defaultCredentials: readonly EmulatedCredentials[] = [{ accessKeyId: 'emulator', secretAccessKey: 'emulator' }]
const defaultBearerKeys: readonly string[] = ['emulator']

/** The largest body that InvokeModel takes, by its API reference. */
const defaultMaxBodyBytes = 25_000_000

const serverLimits = {
  firstByteTimeoutMs: 30_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 60_000,
  maxHeaderBytes: 32_768,
  maxConcurrentStreams: 1_000,
  maxConnections: 20_000,
  closeGraceMs: 0,
} as const

/** Between two attempts to take back a port that a fault had closed and another process holds. */
const relistenMs = 100

/** Long enough for every real identifier; a header section may carry much more. */
const recordedModelIdLength = 256

interface Port {
  readonly server: DualProtocolServer
  number: number
}

/** What is known of a request while it runs, and recorded when it is over. */
interface Facts {
  operation: string
  modelId: string
  caller: Caller | undefined
  refusal: Refusal | undefined
  plan: FaultPlan
  answer: Answer | undefined
}

export function createEmulator(options: EmulatorOptions): Emulator {
  const { clock } = options
  const random = options.random ?? createSeededRandom(options.seed ?? 1)
  const chance = (): number => random.next()
  const verify = createSignatureVerifier(options.credentials ?? defaultCredentials, options.bearerKeys ?? defaultBearerKeys)
  const frames = createFrameEncoder()
  const recorder = createRecorder()
  const models = options.models ?? []
  const answerLength = options.answerLength ?? defaultAnswerLength
  const maxBodyBytes = options.maxBodyBytes ?? defaultMaxBodyBytes
  const host = options.host ?? '127.0.0.1'
  const initialRules = faultRules(options.faults ?? [])

  let rules: readonly SetRule[] = []
  const admission = createAdmission()
  let ports: readonly Port[] = []
  let wanted = false
  let cancelRefusal = (): void => {}

  const setRules = (list: readonly FaultRule[]): void => {
    const setAtMs = clock.monotonicMs()
    rules = list.map((rule) => ({ rule, setAtMs }))
    admission.release()
    applyRefusals()
  }

  const faults = {
    set: (value: unknown): void => setRules(faultRules(value)),
    clear: (): void => setRules([]),
    list: (): readonly FaultRule[] => rules.map(({ rule }) => rule),
  }

  const handle = (exchange: Exchange, port: Port): void => {
    const receivedMs = clock.monotonicMs()
    const receivedAtMs = clock.nowMs()
    const number = recorder.begin()
    const facts: Facts = { operation: 'unknown', modelId: '', caller: undefined, refusal: undefined, plan: undisturbed, answer: undefined }
    exchange.onOver((end) =>
      recorder.end({
        number,
        receivedAtMs,
        durationMs: clock.monotonicMs() - receivedMs,
        protocol: exchange.protocol,
        port: port.number,
        operation: facts.operation,
        modelId: facts.modelId.slice(0, recordedModelIdLength),
        region: facts.caller?.region,
        scheme: facts.caller?.scheme,
        status: exchange.status,
        exception: facts.refusal?.exception,
        // Where the port was closed under it, the client did not go: it was sent away.
        end: end === 'left' && !port.server.listening ? 'cut' : end,
        faults: facts.plan.kinds,
        inputTokens: facts.answer?.inputTokens ?? 0,
        outputTokens: facts.answer?.outputTokens ?? 0,
      }),
    )
    const headers: Headers = { 'x-amzn-requestid': randomUUID() }
    const refuseWith = (refusal: Refusal, additional: Headers = {}): void => {
      facts.refusal = refusal
      refuse(exchange, refusal, { ...headers, ...additional })
    }
    exchange.readBody(maxBodyBytes, (outcome) => {
      if (outcome.kind === 'tooLarge') {
        refuseWith({ exception: 'RequestEntityTooLargeException' })
        return
      }
      try {
        answerRequest(exchange, port, outcome.body, facts, headers, refuseWith)
      } catch {
        // Whatever a request does, it is answered and the emulator goes on; what was wrong could repeat a prompt.
        refuseWith({ exception: 'InternalServerException' })
      }
    })
  }

  const answerRequest = (exchange: Exchange, port: Port, body: Buffer, facts: Facts, headers: Headers, refuseWith: (refusal: Refusal, additional?: Headers) => void): void => {
    const route = routeOf(exchange.method, exchange.url)
    if (route.kind === 'control') {
      facts.operation = 'control'
      answerControl(exchange, route.path, body, emulator)
      return
    }
    if (route.kind === 'unknown') {
      refuseWith({ exception: 'UnknownOperationException' })
      return
    }
    const operation: Operation = route.kind === 'runtime' ? route.operation : route.kind === 'listModels' ? 'ListFoundationModels' : 'GetFoundationModel'
    facts.operation = operation
    facts.modelId = route.kind === 'listModels' ? '' : route.modelId
    const caller = verify({ method: exchange.method, url: exchange.url, headers: exchange.headers, body }, clock.nowMs())
    if (isRefusal(caller)) {
      refuseWith(caller)
      return
    }
    facts.caller = caller
    const model = route.kind === 'runtime' ? resolveModel(route.modelId, models) : undefined
    if (model !== undefined && isRefusal(model)) {
      refuseWith(model)
      return
    }
    if (model?.kind === 'fault' && faultOfModel(model.faultName) === undefined) {
      refuseWith(invalid('The provided model identifier is invalid.'))
      return
    }
    const plan = planFaults(
      rulesFor(model),
      { region: caller.region, modelId: facts.modelId, operation, port: port.number },
      clock.monotonicMs(),
      chance,
      (rule) => admission.inFlight(rule),
    )
    facts.plan = plan
    const { ending } = plan
    switch (ending?.kind) {
      case 'hang':
        return
      case 'reset':
        after(clock, exchange, ending.afterMs, () => exchange.cut())
        return
      case 'refusal': {
        const retryAfter: Headers = ending.retryAfterMs > 0 ? { 'retry-after': Math.ceil(ending.retryAfterMs / 1_000) } : {}
        after(clock, exchange, ending.afterMs, () => refuseWith(ending.refusal, retryAfter))
        return
      }
      case undefined:
        break
    }
    const proceed = (): void => {
      if (route.kind === 'listModels') {
        deliverBody(clock, exchange, headers, listFoundationModels(defaultFoundationModels, route.query, caller.region), plan.pace.firstTokenMs, plan)
      } else if (route.kind === 'getModel') {
        const details = getFoundationModel(defaultFoundationModels, facts.modelId, caller.region)
        if (typeof details === 'string') deliverBody(clock, exchange, headers, details, plan.pace.firstTokenMs, plan)
        else refuseWith(details)
      } else if (model !== undefined) {
        answerOperation(exchange, route.operation, model, body, facts, headers, refuseWith)
      }
    }
    if (plan.limits.length === 0) proceed()
    else admission.admit(exchange, plan.limits, proceed)
  }

  const rulesFor = (model: ModelReference | undefined): readonly SetRule[] => {
    if (model?.kind !== 'fault') return rules
    const rule = faultOfModel(model.faultName)
    return rule === undefined ? rules : [...rules, { rule, setAtMs: 0 }]
  }

  const answerOperation = (
    exchange: Exchange,
    operation: RuntimeOperation,
    model: ModelReference,
    body: Buffer,
    facts: Facts,
    headers: Headers,
    refuseWith: (refusal: Refusal) => void,
  ): void => {
    const { plan } = facts
    const startedMs = clock.monotonicMs()
    const outcome = runOperation(operation, model, body.toString(), String(headers['x-amzn-requestid']), answerLength)
    const invokes = operation === 'InvokeModel' || operation === 'InvokeModelWithResponseStream'
    const answerHeaders = invokes ? { ...headers, ...echoedHeaders(exchange) } : headers
    switch (outcome.kind) {
      case 'refused':
        refuseWith(outcome.refusal)
        return
      case 'counted':
        deliverBody(clock, exchange, headers, outcome.body, plan.pace.firstTokenMs, plan)
        return
      case 'stream':
        facts.answer = outcome.answer
        deliverStream(clock, frames, exchange, invokes ? { ...answerHeaders, 'x-amzn-bedrock-content-type': 'application/json' } : answerHeaders, outcome.stream, plan)
        return
      case 'whole': {
        const { answer } = outcome
        facts.answer = answer
        after(clock, exchange, plan.pace.firstTokenMs + answer.outputTokens * plan.pace.perTokenMs, () => {
          const latencyMs = clock.monotonicMs() - startedMs
          const finalHeaders = invokes ? { ...answerHeaders, ...invocationHeaders(answer, latencyMs) } : answerHeaders
          deliverBody(clock, exchange, finalHeaders, outcome.body(latencyMs), 0, plan)
        })
        return
      }
    }
  }

  const createPort = (number: number): Port => {
    const server = createDualProtocolServer((request, response) => handle(new Exchange(request, response), port), { clock, ...serverLimits })
    const port: Port = { server, number }
    server.prependListener('connection', (socket) => {
      const share = refusedShare(rules, port.number, clock.monotonicMs())
      if (share === 0 || (share < 1 && chance() >= share)) return
      recorder.refusedConnection()
      socket.resetAndDestroy()
    })
    return port
  }

  /** Closes the ports that are to refuse every connection now, opens the others, and comes back when that changes. */
  const applyRefusals = (): void => {
    cancelRefusal()
    if (!wanted) return
    const nowMs = clock.monotonicMs()
    for (const port of ports) {
      const refused = refusedShare(rules, port.number, nowMs) >= 1
      if (refused && port.server.listening) {
        port.server.close()
        port.server.closeAllConnections()
      } else if (!refused && !port.server.listening) {
        port.server.listen(port.number, host)
      }
    }
    const changes = refusalChanges(rules, nowMs)
    if (changes.length > 0) cancelRefusal = clock.schedule(Math.min(...changes), applyRefusals)
  }

  const emulator: Emulator = {
    async listen() {
      ports = (options.ports ?? [options.port ?? 0]).map(createPort)
      for (const port of ports) {
        port.server.listen(port.number, host)
        await once(port.server, 'listening')
        port.number = (port.server.address() as AddressInfo).port
        port.server.on('error', () => {
          cancelRefusal()
          cancelRefusal = clock.schedule(clock.monotonicMs() + relistenMs, applyRefusals)
        })
      }
      wanted = true
      setRules(initialRules)
    },
    async close() {
      wanted = false
      cancelRefusal()
      await Promise.all(
        ports.map(async ({ server }) => {
          const closed = server.listening ? once(server, 'close') : undefined
          server.close()
          server.closeAllConnections()
          await closed
        }),
      )
    },
    get url() {
      const [first] = this.urls
      if (first === undefined) throw new Error('the emulator has no address before it listens')
      return first
    },
    get urls() {
      return ports.map(({ number }) => `http://${host.includes(':') ? `[${host}]` : host}:${number}`)
    },
    faults,
    counters: () => recorder.counters(),
    requests: () => recorder.requests(),
    reset() {
      recorder.reset()
      setRules(initialRules)
    },
  }
  return emulator
}

/** InvokeModel tells in headers what Converse tells in the body. */
function invocationHeaders(answer: Answer, latencyMs: number): Headers {
  return {
    'x-amzn-bedrock-invocation-latency': Math.round(latencyMs),
    'x-amzn-bedrock-input-token-count': answer.inputTokens,
    'x-amzn-bedrock-output-token-count': answer.outputTokens,
  }
}

/** InvokeModel's options travel as headers and come back as such. */
function echoedHeaders(exchange: Exchange): Headers {
  const echoed: Record<string, string> = {}
  for (const name of ['x-amzn-bedrock-performanceconfig-latency', 'x-amzn-bedrock-service-tier']) {
    const value = exchange.headers[name]
    if (typeof value === 'string') echoed[name] = value
  }
  return echoed
}
