/**
 * The real HTTP server and intake on an ephemeral port, with a scripted runner and the memory store; and clients that speak
 * HTTP/1.1 and HTTP/2 and give back the same.
 */
import { request as http1Request } from 'node:http'
import { connect as http2Connect } from 'node:http2'
import { connect } from 'node:net'
import { createAuthenticator } from '../../auth/authenticator.ts'
import { validConfig } from '../../config/resolve-config.ts'
import { createDeadLetters } from '../../intake/adapters/dead-letters.ts'
import { createIntake, type Intake } from '../../intake/intake.ts'
import { createDurableWork } from '../../intake/testing/durable-work.ts'
import { createScriptedRunner, type ScriptedRunner, type Step } from '../../intake/testing/scripted-runner.ts'
import type { Operation } from '../../operation/operation.ts'
import type { SystemEvent } from '../../operation/system-event.ts'
import { createSystemClock } from '../../runtime/clock.ts'
import { createEventStream } from '../../runtime/event-stream.ts'
import { createIds } from '../../runtime/ids.ts'
import { createMemoryStateStore } from '../../store/adapters/memory-state-store.ts'
import { registerDeadLetters } from '../dead-letters.ts'
import type { DecisionRecord } from '../../routing/decision-ledger.ts'
import { createHttpServer, type HttpServer } from '../http-server.ts'
import { followTlsFiles, readTlsFiles } from '../tls-files.ts'
import type { HealthLevel } from '../../health/health-level.ts'
import { fixedMonitoring } from './fixed-monitoring.ts'
import { startTestAdmin, type TestAdmin } from './test-admin.ts'

export interface TestService {
  readonly admin: TestAdmin
  readonly port: number
  readonly server: HttpServer
  readonly intake: Intake
  readonly runner: ScriptedRunner
  readonly internalErrors: unknown[]
  /** Oldest first. */
  readonly published: SystemEvent[]
  health: HealthLevel
  /** Newest first. */
  readonly decisions: DecisionRecord[]
  stop(): Promise<void>
}

export async function startTestService(script: (operation: Operation) => readonly Step[], config: object = {}): Promise<TestService> {
  const current = validConfig({ server: { port: 0 }, direct: { targets: [{ id: 'frankfurt', region: 'eu-central-1', modelId: 'eu.anthropic.claude-haiku-4-5-20251001-v1:0' }] }, ...config })
  const clock = createSystemClock()
  const ids = createIds(clock)
  const internalErrors: unknown[] = []
  const events = createEventStream<SystemEvent>((error) => internalErrors.push(error))
  const published: SystemEvent[] = []
  events.subscribe((event) => published.push(event))
  const runner = createScriptedRunner(clock, script)
  const durable = createDurableWork(clock)
  const state = createMemoryStateStore(clock)
  const admin = await startTestAdmin({ state, clock, ids, events, config: current, onInternalError: (error) => internalErrors.push(error) })
  const intake = createIntake({
    work: durable.work,
    relay: durable.relay,
    wasSent: (id) => durable.wasSent(id),
    runner,
    state,
    clock,
    ids,
    events,
    limits: current.limits,
    settings: () => ({ matrix: current.routing.matrix, streamSilenceMs: current.routing.streamSilenceMs, streamMaxMs: current.routing.streamMaxMs, currency: 'USD', callbacks: current.callbacks.secret !== null, models: new Set(current.direct.targets.map((target) => target.modelId)) }),
  })
  const service = { health: 'healthy' as HealthLevel }
  const decisions: DecisionRecord[] = []
  const server = createHttpServer({
    intake,
    authenticator: createAuthenticator({ config: () => current, clock }),
    config: () => current,
    clock,
    ids,
    events,
    version: '0.0.0-test',
    decisions: (limit) => decisions.slice(0, limit),
    monitoring: fixedMonitoring({ status: () => service.health }),
    admin,
    onInternalError: (error) => internalErrors.push(error),
    ...(current.server.tls === null ? {} : { tls: readTlsFiles(current.server.tls) }),
  })
  const stopFollowingTls = current.server.tls === null ? undefined : followTlsFiles({ tls: current.server.tls, clock, events, apply: (settings) => server.setTls(settings) })
  registerDeadLetters(server.app, { deadLetters: createDeadLetters({ queue: durable.queue, records: intake.records, clock, wasSent: (id) => durable.wasSent(id) }), audit: admin.audit })
  durable.begin(intake)
  const { port } = await server.listen('127.0.0.1', 0)
  return Object.assign(service, {
    port,
    server,
    intake,
    runner,
    internalErrors,
    admin,
    published,
    decisions,
    async stop() {
      stopFollowingTls?.()
      intake.stop()
      await admin.stop()
      await durable.work.close()
      await server.close()
    },
  })
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Called with what has arrived so far; returning true drops the connection. */
  readonly dropWhen?: (text: string) => boolean
  readonly dropAtOnce?: boolean
}

export type Speak = (port: number, ask: Ask) => Promise<Answer>

function bodyOf(ask: Ask): Buffer | undefined {
  if (ask.body === undefined) return undefined
  return Buffer.isBuffer(ask.body) ? ask.body : Buffer.from(typeof ask.body === 'string' ? ask.body : JSON.stringify(ask.body))
}

export const speakHttp1: Speak = (port, ask) =>
  new Promise((resolve, reject) => {
    const body = bodyOf(ask)
    const request = http1Request({
      host: '127.0.0.1',
      port,
      agent: false,
      method: ask.method ?? (body === undefined ? 'GET' : 'POST'),
      path: ask.path,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) }), ...ask.headers },
    })
    request.on('response', (response) => {
      let text = ''
      const done = (): void => resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (ask.dropWhen?.(text) === true) {
          request.destroy()
          done()
        }
      })
      response.on('end', done)
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
    if (ask.dropAtOnce === true) setTimeout(() => request.destroy(), 50)
  })

export const speakHttp2: Speak = (port, ask) =>
  new Promise((resolve, reject) => {
    const body = bodyOf(ask)
    const session = http2Connect(`http://127.0.0.1:${port}`)
    session.on('error', reject)
    const stream = session.request({
      ':method': ask.method ?? (body === undefined ? 'GET' : 'POST'),
      ':path': ask.path,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...ask.headers,
    })
    let status = 0
    let headers: Answer['headers'] = {}
    let text = ''
    const done = (): void => {
      session.close()
      resolve({ status, headers, text })
    }
    stream.on('response', (received) => {
      status = Number(received[':status'])
      headers = received
    })
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      text += chunk
      if (ask.dropWhen?.(text) === true) {
        session.destroy()
        resolve({ status, headers, text })
      }
    })
    stream.on('end', done)
    stream.on('error', reject)
    stream.end(body)
    if (ask.dropAtOnce === true) setTimeout(() => { session.destroy(); resolve({ status, headers, text }) }, 50)
  })

/** Bytes as they are, and what comes back until the other side ends. */
export function speakRaw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => (text += chunk))
    socket.on('end', () => socket.destroy())
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
  })
}

export interface SeenEvent {
  readonly id?: number
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

export function eventsOf(text: string): readonly SeenEvent[] {
  return text
    .split('\n\n')
    .filter((block) => block.includes('event: '))
    .map((block) => {
      const lines = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]))
      const id = lines.get('id')
      return { ...(id === undefined ? {} : { id: Number(id) }), event: lines.get('event') ?? '', data: JSON.parse(lines.get('data') ?? 'null') as Readonly<Record<string, unknown>> }
    })
}
