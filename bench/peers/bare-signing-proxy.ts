/**
 * The floor that a Node.js gateway to Bedrock can reach: `node:http` in front, undici behind, SigV4 between, and the
 * mapping from an operation to Converse and back. It validates nothing, records nothing, retries nothing and checks no
 * checksum: whatever we cost more than this, is what those cost.
 *
 * Started as a process with an IPC channel and the upstream's origin as its argument: reports `{ port }`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Pool } from 'undici'
import { Signer } from './sigv4.ts'

const origin = new URL(process.argv[2] ?? '')
const pool = new Pool(origin.origin, { connections: null })
const signer = new Signer({ accessKeyId: 'emulator', secretAccessKey: 'emulator' }, 'us-east-1', 'bedrock')
const modelPath = '/model/anthropic.bench-model'

interface Operation {
  readonly prompt: string
  readonly maxTokens: number
  readonly mode?: string
}
interface ConverseAnswer {
  readonly output: { readonly message: { readonly content: readonly { readonly text: string }[] } }
  readonly stopReason: string
  readonly usage: object
}
interface StreamPayload {
  readonly delta?: { readonly text?: string }
  readonly stopReason?: string
}

/** Cuts an event stream into payloads. A frame: total length, headers length, checksum; headers; payload; checksum. */
class FrameCutter {
  #pending: Buffer = Buffer.alloc(0)

  payloads(chunk: Buffer): StreamPayload[] {
    const payloads: StreamPayload[] = []
    let bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    while (bytes.length >= 12) {
      const total = bytes.readUInt32BE(0)
      if (bytes.length < total) break
      payloads.push(JSON.parse(bytes.toString('utf8', 12 + bytes.readUInt32BE(4), total - 4)) as StreamPayload)
      bytes = bytes.subarray(total)
    }
    this.#pending = bytes
    return payloads
  }
}

async function relay(operation: Operation, response: ServerResponse): Promise<void> {
  const streaming = operation.mode === 'stream'
  const path = `${modelPath}/${streaming ? 'converse-stream' : 'converse'}`
  const body = JSON.stringify({
    messages: [{ role: 'user', content: [{ text: operation.prompt }] }],
    inferenceConfig: { maxTokens: operation.maxTokens },
  })
  const upstream = await pool.request({ method: 'POST', path, headers: signer.headers(origin.host, path, body, new Date()), body })
  if (!streaming) {
    const answer = (await upstream.body.json()) as ConverseAnswer
    const result = JSON.stringify({
      status: 'succeeded',
      output: { text: answer.output.message.content[0]?.text, stopReason: answer.stopReason },
      usage: answer.usage,
    })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(result) }).end(result)
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const cutter = new FrameCutter()
  let stopReason: string | undefined
  for await (const chunk of upstream.body) {
    let events = ''
    for (const payload of cutter.payloads(chunk as Buffer)) {
      if (payload.delta?.text !== undefined) events += `event: delta\ndata: ${JSON.stringify({ text: payload.delta.text })}\n\n`
      stopReason = payload.stopReason ?? stopReason
    }
    if (events !== '') response.write(events)
  }
  response.end(`event: result\ndata: ${JSON.stringify({ status: 'succeeded', stopReason })}\n\n`)
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'POST') {
    response.writeHead(200).end()
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    relay(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Operation, response).catch(() => {
      response.destroy() // The load generator counts it as a failure.
    })
  })
}

const server = createServer(serve)
server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 }, () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  process.send?.({ port: address.port })
})
process.on('disconnect', () => {
  process.exit(0)
})
