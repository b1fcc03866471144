import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { request as http1Request, type ServerResponse } from 'node:http'
import { connect as connectHttp2, constants, type ClientHttp2Session } from 'node:http2'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import fastify from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { createSystemClock } from './clock.ts'
import { createDualProtocolServer, type DualProtocolHandler, type DualProtocolServer, type DualProtocolServerOptions } from './dual-protocol-server.ts'
import { createVirtualClock } from './virtual-clock.ts'

const defaults: DualProtocolServerOptions = {
  clock: createSystemClock(),
  firstByteTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 10_000,
  maxHeaderBytes: 16_384,
  maxConcurrentStreams: 100,
  maxConnections: 1_000,
  closeGraceMs: 5_000,
}

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** Answers with the protocol version, the method and the body that arrived. */
const echo: DualProtocolHandler = (request, response) => {
  void text(request).then(
    (body) => response.end(`${request.httpVersion} ${request.method} ${body}`),
    () => response.end(),
  )
}

async function start(options: Partial<DualProtocolServerOptions> = {}, handler: DualProtocolHandler = echo): Promise<{ server: DualProtocolServer; port: number }> {
  const server = createDualProtocolServer(handler, { ...defaults, ...options })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.close()
    server.closeAllConnections()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  cleanups.push(() => socket.destroy())
  socket.setNoDelay(true)
  await once(socket, 'connect')
  return socket
}

function openSession(port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  cleanups.push(() => session.destroy())
  return session
}

async function requestOver(session: ClientHttp2Session, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  const stream = session.request({ ':path': '/', ...headers })
  let status = 0
  stream.on('response', (answer) => (status = Number(answer[':status'])))
  const body = await text(stream)
  return { status, body }
}

const frame = (type: number, flags: number, streamId: number, payload: readonly number[]): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, Buffer.from(payload)])
}

/** RFC 9113, 3.4: the fixed text and an empty SETTINGS frame. */
const preface = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, [])])

const untilTicks = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

describe('one port, two protocols', () => {
  it.each([
    ['--http1.1', '1.1'],
    ['--http2-prior-knowledge', '2.0'],
  ])('curl %s gets an answer over that protocol', async (flag, version) => {
    const { port } = await start()
    const { stdout } = await promisify(execFile)('curl', ['-sS', flag, '--noproxy', '*', '-d', 'hello', `http://127.0.0.1:${port}/`])
    expect(stdout).toBe(`${version} POST hello`)
  })

  it('a body of 300 kB arrives whole over both', async () => {
    const { port } = await start()
    const body = 'x'.repeat(300_000)
    const request = http1Request({ port, host: '127.0.0.1', method: 'POST' })
    request.end(body)
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
    expect(await text(response)).toBe(`1.1 POST ${body}`)
    const stream = openSession(port).request({ ':path': '/', ':method': 'POST' })
    stream.end(body)
    expect(await text(stream)).toBe(`2.0 POST ${body}`)
  })

  it.each([
    ['P', 'OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi', '1.1 POST hi'],
    ['PR', 'OPFIND / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', '1.1 PROPFIND '],
    ['G', 'ET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', '1.1 GET '],
  ])('first bytes split after %s are understood', async (first, rest, expected) => {
    const { port } = await start()
    const socket = await open(port)
    socket.write(first)
    await roundTrip(port)
    socket.write(rest)
    expect(await text(socket)).toContain(expected)
  })

  it('an HTTP/2 preface split inside PRI is understood', async () => {
    const { port } = await start()
    const socket = await open(port)
    socket.write('PR')
    await roundTrip(port)
    // The server's own SETTINGS frame is the answer.
    socket.write(preface.subarray(2))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer[3]).toBe(4)
  })

  it('Fastify accepts it as its server and closes it', async () => {
    const app = fastify({ serverFactory: (handler) => createDualProtocolServer(handler as DualProtocolHandler, defaults) as never })
    app.get('/', (request) => ({ version: request.raw.httpVersion }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const session = openSession(port)
    expect(await requestOver(session)).toEqual({ status: 200, body: '{"version":"2.0"}' })
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).json()).toEqual({ version: '1.1' })
    await app.close()
    await untilTicks(() => session.closed)
  })
})

