/**
 * What the parts of the Direct Bedrock Client cost, each beside the AWS SDK's own: signing a request, and decoding one event
 * of a stream. Single-threaded, medians of interleaved rounds; run with `node bench/micro-signing.ts`. The results that
 * the decisions rest on are in `docs/decisions/`.
 */
import { Sha256 } from '@aws-crypto/sha256-js'
import { EventStreamCodec } from '@smithy/eventstream-codec'
import { SignatureV4 } from '@smithy/signature-v4'
import { createHash, createHmac } from 'node:crypto'
import { EventStreamDecoder } from '../src/direct/adapters/event-stream-decoder.ts'
import { canonicalPath, payloadHash, SignatureV4Signer } from '../src/direct/adapters/signature-v4.ts'

const rounds = 9
const warmUpRounds = 3

interface Contender {
  readonly name: string
  readonly perRound: number
  run(count: number): Promise<void> | void
}

async function compare(title: string, unit: string, contenders: readonly Contender[]): Promise<void> {
  const times = new Map(contenders.map((contender) => [contender.name, [] as number[]]))
  for (let round = 0; round < rounds + warmUpRounds; round += 1) {
    for (const contender of contenders) {
      const start = process.cpuUsage()
      await contender.run(contender.perRound)
      const used = process.cpuUsage(start)
      if (round >= warmUpRounds) times.get(contender.name)?.push((used.user + used.system) / contender.perRound)
    }
  }
  console.log(`${title} (CPU µs per ${unit}, median of ${rounds})`)
  for (const [name, values] of times) console.log(`  ${name.padEnd(52)} ${(values.sort((a, b) => a - b)[rounds >> 1] ?? 0).toFixed(2)}`)
}

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const path = '/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse'
const host = 'bedrock-runtime.eu-central-1.amazonaws.com'
const body = Buffer.from(JSON.stringify({ messages: [{ role: 'user', content: [{ text: 'x'.repeat(900) }] }] }))

/** Node's own hashes behind the interface that the SDK's signer wants. */
class NodeSha256 {
  private readonly state: ReturnType<typeof createHash> | ReturnType<typeof createHmac>
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.state = secret === undefined ? createHash('sha256') : createHmac('sha256', typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array))
  }
  update(data: Uint8Array): void {
    this.state.update(data)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.state.digest())
  }
  reset(): void {}
}

function sdkSigner(sha256: typeof Sha256): SignatureV4 {
  return new SignatureV4({ service: 'bedrock', region: 'eu-central-1', credentials, sha256, applyChecksum: false })
}

async function signWith(signer: SignatureV4, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await signer.sign({ method: 'POST', protocol: 'https:', hostname: host, path, query: {}, headers: { host, 'content-type': 'application/json' }, body })
  }
}

const own = new SignatureV4Signer('eu-central-1', 'bedrock')
const canonical = canonicalPath(path)
const script = sdkSigner(Sha256)
const native = sdkSigner(NodeSha256 as unknown as typeof Sha256)

await compare('Signing', 'request of 1 kB', [
  {
    name: 'own signer, body hashed each time',
    perRound: 20_000,
    run(count) {
      for (let index = 0; index < count; index += 1) {
        own.sign({ method: 'POST', canonicalPath: canonical, host, contentType: 'application/json', payloadHash: payloadHash(body) }, credentials, Date.now())
      }
    },
  },
  { name: '@smithy/signature-v4, hashes of node:crypto', perRound: 2_000, run: (count) => signWith(native, count) },
  { name: '@smithy/signature-v4, hashes of @aws-crypto/sha256-js', perRound: 500, run: (count) => signWith(script, count) },
])

const fromUtf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8')
const toUtf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
const codec = new EventStreamCodec(toUtf8, fromUtf8)
const event = Buffer.from(
  codec.encode({
    headers: {
      ':event-type': { type: 'string', value: 'contentBlockDelta' },
      ':content-type': { type: 'string', value: 'application/json' },
      ':message-type': { type: 'string', value: 'event' },
    },
    body: fromUtf8(JSON.stringify({ contentBlockIndex: 0, delta: { text: ' a few words of text' }, p: 'abcdefghijklmnop' })),
  }),
)
const burst = Buffer.concat(Array.from({ length: 64 }, () => event))
let decoded = 0
const decoder = new EventStreamDecoder(65_536, (_headers, payload) => {
  decoded += (JSON.parse(payload.toString('utf8')) as { contentBlockIndex: number }).contentBlockIndex + 1
  return true
})

await compare('Decoding, payload parsed', `event of ${event.length} bytes`, [
  {
    name: 'own decoder, one event per chunk',
    perRound: 64_000,
    run(count) {
      for (let index = 0; index < count; index += 1) decoder.push(event)
    },
  },
  {
    name: 'own decoder, 64 events per chunk',
    perRound: 64_000,
    run(count) {
      for (let index = 0; index < count; index += 64) decoder.push(burst)
    },
  },
  {
    name: 'own decoder, every event cut in two',
    perRound: 64_000,
    run(count) {
      const head = event.subarray(0, 70)
      const tail = event.subarray(70)
      for (let index = 0; index < count; index += 1) {
        decoder.push(head)
        decoder.push(tail)
      }
    },
  },
  {
    name: '@smithy/eventstream-codec, without framing',
    perRound: 16_000,
    run(count) {
      for (let index = 0; index < count; index += 1) {
        const message = codec.decode(event)
        decoded += (JSON.parse(toUtf8(message.body)) as { contentBlockIndex: number }).contentBlockIndex + 1
      }
    },
  },
])
if (decoded === 0) throw new Error('nothing was decoded')
