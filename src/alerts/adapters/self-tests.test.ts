/**
 * The self-test of each kind of receiver against real servers that refuse, hang, answer with an error, and come back.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSystemClock } from '../../runtime/clock.ts'
import { createVirtualClock } from '../../runtime/virtual-clock.ts'
import { openReceiver } from '../notifier.conformance.ts'
import { createMemoryNotifier } from './memory-notifier.ts'
import { openNotifiers, type ReceiverEntry } from './open-notifiers.ts'
import { reachEndpoint } from './reach.ts'
import { createSelfTests } from './self-tests.ts'

const never = new AbortController().signal
const topicArn = 'arn:aws:sns:eu-central-1:111122223333:pages'
const parts = { clock: createSystemClock(), deployment: 'd', credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret' }, writeLine: () => {}, droppedLines: () => 0 }
const leastSeverity = 'low' as const

function open(entry: ReceiverEntry) {
  const [notifier] = openNotifiers([entry], parts)
  if (notifier === undefined) throw new Error('no notifier')
  onTestFinished(() => notifier.close())
  return notifier
}

const xml = (status: number, text: string) => (response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'text/xml' })
  response.end(text)
}
const attributes = xml(200, '<GetTopicAttributesResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><GetTopicAttributesResult><Attributes/></GetTopicAttributesResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetTopicAttributesResponse>')
const snsError = (status: number, code: string) => xml(status, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>`)

/** Listens where it listened before. */
async function listenAgain(port: number): Promise<Server> {
  const server = createServer((_request, response) => response.end())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return server
}

const connected: readonly { kind: string; entry: (url: string) => ReceiverEntry }[] = [
  { kind: 'webhook', entry: (url) => ({ type: 'webhook', url: `${url}/a-secret-path`, secret: null, leastSeverity }) },
  { kind: 'slack', entry: (url) => ({ type: 'slack', url: `${url}/services/T/B/a-secret`, leastSeverity }) },
  { kind: 'pagerduty', entry: (url) => ({ type: 'pagerduty', routingKey: 'R', endpoint: `${url}/v2/enqueue`, leastSeverity }) },
]

describe.each(connected)('$kind', ({ entry }) => {
  it('is tested by a connection, and gets no request', async () => {
    const receiver = await openReceiver((response) => response.end())
    expect(await open(entry(receiver.url)).selfTest(never)).toEqual({ kind: 'reachable' })
    expect(receiver.requests).toEqual([])
  })

  it('that is gone is found, without its address, and is well when it is back', async () => {
    const first = createServer()
    first.listen(0, '127.0.0.1')
    await once(first, 'listening')
    const { port } = first.address() as AddressInfo
    first.close()
    await once(first, 'close')
    const notifier = open(entry(`http://127.0.0.1:${port}`))
    expect(await notifier.selfTest(never)).toEqual({ kind: 'unreachable', reason: 'no connection (ECONNREFUSED)' })
    await listenAgain(port)
    expect(await notifier.selfTest(never)).toEqual({ kind: 'reachable' })
  })

  it('that accepts and never shakes hands is left when the time is over', async () => {
    const silent = createTcpServer(() => controller.abort())
    const controller = new AbortController()
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const notifier = open(entry(`https://127.0.0.1:${(silent.address() as AddressInfo).port}`))
    expect(await notifier.selfTest(controller.signal)).toEqual({ kind: 'unreachable', reason: 'no connection in time' })
  })

  it('that speaks something else than TLS is found', async () => {
    const plain = await openReceiver((response) => response.end())
    expect(await open(entry(plain.url.replace('http:', 'https:'))).selfTest(never)).toMatchObject({ kind: 'unreachable' })
  })
})