describe('limits', () => {
  it('a connection that says nothing is closed at the deadline for the first byte', async () => {
    const clock = createVirtualClock()
    const { server, port } = await start({ clock, firstByteTimeoutMs: 2_000 })
    const accepted = once(server, 'connection')
    const socket = await open(port)
    await accepted
    clock.advance(1_999)
    expect(clock.pending()).toBe(1)
    clock.advance(1)
    socket.resume()
    await once(socket, 'close')
    expect(clock.pending()).toBe(0)
  })

  it('the deadline ends with the decision, so that a request may take longer', async () => {
    const clock = createVirtualClock()
    const { port } = await start({ clock, firstByteTimeoutMs: 2_000 })
    const socket = await open(port)
    socket.write('GET / HTT')
    await roundTrip(port)
    clock.advance(5_000)
    socket.write('P/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(await text(socket)).toContain('200 OK')
  })

  it('a header section above the limit is refused over both protocols', async () => {
    const { port } = await start({ maxHeaderBytes: 8_192 })
    const large = 'x'.repeat(9_000)
    const socket = await open(port)
    socket.write(`GET / HTTP/1.1\r\nHost: a\r\nx-large: ${large}\r\n\r\n`)
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 431 /)
    const session = openSession(port)
    const outcome = await requestOver(session, { 'x-large': large }).catch((error: NodeJS.ErrnoException) => error.code)
    expect(outcome).not.toMatchObject({ status: 200 })
    expect((await requestOver(session, { 'x-small': 'x'.repeat(4_000) })).status).toBe(200)
  })

  it('an HTTP/1.1 request that cannot be parsed gets what the callback writes', async () => {
    const codes: unknown[] = []
    const { port } = await start({
      onMalformedRequest: (error, socket) => {
        codes.push(error.code)
        socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 7\r\n\r\nproblem')
      },
    })
    const socket = await open(port)
    socket.write('GET / HTTP/9.9\r\n\r\n')
    expect(await text(socket)).toContain('problem')
    expect(codes).toEqual(['HPE_INVALID_VERSION'])
  })

  it('an HTTP/2 session that breaks the protocol is reported and ended, and the server goes on', async () => {
    const errors: Error[] = []
    const { port } = await start({ onSessionError: (error) => errors.push(error) })
    const socket = await open(port)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nthis is no frame at all, it only looks like bytes')
    socket.resume()
    await once(socket, 'close')
    expect(errors.length).toBeGreaterThan(0)
    expect((await requestOver(openSession(port))).status).toBe(200)
  })

  it('an HTTP/2 session without a request ends at the limit for headers, one with a request at the idle limit', async () => {
    const clock = createVirtualClock()
    const { port } = await start({ clock, headersTimeoutMs: 1_000, keepAliveTimeoutMs: 60_000 })
    const silent = openSession(port)
    await once(silent, 'remoteSettings')
    const used = openSession(port)
    await requestOver(used)
    clock.advance(1_500)
    await untilTicks(() => silent.closed)
    expect(used.closed).toBe(false)
    clock.advance(60_000)
    await untilTicks(() => used.closed)
  })

  it('an HTTP/2 request whose body never ends is reset at the request limit', async () => {
    const clock = createVirtualClock()
    const { port } = await start({ clock, requestTimeoutMs: 3_000 })
    const stream = openSession(port).request({ ':path': '/', ':method': 'POST' })
    stream.on('error', () => {})
    stream.write('begin')
    await roundTrip(port)
    clock.advance(4_000)
    await once(stream, 'close')
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL)
  })

  it('a client that opens and resets streams without end loses its session', async () => {
    let requests = 0
    const { port } = await start({}, () => (requests += 1))
    const socket = await open(port)
    socket.on('error', () => {})
    const resets = 5_000
    socket.write(preface)
    for (let index = 0; index < resets; index += 1) {
      const id = 2 * index + 1
      // Indexed fields of HPACK's static table: GET, /, http; then RST_STREAM with CANCEL.
      socket.write(Buffer.concat([frame(1, 0x05, id, [0x82, 0x84, 0x86, 0x41, 1, 0x61]), frame(3, 0, id, [0, 0, 0, 8])]))
    }
    socket.resume()
    await once(socket, 'close')
    expect(requests).toBeLessThan(resets / 2)
  })
})

describe('closing', () => {
  it('ends idle connections of both protocols, and undecided ones, at once', async () => {
    const { server, port } = await start()
    const session = openSession(port)
    await requestOver(session)
    const keptAlive = await open(port)
    keptAlive.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(keptAlive, 'data')
    const undecided = await open(port)
    undecided.resume()
    await roundTrip(port)
    await new Promise((resolve) => server.close(resolve))
    await untilTicks(() => session.closed && keptAlive.destroyed && undecided.destroyed)
  })

  it('lets an open HTTP/2 stream finish, and refuses new ones with GOAWAY', async () => {
    let finish = (): void => {}
    const { server, port } = await start({}, (_request, response) => {
      ;(response as ServerResponse).write('first ')
      finish = () => response.end('last')
    })
    const session = openSession(port)
    const stream = session.request({ ':path': '/' })
    await once(stream, 'response')
    const goaway = once(session, 'goaway')
    const closed = new Promise((resolve) => server.close(resolve))
    await goaway
    finish()
    expect(await text(stream)).toBe('first last')
    await closed
  })

  it('cuts an HTTP/2 stream that does not finish, after the grace period', async () => {
    const clock = createVirtualClock()
    const { server, port } = await start({ clock, closeGraceMs: 5_000 }, (_request, response) => {
      ;(response as ServerResponse).write('and then nothing')
    })
    const stream = openSession(port).request({ ':path': '/' })
    stream.on('error', () => {})
    await once(stream, 'response')
    let ended = false
    const closed = new Promise<void>((resolve) =>
      server.close(() => {
        ended = true
        resolve()
      }),
    )
    clock.advance(4_999)
    await roundTrip((await start()).port)
    expect(ended).toBe(false)
    clock.advance(1)
    await closed
    expect(clock.pending()).toBe(0)
  })

  it('is over after the grace period, though a client takes nothing of its answer and closes nothing', async () => {
    const clock = createVirtualClock()
    const { server, port } = await start({ clock, closeGraceMs: 500 }, (_request, response) => response.end('x'.repeat(100_000)))
    const session = openSession(port)
    const stream = session.request({ ':path': '/' })
    stream.on('error', () => {})
    await once(stream, 'response')
    const closed = once(server, 'close')
    server.close()
    clock.advance(500)
    await closed
    session.destroy()
  })

  it('ends an HTTP/1.1 connection once its answer is complete', async () => {
    let finish = (): void => {}
    const { server, port } = await start({}, (_request, response) => {
      ;(response as ServerResponse).write('first ')
      finish = () => response.end('last')
    })
    const socket = await open(port)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(socket, 'data')
    const closed = new Promise((resolve) => server.close(resolve))
    finish()
    await closed
  })
})

/** A whole request on another connection: afterwards what was written before on the first has been read. */
async function roundTrip(port: number): Promise<void> {
  const socket = await open(port)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await once(socket, 'data')
  socket.destroy()
}
