/** TLS with real clients over both protocols; the certificates are made here with OpenSSL. */
import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect as http2Connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { connect as netConnect } from 'node:net'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { join } from 'node:path'
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Step } from '../intake/testing/scripted-runner.ts'
import { until } from '../runtime/testing/eventually.ts'
import { startTestService, type TestService } from './testing/test-service.ts'
import { readTlsFiles } from './tls-files.ts'

const answers: readonly Step[] = [{ afterMs: 0, text: 'yes' }, { afterMs: 0, succeed: true }]
/** As the client's own timing has it: the alert, or the connection's end before it. */
const refusedHandshake = /certificate required|unknown ca|bad certificate|ECONNRESET|EPIPE|hang up|disconnected/i
const operation = JSON.stringify({ operation: 'infrastructure', prompt: 'x' })

let folder: string
let service: TestService
const path = (name: string): string => join(folder, name)
const run = promisify(execFile)
const openssl = (...words: string[]): void => void execFileSync('openssl', words, { stdio: 'ignore', cwd: folder })

/** A certificate for localhost, signed by itself. */
function selfSigned(name: string): void {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', `${name}.key`, '-out', `${name}.crt`)
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hybrid-routing-tls-'))
  for (const name of ['first', 'second', 'authority', 'stranger']) selfSigned(name)
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=client', '-keyout', 'client.key', '-out', 'client.csr')
  openssl('x509', '-req', '-in', 'client.csr', '-CA', 'authority.crt', '-CAkey', 'authority.key', '-CAcreateserial', '-days', '2', '-out', 'client.crt')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))
afterEach(() => service.stop())

async function start(tls: object = {}): Promise<void> {
  for (const kind of ['crt', 'key']) copyFileSync(path(`first.${kind}`), path(`live.${kind}`))
  service = await startTestService(() => answers, { server: { port: 0, tls: { cert: path('live.crt'), key: path('live.key'), ...tls } } })
}

const trust = (name = 'first'): { ca: string } => ({ ca: readFileSync(path(`${name}.crt`), 'utf8') })

function overHttp1(options: ConnectionOptions = trust()): Promise<{ status: number; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ host: '127.0.0.1', servername: 'localhost', port: service.port, agent: false, method: 'POST', path: '/v1/operations', headers: { host: 'localhost', 'content-type': 'application/json' }, ...options }, (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
    })
    request.on('error', reject)
    request.end(operation)
  })
}

function overHttp2(options: ConnectionOptions = trust()): Promise<{ status: number; protocol: string | undefined; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const session = http2Connect(`https://localhost:${service.port}`, { lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }] as never, 4), ...options })
    session.on('error', reject)
    const stream = session.request({ ':method': 'POST', ':path': '/v1/operations', 'content-type': 'application/json' })
    stream.on('response', (headers) => {
      resolve({ status: Number(headers[':status']), protocol: session.alpnProtocol, headers })
      stream.close()
      session.close()
    })
    stream.on('error', reject)
    stream.end(operation)
  })
}

