/**
 * The upstream of every benchmark: answers Converse with one fixed JSON and ConverseStream with frames that are encoded
 * once, at the start. It must cost little beside what it serves, so it reads raw sockets, checks no signature and parses
 * no JSON; what to stream it reads from the prompt (`stream-plan.ts`). It is not the emulator, which is faithful to AWS.
 *
 * Started as a process with an IPC channel: reports `{ port }`, ends with the channel.
 */
import { createServer, type Socket } from 'node:net'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { contentMarker, readPlan, type StreamPlan } from './stream-plan.ts'
import { RequestReader } from './wire/request-reader.ts'

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString('utf8'),
  (text) => Buffer.from(text, 'utf8'),
)

/** An event of ConverseStream as one chunk of the chunked encoding. */
function frame(eventType: string, payload: object): Buffer {
  const message = codec.encode({
    headers: {
      ':event-type': { type: 'string', value: eventType },
      ':content-type': { type: 'string', value: 'application/json' },
      ':message-type': { type: 'string', value: 'event' },
    },
    body: Buffer.from(JSON.stringify({ ...payload, p: 'abcdefghijklmnop' })),
  })
  return Buffer.concat([Buffer.from(`${message.length.toString(16)}\r\n`), message, Buffer.from('\r\n')])
}

const usage = { inputTokens: 64, outputTokens: 80, totalTokens: 144 }
const answerText = `${`The ${contentMarker} of node seven is stable and no step is needed. `.repeat(6)}End of synthetic answer.`
const answerBody = JSON.stringify({
  metrics: { latencyMs: 1 },
  output: { message: { role: 'assistant', content: [{ text: answerText }] } },
  stopReason: 'end_turn',
  usage,
})
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\nContent-Length: ${Buffer.byteLength(answerBody)}\r\n\r\n${answerBody}`,
)
const notFound = Buffer.from('HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}')

const streamHead = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nx-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\nTransfer-Encoding: chunked\r\n\r\n',
)
const delta = frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: ` ${contentMarker} is stable` } })
const opening = Buffer.concat([streamHead, frame('messageStart', { role: 'assistant' }), delta])
const closing = Buffer.concat([
  frame('contentBlockStop', { contentBlockIndex: 0 }),
  frame('messageStop', { stopReason: 'end_turn' }),
  frame('metadata', { metrics: { latencyMs: 1 }, usage }),
  Buffer.from('0\r\n\r\n'),
])

/** Whole bursts by their number of events; a benchmark asks for one or two sizes. */
const bursts = new Map<number, Buffer>()
const maxBurstSizes = 16

function burst(events: number): Buffer {
  let bytes = bursts.get(events)
  if (bytes === undefined) {
    bytes = Buffer.concat([opening, ...Array.from({ length: events - 1 }, () => delta), closing])
    if (bursts.size < maxBurstSizes) bursts.set(events, bytes)
  }
  return bytes
}

/** The first event goes at once, the others on a fixed grid, so that a late timer does not shift those after it. */
function pace(socket: Socket, plan: StreamPlan): void {
  const startMs = performance.now()
  let sent = 1
  const step = (): void => {
    if (socket.destroyed) return
    sent += 1
    socket.write(delta)
    if (sent >= plan.events) socket.write(closing)
    else wait()
  }
  const wait = (): void => {
    setTimeout(step, Math.max(0, startMs + sent * plan.everyMs - performance.now()))
  }
  wait()
}

function stream(socket: Socket, plan: StreamPlan): void {
  if (plan.everyMs === 0 || plan.events === 1) {
    socket.write(burst(plan.events))
  } else {
    socket.write(opening)
    pace(socket, plan)
  }
}

const server = createServer({ noDelay: true }, (socket) => {
  const reader = new RequestReader((head, body) => {
    const lineEnd = head.indexOf('\r\n')
    const line = lineEnd < 0 ? head : head.slice(0, lineEnd)
    if (line.includes('/converse-stream ')) stream(socket, readPlan(body.toString('latin1')))
    else if (line.includes('/converse ')) socket.write(answer)
    else socket.write(notFound)
  })
  socket.on('data', (chunk: Buffer) => {
    try {
      reader.read(chunk)
    } catch {
      socket.destroy() // Not a request that a benchmark sends.
    }
  })
  socket.on('error', () => {
    socket.destroy()
  })
})

server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the mock upstream has no port')
  process.send?.({ port: address.port })
})
process.on('disconnect', () => {
  process.exit(0)
})