it('a certificate that a delivery would refuse is found', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-self-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=stranger', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' })
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => socket.end())
  server.on('tlsClientError', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  expect(await reachEndpoint(`https://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, never)).toEqual({ kind: 'unreachable', reason: 'no connection (DEPTH_ZERO_SELF_SIGNED_CERT)' })
})

describe('alertmanager', () => {
  it('is asked whether it is ready, below its own path, and is sent no alert', async () => {
    const receiver = await openReceiver((response) => response.end())
    const notifier = open({ type: 'alertmanager', url: `${receiver.url}/alerting/`, repeatMs: 60_000, leastSeverity })
    expect(await notifier.selfTest(never)).toEqual({ kind: 'reachable' })
    expect(receiver.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /alerting/-/ready'])
  })

  it('that is not ready is found, and is well when it is', async () => {
    const receiver = await openReceiver((response) => response.end())
    const notifier = open({ type: 'alertmanager', url: receiver.url, repeatMs: 60_000, leastSeverity })
    receiver.answerWith(xml(503, ''))
    expect(await notifier.selfTest(never)).toEqual({ kind: 'unreachable', reason: 'it is not ready: HTTP 503' })
    receiver.answerWith(xml(200, ''))
    expect(await notifier.selfTest(never)).toEqual({ kind: 'reachable' })
  })

  it('that hangs is left when the time is over', async () => {
    const controller = new AbortController()
    const receiver = await openReceiver(() => controller.abort())
    expect(await open({ type: 'alertmanager', url: receiver.url, repeatMs: 60_000, leastSeverity }).selfTest(controller.signal)).toEqual({ kind: 'unreachable', reason: 'no answer in time' })
  })
})

describe('sns', () => {
  const entry = (endpoint: string): ReceiverEntry => ({ type: 'sns', topicArn, endpoint, leastSeverity })

  it('is asked for the attributes of its topic, signed, and nothing is published', async () => {
    const receiver = await openReceiver(attributes)
    expect(await open(entry(receiver.url)).selfTest(never)).toEqual({ kind: 'reachable' })
    expect(receiver.requests).toHaveLength(1)
    expect(new URLSearchParams(receiver.requests[0]?.body).get('Action')).toBe('GetTopicAttributes')
    expect(receiver.requests[0]?.headers.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/\d{8}\/eu-central-1\/sns\//)
  })

  it.each([
    { code: 'InvalidClientTokenId', status: 403, found: { kind: 'unreachable', reason: 'SNS answered HTTP 403' }, why: 'the credentials are wrong' },
    { code: 'NotFound', status: 404, found: { kind: 'unreachable', reason: 'SNS answered HTTP 404' }, why: 'there is no such topic' },
    { code: 'InternalError', status: 500, found: { kind: 'unreachable', reason: 'SNS answered HTTP 500' }, why: 'SNS is broken' },
    { code: 'AuthorizationError', status: 403, found: { kind: 'reachable' }, why: 'who may publish need not be allowed to read' },
  ])('$code is $found.kind: $why', async ({ code, status, found }) => {
    const receiver = await openReceiver(snsError(status, code))
    const notifier = open(entry(receiver.url))
    expect(await notifier.selfTest(never)).toEqual(found)
    receiver.answerWith(attributes)
    expect(await notifier.selfTest(never)).toEqual({ kind: 'reachable' })
  })

  it('that hangs is left when the time is over', async () => {
    const controller = new AbortController()
    const receiver = await openReceiver(() => controller.abort())
    expect(await open(entry(receiver.url)).selfTest(controller.signal)).toEqual({ kind: 'unreachable', reason: 'no answer in time' })
  })
})

it('the log is tested by the lines that it dropped since the last test', async () => {
  let dropped = 3
  const [log] = openNotifiers([{ type: 'log', leastSeverity }], { ...parts, droppedLines: () => dropped })
  expect(await log?.selfTest(never)).toEqual({ kind: 'reachable' })
  dropped = 7
  expect(await log?.selfTest(never)).toEqual({ kind: 'unreachable', reason: '4 lines were dropped: whoever reads the log does not keep up' })
  expect(await log?.selfTest(never)).toEqual({ kind: 'reachable' })
})

it('a test that is over before it begins makes no connection', async () => {
  expect(await reachEndpoint('http://127.0.0.1:1/', AbortSignal.abort())).toEqual({ kind: 'unreachable', reason: 'no connection in time' })
})

describe('a self-test', () => {
  it('ends at its deadline, on the clock that it was given', async () => {
    const clock = createVirtualClock()
    const hanging = { ...createMemoryNotifier('one'), selfTest: (signal: AbortSignal) => new Promise<{ kind: 'unreachable'; reason: string }>((resolve) => signal.addEventListener('abort', () => resolve({ kind: 'unreachable', reason: 'given up' }))) }
    const running = createSelfTests(clock, [hanging]).run('one', clock.monotonicMs() + 5_000)
    await clock.advanceAsync(5_000)
    expect(await running).toEqual({ kind: 'unreachable', reason: 'given up' })
    expect(clock.pending()).toBe(0)
  })

  it('that throws is a failed one', async () => {
    const broken = { ...createMemoryNotifier('one'), selfTest: () => Promise.reject(new Error('a mistake of ours')) }
    expect(await createSelfTests(createVirtualClock(), [broken]).run('one', 1_000)).toEqual({ kind: 'unreachable', reason: 'the self-test failed unexpectedly' })
  })
})