/** The name on the certificate that a new connection is shown; or why there is none. */
function shown(options: ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = tlsConnect({ host: '127.0.0.1', port: service.port, rejectUnauthorized: false, ...options }, () => {
      resolve(String(socket.getPeerCertificate().subject['CN']))
      socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

describe('with a certificate', () => {
  it('both protocols are spoken, as ALPN chooses, and browsers are told to come back with TLS', async () => {
    await start()
    const http1 = await overHttp1()
    expect([http1.status, http1.headers['strict-transport-security']]).toEqual([200, 'max-age=31536000'])
    const http2 = await overHttp2()
    expect([http2.status, http2.protocol, http2.headers['strict-transport-security']]).toEqual([200, 'h2', 'max-age=31536000'])
  })

  it('curl of this machine is answered over both', async () => {
    await start()
    for (const version of ['--http1.1', '--http2']) {
      const { stdout } = await run('curl', ['-sS', version, '--cacert', path('first.crt'), '-w', '%{http_version} %{http_code}', '-o', '/dev/null', `https://localhost:${service.port}/health`, '--resolve', `localhost:${service.port}:127.0.0.1`])
      expect(stdout).toBe(version === '--http2' ? '2 200' : '1.1 200')
    }
  })

  it('cleartext, old versions, unknown protocols and rubbish get no answer, and change nothing for others', async () => {
    await start({ minVersion: 'TLSv1.3' })
    expect(await shown({ maxVersion: 'TLSv1.2' })).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
    expect(await shown({ ALPNProtocols: ['spdy/3'] })).toMatch(/NO_APPLICATION_PROTOCOL/)
    for (const bytes of ['GET / HTTP/1.1\r\nhost: localhost\r\n\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', Buffer.alloc(5_000, 0x16)]) {
      const text = await new Promise<string>((resolve) => {
        const socket = netConnect(service.port, '127.0.0.1', () => socket.write(bytes))
        let seen = ''
        socket.on('data', (chunk) => (seen += chunk.toString('latin1')))
        socket.on('error', () => undefined)
        socket.on('close', () => resolve(seen))
      })
      expect(text).not.toContain('HTTP/')
    }
    expect((await overHttp1()).status).toBe(200)
    expect(service.internalErrors).toEqual([])
  })

  it('a client that never finishes its handshake does not hold up the end', async () => {
    await start()
    const socket = netConnect(service.port, '127.0.0.1')
    const closed = new Promise((resolve) => socket.on('close', resolve))
    await new Promise((resolve) => socket.on('connect', resolve))
    await overHttp1()
    const beganMs = performance.now()
    await service.server.close()
    await closed
    expect(performance.now() - beganMs).toBeLessThan(2_000)
  })
})

describe('a renewed certificate', () => {
  const reloaded = (): number => service.published.filter((event) => event.type === 'config_reloaded' && event.changed.includes('server.tls')).length

  it('is shown to new connections when its files change, and a connection that is open goes on', async () => {
    await start()
    const session = http2Connect(`https://localhost:${service.port}`, { ...trust(), lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }] as never, 4) })
    await new Promise((resolve) => session.on('connect', resolve))
    expect(await shown()).toBe('first')
    // One after the other, as every tool does it: in between the pair does not belong together.
    for (const kind of ['crt', 'key']) {
      copyFileSync(path(`second.${kind}`), path(`new.${kind}`))
      renameSync(path(`new.${kind}`), path(`live.${kind}`))
    }
    await until(() => reloaded() === 1)
    expect(await shown()).toBe('second')
    const status = await new Promise((resolve) => session.request({ ':path': '/health' }).on('response', (headers) => resolve(headers[':status'])))
    expect(status).toBe(200)
    session.close()
  })

  it('that is none keeps the old one, and says so; SIGHUP looks again', async () => {
    await start()
    writeFileSync(path('live.crt'), 'no certificate')
    await until(() => service.published.some((event) => event.type === 'config_rejected' && event.errors[0]?.path === 'server.tls'))
    expect(await shown()).toBe('first')
    for (const kind of ['crt', 'key']) copyFileSync(path(`second.${kind}`), path(`live.${kind}`))
    process.emit('SIGHUP')
    await until(() => reloaded() === 1)
    expect(await shown()).toBe('second')
  })
})

describe('clients with certificates', () => {
  const files = (name: string): ConnectionOptions => ({ ...trust(), cert: readFileSync(path(`${name}.crt`)), key: readFileSync(path(`${name}.key`)) })

  it('of the configured authority are served; others, and those without, are not', async () => {
    await start({ clientCa: path('authority.crt') })
    expect((await overHttp1(files('client'))).status).toBe(200)
    expect((await overHttp2(files('client'))).status).toBe(200)
    await expect(overHttp1(files('stranger'))).rejects.toThrow(refusedHandshake)
    await expect(overHttp1()).rejects.toThrow(refusedHandshake)
    await expect(overHttp2()).rejects.toThrow(refusedHandshake)
  })
})

it('a start with files that cannot be used says which', async () => {
  await start()
  const tls = { cert: path('first.crt'), key: path('second.key'), minVersion: 'TLSv1.2' as const, clientCa: null }
  expect(() => readTlsFiles(tls)).toThrow('server.tls: certificate and key are not PEM, or do not belong together')
  expect(() => readTlsFiles({ ...tls, cert: path('absent.crt') })).toThrow(/server\.tls\.cert: ".*absent\.crt" cannot be read \(ENOENT\)/)
})
