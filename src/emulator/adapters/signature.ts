/**
 * Verifies AWS Signature Version 4 as a service does: from the request as it arrived, over HTTP/1.1 and HTTP/2, where the
 * SDK signs `:authority` in place of `host`. A Bedrock API key as bearer token is the other way in.
 *
 * Source: "Create a signed AWS API request" in the IAM user guide, and the errors that AWS's front end answers with. The
 * derived key is kept for each day and region, as a KeyObject, which makes a signature ten times cheaper.
 */
import { createHmac, createSecretKey, hash, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http2'
import type { ExceptionName, Refusal } from '../exceptions.ts'

export interface EmulatedCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** When set, requests must carry it; when not, a session token is refused. */
  readonly sessionToken?: string
}

export interface SignedRequest {
  readonly method: string
  /** Path and query as they stand on the wire. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface Caller {
  readonly scheme: 'sigv4' | 'bearer'
  readonly accessKeyId: string | undefined
  readonly region: string | undefined
}

export type SignatureVerifier = (request: SignedRequest, nowMs: number) => Caller | Refusal

const service = 'bedrock'
const algorithm = 'AWS4-HMAC-SHA256'
const longestSkewMs = 5 * 60_000
const unsignedPayload = 'UNSIGNED-PAYLOAD'

/** Days times regions: a client that invents regions must not grow memory. */
const mostCachedKeys = 256

export function createSignatureVerifier(credentials: readonly EmulatedCredentials[], bearerKeys: readonly string[]): SignatureVerifier {
  const known = new Map(credentials.map((each) => [each.accessKeyId, each]))
  const signingKeys = new Map<string, KeyObject>()

  const signingKey = (holder: EmulatedCredentials, date: string, region: string): KeyObject => {
    const name = `${holder.accessKeyId}/${date}/${region}`
    const cached = signingKeys.get(name)
    if (cached !== undefined) return cached
    let key = Buffer.from(`AWS4${holder.secretAccessKey}`)
    for (const part of [date, region, service, 'aws4_request']) key = createHmac('sha256', key).update(part).digest()
    if (signingKeys.size >= mostCachedKeys) signingKeys.clear()
    const secret = createSecretKey(key)
    signingKeys.set(name, secret)
    return secret
  }

  return (request, nowMs) => {
    const authorization = request.headers.authorization
    if (authorization === undefined || authorization === '') return refuse('MissingAuthenticationTokenException')
    if (authorization.startsWith('Bearer ')) {
      return bearerKeys.includes(authorization.slice('Bearer '.length).trim())
        ? { scheme: 'bearer', accessKeyId: undefined, region: undefined }
        : refuse('AccessDeniedException', 'Authentication failed: Please make sure your API Key is valid.')
    }
    if (!authorization.startsWith(`${algorithm} `)) return refuse('IncompleteSignatureException', 'The Authorization header names no algorithm that is known here.')
    const parts = readAuthorization(authorization)
    const [accessKeyId, date, region, scopeService, terminator, ...rest] = (parts.get('Credential') ?? '').split('/')
    const signedHeaders = parts.get('SignedHeaders')?.split(';')
    const signature = parts.get('Signature')
    const amzDate = single(request.headers['x-amz-date'])
    const signedAtMs = amzDate === undefined ? undefined : readAmzDate(amzDate)
    if (accessKeyId === undefined || date === undefined || region === undefined || signedHeaders === undefined || signature === undefined || amzDate === undefined || signedAtMs === undefined) {
      return refuse('IncompleteSignatureException', "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters, and an 'X-Amz-Date' header.")
    }
    if (scopeService !== service) return refuse('InvalidSignatureException', `Credential should be scoped to correct service: '${service}'.`)
    if (terminator !== 'aws4_request' || rest.length > 0 || date !== amzDate.slice(0, 8) || region === '') {
      return refuse('InvalidSignatureException', 'Credential should be scoped to a valid date, region and terminator.')
    }
    const holder = known.get(accessKeyId)
    if (holder === undefined || single(request.headers['x-amz-security-token']) !== holder.sessionToken) return refuse('UnrecognizedClientException')
    if (Math.abs(nowMs - signedAtMs) > longestSkewMs) {
      const direction = signedAtMs < nowMs ? 'Signature expired' : 'Signature not yet current'
      return refuse('InvalidSignatureException', `${direction}: ${amzDate} is more than 5 min from ${writeAmzDate(nowMs)}`)
    }
    if (!coversWhatItMust(signedHeaders, request.headers)) return refuse('InvalidSignatureException', 'The host and every x-amz-* header must be signed.')
    const payloadHash = single(request.headers['x-amz-content-sha256'])
    const bodyHash = payloadHash === unsignedPayload ? unsignedPayload : hash('sha256', request.body, 'hex')
    if (payloadHash !== undefined && payloadHash !== bodyHash) return refuse('InvalidSignatureException')
    const canonical = canonicalRequest(request, signedHeaders, bodyHash)
    const toSign = `${algorithm}\n${amzDate}\n${date}/${region}/${service}/aws4_request\n${hash('sha256', canonical, 'hex')}`
    const expected = createHmac('sha256', signingKey(holder, date, region)).update(toSign).digest()
    const given = Buffer.from(signature, 'hex')
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return refuse('InvalidSignatureException')
    return { scheme: 'sigv4', accessKeyId, region }
  }
}

function refuse(exception: ExceptionName, message?: string): Refusal {
  return message === undefined ? { exception } : { exception, message }
}

function readAuthorization(header: string): ReadonlyMap<string, string> {
  const parts = new Map<string, string>()
  for (const part of header.slice(algorithm.length + 1).split(',')) {
    const equals = part.indexOf('=')
    if (equals !== -1) parts.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim())
  }
  return parts
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[], bodyHash: string): string {
  const mark = request.url.indexOf('?')
  const path = mark === -1 ? request.url : request.url.slice(0, mark)
  const query = mark === -1 ? '' : request.url.slice(mark + 1)
  let headers = ''
  for (const name of signedHeaders) headers += `${name}:${headerValue(request.headers, name)}\n`
  return `${request.method}\n${canonicalPath(path)}\n${canonicalQuery(query)}\n${headers}\n${signedHeaders.join(';')}\n${bodyHash}`
}

/** HTTP/2 has the host as `:authority`; clients sign either name. */
function headerValue(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name] ?? (name === 'host' ? headers[':authority'] : undefined) ?? ''
  const text = Array.isArray(value) ? value.join(',') : value
  return text.trim().replace(/ {2,}/g, ' ')
}

/** Every service but S3 encodes the path once more than it stands on the wire, after removing dot segments. */
function canonicalPath(path: string): string {
  const segments: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue
    if (segment === '..') segments.pop()
    else segments.push(encode(segment))
  }
  const joined = segments.join('/')
  return `/${joined}${joined !== '' && path.endsWith('/') ? '/' : ''}`
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  return query
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=')
      const name = equals === -1 ? pair : pair.slice(0, equals)
      return [encode(decode(name)), encode(decode(equals === -1 ? '' : pair.slice(equals + 1)))] as const
    })
    .sort(([a, x], [b, y]) => (a < b || (a === b && x < y) ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // Not percent-encoding: taken as it stands, and the signature decides.
    return text
  }
}

function coversWhatItMust(signedHeaders: readonly string[], headers: IncomingHttpHeaders): boolean {
  if (!signedHeaders.includes('host') && !signedHeaders.includes(':authority')) return false
  for (const name in headers) if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) return false
  return true
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

function readAmzDate(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

function writeAmzDate(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}
